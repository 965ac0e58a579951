"""A real server process, spoken to in lines, as a client that shares no code with it would.

Everything that waits has a deadline; everything that the server wrote is kept until it is asked for.
"""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process

DEADLINE = 20.0
"""Seconds for any one thing to happen; far more than it takes."""

INITIALIZE = {"clientInfo": {"name": "test", "version": "1.0"}, "capabilities": {"experimentalApi": True}}

Json = dict[str, Any]


class ServerProcess:
    """A server under test. Messages are read in order; those that are not asked for yet are kept."""

    def __init__(self, process: Process, home: Path, log: Path) -> None:
        self.process = process
        self.home = home
        self.log = log
        self.messages: list[Json] = []
        self._buffer = b""
        self._next_id = 1000

    # Saying

    async def send(self, *lines: Json | bytes) -> None:
        """Write messages, or lines as they are."""
        assert self.process.stdin is not None
        data = b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
        with anyio.fail_after(DEADLINE):
            await self.process.stdin.send(data)

    async def close_input(self) -> None:
        """What a parent does that has nothing more to say."""
        assert self.process.stdin is not None
        await self.process.stdin.aclose()

    # Hearing

    async def line(self) -> bytes:
        """The next line, raw; fails when the output ends or the deadline passes."""
        assert self.process.stdout is not None
        with anyio.fail_after(DEADLINE):
            while b"\n" not in self._buffer:
                self._buffer += await self.process.stdout.receive()
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    async def message(self) -> Json:
        """The next message that nobody has taken."""
        if self.messages:
            return self.messages.pop(0)
        return json.loads(await self.line())  # type: ignore[no-any-return]

    async def take(self, wanted: Any) -> Json:
        """The first message for which ``wanted`` holds; the others stay for later, in order."""
        for index, message in enumerate(self.messages):
            if wanted(message):
                return self.messages.pop(index)
        with anyio.fail_after(DEADLINE):
            while True:
                message = json.loads(await self.line())
                if wanted(message):
                    return message  # type: ignore[no-any-return]
                self.messages.append(message)

    async def answer(self, request_id: Any) -> Json:
        """The answer to the request with this id."""
        return await self.take(lambda message: "method" not in message and message.get("id") == request_id)

    async def notification(self, method: str) -> Json:
        """The params of the next notification of this method."""
        message = await self.take(lambda message: message.get("method") == method and "id" not in message)
        return message["params"]  # type: ignore[no-any-return]

    async def server_request(self, method: str) -> Json:
        """The next request of the server to its client."""
        return await self.take(lambda message: message.get("method") == method and "id" in message)

    async def rest(self) -> list[Json]:
        """Everything up to the end of the output."""
        assert self.process.stdout is not None
        with anyio.fail_after(DEADLINE):
            async for chunk in self.process.stdout:
                self._buffer += chunk
        rest = [json.loads(line) for line in self._buffer.splitlines()]
        self._buffer = b""
        messages, self.messages = self.messages + rest, []
        return messages

    async def exit_status(self) -> int:
        """Wait for the end of the process."""
        with anyio.fail_after(DEADLINE):
            return await self.process.wait()

    # Both

    async def request(self, method: str, params: Any = ...) -> Json:
        """Ask and wait for the answer: a dict with ``result`` or ``error``."""
        self._next_id += 1
        message: Json = {"id": self._next_id, "method": method}
        if params is not ...:
            message["params"] = params
        await self.send(message)
        return await self.answer(self._next_id)

    async def result(self, method: str, params: Any = ...) -> Any:
        """Ask and expect a result."""
        answer = await self.request(method, params)
        assert "result" in answer, answer
        return answer["result"]

    async def error(self, method: str, params: Any = ...) -> Json:
        """Ask and expect an error: its code and message, and data if any."""
        answer = await self.request(method, params)
        assert "error" in answer, answer
        return answer["error"]  # type: ignore[no-any-return]

    async def initialize(self, **capabilities: Any) -> Json:
        """The handshake; experimental unless told otherwise."""
        params = {**INITIALIZE, "capabilities": {"experimentalApi": True, **capabilities}}
        return await self.result("initialize", params)  # type: ignore[no-any-return]

    async def barrier(self) -> list[Json]:
        """Everything that was said before the answer to one more ``getAuthStatus``, taken."""
        await self.result("getAuthStatus", {})
        said, self.messages = self.messages, []
        return said


@asynccontextmanager
async def running_server(
    home: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = (sys.executable, "-m", "app_server"),
    initialize: bool = True,
) -> AsyncIterator[ServerProcess]:
    """A server with this CODEX_HOME. Its stderr goes to a file beside the home, which a failing test can show."""
    log = home.with_name(f"{home.name}.stderr")
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("CODEX_", "OPENAI_", "SSL_CERT"))
    }
    with log.open("ab") as stderr:
        process = await anyio.open_process(
            [*command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**inherited, "CODEX_HOME": str(home), "APP_SERVER_LOG": "debug", **(env or {})},
        )
    server = ServerProcess(process, home, log)
    try:
        if initialize:
            await server.initialize()
        yield server
    finally:
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()
