"""Ids of threads, turns and items: made here as UUIDv7 (RFC 9562 section 5.7), and checked when a client sends one.

What an id belongs to is not known here.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Final

from protocol.errors import InvalidRequest
from protocol.uuid_text import GROUPS, HEX, URN, canonical_uuid, hyphenated


class Uuid7Source:
    """Makes ids that ascend, also within a millisecond and when the clock is set back (RFC 9562 section 6.2, method 1).

    One of them serves every thread of the process.

    :param clock: Unix time in nanoseconds.
    """

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._milliseconds = 0
        self._counter = 0

    def __call__(self) -> str:
        """The next id, in canonical form."""
        random = int.from_bytes(os.urandom(10), "big")
        now = self._clock() // 1_000_000
        with self._lock:
            if now > self._milliseconds:
                self._milliseconds = now
                # Its top bit is clear, so that 2,048 ids and more of one millisecond have room above it.
                self._counter = random >> 62 & 0x7FF
            elif self._counter < 0xFFF:
                self._counter += 1
            else:
                self._milliseconds += 1
                self._counter = 0
            milliseconds, counter = self._milliseconds, self._counter
        value = milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | random & (1 << 62) - 1
        return hyphenated(f"{value:032x}")


uuid7: Final = Uuid7Source()
"""``uuid7()`` makes an id."""


def thread_id(text: str, what: str = "thread id") -> str:
    """The id in canonical form, from any form of a UUID: hyphenated, simple, in braces, or as a URN.

    :param what: what the id is of, for the error.
    :raises InvalidRequest: it is no UUID, in the words that clients match on (wire.md section 14).
    """
    if (canonical := canonical_uuid(text)) is not None:
        return canonical
    raise InvalidRequest(f"invalid {what}: {_fault(text)}")


def _fault(text: str) -> str:
    body, offset, length = _unwrapped(text)
    for index, character in enumerate(body):
        if character not in HEX and character != "-":
            return (
                f"invalid character: expected an optional prefix of `{URN}` followed by [0-9a-fA-F-], "
                f"found `{character}` at {index + offset + 1}"
            )
    groups = body.split("-")
    if len(groups) == 1 and not offset:
        return f"invalid length: expected length 32 for simple format, found {len(body)}"
    if len(groups) != len(GROUPS):
        return f"invalid group count: expected 5, found {len(groups)}"
    for number, (group, expected) in enumerate(zip(groups[:-1], GROUPS, strict=False)):
        if len(group) != expected:
            return f"invalid group length in group {number}: expected {expected}, found {len(group)}"
    # The reference counts the last group from the start of the text, its wrapping included.
    return f"invalid group length in group 4: expected 12, found {length - 24}"


def _unwrapped(text: str) -> tuple[str, int, int]:
    """Without braces or the URN's prefix; how many characters were before it; and the length that is reported."""
    if text.startswith("{") and text.endswith("}"):
        body, offset = text[1:-1], 1
    elif text.startswith(URN):
        body, offset = text[len(URN) :], len(URN)
    else:
        return text, 0, len(text)
    # Of the right length, it is looked at without its wrapping; else positions count from the very start.
    return (body, 0, len(body)) if len(body) == 36 else (body, offset, len(text))
