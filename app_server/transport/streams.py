"""The standard streams of this process, taken away from everybody but the transport."""

import os


def claim_standard_streams() -> tuple[int, int]:
    """Take fd 0 and fd 1 away from the rest of the process, so that a stray ``print``, a C library or a child
    process cannot put a byte between two messages.

    :returns: a duplicate of stdin and one of stdout; fd 0 then reads from the null device and fd 1 writes to stderr.
    """
    null = _open_null_beyond_the_standard_streams()
    stdin, stdout = os.dup(0), os.dup(1)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return stdin, stdout


def _open_null_beyond_the_standard_streams() -> int:
    # A parent may start us with a stream closed. The null device takes its place: it reads as an end of file, and what
    # is written is lost. Left free, its number would go to the next file that is opened, and stray output into that.
    while (null := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(null, True)
    return null
