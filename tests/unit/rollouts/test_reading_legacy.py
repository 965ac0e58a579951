"""Reading threads in the older form, as the reference and its ancestors have written it."""

from pathlib import Path
from typing import Any

from app_server.rollouts import records
from protocol.function_output import FunctionCallOutputBody
from protocol.items import DynamicToolCallThreadItem, FunctionCallOutputThreadItem, UserMessageThreadItem
from protocol.user_input import ByteRange, TextElement, TextUserInput, UserInput
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


def test_events_become_items_with_ids_in_order(tmp_path: Path) -> None:
    path = raw(
        tmp_path,
        1,
        session(),
        event("task_started", turn_id="t1", started_at=5),
        line("response_item", message("user", "hi")),
        event("user_message", message="hi", client_id="c", images=["data:x"], image_details=["low"]),
        event("agent_reasoning", text="one"),
        event("agent_reasoning", text="two"),
        event("agent_reasoning_raw_content", text="raw"),
        event("agent_message", message="yo", phase="final_answer"),
        event("context_compacted"),
        event("task_complete", turn_id="t1", completed_at=6, duration_ms=7),
    )
    thread = read(path)
    (turn,) = thread.turns
    assert (turn.status, turn.started_at, turn.completed_at, turn.duration_ms) == ("completed", 5, 6, 7)
    items: list[Any] = [item.root for item in turn.items]
    user, reasoning, agent, compaction = items
    assert [item.root.id for item in turn.items] == ["item-1", "item-2", "item-3", "item-4"]
    assert user.model_dump(exclude_none=True)["content"] == [
        {"type": "text", "text": "hi", "text_elements": []},
        {"type": "image", "url": "data:x", "detail": "low"},
    ]
    assert (reasoning.summary, reasoning.content) == (["one", "two"], ["raw"])
    assert (agent.text, agent.phase, compaction.type) == ("yo", "final_answer", "contextCompaction")
    assert (thread.meta.history_mode, thread.preview, thread.next_ordinal) == ("legacy", "hi", 0)


def test_without_task_events_each_thing_the_user_says_begins_a_turn(tmp_path: Path) -> None:
    told = [event("user_message", message="1"), event("agent_message", message="a")]
    again = [event("user_message", message="2"), event("turn_aborted", reason="interrupted")]
    thread = read(raw(tmp_path, 1, session(), *told, *again, event("user_message", message="3")))
    assert said(thread) == [
        ("rollout-1", "completed", ["1", "a"]),
        ("rollout-3", "interrupted", ["2"]),
        ("rollout-5", "completed", ["3"]),
    ]


def test_what_is_said_during_a_turn_belongs_to_it(tmp_path: Path) -> None:
    told = [
        event("task_started", turn_id="t"),
        event("user_message", message="1"),
        event("user_message", message="2"),
    ]
    late = [event("task_complete", turn_id="other"), event("agent_message", message="late")]
    thread = read(raw(tmp_path, 1, session(), *told, *late))
    assert said(thread) == [("t", "completed", ["1", "2"]), ("rollout-5", "completed", ["late"])]


def test_turns_that_were_rolled_back_are_gone_from_the_history_too(tmp_path: Path) -> None:
    lines = [
        text
        for number in ("1", "2", "3")
        for text in (
            event("task_started", turn_id=number),
            line("response_item", message("user", number)),
            event("user_message", message=number),
            event("task_complete", turn_id=number),
        )
    ]
    thread = read(raw(tmp_path, 1, session(), *lines, event("thread_rolled_back", num_turns=2), *lines[4:8]))
    assert said(thread) == [("1", "completed", ["1"]), ("2", "completed", ["2"])]
    assert seen(thread) == ["1", "2"]
    assert thread.turns[1].items[0].root.id == "item-2"


def test_items_of_the_newer_form_are_not_shown_twice(tmp_path: Path) -> None:
    item = {"type": "AgentMessage", "id": "a", "content": [{"type": "Text", "text": "again"}]}
    path = raw(
        tmp_path,
        1,
        session(),
        event("task_started", turn_id="t"),
        event("agent_message", message="once"),
        event("item_completed", turn_id="t", item=item),
    )
    assert said(read(path)) == [("t", "interrupted", ["once"])]


def test_calls_and_outputs_of_tools_are_shown_although_it_has_no_event_for_them(tmp_path: Path) -> None:
    call = DynamicToolCallThreadItem(id="c", tool="t", arguments={}, status="completed")
    mail = FunctionCallOutputThreadItem(id="f", name="mail", output=FunctionCallOutputBody("You have mail"))
    told = [*turn_records(T, "t1")[:-1], *(records.item_completed(T, "t1", item, 1, 2) for item in (call, mail))]
    thread = read(written(tmp_path, meta(history_mode="legacy"), *told))
    assert said(thread) == [("t1", "interrupted", ["hello", "hi", "dynamicToolCall", "functionCallOutput"])]


def test_the_first_meta_counts(tmp_path: Path) -> None:
    thread = read(raw(tmp_path, 1, session(1, cwd="/mine"), session(2, cwd="/source")))
    assert (thread.meta.id, thread.meta.cwd) == (T, "/mine")


def test_turns_rolled_back_after_a_compaction_leave_the_summary(tmp_path: Path) -> None:
    lines = [
        event("task_started", turn_id="1"),
        line("response_item", message("user", "1")),
        line("compacted", {"message": "sum", "replacement_history": [message("user", "1"), message("user", "sum")]}),
        event("task_complete", turn_id="1"),
    ]
    thread = read(raw(tmp_path, 1, session(), *lines, event("thread_rolled_back", num_turns=1)))
    assert (said(thread), seen(thread)) == ([], ["1", "sum"])


def test_the_elements_of_several_texts_keep_their_places_in_the_one_text(tmp_path: Path) -> None:
    element = TextElement(byte_range=ByteRange(start=0, end=1), placeholder="p")
    texts = [TextUserInput(text="é", text_elements=[]), TextUserInput(text="two", text_elements=[element])]
    user = UserMessageThreadItem(id="u", content=[UserInput(text) for text in texts])
    told = [records.task_started("t", 1, None), records.item_completed(T, "t", user, 1, 2)]
    thread = read(written(tmp_path, meta(history_mode="legacy"), *told))
    item: Any = thread.turns[0].items[0].root
    assert item.content[0].root.text == "étwo"
    assert item.content[0].root.text_elements[0].byte_range == ByteRange(start=2, end=3)
