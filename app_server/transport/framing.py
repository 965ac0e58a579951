"""Bytes to lines, without I/O: the framing of newline-delimited JSON."""

from collections import deque
from typing import Final

from app_server.transport.base import MessageTooLong

DEFAULT_MAX_LINE_BYTES: Final = 64 * 1024 * 1024


class LineBuffer:
    """Collects chunks and gives whole lines, never holding more than one line and one chunk.

    A line over the limit is not kept: what arrives of it is dropped, and ``pop`` raises once in its place.

    :param max_line_bytes: longest line that is accepted, without its line end.
    """

    def __init__(self, max_line_bytes: int = DEFAULT_MAX_LINE_BYTES) -> None:
        self._limit = max_line_bytes
        self._lines: deque[bytes | None] = deque()
        # One growing array: a list would keep an object for each piece of a line that trickles in.
        self._partial = bytearray()
        self._partial_bytes = 0
        self._dropping = False

    def feed(self, chunk: bytes) -> None:
        """Take in what was read."""
        *ended, rest = chunk.split(b"\n")
        if ended:
            self._extend(ended[0])
            self._end_line()
            for line in ended[1:]:
                self._lines.append(line if len(line) <= self._limit else None)
        if rest:
            self._extend(rest)

    def pop(self) -> bytes | None:
        """The next whole line, or None when there is none yet.

        :raises MessageTooLong: the next line was over the limit.
        """
        if not self._lines:
            return None
        line = self._lines.popleft()
        if line is None:
            raise MessageTooLong(self._limit)
        return line

    @property
    def unfinished(self) -> int:
        """Bytes of a line whose end has not arrived."""
        return self._partial_bytes

    def _extend(self, part: bytes) -> None:
        self._partial_bytes += len(part)
        if self._partial_bytes > self._limit:
            self._dropping = True
            self._partial = bytearray()
        else:
            self._partial += part

    def _end_line(self) -> None:
        self._lines.append(None if self._dropping else bytes(self._partial))
        self._partial = bytearray()
        self._partial_bytes = 0
        self._dropping = False
