"""The standard streams of this process as a transport, without a thread hop for each line.

Reading and writing wait for readiness and then move as much as the kernel takes. epoll refuses regular files and
``/dev/null``, a terminal that is ready to be written to may block all the same, and Windows has no readiness for
pipes at all: there, daemon threads do the blocking calls.

The descriptors are private duplicates; see ``streams.py``.
"""

import logging
import os
import select
import socket
import stat
import sys
from typing import Final

import anyio
from anyio.lowlevel import checkpoint

from app_server.transport.base import TransportClosed
from app_server.transport.blocking import BlockingCalls
from app_server.transport.framing import DEFAULT_MAX_LINE_BYTES, LineBuffer

CHUNK: Final = 256 * 1024
"""Bytes asked for in one read."""

_PIPE_WRITE: Final = getattr(select, "PIPE_BUF", 512)
"""Bytes that a pipe which reports itself writable takes without blocking (POSIX)."""

log = logging.getLogger(__name__)


class StdioTransport:
    """Two file descriptors, one to read from and one to write to. It owns and closes both.

    :param received: bytes that were read from ``stdin`` before this transport existed.
    :param max_line_bytes: longest line that is accepted.
    """

    def __init__(
        self, stdin: int, stdout: int, *, received: bytes = b"", max_line_bytes: int = DEFAULT_MAX_LINE_BYTES
    ) -> None:
        self._stdin = stdin
        self._stdout = stdout
        self._buffer = LineBuffer(max_line_bytes)
        self._buffer.feed(received)
        self._reader = None if _is_readable_when_ready(stdin) else BlockingCalls("stdin")
        self._writer = None if _is_pipe(stdout) else BlockingCalls("stdout")
        self._stdout_mode = os.fstat(stdout).st_mode
        # A socket is written to without waiting for it; duplicating it leaves the fd's own flags alone.
        self._socket = socket.socket(fileno=os.dup(stdout)) if stat.S_ISSOCK(self._stdout_mode) else None
        # One socket may serve both directions: then what can be read from it is input, and its end is the end of input.
        self._is_one_file = os.path.sameopenfile(stdin, stdout)
        self._closed = False

    async def receive(self) -> bytes | None:
        """See :meth:`Transport.receive`. The end of a file inside a line is the end of the file."""
        while (line := self._buffer.pop()) is None:
            chunk = await self._read()
            if not chunk:
                return None
            self._buffer.feed(chunk)
        return line

    async def _read(self) -> bytes:
        while True:
            try:
                if self._reader is not None:
                    return await self._reader.call(lambda: os.read(self._stdin, CHUNK))
                await anyio.wait_readable(self._stdin)
                return os.read(self._stdin, CHUNK)
            except BlockingIOError:
                continue  # the parent made it non-blocking, and somebody who shares it was quicker
            except OSError as error:
                # Whatever it is (a reset socket, a directory, a terminal that is gone), nothing more will come.
                log.debug("the input ends with an error: %s", error)
                return b""

    async def send(self, data: bytes) -> None:
        """See :meth:`Transport.send`."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[await self._write(rest) :]
        except (OSError, anyio.ClosedResourceError) as error:
            # Whatever it is (a closed pipe, a reset socket, a full disk), nothing more will get through.
            raise TransportClosed from error

    async def _write(self, data: memoryview) -> int:
        # O_NONBLOCK would belong to the open file, which the parent and its other children may share. Without it a
        # pipe that is ready takes PIPE_BUF bytes at once; a terminal that is ready may block on its second byte.
        try:
            if self._writer is not None:
                return await self._writer.call(lambda: os.write(self._stdout, data))
            if self._socket is not None:
                return self._socket.send(data, socket.MSG_DONTWAIT)
            if _is_writable(self._stdout):
                return os.write(self._stdout, data[:_PIPE_WRITE])
        except BlockingIOError:
            pass
        await anyio.wait_writable(self._stdout)
        return 0

    async def wait_closed(self) -> None:
        """Return when the other end of stdout is closed; for files and terminals, never."""
        if self._is_one_file:
            await anyio.sleep_forever()
        if self._socket is not None:
            await anyio.wait_readable(self._stdout)
            try:
                if self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"":
                    return
            except ConnectionError:
                return  # closed with answers unread
        elif self._writer is None and stat.S_ISFIFO(self._stdout_mode):
            # The write end of a pipe is never readable; its only event is the error that no reader is left.
            await anyio.wait_readable(self._stdout)
            return
        await anyio.sleep_forever()

    async def wait_input_ended(self) -> None:
        """Return when the other end of stdin is closed, whatever is still to be read; on Linux only."""
        if self._reader is not None or not hasattr(select, "epoll"):
            await anyio.sleep_forever()
        # An epoll object that asks for nothing tells of hang-ups all the same, and is itself readable when it does.
        with select.epoll() as hang_up:
            hang_up.register(self._stdin, select.EPOLLRDHUP)
            await anyio.wait_readable(hang_up.fileno())

    async def aclose(self) -> None:
        """Close both descriptors."""
        if not self._closed:
            self._closed = True
            if self._socket is not None:
                self._socket.close()
            if self._reader is None:
                # A thread may still be blocked in a read of it; the process is about to end and closes it then.
                os.close(self._stdin)
            os.close(self._stdout)
        await checkpoint()


def _is_pipe(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return sys.platform != "win32" and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


def _is_readable_when_ready(fd: int) -> bool:
    return _is_pipe(fd) or (sys.platform != "win32" and os.isatty(fd))


def _is_writable(fd: int) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    return bool(poller.poll(0))
