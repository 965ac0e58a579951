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
from typing import Any

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process

_OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG", "TZ", "PYDANTIC_")


def can_fork_with(env: Mapping[str, str]) -> bool:
    """Whether a forked server is the same as one that is started: not if the interpreter itself reads the environment
    that a test gives it, and only where packets can carry descriptors.
    """
    return sys.platform == "linux" and not any(name.startswith(_OF_THE_INTERPRETER) for name in env)


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

    :param stdin: the writing end of its stdin.
    :param status: where the fork server writes its id and how it ended; see ``fork_server.serve``.
    """

    def __init__(self, stdin: PipeWriter, status: int) -> None:
        self._stdin = stdin
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
            await self._stdin.aclose()
            await self.wait()
        if self._status >= 0:
            os.close(self._status)
            self._status = -1

    @property
    def stdin(self) -> ByteSendStream:
        return self._stdin

    @property
    def stdout(self) -> ByteReceiveStream | None:
        return None

    @property
    def stderr(self) -> ByteReceiveStream | None:
        return None


class _ForkServer:
    """Our end of the fork server, which ends when this does."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("fork_server.py")), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        atexit.register(self._end)

    def start(self, request: Any, descriptors: Sequence[int]) -> None:
        socket.send_fds(self._control, [json.dumps(request).encode()], descriptors)

    def _end(self) -> None:
        self._control.close()
        self._process.wait()


_servers: dict[int, _ForkServer] = {}  # by the id of the process that has it


def fork(arguments: Sequence[str], env: Mapping[str, str], stdout: int, stderr: int) -> ForkedProcess:
    """A server with these arguments, and with nothing else in its environment.

    :param stdout, stderr: descriptors, which stay open here.
    """
    if os.getpid() not in _servers:
        _servers[os.getpid()] = _ForkServer()
    stdin, to_stdin = os.pipe()
    status, to_status = os.pipe()
    try:
        request = {"arguments": list(arguments), "environment": dict(env)}
        _servers[os.getpid()].start(request, [stdin, stdout, stderr, to_status])
    finally:
        os.close(stdin)
        os.close(to_status)
    return ForkedProcess(PipeWriter(to_stdin), status)
