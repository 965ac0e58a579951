"""How keeping a login fails, as one tree.

StoreError
├── StoreUnreadable     something is stored, but cannot be read or is not understood
├── StoreUnavailable    there is no such store here
└── LockTimeout         another task or program did not let go of the store in time
"""

from typing import Self


class StoreError(Exception):
    """A login cannot be read, saved or deleted; what was stored before stays as it was.

    :param message: for the user, like ``Permission denied (os error 13)``; holds no secret.
    """

    @classmethod
    def of(cls, error: OSError) -> Self:
        """The same in the words of the reference (wire.md section 4)."""
        if error.errno is None:
            return cls(str(error))
        return cls(f"{error.strerror} (os error {error.errno})")


class StoreUnreadable(StoreError):
    """Something is stored, but cannot be read or is not understood. Nobody is logged in by it."""


class StoreUnavailable(StoreError):
    """There is no such store here."""


class LockTimeout(StoreError):
    """Another task or program did not let go of the store in time.

    :param lock: what it holds: the path of a lock file, for a store that has them.
    :param seconds: how long it was waited for.
    :param holder: its process id, where the system tells.
    """

    def __init__(self, lock: str, seconds: float, holder: int | None = None) -> None:
        by = "" if holder is None else f" by process {holder}"
        super().__init__(f"{lock} is held{by} and was not released within {seconds:g} s")
        self.lock = lock
        self.seconds = seconds
        self.holder = holder
