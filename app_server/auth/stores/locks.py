"""The locks under which a stored login is changed: the reference's own, so that both programs can share a CODEX_HOME.

There are two, taken in this order: ``auth.lock`` in the home, then one named ``<file>.lock`` beside the file that
``auth.json`` leads to (wire.md section 15.23). Both are BSD locks (flock(2)) on files that are never removed. Such a
lock belongs to an open file, so it also keeps the tasks and threads of one process apart, and a process that dies
lets go of it. Neither the file nor its content is known here.
"""

import contextlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from app_server.auth.stores.auth_file import resolve
from app_server.auth.stores.store_errors import LockTimeout, StoreError
from app_server.flocks import try_lock, unlock

FIRST_PAUSE: Final = 0.005
LONGEST_PAUSE: Final = 0.05
"""Seconds between two attempts; each pause is twice as long as the last."""


@asynccontextmanager
async def locked(home: Path, timeout: float) -> AsyncIterator[None]:
    """Hold the locks of a CODEX_HOME, which has to exist. Waiting never blocks the event loop.

    :param timeout: seconds for both locks together; at least one attempt is made at each.
    :raises LockTimeout: somebody else holds one of them for longer than that.
    :raises StoreError: a lock file cannot be opened, for example in a read-only home.
    """
    deadline = anyio.current_time() + timeout
    with contextlib.ExitStack() as held:
        for path in (lambda: home / "auth.lock", lambda: _beside(resolve(home))):
            lock = _FileLock(path)
            held.callback(lock.release)
            await _acquire(lock, deadline, timeout)
        yield


def holders(home: Path) -> dict[Path, int]:
    """The processes that hold these locks now, by lock file, where the system tells. It takes no lock itself, and
    blocks: call it in a thread."""
    files = (home / "auth.lock", _beside(resolve(home)))
    return {file: pid for file in files if (pid := _holder(file)) is not None}


async def _acquire(lock: "_FileLock", deadline: float, timeout: float) -> None:
    pause = FIRST_PAUSE
    while not await anyio.to_thread.run_sync(lock.attempt):
        rest = deadline - anyio.current_time()
        if rest <= 0:
            raise LockTimeout(str(lock.path), timeout, await anyio.to_thread.run_sync(_holder, lock.path))
        await anyio.sleep(min(pause, rest))
        pause = min(2 * pause, LONGEST_PAUSE)


class _FileLock:
    """One lock. It is attempted in worker threads and released in the event loop, in whatever order these come: a
    cancelled caller may release it while an attempt is still under way, which then must not succeed."""

    def __init__(self, path: Callable[[], Path]) -> None:
        self.path = Path()
        self._find = path
        self._fd: int | None = None
        self._released = False
        self._guard = threading.Lock()

    def attempt(self) -> bool:
        """Try once, without waiting; whether it is held now.

        :raises StoreError: the lock file cannot be opened.
        """
        with self._guard:
            if self._released:
                return False
            try:
                return self._attempt()
            except OSError as error:
                raise StoreError.of(error) from error

    def release(self) -> None:
        """Let go, for good."""
        with self._guard:
            self._released = True
            self._close()

    def _attempt(self) -> bool:
        if self._fd is None:
            self.path = self._find()
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if not try_lock(self._fd):
            return False
        # Whoever clears the directory while somebody waits would leave two holders of two files of one name.
        try:
            if os.path.samestat(os.fstat(self._fd), self.path.stat()):
                return True
        except FileNotFoundError:
            pass
        self._close()
        return False

    def _close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            try:
                unlock(fd)  # explicitly, because a forked child may have the file open, too
            finally:
                os.close(fd)


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.lock")


def _holder(path: Path) -> int | None:
    """The process that holds a lock, where the system tells (proc_locks(5))."""
    if sys.platform != "linux":
        return None
    try:
        status = path.stat()
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in lines:
        # "1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF"; whoever waits has an arrow behind the number.
        fields = line.split()
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == file and fields[4].isdigit():
            return int(fields[4]) or None
    return None
