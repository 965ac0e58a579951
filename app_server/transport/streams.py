"""The standard streams of this process, taken away from everybody but the transport."""

import os


def claim_standard_streams() -> tuple[int, int]:
    """Take fd 0 and fd 1 away from the rest of the process, so that a stray ``print``, a C library or a child
    process cannot put a byte between two messages.

    :returns: a duplicate of stdin and one of stdout; fd 0 then reads from the null device and fd 1 writes to stderr.
    """
    stdin, stdout = _duplicate(0), _duplicate(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2 if _is_open(2) else null, 1)
    os.close(null)
    return stdin, stdout


def _duplicate(fd: int) -> int:
    # A parent may start us with a stream closed: that reads as an end of file, and what is written is lost.
    return os.dup(fd) if _is_open(fd) else os.open(os.devnull, os.O_RDWR)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
