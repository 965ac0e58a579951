"""A parent that does not carry a call out as it should: the model is told, and the turn goes on.

What the parent does right stands in ``test_dynamic_tools``.
"""

from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.conversations.support import (
    LOOKUP,
    TOOL_CALL,
    answer,
    call,
    called,
    completed_items,
    items_of,
    last_body,
    refuse,
    requests,
    result,
    told,
)
from tests.wire.turns.support import COMPLETED, Course, begin, course, delta, start_thread, talk

CANCELLED = "dynamic tool call was cancelled before receiving a response"
SHORT: Json = {"app_server.dynamic_tool_timeout": 0.1}
"""The setting of a thread whose parent has a tenth of a second for a call."""

EVENTS_UP_TO_THE_CALL = 5
"""What the fake sends up to the end of a call whose arguments come in one piece."""


async def thread_with_tool(server: ServerProcess, provider: str = "once", **params: Any) -> str:
    return await start_thread(server, provider, dynamicTools=[LOOKUP], **params)


def failed_item(course: Course) -> Json:
    """The only call of a turn, which has failed."""
    (item,) = completed_items(course, "dynamicToolCall")
    assert (item["status"], item["success"]) == ("failed", False)
    return item


def text(said: str) -> list[Json]:
    return [{"type": "inputText", "text": said}]


@pytest.mark.parametrize(
    "given",
    [
        {},
        None,
        "x",
        [],
        {"contentItems": text("x")},
        {"success": True},
        {"contentItems": "x", "success": True},
        {"contentItems": [{"type": "inputVideo"}], "success": True},
        {"contentItems": [{"type": "inputText", "text": 1}], "success": True},
    ],
)
async def test_an_answer_of_the_wrong_shape_fails_the_call(fake: FakeOpenAI, server: ServerProcess, given: Any) -> None:
    fake.script(tool_calls=[call("call_1")])
    thread = await thread_with_tool(server)
    turn = await begin(server, thread)
    await answer(server, await called(server), given)
    done = await course(server, thread, turn)

    assert done.status == "completed"
    assert failed_item(done)["contentItems"] == text("dynamic tool response was invalid")
    assert told(await last_body(fake, 2))[-1] == ("call_1", "dynamic tool response was invalid")


async def test_an_error_of_the_parent_is_told_to_the_model_in_its_words(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.script(tool_calls=[call("call_1")])
    thread = await thread_with_tool(server)
    turn = await begin(server, thread)
    await refuse(server, await called(server), "the disk is full")
    done = await course(server, thread, turn)

    said = "dynamic tool request failed: the disk is full"
    assert failed_item(done)["contentItems"] == text(said)
    assert told(await last_body(fake, 2))[-1] == ("call_1", said)


async def test_of_an_endless_error_the_model_is_told_the_beginning(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[call("call_1")])
    thread = await thread_with_tool(server)
    turn = await begin(server, thread)
    await refuse(server, await called(server), "x" * 100_000)
    await course(server, thread, turn)
    assert told(await last_body(fake, 2))[-1] == ("call_1", f"dynamic tool request failed: {'x' * 1000}")


async def test_a_parent_that_never_answers_is_not_waited_for_longer_than_its_deadline(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.script(tool_calls=[call("call_1")])
    thread = await thread_with_tool(server, config=SHORT)
    turn = await begin(server, thread)
    await called(server)
    done = await course(server, thread, turn)

    said = "dynamic tool request timed out after 0.1s"
    assert done.status == "completed"
    assert failed_item(done)["contentItems"] == text(said)
    assert told(await last_body(fake, 2))[-1] == ("call_1", said)


async def test_the_deadline_can_be_set_for_all_threads(fake: FakeOpenAI, start: Start) -> None:
    fake.script(tool_calls=[call("call_1")])
    async with start("app_server.dynamic_tool_timeout=0.1") as server:
        thread = await thread_with_tool(server)
        turn = await begin(server, thread)
        assert failed_item(await course(server, thread, turn))


async def test_an_answer_after_the_deadline_is_ignored(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[call("call_1")])
    thread = await thread_with_tool(server, config=SHORT)
    turn = await begin(server, thread)
    late = await called(server)
    await course(server, thread, turn)
    await answer(server, late, result("too late"))
    assert await server.barrier() == []

    assert (await talk(server, thread, "And now?")).spoken == ["And now?"]
    assert b"too late" not in (await requests(fake, 3))[-1].body


async def test_only_the_first_of_two_answers_counts(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[call("call_1"), call("call_2")])
    thread = await thread_with_tool(server)
    turn = await begin(server, thread)
    first, second = await called(server), await called(server)
    await answer(server, first, result("first"))
    await answer(server, first, result("again"))
    await answer(server, second, result("second"))
    await course(server, thread, turn)
    assert told(await last_body(fake, 2))[-2:] == [("call_1", "first"), ("call_2", "second")]


async def test_one_call_that_fails_takes_no_other_with_it(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[call("call_1"), call("call_2"), call("call_3", "nobody_has_it"), call("call_4")])
    thread = await thread_with_tool(server)
    turn = await begin(server, thread)
    first, second, fourth = [await called(server) for _ in range(3)]
    await refuse(server, fourth, "no")
    await answer(server, second, {})
    await answer(server, first, result("fine"))
    done = await course(server, thread, turn)

    assert {item["id"]: item["status"] for item in completed_items(done, "dynamicToolCall")} == {
        "call_1": "completed",
        "call_2": "failed",
        "call_4": "failed",
    }
    assert told(await last_body(fake, 2))[-4:] == [
        ("call_1", "fine"),
        ("call_2", "dynamic tool response was invalid"),
        ("call_3", "unsupported call: nobody_has_it"),
        ("call_4", "dynamic tool request failed: no"),
    ]


# A turn that ends while the parent is at work


async def test_an_interrupted_turn_waits_for_no_tool_and_the_model_is_told_next_time(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.script(tool_calls=[call("call_1"), call("call_2")])
    thread = await thread_with_tool(server)
    turn = await begin(server, thread, "First")
    late, in_time = await called(server), await called(server)
    await answer(server, in_time, result("2"))
    await server.take(lambda message: message.get("method") == "item/completed" and completes(message, "call_2"))
    await server.result("turn/interrupt", {"threadId": thread, "turnId": turn})
    done = await course(server, thread, turn)

    assert done.status == "interrupted"
    failed = failed_item(done)
    assert (failed["id"], failed["contentItems"]) == ("call_1", [])
    await answer(server, late, result("too late"))
    assert await server.barrier() == []
    await talk(server, thread, "Second")
    assert told(await last_body(fake, 2)) == [
        ("user", "First"),
        ("call", "call_1"),
        ("call", "call_2"),
        ("call_1", CANCELLED),
        ("call_2", "2"),
        ("user", "(aborted)"),
        ("user", "Second"),
    ]


def completes(message: Json, item_id: str) -> bool:
    """Whether a notification is about this item."""
    return bool(message["params"]["item"]["id"] == item_id)


async def test_the_end_of_the_client_ends_a_pending_call_and_the_turn(
    fake: FakeOpenAI, own_server: ServerProcess
) -> None:
    fake.script(tool_calls=[call("call_1")])
    thread = await thread_with_tool(own_server)
    await begin(own_server, thread)
    await called(own_server)
    await own_server.close_input()
    said = await own_server.rest()

    assert await own_server.exit_status() == 0
    ends = [message["params"]["turn"]["status"] for message in said if message.get("method") == COMPLETED]
    assert len(ends) == 1
    (item,) = [
        message["params"]["item"]
        for message in said
        if message.get("method") == "item/completed" and completes(message, "call_1")
    ]
    assert (item["status"], item["success"]) == ("failed", False)


async def test_a_resumed_thread_still_has_its_tools_and_knows_how_a_call_ended(fake: FakeOpenAI, start: Start) -> None:
    fake.script(tool_calls=[call("call_1")])
    async with start() as server:
        thread = await thread_with_tool(server)
        turn = await begin(server, thread, "First")
        await called(server)
        await server.result("turn/interrupt", {"threadId": thread, "turnId": turn})
        await course(server, thread, turn)
    fake.script(tool_calls=[call("call_2")])
    async with start() as server:
        resumed = await server.result("thread/resume", {"threadId": thread})
        stored = resumed["thread"]["turns"][0]["items"][-1]
        assert (stored["type"], stored["status"]) == ("dynamicToolCall", "failed")
        await server.barrier()
        turn = await begin(server, thread, "Second")
        await answer(server, await called(server), result("2"))
        assert (await course(server, thread, turn)).spoken == ["The tool said: 2"]
    assert told(await last_body(fake, 3)) == [
        ("user", "First"),
        ("call", "call_1"),
        ("call_1", CANCELLED),
        ("user", "(aborted)"),
        ("user", "Second"),
        ("call", "call_2"),
        ("call_2", "2"),
    ]


# A stream that breaks after a call


async def test_a_stream_that_breaks_after_a_call_is_asked_again_with_the_tools_output(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.script(tool_calls=[call("call_1")], deltas=1)
    fake.fault("responses", drop_after_events=EVENTS_UP_TO_THE_CALL)
    thread = await thread_with_tool(server, "again")
    turn = await begin(server, thread)
    request = await called(server)
    await server.take(lambda message: message.get("method") == "error" and message["params"]["willRetry"])
    await answer(server, request, result("1"))
    done = await course(server, thread, turn)

    # A call without its output would be refused by the model's side.
    assert told(await last_body(fake, 2)) == [("user", "Hello"), ("call", "call_1"), ("call_1", "1")]
    assert done.spoken == ["The tool said: 1"]
    assert completed_items(done, "dynamicToolCall")[0]["status"] == "completed"


async def test_a_turn_that_fails_after_a_call_leaves_no_call_open(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[call("call_1")], deltas=1)
    fake.fault("responses", drop_after_events=EVENTS_UP_TO_THE_CALL)
    thread = await thread_with_tool(server)
    turn = await begin(server, thread, "First")
    done = await course(server, thread, turn)

    assert done.status == "failed"
    assert failed_item(done)["contentItems"] == []
    await talk(server, thread, "Second")
    assert told(await last_body(fake, 2)) == [
        ("user", "First"),
        ("call", "call_1"),
        ("call_1", CANCELLED),
        ("user", "Second"),
    ]


async def test_a_failure_of_the_request_after_a_call_keeps_what_the_tool_said(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.script(tool_calls=[call("call_1")])
    fake.fault("responses", status=400, skip=1)
    thread = await thread_with_tool(server)
    turn = await begin(server, thread, "First")
    await answer(server, await called(server), result("1"))
    assert (await course(server, thread, turn)).status == "failed"
    await talk(server, thread, "Second")
    assert told(await last_body(fake, 3))[1:3] == [("call", "call_1"), ("call_1", "1")]


# Without end


@pytest.mark.soak
async def test_a_model_that_goes_on_for_ever_is_stopped(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(times=None, events=[{"type": "response.completed", "response": {"id": "resp_1", "end_turn": False}}])
    done = await talk(server, await start_thread(server, "once", ephemeral=True))

    assert done.error["message"] == "the model asked for more than 1000 rounds"
    assert done.error["codexErrorInfo"] == "other"
    await requests(fake, 1000)
    fake.reset()
    assert items_of(await next_request(fake, server)) == []


async def next_request(fake: FakeOpenAI, server: ServerProcess) -> Json:
    """What a turn without input asks of the model, in a new thread."""
    thread = await start_thread(server, "once")
    begun = await server.result("turn/start", {"threadId": thread, "input": []})
    await course(server, thread, begun["turn"]["id"])
    return await last_body(fake)


async def test_a_model_that_calls_for_ever_can_be_interrupted(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(times=None, text="Once more.", deltas=1, tool_calls=[{"name": "nobody_has_it"}])
    thread = await start_thread(server, "once", ephemeral=True)
    turn = await begin(server, thread)
    for _ in range(5):
        await delta(server, thread)
    await server.result("turn/interrupt", {"threadId": thread, "turnId": turn})
    done = await course(server, thread, turn)
    assert done.status == "interrupted"
    assert TOOL_CALL not in done.methods
