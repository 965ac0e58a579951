"""Server-sent events to JSON values, without I/O: bytes in, as they come, and decoded events out.

The format is that of WHATWG HTML section 9.2.6 ("Interpreting an event stream"). Of its fields only ``data`` counts:
each event of the Responses API says its type in its JSON. What the events mean is not known here.
"""

import logging
from typing import Any, Final

import orjson

from protocol.json_codec import loads

log = logging.getLogger(__name__)

MAX_EVENT_BYTES: Final = 64 * 1024 * 1024
"""Bytes of one event; a generated image comes in one."""

_BOM: Final = b"\xef\xbb\xbf"
_DONE: Final = b"[DONE]"


class EventTooLarge(Exception):
    """An event that has not ended yet is larger than any should be."""


class EventStream:
    """Reads one stream.

    :param max_event_bytes: of one event.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._start: bytes | None = b""  # of the stream, until it is known whether that is a byte order mark
        self._after_cr = False
        self._line: list[bytes] = []  # pieces of a line that has not ended; joined once, however many there are
        self._line_bytes = 0
        self._data: bytes | None = None  # the event's first line of data, which is nearly always its only one
        self._more: list[bytes] = []
        self._more_bytes = 0

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """The events that end in this piece of the stream: JSON objects with a ``type``; any other is left out.

        :param chunk: the next bytes, cut anywhere.
        :raises EventTooLarge: the stream cannot be read any further.
        """
        if self._start is not None:
            chunk = self._without_mark(chunk)
        if self._after_cr or b"\r" in chunk:
            chunk = self._with_line_feeds(chunk)
        lines = chunk.split(b"\n")
        rest = lines.pop()
        events: list[dict[str, Any]] = []
        if lines:
            if self._line:
                lines[0] = b"".join([*self._line, lines[0]])
                self._line.clear()
                self._line_bytes = 0
            self._read(lines, events)
        if rest:
            self._line.append(rest)
            self._line_bytes += len(rest)
        if self._line_bytes + self._more_bytes + (len(self._data) if self._data else 0) > self._max:
            raise EventTooLarge
        return events

    def _read(self, lines: list[bytes], events: list[dict[str, Any]]) -> None:
        # The one loop that runs for every event. It knows the usual line by its first bytes and decodes in place.
        data = self._data
        decode = orjson.loads
        for line in lines:
            if line.startswith(b"data: "):
                if data is None:
                    data = line[6:]
                else:
                    self._append(line[6:])
            elif not line:
                if data is not None:
                    if self._more:
                        data = self._joined(data)
                    try:
                        event = decode(data)
                    except orjson.JSONDecodeError:
                        event = _decode_oddity(data)
                    if type(event) is dict and type(event.get("type")) is str:
                        events.append(event)
                    data = None
            elif line.startswith(b"data:") or line == b"data":
                if data is None:
                    data = line[5:]
                else:
                    self._append(line[5:])
        self._data = data

    def _append(self, data: bytes) -> None:
        self._more.append(data)
        self._more_bytes += len(data) + 1

    def _joined(self, first: bytes) -> bytes:
        joined = b"\n".join([first, *self._more])
        self._more.clear()
        self._more_bytes = 0
        return joined

    def _without_mark(self, chunk: bytes) -> bytes:
        start = (self._start or b"") + chunk
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._start = start
            return b""
        self._start = None
        return start.removeprefix(_BOM)

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        if not chunk:
            return chunk
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]  # the second half of a CRLF that was cut in two
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _decode_oddity(data: bytes) -> Any:
    """What orjson does not take: JSON beyond its limits, text that is not UTF-8, and what is no JSON at all."""
    if data == _DONE:
        return None
    try:
        # The standard reads every stream as UTF-8 with replacement characters.
        return loads(data.decode(errors="replace").encode())
    except ValueError:
        # Without the data: it can hold anything.
        log.debug("an event of %d bytes is not JSON and is left out", len(data))
        return None
