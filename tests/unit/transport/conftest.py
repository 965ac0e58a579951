"""Pairs of descriptors for the tests of the transports, and an alarm for code that blocks the event loop."""

import os
import signal
import socket
from collections.abc import Iterator
from types import FrameType

import pytest

ALARM = 10.0
"""Seconds after which a test that blocks the whole process is ended; no deadline of anyio could do that."""


@pytest.fixture(autouse=True)
def _alarm() -> Iterator[None]:
    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError("the event loop was blocked")

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, ALARM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)


class Descriptors:
    """Descriptors of one test: made here, closed by whoever owns them, or at the end of the test."""

    def __init__(self) -> None:
        self._opened: dict[int, tuple[int, int]] = {}

    def _remember(self, fd: int) -> int:
        status = os.fstat(fd)
        self._opened[fd] = (status.st_dev, status.st_ino)
        return fd

    def open(self, path: str | os.PathLike[str], flags: int) -> int:
        """Open a file."""
        return self._remember(os.open(path, flags))

    def pipe(self) -> tuple[int, int]:
        """Both ends of a pipe: the one to read from and the one to write to."""
        reader, writer = os.pipe()
        return self._remember(reader), self._remember(writer)

    def sockets(self) -> tuple[int, socket.socket]:
        """The near end of a socket pair as a descriptor, and the far one as a socket that does not block."""
        near, far = socket.socketpair()
        far.setblocking(False)
        self._far = far
        return self._remember(near.detach()), far

    def terminal(self) -> tuple[int, int]:
        """A raw pseudo-terminal: the master and the slave."""
        pty = pytest.importorskip("pty")
        tty = pytest.importorskip("tty")
        master, slave = pty.openpty()
        tty.setraw(slave)
        return self._remember(master), self._remember(slave)

    def null(self) -> int:
        """The null device."""
        return self.open(os.devnull, os.O_RDWR)

    def is_open(self, fd: int) -> bool:
        """Whether the descriptor still stands for what it was opened for."""
        try:
            status = os.fstat(fd)
        except OSError:
            return False
        return self._opened.get(fd) == (status.st_dev, status.st_ino)

    def close(self) -> None:
        """Close what nobody has closed."""
        for fd in self._opened:
            if self.is_open(fd):
                os.close(fd)


@pytest.fixture
def descriptors() -> Iterator[Descriptors]:
    made = Descriptors()
    yield made
    made.close()
