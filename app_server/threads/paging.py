"""Pages over the turns and items of a thread and over the loaded threads, and how much of a turn a page shows.

The pages of stored threads are made by their index, not here.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from app_server.threads.ids import thread_id as checked_thread_id
from protocol.errors import InvalidRequest
from protocol.items import AgentMessageThreadItem, ThreadItem, UserMessageThreadItem
from protocol.json_codec import dumps, loads
from protocol.thread import SortDirection
from protocol.thread_store import (
    ThreadItemEntry,
    ThreadItemsListResponse,
    ThreadLoadedListResponse,
    ThreadTurnsListResponse,
)
from protocol.turn import Turn, TurnItemsView

T = TypeVar("T")

DEFAULT_SIZE: Final = 25
MAX_SIZE: Final = 100
"""Entries of a page, whatever its client asks for."""


def page(
    items: Sequence[T],
    cursor: str | None,
    limit: int | None,
    direction: SortDirection,
    key: Callable[[T], int],
    *,
    scope: str,
) -> tuple[list[T], str | None, str | None]:
    """A page of a list, the cursor of the next one (None after the last), and the cursor from which the page can be
    read in the other direction (its own first entry included; None if it is empty).

    A cursor names a place in the list by the key, so it stays good while entries are added at the end, and also when
    the entry it was made from is gone.

    :param items: with keys that ascend.
    :param limit: entries: 25 if None, 1 if 0, at most 100.
    :param scope: what list this is; a cursor of another one is refused.
    :raises InvalidRequest: the cursor is none of this list.
    """
    size = DEFAULT_SIZE if limit is None else min(max(limit, 1), MAX_SIZE)
    first, last = 0, len(items)
    if cursor is not None:
        at, including = _read_cursor(cursor, scope)
        if direction == "asc":
            first = (bisect_left if including else bisect_right)(items, at, key=key)
        else:
            last = (bisect_right if including else bisect_left)(items, at, key=key)
    shown = items[first : first + size] if direction == "asc" else items[max(first, last - size) : last][::-1]
    data = list(shown)
    if not data:
        return [], None, None
    more = last - first > len(data)
    following = _cursor(scope, key(data[-1]), including=False) if more else None
    return data, following, _cursor(scope, key(data[0]), including=True)


def turns_page(
    thread_id: str,
    turns: Sequence[Turn],
    *,
    cursor: str | None = None,
    limit: int | None = None,
    direction: SortDirection | None = None,
    items_view: TurnItemsView | None = None,
) -> ThreadTurnsListResponse:
    """The answer to ``thread/turns/list``: the newest first and as summaries, unless the client wants it otherwise.

    :param turns: all of the thread's, oldest first.
    :raises InvalidRequest: the cursor is none of this thread's turns.
    """
    places = range(len(turns))
    data, following, backwards = page(places, cursor, limit, direction or "desc", _itself, scope=f"turns/{thread_id}")
    shown = [view(turns[place], items_view or "summary") for place in data]
    return ThreadTurnsListResponse(data=shown, next_cursor=following, backwards_cursor=backwards)


def items_page(
    thread_id: str,
    turns: Sequence[Turn],
    *,
    turn_id: str | None = None,
    cursor: str | None = None,
    limit: int | None = None,
    direction: SortDirection | None = None,
) -> ThreadItemsListResponse:
    """The answer to ``thread/items/list``: the oldest first, unless the client wants it otherwise.

    :param turns: all of the thread's, oldest first, with all their items.
    :param turn_id: this turn's items only; none if there is no such turn.
    :raises InvalidRequest: the cursor is none of this thread's items.
    """
    entries: list[tuple[int, str, ThreadItem]] = []
    place = 0
    for turn in turns:
        if turn_id is None or turn.id == turn_id:
            entries.extend((place + index, turn.id, item) for index, item in enumerate(turn.items))
        place += len(turn.items)
    data, following, backwards = page(
        entries, cursor, limit, direction or "asc", _place_of_entry, scope=f"items/{thread_id}"
    )
    return ThreadItemsListResponse(
        data=[_item_entry(turn, item) for _, turn, item in data], next_cursor=following, backwards_cursor=backwards
    )


def loaded_page(ids: Sequence[str], *, cursor: str | None = None, limit: int | None = None) -> ThreadLoadedListResponse:
    """The answer to ``thread/loaded/list``: ids in ascending order, all of them unless there is a limit.

    :param cursor: the id before the page; it need not be among ``ids`` any more.
    :raises InvalidRequest: the cursor is no id.
    """
    ascending = sorted(ids)
    first = 0
    if cursor is not None:
        try:
            first = bisect_right(ascending, checked_thread_id(cursor))
        except InvalidRequest:
            raise _invalid(cursor) from None
    last = len(ascending) if limit is None else first + max(limit, 1)
    data = ascending[first:last]
    return ThreadLoadedListResponse(data=data, next_cursor=data[-1] if data and last < len(ascending) else None)


def view(turn: Turn, items_view: TurnItemsView) -> Turn:
    """The turn with as much of its items as is asked for; a summary is the first user message and the final answer."""
    if items_view == "full":
        items = turn.items
    elif items_view == "notLoaded":
        items = []
    else:
        asked = next((item for item in turn.items if isinstance(item.root, UserMessageThreadItem)), None)
        items = [item for item in (asked, final_answer(turn.items)) if item is not None]
    return turn.model_copy(update={"items": items, "items_view": items_view})


def final_answer(items: Sequence[ThreadItem]) -> ThreadItem | None:
    """What a turn comes down to: the last message that the model calls final, or else its last one."""
    messages = [item for item in items if isinstance(item.root, AgentMessageThreadItem)]
    final = [item for item in messages if getattr(item.root, "phase", None) == "final_answer"]
    return next(reversed(final or messages), None)


def _item_entry(turn_id: str, item: ThreadItem) -> ThreadItemEntry:
    return ThreadItemEntry(
        item=item,
        turn_id=turn_id,
        started_at_ms=item.root.started_at_ms,
        completed_at_ms=item.root.completed_at_ms,
    )


def _itself(place: int) -> int:
    return place


def _place_of_entry(entry: tuple[int, str, ThreadItem]) -> int:
    return entry[0]


def _cursor(scope: str, at: int, *, including: bool) -> str:
    return dumps({"scope": scope, "at": at, "including": including}).decode()


def _read_cursor(cursor: str, scope: str) -> tuple[int, bool]:
    try:
        raw: Any = loads(cursor.encode())
    except ValueError:
        raise _invalid(cursor) from None
    match raw:
        case {"scope": str(found), "at": int(at), "including": bool(including)} if found == scope:
            return at, including
        case _:
            raise _invalid(cursor)


def _invalid(cursor: str) -> InvalidRequest:
    return InvalidRequest(f"invalid cursor: {cursor}")
