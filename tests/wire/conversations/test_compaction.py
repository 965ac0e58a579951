"""The client has the history replaced by a summary, and what is left of it then.

When it happens by itself stands in ``test_automatic_compaction``; what it costs, in ``test_token_usage``.
"""

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.conversations.support import (
    compact,
    completed_items,
    in_order,
    is_context,
    items_of,
    last_body,
    only_course,
    requests,
    summed_up,
    told,
)
from tests.wire.turns.support import (
    asked,
    begin,
    course,
    delta,
    start_thread,
    talk,
    text_input,
)

TOO_LONG: Json = {"code": "context_length_exceeded", "message": "Too long."}


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
    assert await delta(server, thread) == "One "
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
    refusal = {
        "code": -32600,
        "message": "cannot steer a compact turn",
        "data": {
            "message": "cannot steer a compact turn",
            "codexErrorInfo": {"activeTurnNotSteerable": {"turnKind": "compact"}},
            "additionalDetails": None,
            "misalignment": None,
        },
    }
    assert await server.error("turn/start", {**wish, "model": "gpt-5.2"}) == refusal
    assert await server.error("turn/steer", {**wish, "expectedTurnId": turn}) == refusal
    fake.release()
    await only_course(server, thread)
    await talk(server, thread, "Third")
    assert (await last_body(fake, 3))["model"] == "gpt-5.1-codex"


async def test_a_second_wish_for_a_summary_ends_the_first(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    await talk(server, thread, "First")
    fake.fault("responses", hang=True)
    await server.result("thread/compact/start", {"threadId": thread})
    await fake.wait_hanging()
    await server.result("thread/compact/start", {"threadId": thread})
    courses = [await only_course(server, thread), await only_course(server, thread)]
    assert [done.status for done in courses] == ["interrupted", "completed"]
    assert [len(completed_items(done, "contextCompaction")) for done in courses] == [1, 1]


async def test_an_unknown_thread_cannot_be_compacted(server: ServerProcess) -> None:
    unknown = "01a1fdc1-0000-7000-8000-000000000000"
    said = await server.error("thread/compact/start", {"threadId": unknown})
    assert said == {"code": -32600, "message": f"thread not found: {unknown}"}


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
