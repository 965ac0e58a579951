"""Locks on open files that nobody waits for: flock(2), as the reference takes it, and its like on Windows.

Which files are locked, and for how long, is not known here.
"""

import contextlib
import os
import sys

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
