"""Reading a thread: its turns, its history, and what a crash or another program has left in its file."""

from pathlib import Path

import pytest

from app_server.rollouts import records
from app_server.rollouts.errors import RolloutPathNotFound, RolloutUnreadable
from protocol.items import ContextCompactionThreadItem
from protocol.turn import ThreadTokenUsage, TokenUsageBreakdown, Turn
from protocol.turn_error import CodexErrorInfo, TurnError
from tests.unit.rollouts.rollout_support import (
    NOON,
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


def test_a_thread_comes_back_as_it_was_written(tmp_path: Path) -> None:
    about = meta(
        dynamic_tools=({"type": "function", "name": "look", "description": "d", "inputSchema": {}},),
        base_instructions="base",
        developer_instructions="developer",
        forked_from_id=thread_id(7),
        parent_thread_id=thread_id(8),
        thread_source="user",
        source={"custom": "atlas"},
        git=("abc", "main", None),
    )
    thread = read(written(tmp_path, about, *turn_records(T, "t1"), *turn_records(T, "t2", "more", "sure")))
    assert thread.meta == about
    assert thread.meta.created_at == NOON
    assert said(thread) == [("t1", "completed", ["hello", "hi"]), ("t2", "completed", ["more", "sure"])]
    assert [(turn.started_at, turn.completed_at, turn.duration_ms) for turn in thread.turns] == [(100, 101, 900)] * 2
    assert thread.turns[0].items[1].root.completed_at_ms == 4
    assert thread.history == [
        message("user", "hello"),
        message("assistant", "hi"),
        message("user", "more"),
        message("assistant", "sure"),
    ]
    assert thread.context == {"turn_id": "t2", "model": "gpt-5.2", "effort": "high", "cwd": "/work"}
    assert (thread.preview, thread.usage, thread.name, thread.archived) == ("hello", None, None, False)
    assert (thread.next_ordinal, thread.torn) == (15, False)
    assert thread.updated_at == int(thread.path.stat().st_mtime)


def test_the_usage_is_the_last_one_that_was_counted(tmp_path: Path) -> None:
    def usage(tokens: int) -> ThreadTokenUsage:
        part = TokenUsageBreakdown(
            total_tokens=tokens, input_tokens=1, cached_input_tokens=2, output_tokens=3, reasoning_output_tokens=4
        )
        return ThreadTokenUsage(total=part, last=part, model_context_window=9)

    nothing = records.event("token_count", info=None, rate_limits=None)
    path = written(tmp_path, meta(), records.token_count(usage(1)), records.token_count(usage(2)), nothing)
    assert read(path).usage == usage(2)


@pytest.mark.parametrize("end", ["interrupted", "failed", "never"])
def test_a_turn_ends_as_it_was_told_to(tmp_path: Path, end: str) -> None:
    error = TurnError(message="m", codex_error_info=CodexErrorInfo("other"))
    turn = Turn(id="t", items=[], status="failed", error=error if end == "failed" else None, completed_at=7)
    told = turn_records(T, "t", answer=None)[:-1]
    if end != "never":
        told.append(records.task_complete(turn, None) if end == "failed" else records.turn_aborted(turn))
    (stored,) = read(written(tmp_path, meta(), *told)).turns
    assert stored.status == ("failed" if end == "failed" else "interrupted")
    assert stored.error == turn.error
    assert stored.completed_at == (None if end == "never" else 7)


def test_a_compaction_replaces_the_history_and_leaves_the_turns(tmp_path: Path) -> None:
    told = [
        *turn_records(T, "t1"),
        records.task_started("t2", 1, None),
        records.compacted("sum", [message("user", "hello"), {**message("user", "sum"), records.PASSTHROUGH: {}}]),
        records.item_completed(T, "t2", ContextCompactionThreadItem(id="c"), None, None),
        *turn_records(T, "t3", "next", "sure"),
    ]
    thread = read(written(tmp_path, meta(), *told))
    assert seen(thread) == ["hello", "sum", "next", "sure"]
    assert not any(records.PASSTHROUGH in item for item in thread.history)
    assert [turn_id for turn_id, _, _ in said(thread)] == ["t1", "t2", "t3"]


def test_a_compaction_without_a_history_keeps_what_the_user_said(tmp_path: Path) -> None:
    told = [
        records.response_item(message("user", "<environment_context>x"), "t"),
        *turn_records(T, "t1"),
        records.Record("compacted", {"message": "sum"}),
    ]
    assert seen(read(written(tmp_path, meta(), *told))) == ["hello", "sum"]


def test_what_means_nothing_to_a_model_is_not_in_the_history(tmp_path: Path) -> None:
    told = [records.response_item({"type": kind}, "t") for kind in ("ghost_snapshot", "additional_tools", "new_kind")]
    assert read(written(tmp_path, meta(), *told)).history == [{"type": "new_kind"}]


def test_a_torn_last_line_is_told_and_costs_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path, meta(), *turn_records(T, "t1"))
    with path.open("ab") as file:
        file.write(b'{"timestamp":"2026-11-20T12:00:00.000Z","ordinal":8,"ty')
    thread = read(path)
    assert thread.torn
    assert (thread.next_ordinal, len(thread.turns)) == (8, 1)


def test_a_last_line_without_its_end_counts_when_it_is_whole(tmp_path: Path) -> None:
    path = written(tmp_path, meta(), *turn_records(T, "t1"))
    path.write_bytes(path.read_bytes()[:-1])
    thread = read(path)
    assert thread.torn
    assert (thread.next_ordinal, thread.turns[0].status) == (8, "completed")


@pytest.mark.parametrize(
    "garbage",
    [
        b"garbage\n",
        b"\n",
        b"[]\n",
        b'{"type":5,"payload":{}}\n',
        b'{"type":"event_msg","payload":[]}\n',
        line("weird", {"a": 1}),
        event("weird"),
        event("item_completed", item=5, turn_id="t1"),
        event("item_completed", item={"type": "Weird", "id": "w"}, turn_id="t1"),
        event("task_started"),
        event("task_complete", turn_id="nobody"),
        event("token_count", info={"total_token_usage": 5}),
        event("thread_rolled_back", num_turns="x"),
        line("response_item", {"no": "type"}),
        b"\xff\xfe\n",
    ],
)
def test_garbage_between_the_lines_is_skipped(tmp_path: Path, garbage: bytes) -> None:
    path = written(tmp_path, meta(), *turn_records(T, "t1"))
    whole = read(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(text + garbage for text in [b"", *lines]))
    thread = read(path)
    assert (thread.turns, thread.history, thread.meta) == (whole.turns, whole.history, whole.meta)
    assert (thread.next_ordinal, thread.torn) == (8, False)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage\n",
        event("user_message", message="hi"),
        *(session(1, **{member: None}) for member in ("id", "timestamp", "cwd", "originator", "cli_version")),
        session(timestamp="yesterday"),
    ],
)
def test_a_file_without_a_meta_is_no_thread(tmp_path: Path, content: bytes) -> None:
    path = raw(tmp_path, 1, content)
    with pytest.raises(RolloutUnreadable) as caught:
        read(path)
    assert caught.value.message == (
        "failed to read thread: thread-store internal error: "
        f"failed to read session metadata {path}: rollout at {path} is empty"
    )


def test_a_path_without_a_file_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(RolloutPathNotFound) as caught:
        read(tmp_path / "none")
    assert caught.value.message == f"failed to resolve rollout path `{tmp_path / 'none'}`: file does not exist"
    with pytest.raises(RolloutPathNotFound, match="path is a directory"):
        read(tmp_path)


def test_the_next_ordinal_is_beyond_all_that_are_there(tmp_path: Path) -> None:
    lines = [line("weird", {}, ordinal=ordinal) for ordinal in (5, 9, 7)]
    assert read(raw(tmp_path, 1, session(), *lines)).next_ordinal == 10
