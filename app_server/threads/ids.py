"""Ids of threads, turns and items: made here as UUIDv7 (RFC 9562 section 5.7), and checked when a client sends one.

What an id belongs to is not known here.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Final

from protocol.errors import InvalidRequest

_GROUPS: Final = (8, 4, 4, 4, 12)
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_URN: Final = "urn:uuid:"


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
        return _canonical(f"{value:032x}")


uuid7: Final = Uuid7Source()
"""``uuid7()`` makes an id."""


def thread_id(text: str, what: str = "thread id") -> str:
    """The id in canonical form, from any form of a UUID: hyphenated, simple, in braces, or as a URN.

    :param what: what the id is of, for the error.
    :raises InvalidRequest: it is no UUID, in the words that clients match on (wire.md section 14).
    """
    if len(text) == 36 and _is_hyphenated(text):
        return text.lower()
    if len(text) == 32 and _HEX.issuperset(text):
        return _canonical(text.lower())
    if len(text) == 38 and text[0] == "{" and text[-1] == "}" and _is_hyphenated(text[1:-1]):
        return text[1:-1].lower()
    if len(text) == 45 and text.startswith(_URN) and _is_hyphenated(text[9:]):
        return text[9:].lower()
    raise InvalidRequest(f"invalid {what}: {_fault(text)}")


def _canonical(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _is_hyphenated(text: str) -> bool:
    groups = text.split("-")
    return tuple(map(len, groups)) == _GROUPS and all(map(_HEX.issuperset, groups))


def _fault(text: str) -> str:
    body, offset, length = _unwrapped(text)
    for index, character in enumerate(body):
        if character not in _HEX and character != "-":
            return (
                f"invalid character: expected an optional prefix of `{_URN}` followed by [0-9a-fA-F-], "
                f"found `{character}` at {index + offset + 1}"
            )
    groups = body.split("-")
    if len(groups) == 1 and not offset:
        return f"invalid length: expected length 32 for simple format, found {len(body)}"
    if len(groups) != len(_GROUPS):
        return f"invalid group count: expected 5, found {len(groups)}"
    for number, (group, expected) in enumerate(zip(groups[:-1], _GROUPS, strict=False)):
        if len(group) != expected:
            return f"invalid group length in group {number}: expected {expected}, found {len(group)}"
    # The reference counts the last group from the start of the text, its wrapping included.
    return f"invalid group length in group 4: expected 12, found {length - 24}"


def _unwrapped(text: str) -> tuple[str, int, int]:
    """Without braces or the URN's prefix; how many characters were before it; and the length that is reported."""
    if text.startswith("{") and text.endswith("}"):
        body, offset = text[1:-1], 1
    elif text.startswith(_URN):
        body, offset = text[len(_URN) :], len(_URN)
    else:
        return text, 0, len(text)
    # Of the right length, it is looked at without its wrapping; else positions count from the very start.
    return (body, 0, len(body)) if len(body) == 36 else (body, offset, len(text))
