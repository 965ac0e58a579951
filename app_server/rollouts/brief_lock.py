"""A lock that is held for the time of a few system calls."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app_server.flocks import try_lock, unlock

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
