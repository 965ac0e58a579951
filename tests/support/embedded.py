"""The server's connection in the test's own process, with handlers that the test brings.

For what a subprocess cannot be made to do on purpose, such as a handler that fails, and for what it cannot be asked,
such as whether it has come to rest. Everything between the transport and the handlers is the real thing.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio

from app_server.connection import Connection
from app_server.handlers.lifecycle import LifecycleHandlers
from app_server.outgoing import Outgoing
from app_server.router import Handler, Router
from app_server.session import Session
from app_server.transport.memory import MemoryTransport
from protocol.catalogue import CLIENT_REQUESTS
from tests.support.server import DEADLINE, INITIALIZE, Json

INTERNAL_ERROR: Json = {"code": -32603, "message": "internal error"}
"""What a client learns about a fault of ours."""


class EmbeddedConnection:
    """The client's end of a connection.

    :param outgoing: what the server would speak through.
    :param ended: set when the connection has ended.
    """

    def __init__(self, transport: MemoryTransport, outgoing: Outgoing, connection: Connection) -> None:
        self.transport = transport
        self.outgoing = outgoing
        self.connection = connection
        self.ended = anyio.Event()

    async def send(self, *lines: Json | bytes) -> None:
        """Write messages, or lines as they are, in one piece."""
        data = b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
        await self.transport.send(data)

    async def message(self) -> Json:
        """The next message."""
        with anyio.fail_after(DEADLINE):
            line = await self.transport.receive()
        assert line is not None, "the connection was closed"
        return json.loads(line)  # type: ignore[no-any-return]

    async def rest(self) -> list[Json]:
        """All further messages, up to the end of the connection."""
        messages: list[Json] = []
        with anyio.fail_after(DEADLINE):
            while (line := await self.transport.receive()) is not None:
                messages.append(json.loads(line))
        return messages


@asynccontextmanager
async def embedded_connection(
    handlers: Mapping[str, Handler[Any, Any]] | None = None,
    *,
    initialize: bool = True,
    max_concurrent: int = 16,
    max_backlog_bytes: int = 1024 * 1024,
    max_line_bytes: int = 1024 * 1024,
    drain_timeout: float = DEADLINE,
) -> AsyncIterator[EmbeddedConnection]:
    """A connection whose handlers are these; a request that none of them is for is a fault of the test.

    :param max_concurrent, max_backlog_bytes, drain_timeout: as for ``Connection``.
    """
    there, here = MemoryTransport.pair(max_line_bytes)
    session, outgoing = Session(), Outgoing(there)
    lifecycle = LifecycleHandlers(session, outgoing, "/home", [], lambda: None)
    given = {"initialize": lifecycle.initialize, **(handlers or {})}
    table = {declaration: given.get(declaration.method, _not_expected) for declaration in CLIENT_REQUESTS}
    connection = Connection(
        there,
        outgoing,
        Router(table),
        session,
        max_concurrent=max_concurrent,
        max_backlog_bytes=max_backlog_bytes,
        drain_timeout=drain_timeout,
    )
    client = EmbeddedConnection(here, outgoing, connection)

    async def run() -> None:
        await connection.run()
        await there.aclose()
        client.ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        if initialize:
            await client.send({"id": "initialize", "method": "initialize", "params": INITIALIZE})
            assert "result" in await client.message()
        yield client
        tasks.cancel_scope.cancel()


async def _not_expected(params: Any) -> Any:
    raise AssertionError(f"no handler of this test is for {type(params).__name__}")
