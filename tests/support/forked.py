"""Servers that are forked from a process which has imported them already, for tests that are not about their start.

What is forked, and how, stands in ``fork_server``, which runs in a process of its own for each process of tests.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import Signals
from typing import Any, Final

import anyio
import anyio.lowlevel
from anyio.abc import ByteReceiveStream, ByteSendStream, Process

_OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG", "TZ", "PYDANTIC_")
_NOT_AT_ITS_START = ("PYTHON_KEYRING_BACKEND", "PYTHONPATH")  # the fork server sees to the second


def can_fork(env: Mapping[str, str]) -> bool:
    """Whether a forked server is the same as one that is started: not if the interpreter itself reads the environment
    that a test gives it, and only where packets can carry descriptors.

    ``APP_SERVER_TESTS_WITHOUT_FORKS`` in our own environment says that all are to be started.
    """
    if sys.platform != "linux" or "APP_SERVER_TESTS_WITHOUT_FORKS" in os.environ:
        return False
    return not any(name.startswith(_OF_THE_INTERPRETER) for name in env if name not in _NOT_AT_ITS_START)


PIPE_CAPACITY: Final = 64 * 1024
"""Bytes that a pipe holds on Linux without anybody reading."""


class PipeReader(ByteReceiveStream):
    """Our end of a server's stdout. What is not asked for stays in the pipe, and to close it closes the pipe; the
    streams of ``anyio.Process`` do neither.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd

    async def receive(self, max_bytes: int = PIPE_CAPACITY) -> bytes:
        if self._fd < 0:
            raise anyio.ClosedResourceError
        await anyio.wait_readable(self._fd)
        chunk = os.read(self._fd, max_bytes)
        if not chunk:
            raise anyio.EndOfStream
        return chunk

    async def aclose(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class PipeWriter(ByteSendStream):
    """Our end of a server's stdin."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd

    async def send(self, item: bytes) -> None:
        rest = memoryview(item)
        while rest:
            if self._fd < 0:
                raise anyio.ClosedResourceError
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._fd)
            except BrokenPipeError as error:
                raise anyio.BrokenResourceError from error
        await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            anyio.notify_closing(fd)
            os.close(fd)


class ForkedProcess(Process):
    """A server that somebody else is the parent of.

    :param stdin: the writing end of its stdin; None if it reads from something else.
    :param status: where the fork server writes its id and how it ended; see ``fork_server.serve``.
    """

    def __init__(
        self,
        stdin: PipeWriter | None,
        status: int,
        stdout: ByteReceiveStream | None = None,
        stderr: ByteReceiveStream | None = None,
    ) -> None:
        self._stdin = stdin
        self._stdout = stdout
        self._stderr = stderr
        self._status = status
        self._said = b""
        while b"\n" not in self._said:  # it comes at once
            self._read()
        first, _, self._said = self._said.partition(b"\n")
        self._pid = int(first)
        self._returncode: int | None = None
        os.set_blocking(status, False)

    def _read(self) -> None:
        chunk = os.read(self._status, 64)
        assert chunk, "the fork server has gone"
        self._said += chunk

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def returncode(self) -> int | None:
        if self._returncode is None:
            while not self._said.endswith(b"\n"):
                try:
                    self._read()
                except BlockingIOError:
                    return None
            self._returncode = os.waitstatus_to_exitcode(int(self._said))
        return self._returncode

    async def wait(self) -> int:
        while (returncode := self.returncode) is None:
            await anyio.wait_readable(self._status)
        return returncode

    def terminate(self) -> None:
        self.send_signal(Signals.SIGTERM)

    def kill(self) -> None:
        self.send_signal(Signals.SIGKILL)

    def send_signal(self, signal: Signals) -> None:
        if self.returncode is None:
            os.kill(self._pid, signal)

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):
            for stream in (self._stdin, self._stdout, self._stderr):
                if stream is not None:
                    await stream.aclose()
            await self.wait()
        if self._status >= 0:
            os.close(self._status)
            self._status = -1

    @property
    def stdin(self) -> ByteSendStream | None:
        return self._stdin

    @property
    def stdout(self) -> ByteReceiveStream | None:
        return self._stdout

    @property
    def stderr(self) -> ByteReceiveStream | None:
        return self._stderr


class _ForkServer:
    """Our end of the fork server, which ends when this does."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("fork_server.py")), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # no terminal: what is forked writes to pipes
            )
        atexit.register(self._end)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def start(self, request: Any, descriptors: Sequence[int]) -> None:
        socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)

    def _end(self) -> None:
        self._control.close()
        self._process.wait()


_servers: dict[int, _ForkServer] = {}  # by the id of the process that has it


def fork(arguments: Sequence[str], env: Mapping[str, str], stdout: int, stderr: int) -> ForkedProcess:
    """A server with these arguments, and with nothing else in its environment, at the end of a pipe.

    :param stdout, stderr: descriptors, which stay open here.
    """
    stdin, to_stdin = os.pipe()
    try:
        status = _fork(arguments, env, [stdin, stdout, stderr])
    finally:
        os.close(stdin)
    return ForkedProcess(PipeWriter(to_stdin), status)


def fork_with_pipes(arguments: Sequence[str], env: Mapping[str, str], source: int | None = None) -> ForkedProcess:
    """As ``fork``, at the end of pipes.

    :param source: a descriptor to read from instead of a pipe; it stays open here.
    """
    (stdout, to_stdout), (stderr, to_stderr) = os.pipe(), os.pipe()
    stdin, to_stdin = os.pipe() if source is None else (os.dup(source), -1)
    try:
        status = _fork(arguments, env, [stdin, to_stdout, to_stderr])
    finally:
        for fd in (stdin, to_stdout, to_stderr):
            os.close(fd)
    writer = PipeWriter(to_stdin) if source is None else None
    return ForkedProcess(writer, status, PipeReader(stdout), PipeReader(stderr))


def fork_on(arguments: Sequence[str], env: Mapping[str, str], stdin: int, stdout: int, stderr: int) -> ForkedProcess:
    """As ``fork``, on these descriptors, which stay open here."""
    return ForkedProcess(None, _fork(arguments, env, [stdin, stdout, stderr]))


def fork_at_terminal(arguments: Sequence[str], env: Mapping[str, str], terminal: int) -> ForkedProcess:
    """As ``fork``, at a terminal of its own, which Ctrl-C and questions come from.

    :param terminal: the descriptor of its end; it stays open here.
    """
    return ForkedProcess(None, _fork(arguments, env, [terminal] * 3, at_terminal=True))


def _fork(
    arguments: Sequence[str], env: Mapping[str, str], streams: Sequence[int], *, at_terminal: bool = False
) -> int:
    """Have one forked on these streams; where its status can be read."""
    server = _servers.get(os.getpid())
    if server is None or not server.is_alive:
        server = _servers[os.getpid()] = _ForkServer()
    status, to_status = os.pipe()
    try:
        request = {"arguments": list(arguments), "environment": dict(env), "at_terminal": at_terminal}
        server.start(request, [*streams, to_status])
    finally:
        os.close(to_status)
    return status
