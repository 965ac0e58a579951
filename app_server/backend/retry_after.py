"""``Retry-After`` (RFC 9110 section 10.2.3): seconds or a date, to seconds from now."""

from datetime import UTC, datetime
from typing import Final

MAX_RETRY_AFTER: Final = 300.0
"""Seconds that anybody can make us wait at a time; whoever asks for more is asked again sooner."""


def retry_after_of(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait, bounded; None if the header is not there or says nothing that counts.

    :param now: in UTC; None means the system's time.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), MAX_RETRY_AFTER)
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - few answers have a date

    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:  # as a date of "-0000" comes out, which means UTC all the same
        date = date.replace(tzinfo=UTC)
    return max(0.0, min((date - (now or datetime.now(UTC))).total_seconds(), MAX_RETRY_AFTER))
