"""Starting a server, as a subprocess or in this event loop, and a client of it; both end with the block.

Both are left by the task that entered them, as task groups are.
"""

import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import IO, TYPE_CHECKING, Final, Unpack

import anyio
from anyio.abc import Process, TaskGroup

from app_server.client.client import Client
from app_server.client.connection import Trace
from app_server.client.errors import ServerGone
from app_server.client.handlers import HANDLER_TIMEOUT, Answers, Handlers, NamedHandlers, all_handlers
from app_server.transport.memory import MemoryTransport
from app_server.transport.process import ProcessTransport

if TYPE_CHECKING:
    from app_server.config import Configuration

COMMAND: Final = (sys.executable, "-m", "app_server")
"""What starts the server that is installed beside this client."""

STOP_TIMEOUT: Final = 7.0
"""Seconds that a server has to end once its input is closed (its own drain takes 5), before it is killed."""

log = logging.getLogger(__name__)


@asynccontextmanager
async def spawn(
    command: Sequence[str] = COMMAND,
    *,
    env: Mapping[str, str] | None = None,
    handlers: Handlers | None = None,
    stderr: int | IO[bytes] | None = None,
    trace: Trace | None = None,
    handler_timeout: float = HANDLER_TIMEOUT,
    stop_timeout: float = STOP_TIMEOUT,
    **named: Unpack[NamedHandlers],
) -> AsyncIterator[Client]:
    """Start a server as a subprocess, and end it with the block.

    :param command: what to start; a string is one word.
    :param env: variables to set besides this process's own.
    :param handlers: what to answer to the server's requests; see ``protocol.catalogue.SERVER_REQUESTS``.
    :param stderr: where its log goes; this process's stderr by default. With ``subprocess.PIPE`` it is read, and its
        end kept for :attr:`ServerGone.stderr`.
    :param trace: sees every line.
    :param handler_timeout: seconds that a handler has before it is cancelled and the server told.
    :param stop_timeout: seconds that the server has to end by itself when the block is left; then it is killed.
    :param named: handlers by name: ``refresh_tokens``, ``tool_call``, ``request_user_input``.
    :raises ServerGone: the command cannot be started.
    """
    answers = Answers(all_handlers(handlers, named), handler_timeout)
    process = await _start([command] if isinstance(command, str) else list(command), env or {}, stderr)
    transport = ProcessTransport(process)

    async def gone() -> ServerGone:
        return ServerGone(await transport.exit_status(), stderr=await transport.last_words())

    try:
        async with _background() as tasks:
            tasks.start_soon(transport.watch)
            tasks.start_soon(transport.write)
            tasks.start_soon(transport.read_stderr)
            client = Client(transport, answers, tasks, trace, gone)
            tasks.start_soon(client.run)
            try:
                yield client
            finally:
                with anyio.CancelScope(shield=True):
                    await _stop(process, transport, stop_timeout)
    finally:
        with anyio.CancelScope(shield=True):
            await process.aclose()


async def _start(command: list[str], env: Mapping[str, str], stderr: int | IO[bytes] | None) -> Process:
    try:
        if not command:
            raise ValueError("the command is empty")
        return await anyio.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env={**os.environ, **env}
        )
    except (OSError, ValueError) as error:
        raise ServerGone(reason=f"the server cannot be started: {error}") from error


async def _stop(process: Process, transport: ProcessTransport, timeout: float) -> None:
    await transport.aclose()
    with anyio.move_on_after(timeout) as deadline:
        await process.wait()
    if deadline.cancelled_caught:
        process.kill()


@asynccontextmanager
async def in_process(
    configuration: "Configuration | None" = None,
    *,
    handlers: Handlers | None = None,
    trace: Trace | None = None,
    handler_timeout: float = HANDLER_TIMEOUT,
    **named: Unpack[NamedHandlers],
) -> AsyncIterator[Client]:
    """Run a server in this event loop, without a subprocess, and end it with the block.

    :param configuration: from :func:`app_server.config.load_configuration`; by default what this process's environment
        leads to, as for a subprocess.
    :param handlers, trace, handler_timeout, named: as for :func:`spawn`.
    """
    # A parent that spawns has no use for the server's modules.
    from app_server.compose import serve  # noqa: PLC0415
    from app_server.config import load_configuration  # noqa: PLC0415

    if configuration is None:
        configuration = load_configuration([], os.environ)
    server_end, client_end = MemoryTransport.pair(configuration.settings.max_line_bytes)
    answers = Answers(all_handlers(handlers, named), handler_timeout)
    ended = anyio.Event()

    async def run_server() -> None:
        try:
            await serve(server_end, configuration)
        except Exception:
            # To the client it is a server that has died, as a subprocess would have.
            log.exception("the server failed")
            await server_end.aclose()
        finally:
            ended.set()

    async with _background() as tasks:
        tasks.start_soon(run_server)
        client = Client(client_end, answers, tasks, trace)
        tasks.start_soon(client.run)
        try:
            yield client
        finally:
            with anyio.CancelScope(shield=True):
                await client_end.aclose()
                # Its own drain has a deadline; handlers that still run would have none.
                await ended.wait()


@asynccontextmanager
async def _background() -> AsyncIterator[TaskGroup]:
    """Tasks that end with the block. What is raised in it comes out as it is, and not in an exception group: whoever
    uses a client need not know that there are tasks behind it, and ``sys.exit`` and Ctrl-C stay what they are."""
    failure: BaseException | None = None
    async with anyio.create_task_group() as tasks:
        try:
            yield tasks
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:  # raised below
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
