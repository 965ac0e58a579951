"""A summary in the place of a history that has become too large."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app_server.backend.response_failures import UpstreamFailure
from app_server.threads.compaction import MAX_KEPT_TOKENS, Compaction, compacted
from app_server.threads.history import SUMMARY_PREFIX, History
from app_server.threads.prompt import COMPACT_PROMPT
from app_server.threads.response_items import Item, message, tool_output
from app_server.threads.sampling import Sampling
from tests.unit.threads.support import (
    Answer,
    Client,
    Model,
    Stored,
    added,
    completed,
    delta,
    done,
    failure,
    message_done,
    record,
    said,
    settings,
    thread,
)

ENVIRONMENT = message("user", "<environment_context>\n  <cwd>/here</cwd>\n</environment_context>")
TOO_LONG = failure("too long", kind="contextWindowExceeded")


def answer(text: str) -> Item:
    return {"type": "message", "id": "msg_a", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def texts(items: Any) -> list[str]:
    return [item["content"][0]["text"] for item in items if item["type"] == "message"]


class Summing:
    """A compaction, and all that comes of it."""

    def __init__(self, tmp_path: Path, *answers: Answer, history: History, retries: int = 0, **config: Any) -> None:
        self.model = Model(*answers, headers={"x-codex-primary-used-percent": "5"})
        self.client = Client()
        self.stored = Stored()
        live = thread(tmp_path, self.client, compact_at=1000, with_settings=settings(tmp_path, retries, **config))
        self.window = live.window
        self.window.history.replace(history)
        self.context = replace(live.turn_context(), store=self.stored)
        self.responses: list[Any] = []
        sampling = Sampling(
            self.model, self.context.settings.config, self.context.settings.provider, {}, lambda _, __: None
        )
        made = record(self.client, self.window.history, self.stored)
        self.compaction = Compaction(self.context, made, sampling, self.responses.append)

    async def run(self) -> str:
        return await self.compaction.summary()

    def asked(self, number: int = -1) -> list[str]:
        return texts(self.model.bodies[number]["input"])


async def test_the_whole_history_is_summed_up_without_tools(tmp_path: Path) -> None:
    summing = Summing(tmp_path, said("Sum", 7), history=History([ENVIRONMENT, message("user", "Hi"), answer("Hello")]))
    assert await summing.run() == "Sum"
    assert summing.asked()[1:] == ["Hi", "Hello", COMPACT_PROMPT]
    assert "tools" not in summing.model.bodies[0]
    assert len(summing.window.history) == 3
    assert summing.responses[0]["usage"]["total_tokens"] == 7
    known = summing.context.account_limits.known.primary
    assert known is not None
    assert known.used_percent == 5


async def test_the_request_can_be_put_in_other_words(tmp_path: Path) -> None:
    summing = Summing(tmp_path, said("Sum", 100_000), history=History(), compact_prompt="In Latin")
    await summing.run()
    assert summing.asked() == ["In Latin"]


async def test_the_last_message_with_words_in_it_is_the_summary(tmp_path: Path) -> None:
    events = [message_done("First"), done({"type": "reasoning"}), message_done("Last"), message_done("  "), completed()]
    assert await Summing(tmp_path, events, history=History()).run() == "Last"


async def test_an_empty_summary_is_what_the_model_said_last(tmp_path: Path) -> None:
    history = History([message("user", "Hi"), answer("Old"), answer("Older?"), message("user", "More")])
    assert await Summing(tmp_path, [completed()], history=history).run() == "Older?"
    assert await Summing(tmp_path, [completed()], history=History()).run() == ""


async def test_half_a_summary_of_a_broken_stream_does_not_count(tmp_path: Path) -> None:
    broken = ([message_done("Half")], failure("gone", "stream", retry_after=0))
    summing = Summing(tmp_path, broken, ([added(), delta("W")], said("Whole")), history=History(), retries=1)
    assert await summing.run() == "Whole"


async def test_of_a_history_that_is_too_long_the_later_half_is_summed_up(tmp_path: Path) -> None:
    history = History([ENVIRONMENT, *(message("user", str(number)) for number in range(9))])
    summing = Summing(tmp_path, TOO_LONG, TOO_LONG, said("Sum", 100_000), history=history)
    assert await summing.run() == "Sum"
    assert summing.asked(1)[1:-1] == ["4", "5", "6", "7", "8"]
    assert summing.asked(2)[1:-1] == ["6", "7", "8"]
    assert all(summing.asked(number)[0].startswith("<environment_context>") for number in range(3))


async def test_outputs_whose_calls_are_left_behind_are_left_behind_too(tmp_path: Path) -> None:
    def call(call_id: str) -> Item:
        return {"type": "function_call", "call_id": call_id, "name": "x", "arguments": "{}"}

    def out(call_id: str) -> Item:
        return {"type": "function_call_output", "call_id": call_id, "output": call_id}

    mail = tool_output("fco_1", "mail", None, "Nobody has asked for it")
    history = History([call("a"), out("a"), call("b"), out("b"), call("c"), out("c"), mail, message("user", "Hi")])
    summing = Summing(tmp_path, TOO_LONG, said("Sum", 100_000), history=history)
    await summing.run()
    asked = summing.model.bodies[1]["input"]
    assert [(item["type"], item.get("call_id")) for item in asked[:-2]] == [
        ("function_call", "c"),
        ("function_call_output", "c"),
        ("function_call_output", None),
    ]


async def test_what_cannot_be_made_shorter_is_not_asked_again(tmp_path: Path) -> None:
    summing = Summing(tmp_path, TOO_LONG, said("never"), history=History([ENVIRONMENT, message("user", "x")]))
    with pytest.raises(UpstreamFailure):
        await summing.run()
    assert len(summing.model.bodies) == 1


async def test_a_model_that_takes_nothing_is_asked_only_so_often(tmp_path: Path) -> None:
    history = History(message("user", str(number)) for number in range(5000))
    summing = Summing(tmp_path, *[TOO_LONG] * 20, history=history)
    with pytest.raises(UpstreamFailure):
        await summing.run()
    assert len(summing.model.bodies) == 6


async def test_any_other_failure_stands(tmp_path: Path) -> None:
    summing = Summing(tmp_path, failure("no"), history=History([message("user", "A"), message("user", "B")]))
    with pytest.raises(UpstreamFailure, match="no"):
        await summing.run()
    assert (len(summing.model.bodies), summing.responses) == (1, [])


# As an item of the turn


async def test_the_summary_takes_the_place_of_the_history_and_of_its_size(tmp_path: Path) -> None:
    summing = Summing(tmp_path, said("Sum"), history=History([message("user", "Hi"), answer("Hello")]))
    summing.window.overflowed = True
    await summing.compaction.run()
    assert texts(summing.window.history)[1:] == ["Hi", SUMMARY_PREFIX + "Sum"]
    assert not summing.window.is_full(summing.context.limits)
    assert summing.stored.kinds == ["compacted", "token_count", "item_completed"]
    assert summing.client.methods == [
        "item/started contextCompaction",
        "thread/tokenUsage/updated",
        "item/completed contextCompaction",
    ]
    assert not summing.compaction.runs


async def test_a_compaction_that_fails_runs_until_it_is_ended_and_leaves_the_history(tmp_path: Path) -> None:
    summing = Summing(tmp_path, failure("no"), history=History([message("user", "Hi")]))
    with pytest.raises(UpstreamFailure):
        await summing.compaction.run()
    assert (summing.compaction.runs, texts(summing.window.history)) == (True, ["Hi"])
    summing.compaction.end()
    summing.compaction.end()
    assert (summing.compaction.runs, len(summing.client.items("contextCompaction"))) == (False, 1)


# What takes its place


def test_surroundings_then_what_the_user_said_then_the_summary() -> None:
    history = History(
        [
            message("developer", "Old order"),
            message("user", "First"),
            answer("Answer"),
            {"type": "function_call", "call_id": "a", "name": "x", "arguments": "{}"},
            message("user", SUMMARY_PREFIX + "an older summary"),
            message("user", "Second"),
        ]
    )
    text, items = compacted(history, [ENVIRONMENT], "Sum", 100_000)
    assert text == SUMMARY_PREFIX + "Sum"
    assert texts(items)[1:] == ["First", "Second", text]
    assert items[0] == ENVIRONMENT


def test_of_very_much_that_the_user_said_the_latest_is_kept_and_what_does_not_quite_fit_is_cut() -> None:
    third = "x" * (MAX_KEPT_TOKENS * 4 // 3)
    history = History(message("user", f"{number} {third}") for number in range(5))
    _, items = compacted(history, [], "Sum", 100_000)
    assert [text[0] for text in texts(items)[:-1]] == ["2", "3", "4"]
    assert "tokens truncated" in texts(items)[0]
    assert texts(items)[1:3] == [f"3 {third}", f"4 {third}"]
    assert History(items[:-1]).estimated_tokens() <= MAX_KEPT_TOKENS * 1.01


def test_a_question_that_is_too_long_keeps_its_beginning_and_its_end() -> None:
    history = History([message("user", "Older"), message("user", "BEGIN" + "x" * 200_000 + "END")])
    _, items = compacted(history, [], "Sum", 100_000)
    [question, _] = texts(items)
    assert (question[:5], question[-3:]) == ("BEGIN", "END")
    assert len(question) < MAX_KEPT_TOKENS * 4 + 100


def test_content_of_any_shape_is_cut() -> None:
    odd = {"type": "message", "role": "user", "content": "x" * 200_000}
    history = History([odd, {**odd, "content": ["x" * 200_000]}])
    compacted(history, [], "Sum", 100_000)
