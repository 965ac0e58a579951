"""Appending text to a file of lines, so that it is there whole or not at all. Blocks; whoever does it holds a lock."""

import contextlib
import os
from pathlib import Path
from typing import Final, Literal

_BINARY: Final = getattr(os, "O_BINARY", 0)
_CREATION: Final = {"required": os.O_CREAT | os.O_EXCL, "allowed": os.O_CREAT, "refused": 0}


def append_text(path: Path, text: bytes, *, creation: Literal["required", "allowed", "refused"]) -> None:
    """Append lines with one write(2). A line that a crash has left without its end gets one first.

    :param creation: whether the file is to be created; it then is for its owner only.
    :raises OSError: the file system refuses. What has been written in part is cut off again; where that fails, too,
        the next append finds a line without its end.
    """
    fd = os.open(path, os.O_RDWR | os.O_APPEND | _BINARY | _CREATION[creation], 0o600)
    try:
        size = os.fstat(fd).st_size
        if size and _last_byte(fd, size) != b"\n":
            text = b"\n" + text
        try:
            _write_all(fd, text)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, size)
                if size == 0 and creation == "required":
                    path.unlink()  # an empty file would be a thread that cannot be read
            raise
    finally:
        os.close(fd)


def _last_byte(fd: int, size: int) -> bytes:
    os.lseek(fd, size - 1, os.SEEK_SET)
    return os.read(fd, 1)


def _write_all(fd: int, text: bytes) -> None:
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(fd, rest) :]
