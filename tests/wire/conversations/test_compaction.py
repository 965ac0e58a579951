"""A history that outgrows the model becomes a summary: by itself, or because the client wants it.

What the summary costs stands in ``test_token_usage``; what is kept of a very long history, in the unit tests.
"""

import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.threads.history import SUMMARY_PREFIX
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.conversations.support import (
    LOOKUP,
    answer,
    call,
    called,
    completed_items,
    in_order,
    is_context,
    items_of,
    last_body,
    only_course,
    requests,
    result,
    told,
)
from tests.wire.turns.support import (
    RESPONSES,
    Course,
    asked,
    begin,
    course,
    start_thread,
    talk,
    text_input,
)

TOO_LONG: Json = {"code": "context_length_exceeded", "message": "Too long."}


def limit(tokens: int) -> Json:
    """The setting of a thread that is compacted at so many tokens."""
    return {"model_auto_compact_token_limit": tokens}


def used(tokens: int) -> Json:
    """What a response says to have cost, input and output together."""
    return {"input_tokens": tokens - 10, "output_tokens": 10}


def summed_up(summary: str) -> tuple[str, str]:
    """How the model is told a summary."""
    return "user", SUMMARY_PREFIX + summary


async def compact(server: ServerProcess, thread: str) -> Course:
    """Compact by hand, and wait for the end of it."""
    assert await server.result("thread/compact/start", {"threadId": thread}) == {}
    return await only_course(server, thread)


async def long_thread(fake: FakeOpenAI, server: ServerProcess, at: int = 1000, provider: str = "once") -> str:
    """A thread with one turn, after which it has to be compacted."""
    thread = await start_thread(server, provider, config=limit(at))
    fake.script(text="One.", usage=used(at))
    assert (await talk(server, thread, "First")).status == "completed"
    return thread


# By hand


async def test_the_client_can_have_the_history_replaced_by_a_summary(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once", developerInstructions="Be kind.")
    await talk(server, thread, "First")
    await talk(server, thread, "Second")
    fake.script(text="They greeted each other.", request_kind="compaction")
    done = await compact(server, thread)
    await talk(server, thread, "Third")

    assert in_order(done.messages) == [
        "thread/status/changed",
        "turn/started",
        "item/started contextCompaction",
        "thread/tokenUsage/updated",
        "account/rateLimits/updated",
        "thread/tokenUsage/updated",
        "item/completed contextCompaction",
        "thread/status/changed",
        "turn/completed",
    ]
    assert (done.status, done.turn["items"], done.turn["itemsView"]) == ("completed", [], "notLoaded")
    _, _, summary, after = await requests(fake, 4)
    body = summary.json
    assert "tools" not in body
    assert told(body)[:-1] == [
        ("user", "First"),
        ("assistant", "First"),
        ("user", "Second"),
        ("assistant", "Second"),
    ]
    assert "summary" in told(body)[-1][1]
    # What the model itself said is gone; what the user said stays, and so does what it was told beforehand.
    assert told(after.json) == [
        ("user", "First"),
        ("user", "Second"),
        summed_up("They greeted each other."),
        ("user", "Third"),
    ]
    assert sum(map(is_context, after.json["input"])) == 2
    assert sum("Be kind." in str(item) for item in after.json["input"]) == 1


async def test_the_answer_to_the_request_comes_first(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    await talk(server, thread)
    await server.send({"id": 1, "method": "thread/compact/start", "params": {"threadId": thread}})
    assert await server.message() == {"id": 1, "result": {}}
    assert (await only_course(server, thread)).status == "completed"


async def test_a_second_summary_takes_the_place_of_the_first(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    await talk(server, thread, "First")
    for summary in ("Summary one.", "Summary two."):
        fake.script(text=summary, request_kind="compaction")
        await compact(server, thread)
    await talk(server, thread, "Second")
    bodies = [request.json for request in await requests(fake, 4)]
    assert summed_up("Summary one.") in told(bodies[2])
    assert told(bodies[3]) == [("user", "First"), summed_up("Summary two."), ("user", "Second")]


async def test_the_request_for_a_summary_can_be_put_in_other_words(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once", config={"compact_prompt": "Sum it up in Latin."})
    await talk(server, thread, "First")
    await compact(server, thread)
    assert told(await last_body(fake, 2))[-1] == ("user", "Sum it up in Latin.")


async def test_a_running_turn_is_interrupted_first(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text="One two three", deltas=3)
    fake.fault("responses", hang_after_events=4)
    thread = await start_thread(server, "once")
    turn = await begin(server, thread, "First")
    await fake.wait_hanging()
    await server.result("thread/compact/start", {"threadId": thread})
    done = await course(server, thread, turn)
    assert (done.status, done.spoken) == ("interrupted", ["One "])
    assert (await only_course(server, thread)).status == "completed"
    await talk(server, thread, "Second")
    assert told(await last_body(fake, 3)) == [
        ("user", "First"),
        summed_up("Summary: 4 messages."),
        ("user", "Second"),
    ]


async def test_a_turn_that_compacts_takes_no_input_and_no_settings(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    await talk(server, thread, "First")
    fake.fault("responses", hang=True)
    await server.result("thread/compact/start", {"threadId": thread})
    await fake.wait_hanging()
    (running,) = (await server.result("thread/read", {"threadId": thread, "includeTurns": True}))["thread"]["turns"][1:]
    turn = running["id"]
    wish = {"threadId": thread, "input": text_input("Second")}
    assert (await server.error("turn/start", {**wish, "model": "gpt-5.2"}))["code"] == -32600
    assert await server.error("turn/steer", {**wish, "expectedTurnId": turn}) == {
        "code": -32600,
        "message": "no active turn to steer",
    }
    fake.release()
    await only_course(server, thread)
    await talk(server, thread, "Third")
    assert (await last_body(fake, 3))["model"] == "gpt-5.1-codex"


async def test_an_unknown_thread_cannot_be_compacted(server: ServerProcess) -> None:
    unknown = "01a1fdc1-0000-7000-8000-000000000000"
    said = await server.error("thread/compact/start", {"threadId": unknown})
    assert said == {"code": -32600, "message": f"thread not found: {unknown}"}


# By itself


async def test_before_a_turn_the_history_is_compacted_when_it_has_come_to_the_limit(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread = await long_thread(fake, server)
    done = await talk(server, thread, "Second")

    assert [what for what in in_order(done.messages) if what.startswith("item/")] == [
        "item/started contextCompaction",
        "item/completed contextCompaction",
        "item/started userMessage",
        "item/completed userMessage",
        "item/started agentMessage",
        *["item/agentMessage/delta"] * 3,
        "item/completed agentMessage",
    ]
    assert done.spoken == ["Second"]
    assert told(await last_body(fake, 3)) == [
        ("user", "First"),
        summed_up("Summary: 3 messages."),
        ("user", "Second"),
    ]
    read = await server.result("thread/read", {"threadId": thread, "includeTurns": True})
    assert [item["type"] for item in read["thread"]["turns"][1]["items"]] == [
        "contextCompaction",
        "userMessage",
        "agentMessage",
    ]


async def test_below_the_limit_nothing_is_compacted(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once", config=limit(1000))
    fake.script(text="One.", usage=used(999))
    await talk(server, thread, "First")
    await talk(server, thread, "Second")
    assert told(await last_body(fake, 2)) == [("user", "First"), ("assistant", "One."), ("user", "Second")]


@pytest.mark.parametrize(("tokens", "asked_for"), [(8_999, 2), (9_000, 3)])
async def test_without_a_limit_it_is_nine_tenths_of_the_window(
    fake: FakeOpenAI, server: ServerProcess, tokens: int, asked_for: int
) -> None:
    config = {"model_context_window": 10_000, "model_auto_compact_token_limit": 20_000}
    thread = await start_thread(server, "once", config=config)
    fake.script(text="One.", usage=used(tokens))
    await talk(server, thread, "First")
    await talk(server, thread, "Second")
    await requests(fake, asked_for)


async def test_what_is_compacted_once_is_not_compacted_again_before_it_has_grown(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread = await long_thread(fake, server)
    for text in ("Second", "Third"):
        fake.script(text=text, usage=used(500), request_kind="turn")
        await talk(server, thread, text)
    assert len(asked(fake)) == 4


async def test_after_the_last_answer_nothing_is_compacted(fake: FakeOpenAI, server: ServerProcess) -> None:
    await long_thread(fake, server)
    await server.barrier()
    await requests(fake, 1)


async def test_within_a_turn_it_is_compacted_before_the_model_is_asked_again(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.script(tool_calls=[call("call_1")], usage=used(1000))
    fake.script(text="The tool knows.", request_kind="compaction", usage=used(200))
    thread = await start_thread(server, "once", dynamicTools=[LOOKUP], config=limit(1000))
    turn = await begin(server, thread, "First")
    await answer(server, await called(server), result("1"))
    done = await course(server, thread, turn)

    assert done.status == "completed"
    assert [what for what in in_order(done.messages) if what.startswith("item/completed")] == [
        "item/completed userMessage",
        "item/completed dynamicToolCall",
        "item/completed contextCompaction",
        "item/completed agentMessage",
    ]
    _, summary, after = await requests(fake, 3)
    assert told(summary.json)[:-1] == [("user", "First"), ("call", "call_1"), ("call_1", "1")]
    # Neither half of the call may stay without the other.
    assert told(after.json) == [("user", "First"), summed_up("The tool knows.")]


async def test_more_input_while_a_summary_is_made_is_in_the_request_after_it(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread = await long_thread(fake, server)
    fake.fault("responses", hang=True)
    turn = await begin(server, thread, "Second")
    await fake.wait_hanging()
    await server.result("turn/steer", {"threadId": thread, "expectedTurnId": turn, "input": text_input("Third")})
    fake.release()
    done = await course(server, thread, turn)

    assert done.spoken == ["Third"]
    assert told(await last_body(fake, 3)) == [
        ("user", "First"),
        summed_up("Summary: 3 messages."),
        ("user", "Second"),
        ("user", "Third"),
    ]


async def test_more_input_while_a_summary_is_made_within_a_turn_is_in_the_request_after_it(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.script(tool_calls=[call("call_1")], usage=used(1000))
    fake.fault("responses", hang=True, skip=1)
    thread = await start_thread(server, "once", dynamicTools=[LOOKUP], config=limit(1000))
    turn = await begin(server, thread, "First")
    await answer(server, await called(server), result("1"))
    await fake.wait_hanging()
    await server.result("turn/steer", {"threadId": thread, "expectedTurnId": turn, "input": text_input("Second")})
    fake.release()
    done = await course(server, thread, turn)

    assert done.spoken == ["Second"]
    last = told(await last_body(fake, 3))
    assert (last[0], last[-1], len(last)) == (("user", "First"), ("user", "Second"), 3)


async def test_a_history_that_was_too_long_is_compacted_before_the_next_turn(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread = await start_thread(server, "once")
    await talk(server, thread, "First")
    fake.script(error=TOO_LONG)
    failed = await talk(server, thread, "Second")
    assert failed.error["codexErrorInfo"] == "contextWindowExceeded"
    done = await talk(server, thread, "Third")
    assert done.spoken == ["Third"]
    assert told(await last_body(fake, 4)) == [
        ("user", "First"),
        ("user", "Second"),
        summed_up("Summary: 4 messages."),
        ("user", "Third"),
    ]
    await talk(server, thread, "Fourth")
    assert len(asked(fake)) == 5


async def test_a_history_too_long_even_for_its_summary_is_summed_up_from_its_later_half(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread = await start_thread(server, "once")
    for number in range(8):
        await talk(server, thread, f"Number {number}")
    fake.script(error=TOO_LONG, request_kind="compaction", times=2)
    done = await compact(server, thread)

    assert done.status == "completed"
    sizes = [len(items_of(request.json)) for request in asked(fake)[8:]]
    assert len(sizes) == 3
    assert sizes[0] > sizes[1] * 1.5 > sizes[2] * 2
    assert "Number 7" in str(asked(fake)[-1].json["input"])


# What goes wrong


async def test_a_summary_that_cannot_be_had_fails_the_turn_once_and_changes_nothing(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread = await long_thread(fake, server)
    fake.fault("responses", status=400, body="No.")
    done = await talk(server, thread, "Second")

    assert (done.error["message"], done.error["codexErrorInfo"]) == ("No.", "other")
    # Whatever was begun is completed: a client that shows it as under way would do so for ever.
    assert len(completed_items(done, "contextCompaction")) == 1
    done = await talk(server, thread, "Third")
    assert done.spoken == ["Third"]
    assert told((await requests(fake, 4))[2].json)[:2] == [("user", "First"), ("assistant", "One.")]


async def test_a_summary_that_breaks_off_is_asked_for_again_and_leaves_nothing_behind(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread = await long_thread(fake, server, provider="again")
    fake.script(text="Broken off.", deltas=1, request_kind="compaction")
    fake.fault("responses", drop_after_events=7)
    fake.script(text="Whole.", request_kind="compaction")
    done = await talk(server, thread, "Second")

    assert [notice["message"] for notice in done.notices] == ["Reconnecting... 1/2"]
    assert told(await last_body(fake, 4)) == [("user", "First"), summed_up("Whole."), ("user", "Second")]


async def test_an_interrupted_summary_changes_nothing(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await long_thread(fake, server)
    fake.fault("responses", hang=True)
    turn = await begin(server, thread, "Second")
    await fake.wait_hanging()
    await server.result("turn/interrupt", {"threadId": thread, "turnId": turn})
    done = await course(server, thread, turn)

    assert done.status == "interrupted"
    assert len(completed_items(done, "contextCompaction")) == 1
    await talk(server, thread, "Third")
    assert told((await requests(fake, 4))[2].json)[:2] == [("user", "First"), ("assistant", "One.")]


@pytest.mark.parametrize("summary", [[], [{"text": "  \n"}]])
async def test_an_empty_summary_does_not_make_the_model_forget(
    fake: FakeOpenAI, server: ServerProcess, summary: list[Json]
) -> None:
    thread = await start_thread(server, "once")
    fake.script(text="The answer is 42.")
    await talk(server, thread, "First")
    fake.script(messages=summary, request_kind="compaction")
    assert (await compact(server, thread)).status == "completed"
    await talk(server, thread, "Second")
    assert told(await last_body(fake, 3)) == [
        ("user", "First"),
        summed_up("The answer is 42."),
        ("user", "Second"),
    ]


async def test_a_thread_without_a_history_can_be_compacted(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    assert (await compact(server, thread)).status == "completed"
    assert (await talk(server, thread, "First")).spoken == ["First"]


# Afterwards


async def test_a_new_process_goes_on_from_the_summary(fake: FakeOpenAI, start: Start) -> None:
    async with start() as server:
        thread = await start_thread(server, "once")
        await talk(server, thread, "First")
        fake.script(text="They have met.", request_kind="compaction")
        await compact(server, thread)
        await talk(server, thread, "Second")
    async with start() as server:
        await server.result("thread/resume", {"threadId": thread})
        await server.barrier()
        await talk(server, thread, "Third")
    assert told(await last_body(fake, 4)) == [
        ("user", "First"),
        summed_up("They have met."),
        ("user", "Second"),
        ("assistant", "Second"),
        ("user", "Third"),
    ]


async def test_a_new_process_compacts_what_had_come_to_the_limit(fake: FakeOpenAI, start: Start) -> None:
    async with start("model_auto_compact_token_limit=1000") as server:
        thread = await long_thread(fake, server)
    async with start("model_auto_compact_token_limit=1000") as server:
        await server.result("thread/resume", {"threadId": thread})
        await server.barrier()
        done = await talk(server, thread, "Second")
    assert len(completed_items(done, "contextCompaction")) == 1
    assert len(fake.requests.of(RESPONSES)) == 3
