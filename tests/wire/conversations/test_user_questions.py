"""The model asks the user something: ``item/tool/requestUserInput``, in plan mode only."""

import json
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.wire.conversations.support import (
    ASK_USER,
    DEFAULT_MODE,
    LOOKUP,
    PLAN_MODE,
    answer,
    call,
    called,
    completed_items,
    last_body,
    refuse,
    requests,
    result,
    told,
)
from tests.wire.turns.support import COMPLETED, begin, course, start_thread, talk

QUESTION: Json = {
    "id": "q1",
    "header": "Colour",
    "question": "Which one?",
    "options": [{"label": "Red", "description": "Warm"}, {"label": "Blue", "description": "Cold"}],
}
ANSWERS: Json = {"answers": {"q1": {"answers": ["Red", "user_note: a dark one"]}}}
SHORT: Json = {"app_server.user_input_timeout": 0.1}

STATUS = "thread/status/changed"
RESOLVED = "serverRequest/resolved"


def question(call_id: str = "call_1", **members: Any) -> Json:
    """The model's question, for a script of the fake."""
    return {"call_id": call_id, "name": "request_user_input", "arguments": {"questions": [{**QUESTION, **members}]}}


async def asked_user(server: ServerProcess) -> Json:
    """The server's next question to the user."""
    return await server.server_request(ASK_USER)


def flags(messages: list[Json]) -> list[Any]:
    """What the thread's status said it waits for, while it was active."""
    statuses = [message["params"]["status"] for message in messages if message.get("method") == STATUS]
    return [status["activeFlags"] for status in statuses if status["type"] == "active"]


async def test_the_user_is_asked_and_the_model_reads_the_answer(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[question(isSecret=True)])
    fake.script(text="Red it is.")
    thread = await start_thread(server, "once")
    turn = await begin(server, thread, collaborationMode=PLAN_MODE)
    request = await asked_user(server)
    assert request["params"] == {
        "threadId": thread,
        "turnId": turn,
        "itemId": "call_1",
        "questions": [{**QUESTION, "isOther": True, "isSecret": True}],
        "isBlocking": True,
        "autoResolutionMs": None,
    }
    waiting = [message for message in server.messages if message.get("method") == STATUS]
    assert waiting[-1]["params"]["status"] == {"type": "active", "activeFlags": ["waitingOnUserInput"]}
    await answer(server, request, ANSWERS)
    done = await course(server, thread, turn)

    assert done.spoken == ["Red it is."]
    assert flags(done.messages) == [[], ["waitingOnUserInput"], []]
    assert done.params(RESOLVED) == [{"threadId": thread, "requestId": request["id"]}]
    assert done.methods.index(RESOLVED) < len(done.methods) - 1 - done.methods[::-1].index("item/started")
    assert {params["item"]["type"] for params in done.params("item/started")} == {"userMessage", "agentMessage"}
    assert told(await last_body(fake, 2)) == [
        ("user", "Hello"),
        ("call", "call_1"),
        ("call_1", json.dumps(ANSWERS, separators=(",", ":"))),
    ]


async def test_the_tool_is_offered_in_plan_mode_which_lasts_until_it_is_left(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread = await start_thread(server, "once", dynamicTools=[LOOKUP])
    for mode in (None, PLAN_MODE, None, DEFAULT_MODE):
        await talk(server, thread, collaborationMode=mode)
    offered = [[tool["name"] for tool in request.json["tools"]] for request in await requests(fake, 4)]
    assert offered == [["lookup"], ["lookup", "request_user_input"], ["lookup", "request_user_input"], ["lookup"]]
    (tool,) = (await requests(fake, 4))[1].json["tools"][1:]
    assert tool["parameters"]["required"] == ["questions"]
    assert tool["strict"] is False


async def test_in_default_mode_nobody_is_asked(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[question()])
    done = await talk(server, await start_thread(server, "once"))
    assert flags(done.messages) == [[]]
    assert told(await last_body(fake, 2))[-1] == ("call_1", "request_user_input is unavailable in Default mode")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            {"questions": [{**QUESTION, "options": []}]},
            "request_user_input requires non-empty options for every question",
        ),
        (
            {"questions": [{**QUESTION, "options": None}]},
            "request_user_input requires non-empty options for every question",
        ),
        ("{q: 1}", "failed to parse function arguments: key must be a string at line 1 column 2"),
    ],
)
async def test_what_is_no_question_is_the_models_to_correct(
    fake: FakeOpenAI, server: ServerProcess, arguments: Any, problem: str
) -> None:
    fake.script(tool_calls=[{"call_id": "call_1", "name": "request_user_input", "arguments": arguments}])
    done = await talk(server, await start_thread(server, "once"), collaborationMode=PLAN_MODE)
    assert done.status == "completed"
    assert flags(done.messages) == [[]]
    assert told(await last_body(fake, 2))[-1] == ("call_1", problem)


async def test_questions_that_are_missing_are_named(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[{"call_id": "call_1", "name": "request_user_input", "arguments": {"other": 1}}])
    await talk(server, await start_thread(server, "once"), collaborationMode=PLAN_MODE)
    output = told(await last_body(fake, 2))[-1][1]
    assert output.startswith("failed to parse function arguments: missing field `questions`")


async def test_a_parent_that_refuses_to_ask_does_not_end_the_turn(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[question()])
    thread = await start_thread(server, "once")
    turn = await begin(server, thread, collaborationMode=PLAN_MODE)
    request = await asked_user(server)
    await refuse(server, request, "nobody is here")
    done = await course(server, thread, turn)

    assert done.status == "completed"
    assert done.params(RESOLVED) == [{"threadId": thread, "requestId": request["id"]}]
    assert told(await last_body(fake, 2))[-1] == ("call_1", "user input request failed: nobody is here")


@pytest.mark.parametrize("given", [{}, None, {"answers": []}, {"answers": {"q1": "Red"}}])
async def test_an_answer_of_the_wrong_shape_is_told_to_the_model(
    fake: FakeOpenAI, server: ServerProcess, given: Any
) -> None:
    fake.script(tool_calls=[question()])
    thread = await start_thread(server, "once")
    turn = await begin(server, thread, collaborationMode=PLAN_MODE)
    await answer(server, await asked_user(server), given)
    assert (await course(server, thread, turn)).status == "completed"
    assert told(await last_body(fake, 2))[-1] == ("call_1", "user input response was invalid")


async def test_a_user_who_never_answers_is_not_waited_for_longer_than_the_deadline(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.script(tool_calls=[question()])
    thread = await start_thread(server, "once", config=SHORT)
    turn = await begin(server, thread, collaborationMode=PLAN_MODE)
    request = await asked_user(server)
    done = await course(server, thread, turn)

    assert done.status == "completed"
    assert flags(done.messages) == [[], ["waitingOnUserInput"], []]
    assert done.params(RESOLVED) == [{"threadId": thread, "requestId": request["id"]}]
    assert told(await last_body(fake, 2))[-1] == ("call_1", "user input request timed out after 0.1s")


async def test_two_questions_are_waited_for_until_both_are_answered(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[question("call_1"), question("call_2")])
    thread = await start_thread(server, "once")
    await begin(server, thread, collaborationMode=PLAN_MODE)
    first, second = await asked_user(server), await asked_user(server)
    await answer(server, second, ANSWERS)
    await server.take(lambda message: message.get("method") == RESOLVED)
    assert flags(await server.barrier()) == [[], ["waitingOnUserInput"]]
    await answer(server, first, {"answers": {}})
    rest: list[Json] = []
    while not rest or rest[-1]["method"] != COMPLETED:
        rest.append(await server.message())
    assert flags(rest) == [[]]
    assert told(await last_body(fake, 2))[-2:] == [
        ("call_1", '{"answers":{}}'),
        ("call_2", json.dumps(ANSWERS, separators=(",", ":"))),
    ]


async def test_an_interrupted_question_is_over_after_the_turn(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[question()])
    thread = await start_thread(server, "once")
    turn = await begin(server, thread, "First", collaborationMode=PLAN_MODE)
    request = await asked_user(server)
    await server.result("turn/interrupt", {"threadId": thread, "turnId": turn})
    done = await course(server, thread, turn)

    assert done.status == "interrupted"
    assert done.params(STATUS)[-1]["status"] == {"type": "idle"}
    assert await server.notification(RESOLVED) == {"threadId": thread, "requestId": request["id"]}
    await answer(server, request, ANSWERS)
    assert await server.barrier() == []
    await talk(server, thread, "Second", collaborationMode=DEFAULT_MODE)
    names = [name for name, _ in told(await last_body(fake, 2))]
    assert names == ["user", "call", "call_1", "user", "user"]
    assert "Red" not in str(told(await last_body(fake, 2)))


async def test_a_tool_of_the_parent_with_that_name_is_the_parents(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[call("call_1", "request_user_input")])
    thread = await start_thread(server, "once", dynamicTools=[{**LOOKUP, "name": "request_user_input"}])
    turn = await begin(server, thread)
    await answer(server, await called(server), result("1"))
    done = await course(server, thread, turn)
    assert [item["tool"] for item in completed_items(done, "dynamicToolCall")] == ["request_user_input"]
