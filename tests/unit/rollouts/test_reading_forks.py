"""Reading forks of the reference, whose history begins in another file; and what a fork of ours begins with."""

from pathlib import Path

import pytest

from app_server.rollouts import records
from app_server.rollouts.errors import NoRollout, RolloutUnreadable, TurnNotFound
from app_server.rollouts.reading import read_for_fork
from tests.unit.rollouts.rollout_support import (
    event,
    line,
    message,
    meta,
    raw,
    read,
    said,
    seen,
    session,
    thread_id,
    turn_records,
    written,
)

T = thread_id(1)


def fork(home: Path, number: int, source: int, end: int, *, older: bool = False) -> Path:
    base = {"thread_id": thread_id(source), "end_ordinal_exclusive": end, "end_byte_offset": 0}
    told = {"forked_from_id": thread_id(source), "forked_from_ordinal_exclusive": end, "history_mode": "paginated"}
    payload = told if older else told | {"history_base": base}
    item = {"type": "AgentMessage", "id": f"a{number}", "content": [{"type": "Text", "text": f"fork {number}"}]}
    return raw(
        home,
        number,
        session(number, **payload).replace(b'"type": "session_meta"', b'"ordinal": %d, "type": "session_meta"' % end),
        line("event_msg", {"type": "task_started", "turn_id": f"f{number}"}, ordinal=end + 1),
        line("event_msg", {"type": "item_completed", "turn_id": f"f{number}", "item": item}, ordinal=end + 2),
    )


@pytest.mark.parametrize("older", [False, True])
def test_the_history_begins_in_the_files_of_its_ancestors(tmp_path: Path, older: bool) -> None:
    first = written(tmp_path, meta(), *turn_records(T, "t1"), *turn_records(T, "t2"))
    second = fork(tmp_path, 2, 1, 8, older=older)
    third = fork(tmp_path, 3, 2, 11, older=older)
    thread = read(third, **{T: first, thread_id(2): second})
    assert [turn_id for turn_id, _, _ in said(thread)] == ["t1", "f2", "f3"]
    assert seen(thread) == ["hello", "hi"]
    assert (thread.meta.id, thread.preview, thread.next_ordinal) == (thread_id(3), "hello", 14)


def test_a_beginning_that_is_gone_is_an_error_and_not_a_shorter_thread(tmp_path: Path) -> None:
    with pytest.raises(NoRollout, match=T):
        read(fork(tmp_path, 2, 1, 8))


def test_a_circle_ends(tmp_path: Path) -> None:
    one, two = fork(tmp_path, 1, 2, 9), fork(tmp_path, 2, 1, 9)
    with pytest.raises(RolloutUnreadable, match="no beginning"):
        read(one, **{T: one, thread_id(2): two})


def source(home: Path) -> Path:
    return written(
        home,
        meta(),
        *turn_records(T, "t1", "1", "a"),
        *turn_records(T, "t2", "2", "b"),
        records.response_item(message("user", "injected"), "t2"),
        *turn_records(T, "t3", "3")[:-1],
    )


@pytest.mark.parametrize(
    ("cut", "turns", "texts"),
    [
        ({"last_turn_id": "t1"}, ["t1"], ["1", "a"]),
        ({"last_turn_id": "t2"}, ["t1", "t2"], ["1", "a", "2", "b"]),
        ({"before_turn_id": "t3"}, ["t1", "t2"], ["1", "a", "2", "b", "injected"]),
        ({"before_turn_id": "t1"}, [], []),
        ({"last_turn_id": "t3"}, ["t1", "t2", "t3"], ["1", "a", "2", "b", "injected", "3", "hi"]),
        ({}, ["t1", "t2", "t3"], ["1", "a", "2", "b", "injected", "3", "hi"]),
    ],
)
def test_a_fork_takes_along_what_came_before_the_cut(
    tmp_path: Path, cut: dict[str, str], turns: list[str], texts: list[str]
) -> None:
    wanted = {"last_turn_id": None, "before_turn_id": None} | cut
    thread, told = read_for_fork(source(tmp_path), archived=False, find=lambda _: None, **wanted)
    assert [turn.id for turn in thread.turns] == turns
    assert [turn.status for turn in thread.turns if turn.id != "t3"] == ["completed"] * len([*{*turns} - {"t3"}])
    assert seen(thread) == texts
    copy = read(written(tmp_path, meta(2), *told))
    assert (copy.turns, copy.history, copy.context) == (thread.turns, thread.history, thread.context)
    assert copy.meta.id == thread_id(2)


def test_a_turn_that_runs_is_interrupted_in_the_fork_for_good(tmp_path: Path) -> None:
    _, told = read_for_fork(
        source(tmp_path), archived=False, find=lambda _: None, last_turn_id=None, before_turn_id=None
    )
    assert (told[-1].payload["type"], told[-1].payload["turn_id"]) == ("turn_aborted", "t3")


def test_the_history_of_a_cut_before_a_compaction_is_the_one_of_then(tmp_path: Path) -> None:
    told = [*turn_records(T, "t1"), records.compacted("sum", [message("user", "sum")]), *turn_records(T, "t2")]
    thread, _ = read_for_fork(
        written(tmp_path, meta(), *told),
        archived=False,
        find=lambda _: None,
        last_turn_id="t1",
        before_turn_id=None,
    )
    assert seen(thread) == ["hello", "hi"]


@pytest.mark.parametrize(("name", "parameter"), [("last_turn_id", "lastTurnId"), ("before_turn_id", "beforeTurnId")])
def test_a_turn_that_is_not_there_is_told_as_such(tmp_path: Path, name: str, parameter: str) -> None:
    wanted: dict[str, str | None] = {"last_turn_id": None, "before_turn_id": None, name: "nope"}
    with pytest.raises(TurnNotFound) as caught:
        read_for_fork(source(tmp_path), archived=False, find=lambda _: None, **wanted)
    assert caught.value.message == f"{parameter} 'nope' was not found in the source thread"


def test_a_fork_of_a_legacy_thread_without_task_events_is_cut_where_the_user_spoke(tmp_path: Path) -> None:
    path = raw(tmp_path, 1, session(), *(event("user_message", message=text) for text in "123"))
    for cut in ({"last_turn_id": "rollout-2"}, {"before_turn_id": "rollout-3"}):
        wanted = {"last_turn_id": None, "before_turn_id": None} | cut
        thread, _ = read_for_fork(path, archived=False, find=lambda _: None, **wanted)
        assert [turn.id for turn in thread.turns] == ["rollout-1", "rollout-2"]
