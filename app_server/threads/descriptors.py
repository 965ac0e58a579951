"""Whether the system's limit of open files has room for another loaded thread.

A thread has its lock open for as long as it is loaded, and a connection while it talks to the model. Without a
descriptor its file cannot be opened either, and what was said would be lost: so a thread that there is no room for is
refused to begin with.
"""

import sys
from typing import Final

from protocol.errors import InvalidRequest

PER_THREAD: Final = 2

OTHERS: Final = 48
"""Descriptors for everything else: the client, the index, a login, files that are being read or written."""


class TooManyThreads(InvalidRequest):
    """There is no room for another loaded thread.

    :param limit: of open files.
    """

    def __init__(self, loaded: int, limit: int) -> None:
        super().__init__(
            f"too many threads are loaded ({loaded}): unsubscribe from some, or raise the limit of open files ({limit})"
        )


def require_room(loaded: int) -> None:
    """See to it that another thread can be loaded; where the system lets us, its soft limit is raised for that.

    :param loaded: how many there are.
    :raises TooManyThreads: it cannot.
    """
    if sys.platform == "win32":  # pragma: no cover - there is no such limit
        return
    import resource  # noqa: PLC0415 - it is not everywhere

    needed = OTHERS + PER_THREAD * (loaded + 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or needed <= soft:
        return
    raised = 2 * needed if hard == resource.RLIM_INFINITY else min(2 * needed, hard)
    if raised >= needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        except (OSError, ValueError):  # some systems have a lower limit than they tell
            pass
        else:
            return
    raise TooManyThreads(loaded, soft)
