"""A real server process, spoken to in lines, as a client that shares no code with it would.

Everything that waits has a deadline; everything that the server wrote is kept until it is asked for.
"""

import json
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import anyio
from anyio.abc import AsyncResource, ByteReceiveStream, ByteSendStream, ByteStream, Process, UNIXSocketStream

from tests.support import reference
from tests.support.forked import PIPE_CAPACITY, PipeReader, can_fork, fork, fork_on, fork_with_pipes

DEADLINE = 20.0
"""Seconds for any one thing to happen; far more than it takes."""

COMMAND: Final = (sys.executable, "-m", "app_server")
"""What starts the server under test, unless the reference stands in its place (``tests.support.reference``)."""

INITIALIZE = {"clientInfo": {"name": "test", "version": "1.0"}, "capabilities": {"experimentalApi": True}}

Json = dict[str, Any]


class ServerProcess:
    """A server under test. Messages are read in order; those that are not asked for yet are kept.

    :param streams: where it is spoken to and heard.
    """

    def __init__(
        self, process: Process, home: Path, log: Path, streams: tuple[ByteSendStream, ByteReceiveStream]
    ) -> None:
        self.process = process
        self.home = home
        self.log = log
        self._input, self.output = streams
        self.messages: list[Json] = []
        self._buffer = b""
        self._lines: deque[bytes] = deque()
        self._is_reference = reference.is_under_test()
        self._next_id = 1000

    # Saying

    async def send(self, *lines: Json | bytes) -> None:
        """Write messages, or lines as they are."""
        data = b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
        with anyio.fail_after(DEADLINE):
            await self._input.send(data)

    async def close_input(self) -> None:
        """What a parent does that has nothing more to say."""
        await self._input.aclose()

    async def end_input(self) -> None:
        """As ``close_input``; on a socket that is for both directions it closes only this one."""
        if isinstance(self._input, ByteStream):
            await self._input.send_eof()
        else:
            await self._input.aclose()

    async def close_output(self) -> None:
        """What a parent does that will not read any more."""
        await self.output.aclose()

    # Hearing

    async def line(self) -> bytes:
        """The next line, raw; fails when the output ends or the deadline passes."""
        with anyio.fail_after(DEADLINE):
            while not self._lines:
                self._keep(await self.output.receive())
        return self._lines.popleft()

    def _keep(self, chunk: bytes) -> None:
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        self._lines.extend(line for line in lines if not (self._is_reference and reference.is_aside(line)))

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
        with anyio.fail_after(DEADLINE):
            async for chunk in self.output:
                self._keep(chunk)
        rest = [json.loads(line) for line in [*self._lines, self._buffer] if line]
        self._lines.clear()
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


def environment(home: Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables for a server with this CODEX_HOME, whatever surrounds the tests."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("CODEX_", "OPENAI_", "SSL_CERT_FILE"))
    }
    return {**inherited, "CODEX_HOME": str(home), "APP_SERVER_LOG": "debug", **(env or {})}


def _launch(
    home: Path, command: Sequence[str], arguments: Sequence[str], env: Mapping[str, str] | None
) -> tuple[list[str], dict[str, str]]:
    """The words that start the server under test, and its variables."""
    if command == COMMAND and reference.is_under_test():
        words = [*reference.command(), *reference.arguments(arguments)]
        return words, environment(home, reference.environment(home, env or {}))
    return [*command, *arguments], environment(home, env)


@asynccontextmanager
async def running_server(
    home: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = COMMAND,
    initialize: bool = True,
    forked: bool = False,
) -> AsyncIterator[ServerProcess]:
    """A server with this CODEX_HOME. Its stderr goes to a file beside the home, which a failing test can show.

    :param forked: spare it the imports if that makes no difference (see ``tests.support.forked``). Not for tests of
        how a server starts or of what it costs; not done either when ``APP_SERVER_TESTS_WITHOUT_FORKS`` is set.
    """
    log = home.with_name(f"{home.name}.stderr")
    words, variables = _launch(home, command, arguments, env)
    reader, writer = os.pipe()
    output = PipeReader(reader)
    try:
        with log.open("ab") as stderr:
            process: Process
            if forked and words == [*COMMAND, *arguments] and can_fork(env or {}):
                process = fork(arguments, variables, writer, stderr.fileno())
            else:
                process = await anyio.open_process(
                    words,
                    stdin=subprocess.PIPE,
                    stdout=writer,
                    stderr=stderr,
                    env=variables,
                )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    assert process.stdin is not None
    server = ServerProcess(process, home, log, (process.stdin, output))
    try:
        if initialize:
            await server.initialize()
        yield server
    finally:
        await _end(process, output)


@asynccontextmanager
async def server_on_sockets(
    home: Path, *arguments: str, env: Mapping[str, str] | None = None, one_for_both: bool = False
) -> AsyncIterator[ServerProcess]:
    """As ``running_server``, on sockets as Node gives them to its children, and without the handshake.

    :param one_for_both: one socket serves both directions.
    """
    log = home.with_name(f"{home.name}.stderr")
    words, variables = _launch(home, COMMAND, arguments, env)
    ours, theirs = socket.socketpair()
    to_read, to_write = (ours, theirs) if one_for_both else socket.socketpair()
    try:
        with log.open("ab") as stderr:
            streams = theirs.fileno(), to_write.fileno(), stderr.fileno()
            process: Process
            if words == [*COMMAND, *arguments] and can_fork(env or {}):
                process = fork_on(arguments, variables, *streams)
            else:
                stdin, stdout, log_file = streams
                process = await anyio.open_process(words, stdin=stdin, stdout=stdout, stderr=log_file, env=variables)
    finally:
        theirs.close()
        to_write.close()
    input_stream = await UNIXSocketStream.from_socket(ours)
    output_stream = input_stream if one_for_both else await UNIXSocketStream.from_socket(to_read)
    try:
        yield ServerProcess(process, home, log, (input_stream, output_stream))
    finally:
        await _end(process, input_stream, output_stream)


async def _end(process: Process, *streams: AsyncResource) -> None:
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            process.kill()
        await process.aclose()
        for stream in streams:
            await stream.aclose()


@dataclass(frozen=True, slots=True)
class Finished:
    """What a server that has ended leaves behind.

    :param output: what it wrote to stdout.
    :param log: what it wrote to stderr.
    """

    status: int
    output: bytes
    log: str

    @property
    def messages(self) -> list[Json]:
        """The messages that it wrote, in order."""
        return [json.loads(line) for line in self.output.splitlines()]

    def answers(self) -> dict[Any, Json]:
        """The answers by their ids, each of which must be there once."""
        answers = [message for message in self.messages if "method" not in message]
        by_id = {answer["id"]: answer for answer in answers}
        assert len(by_id) == len(answers), answers
        return by_id


async def run_to_end(
    home: Path,
    source: bytes | IO[bytes] | int,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = COMMAND,
    forked: bool = True,
) -> Finished:
    """Start a server on input that is already there and ends, and wait for its own end.

    :param source: its stdin; for bytes a pipe that holds them before it starts.
    :param forked: as for ``running_server``.
    """
    reader = -1
    if isinstance(source, bytes):
        assert len(source) <= PIPE_CAPACITY
        reader, writer = os.pipe()
        os.write(writer, source)
        os.close(writer)
        source = reader
    words, variables = _launch(home, command, arguments, env)
    try:
        with anyio.fail_after(DEADLINE):
            descriptor = source if isinstance(source, int) else source.fileno()
            process: Process
            if forked and words == [*COMMAND, *arguments] and can_fork(env or {}) and descriptor >= 0:
                process = fork_with_pipes(arguments, variables, descriptor)
            else:
                process = await anyio.open_process(words, stdin=descriptor, env=variables)
            return await _finish(process)
    finally:
        if reader >= 0:
            os.close(reader)


async def _finish(process: Process) -> Finished:
    """Hear all that it says up to its end."""

    async def hear(stream: ByteReceiveStream | None, said: list[bytes]) -> None:
        assert stream is not None
        said += [chunk async for chunk in stream]

    output: list[bytes] = []
    log: list[bytes] = []
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hear, process.stdout, output)
            tasks.start_soon(hear, process.stderr, log)
        status = await process.wait()
    finally:
        await _end(process)
    return Finished(status, b"".join(output), b"".join(log).decode(errors="replace"))
