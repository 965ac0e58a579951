"""Cursors of ``thread/list``: a time, and the id of the thread that has been listed last, if it was one of several."""

from datetime import UTC, datetime
from typing import NamedTuple

from app_server.rollouts.errors import InvalidCursor
from app_server.rollouts.layout import is_thread_id
from app_server.rollouts.stored import milliseconds, timestamp


class Cursor(NamedTuple):
    """A place between two threads of a list."""

    time_ms: int
    """Unix time in milliseconds."""
    thread_id: str | None
    """Without it, threads of exactly that time lie on neither side."""

    def __str__(self) -> str:
        told = timestamp(datetime.fromtimestamp(self.time_ms / 1000, UTC)).replace(".000Z", "Z")
        return told if self.thread_id is None else f"{told}|{self.thread_id}"


def parse(text: str) -> Cursor:
    """The place that a cursor means.

    :raises InvalidCursor: it means none.
    """
    time, bar, thread_id = text.partition("|")
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        raise InvalidCursor(text) from None
    if moment.tzinfo is None or (bar and not is_thread_id(thread_id)):
        raise InvalidCursor(text)
    return Cursor(milliseconds(moment), thread_id if bar else None)
