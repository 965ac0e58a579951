"""Locks on files that nobody waits for: flock(2), as the reference takes it. Which files is not known here."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PATIENCE: Final = 0.05
"""Seconds that a lock is tried for which others hold for the time of one system call."""

_PAUSE: Final = 0.001


@contextmanager
def held_briefly(path: Path, *, exclusive: bool) -> Iterator[bool]:
    """Hold a lock that is never held for long; without it, when whoever has it does not let go.

    :returns: whether it is held.
    :raises OSError: the file cannot be made.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + PATIENCE
        while not (held := try_lock(fd, exclusive=exclusive)) and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        yield held
    finally:
        unlock(fd)
        os.close(fd)


if sys.platform == "win32":  # pragma: no cover - not run on the machines that test this
    import msvcrt

    def try_lock(fd: int, *, exclusive: bool = True) -> bool:
        """Take the lock of an open file, without waiting; whether it is held now. Here, all are exclusive."""
        os.lseek(fd, 0, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def unlock(fd: int) -> None:
        """Let go of it; nothing if it is not held."""
        os.lseek(fd, 0, os.SEEK_SET)
        with contextlib.suppress(OSError):
            msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(fd: int, *, exclusive: bool = True) -> bool:
        """Take the lock of an open file, without waiting; whether it is held now."""
        try:
            fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(fd: int) -> None:
        """Let go of it; nothing if it is not held."""
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_UN)
