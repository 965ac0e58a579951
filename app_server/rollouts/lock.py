"""The right to write a thread: one holder in all processes, the reference's included.

``thread-writer-locks/<id>.lock`` is locked for as long as the thread is loaded, and removed afterwards. Between the
opening and the locking of such a file another process may remove it; therefore the reference holds
``.coordination.lock`` there during both, and exclusively while it removes one. So does this; and it looks whether the
file that it has locked is the one that is there, so that it need not wait for a holder that never lets go.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

from app_server.flocks import try_lock, unlock
from app_server.rollouts.brief_lock import held_briefly
from app_server.rollouts.errors import AlreadyBeingWritten, RolloutNotWritten
from app_server.rollouts.layout import LOCKS, make_directories

_COORDINATION: Final = ".coordination.lock"
_ATTEMPTS: Final = 10


class WriterLock:
    """The lock of one thread.

    :param thread_id: a UUID in canonical form.
    """

    def __init__(self, codex_home: Path, thread_id: str) -> None:
        self._directory = codex_home / LOCKS
        self._thread_id = thread_id
        self._path = self._directory / f"{thread_id}.lock"
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock. Nothing is waited for but, for an instant, another process in the middle of the same.

        :raises AlreadyBeingWritten: somebody else has it; also another lock object of this process.
        :raises RolloutNotWritten: there cannot be such a file.
        """
        if self._fd is not None:
            return
        try:
            make_directories(self._directory)
            with held_briefly(self._directory / _COORDINATION, exclusive=False):
                self._fd = self._locked()
        except OSError as error:
            raise RolloutNotWritten(self._path, error) from error
        if self._fd is None:
            raise AlreadyBeingWritten(self._thread_id)

    def release(self) -> None:
        """Let go, and remove the file; it stays, unlocked, where that cannot be done safely."""
        if self._fd is None:
            return
        fd, self._fd = self._fd, None
        try:
            with (
                contextlib.suppress(OSError),
                held_briefly(self._directory / _COORDINATION, exclusive=True) as alone,
            ):
                if alone:
                    self._path.unlink()
        finally:
            unlock(fd)  # explicitly, because a forked child may have the file open, too
            os.close(fd)

    def _locked(self) -> int | None:
        for _ in range(_ATTEMPTS):
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                if not try_lock(fd):
                    break
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(fd), self._path.stat()):
                        held, fd = fd, -1
                        return held
            finally:
                if fd >= 0:
                    os.close(fd)
        return None
