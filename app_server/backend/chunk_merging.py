"""Fewer and larger chunks: what arrived together is handed to the HTTP library as one chunk (RFC 9112 section 7.1).

Upstreams send each small event in a chunk of its own, and each chunk costs the library ten times what its event costs
us. Boundaries of chunks mean nothing, so those between the chunks of one read can go. Without I/O: bytes in, bytes out.
Only event streams are touched, anything unusual is passed on as it came, and judging it stays the library's business.
"""

import re
from typing import Final

_MAX_HEAD: Final = 64 * 1024
_MAX_LINE: Final = 1024

_CRLF: Final = b"\r\n"
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\r\n]*)?\r\n")
_STREAM: Final = re.compile(rb"(?i)\r\ncontent-type:[ \t]*text/event-stream\b")
_CODING: Final = re.compile(rb"(?i)\r\ntransfer-encoding:([^\r\n]*)(?=\r\n)")


class ChunkMerger:
    """Reads what comes on one connection."""

    def __init__(self) -> None:
        self.expect_answer()

    def expect_answer(self) -> None:
        """A request is being sent: the next bytes are the head of an answer."""
        self._head: bytes | None = b""  # as much as there is of it; None after it
        self._merging = False
        self._rest = b""  # of a line that has not ended
        self._left = 0  # bytes of the current chunk that have not come yet
        self._ending = False  # whether the line end after a chunk's data is due

    def feed(self, data: bytes) -> bytes:
        """What to hand on for what has come; empty if nothing is to be handed on yet."""
        if self._head is not None:
            return self._read_head(data)
        return self._merge(data) if self._merging else data

    def _read_head(self, data: bytes) -> bytes:
        head = (self._head or b"") + data
        start = 0
        while (end := head.find(b"\r\n\r\n", start)) >= 0:
            if head.startswith(b"HTTP/1.1 1", start):  # an interim answer; the real one follows
                start = end + 4
                continue
            self._head = None
            before = len(head) - len(data)
            lines = head[start : end + 2]
            codings = _CODING.findall(lines)
            self._merging = (
                lines.startswith(b"HTTP/1.1 200")
                and [coding.strip().lower() for coding in codings] == [b"chunked"]
                and _STREAM.search(lines) is not None
            )
            if not self._merging:
                return data
            body = end + 4 - before
            return data[:body] + self._merge(data[body:])
        self._head = head if len(head) <= _MAX_HEAD else None
        return data

    def _merge(self, data: bytes) -> bytes:
        pieces: list[bytes] = []
        if self._left:
            pieces.append(data[: self._left])
            self._left -= len(pieces[0])
            if self._left:
                return _chunk(pieces)
            data = data[len(pieces[0]) :]
            self._ending = True
        if self._rest:
            data = self._rest + data
            self._rest = b""
        return self._merge_chunks(data, pieces)

    def _merge_chunks(self, data: bytes, pieces: list[bytes]) -> bytes:
        place, size = 0, len(data)
        while True:
            if self._ending:
                found = data[place : place + 2]
                if found != _CRLF:
                    if not _CRLF.startswith(found):
                        return self._give_up(pieces)
                    self._rest = found
                    break
                place += 2
                self._ending = False
            line = _SIZE.match(data, place)
            if line is None:
                self._rest = data[place:]
                if len(self._rest) > _MAX_LINE or b"\n" in self._rest:
                    return self._give_up(pieces)
                break
            length = int(line[1], 16)
            if length == 0:
                # What follows the last chunk is the library's business.
                self._merging = False
                return _chunk(pieces) + data[place:]
            start = line.end()
            place = start + length
            pieces.append(data[start:place])
            if place > size:
                self._left = place - size
                break
            self._ending = True
        return _chunk(pieces)

    def _give_up(self, pieces: list[bytes]) -> bytes:
        self._merging = False
        # An empty line where a size has to be: no reader takes that for anything but an error.
        return _chunk(pieces) + _CRLF


def _chunk(pieces: list[bytes]) -> bytes:
    data = b"".join(pieces)
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
