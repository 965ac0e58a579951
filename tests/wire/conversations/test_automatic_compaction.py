"""A history that outgrows the model becomes a summary by itself: before a turn, or within one.

What is left of it then stands in ``test_compaction``.
"""

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.conversations.support import (
    LOOKUP,
    answer,
    call,
    called,
    completed_items,
    in_order,
    last_body,
    requests,
    result,
    summed_up,
    told,
)
from tests.wire.turns.support import (
    RESPONSES,
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


async def long_thread(fake: FakeOpenAI, server: ServerProcess, at: int = 1000, provider: str = "once") -> str:
    """A thread with one turn, after which it has to be compacted."""
    thread = await start_thread(server, provider, config=limit(at))
    fake.script(text="One.", usage=used(at))
    assert (await talk(server, thread, "First")).status == "completed"
    return thread


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


async def test_a_new_process_compacts_what_had_come_to_the_limit(fake: FakeOpenAI, start: Start) -> None:
    async with start("model_auto_compact_token_limit=1000") as server:
        thread = await long_thread(fake, server)
    async with start("model_auto_compact_token_limit=1000") as server:
        await server.result("thread/resume", {"threadId": thread})
        await server.barrier()
        done = await talk(server, thread, "Second")
    assert len(completed_items(done, "contextCompaction")) == 1
    assert len(fake.requests.of(RESPONSES)) == 3
