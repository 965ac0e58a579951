"""Holding a lock of the store, which makes whoever wants to save a login wait: a slow account request on demand."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def login_held_up(home: Path) -> Iterator[None]:
    """While this lasts, whoever saves a login waits: the file lock that all programs with this home share."""
    home.mkdir(exist_ok=True)
    with (home / "auth.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
