"""Pages of turns, items and loaded threads: in order, complete, and stable while more is added."""

from typing import Any

import pytest

from app_server.threads.paging import items_page, loaded_page, page, turns_page, view
from protocol.errors import InvalidRequest
from protocol.items import AgentMessageThreadItem, MessagePhase, ReasoningThreadItem, ThreadItem, UserMessageThreadItem
from protocol.turn import Turn

A, B, C, D = (f"00000000-0000-0000-0000-00000000000{digit}" for digit in "abcd")


def user(item_id: str) -> ThreadItem:
    return ThreadItem(UserMessageThreadItem(id=item_id, content=[]))


def agent(item_id: str, phase: MessagePhase | None = None) -> ThreadItem:
    return ThreadItem(AgentMessageThreadItem(id=item_id, text=item_id, phase=phase, started_at_ms=5, completed_at_ms=7))


def turn(turn_id: str, *items: ThreadItem) -> Turn:
    return Turn(id=turn_id, items=list(items), status="completed")


def turns(count: int) -> list[Turn]:
    return [turn(f"t{number}", user(f"u{number}"), agent(f"a{number}")) for number in range(count)]


def ids(found: Any) -> list[str]:
    return [each.id if isinstance(each, Turn) else each.item.root.id for each in found.data]


def test_turns_come_newest_first_and_the_cursor_leads_through_all_of_them() -> None:
    seen, cursor = [], None
    while True:
        found = turns_page("T", turns(5), cursor=cursor, limit=2)
        seen.append(ids(found))
        cursor = found.next_cursor
        if cursor is None:
            break
    assert seen == [["t4", "t3"], ["t2", "t1"], ["t0"]]


def test_the_last_page_has_no_next_cursor_also_when_it_is_full() -> None:
    assert turns_page("T", turns(4), limit=4).next_cursor is None


def test_the_next_page_stays_the_same_when_a_turn_is_added() -> None:
    cursor = turns_page("T", turns(5), limit=2).next_cursor
    assert ids(turns_page("T", turns(9), limit=2, cursor=cursor)) == ["t2", "t1"]


def test_the_backwards_cursor_begins_with_the_first_entry_and_brings_what_came_since() -> None:
    cursor = turns_page("T", turns(5), limit=2).backwards_cursor
    assert ids(turns_page("T", turns(6), cursor=cursor, direction="asc")) == ["t4", "t5"]
    assert ids(turns_page("T", turns(6), cursor=cursor, limit=2)) == ["t4", "t3"]


def test_a_cursor_outlives_the_entry_it_was_made_from() -> None:
    _, cursor, _ = page([1, 2, 3, 4], None, 2, "asc", int, scope="s")
    assert page([1, 3, 4], cursor, 2, "asc", int, scope="s")[0] == [3, 4]


@pytest.mark.parametrize(("limit", "size"), [(None, 25), (0, 1), (1, 1), (100, 100), (101, 100), (2**32 - 1, 100)])
def test_a_page_has_25_entries_unless_asked_otherwise_and_between_1_and_100(limit: int | None, size: int) -> None:
    assert len(turns_page("T", turns(120), limit=limit).data) == size


def test_an_empty_page_has_no_cursors() -> None:
    found = turns_page("T", [])
    assert (found.data, found.next_cursor, found.backwards_cursor) == ([], None, None)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "zz",
        "{}",
        "5",
        "null",
        "[]",
        "\ud800",
        '{"scope":"turns/T","at":"1","including":true}',
        '{"scope":"turns/T","at":1.5,"including":true}',
        '{"scope":"turns/T","at":1}',
    ],
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        turns_page("T", turns(3), cursor=cursor)
    assert caught.value.message == f"invalid cursor: {cursor}"


def test_a_cursor_of_another_list_or_another_thread_is_refused() -> None:
    cursor = turns_page("T", turns(3), limit=1).next_cursor
    for refused in (
        lambda: items_page("T", turns(3), cursor=cursor),
        lambda: turns_page("U", turns(3), cursor=cursor),
    ):
        with pytest.raises(InvalidRequest, match=r"^invalid cursor: "):
            refused()


def test_items_come_oldest_first_with_their_turn_and_times() -> None:
    found = items_page("T", turns(2), limit=3)
    assert ids(found) == ["u0", "a0", "u1"]
    assert [entry.turn_id for entry in found.data] == ["t0", "t0", "t1"]
    assert (found.data[1].started_at_ms, found.data[1].completed_at_ms) == (5, 7)
    assert ids(items_page("T", turns(2), cursor=found.next_cursor)) == ["a1"]
    assert ids(items_page("T", turns(2), limit=3, direction="desc")) == ["a1", "u1", "a0"]


def test_items_of_one_turn_go_on_from_a_cursor_of_all_items() -> None:
    cursor = items_page("T", turns(3), limit=3).next_cursor
    assert ids(items_page("T", turns(3), turn_id="t1", cursor=cursor)) == ["a1"]
    assert ids(items_page("T", turns(3), turn_id="t2", cursor=cursor)) == ["u2", "a2"]


def test_an_unknown_turn_has_no_items() -> None:
    found = items_page("T", turns(3), turn_id="zz")
    assert (found.data, found.next_cursor, found.backwards_cursor) == ([], None, None)


def test_loaded_threads_come_in_ascending_order_and_all_at_once_without_a_limit() -> None:
    found = loaded_page([C, A, B])
    assert (found.data, found.next_cursor) == ([A, B, C], None)


def test_loaded_threads_go_on_after_the_last_id_also_when_that_one_is_gone() -> None:
    first = loaded_page([C, A, B, D], limit=2)
    assert (first.data, first.next_cursor) == ([A, B], B)
    assert loaded_page([C, A, D], limit=2, cursor=first.next_cursor).data == [C, D]
    assert loaded_page([A, B], limit=0).data == [A]
    assert loaded_page([A, B], cursor=B.upper()).data == []
    assert loaded_page([A, B], limit=2).next_cursor is None


def test_a_cursor_of_loaded_threads_has_to_be_an_id() -> None:
    with pytest.raises(InvalidRequest, match=r"^invalid cursor: zz$"):
        loaded_page([A], cursor="zz")


def test_a_summary_is_the_first_user_message_and_the_last_message_of_the_model() -> None:
    thought = ThreadItem(ReasoningThreadItem(id="r"))
    full = turn("t", user("u1"), agent("a1"), thought, user("u2"), agent("a2"))
    summary = view(full, "summary")
    assert [item.root.id for item in summary.items] == ["u1", "a2"]
    assert summary.items_view == "summary"
    assert full.items_view == "full"


def test_a_summary_prefers_the_message_that_the_model_calls_final() -> None:
    found = view(turn("t", agent("a1", "final_answer"), agent("a2", "commentary")), "summary")
    assert [item.root.id for item in found.items] == ["a1"]


def test_a_turn_can_be_shown_in_full_or_without_items() -> None:
    whole = turn("t", user("u"))
    assert view(whole, "full").items == whole.items
    assert view(view(whole, "summary"), "notLoaded").items == []
    assert view(whole, "notLoaded").items_view == "notLoaded"


def test_a_turn_without_messages_has_an_empty_summary() -> None:
    assert view(turn("t", ThreadItem(ReasoningThreadItem(id="r"))), "summary").items == []


def test_turns_are_listed_as_summaries_unless_asked_otherwise() -> None:
    assert turns_page("T", turns(1)).data[0].items_view == "summary"
    assert turns_page("T", turns(1), items_view="notLoaded").data[0].items == []
