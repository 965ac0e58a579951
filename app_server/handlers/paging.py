"""Lists that are read page by page, where the cursor is the number of entries that have been read."""

from collections.abc import Sequence
from typing import Final, TypeVar

from protocol.errors import InvalidRequest

T = TypeVar("T")

_MAX_CURSOR: Final = 2**64 - 1


def page(entries: Sequence[T], cursor: str | None, limit: int | None, what: str) -> tuple[list[T], str | None]:
    """Some entries, and the cursor of those that follow; None at the end.

    :param limit: None for all; no page is empty for the sake of 0.
    :param what: the entries' name in errors.
    :raises InvalidRequest: the cursor is none, or lies beyond the end.
    """
    start = 0 if cursor is None else _position(cursor)
    if start > len(entries):
        raise InvalidRequest(f"cursor {start} exceeds total {what} {len(entries)}")
    end = len(entries) if limit is None else min(len(entries), start + max(limit, 1))
    return list(entries[start:end]), str(end) if end < len(entries) else None


def _position(cursor: str) -> int:
    digits = cursor.removeprefix("+")
    # Not int() alone: it also takes blanks, underscores and the digits of other scripts, and the length is bounded.
    if digits.isascii() and digits.isdigit() and len(digits) <= 1_000 and (position := int(digits)) <= _MAX_CURSOR:
        return position
    raise InvalidRequest(f"invalid cursor: {cursor}")
