"""The parent's own tools: the model calls them, the parent carries the calls out, and the model reads what came out."""

import json
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.wire.conversations.support import (
    LOOKUP,
    SCHEMA,
    answer,
    call,
    called,
    completed_items,
    in_order,
    items_of,
    last_body,
    requests,
    result,
    started_items,
    told,
)
from tests.wire.turns.support import asked, begin, course, start_thread, talk

EVENTS_OF_A_MESSAGE = 7
"""What the fake sends for a text in one piece, ``response.created`` included."""

EVENTS_OF_A_CALL = 4
"""What it sends for a call with arguments in one piece."""


async def thread_with(server: ServerProcess, *tools: Json, **params: Any) -> str:
    return await start_thread(server, "once", dynamicTools=list(tools or [LOOKUP]), **params)


async def test_a_call_goes_to_the_parent_and_its_result_back_to_the_model(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.script(tool_calls=[{"name": "lookup", "arguments": '{"q":  "x"}', "call_id": "call_1"}])
    thread = await thread_with(server)
    turn = await begin(server, thread, "What is x?")

    request = await called(server)
    assert request["params"] == {
        "threadId": thread,
        "turnId": turn,
        "callId": "call_1",
        "namespace": None,
        "tool": "lookup",
        "arguments": {"q": "x"},
    }
    await answer(server, request, result("x is 1"))
    done = await course(server, thread, turn)

    item = {"type": "dynamicToolCall", "id": "call_1", "namespace": None, "tool": "lookup", "arguments": {"q": "x"}}
    assert started_items(done, "dynamicToolCall") == [
        {**item, "status": "inProgress", "contentItems": None, "success": None}
    ]
    assert completed_items(done, "dynamicToolCall") == [
        {**item, "status": "completed", "contentItems": [{"type": "inputText", "text": "x is 1"}], "success": True}
    ]
    (told_client,) = [p["item"] for p in done.params("item/completed") if p["item"]["type"] == "dynamicToolCall"]
    assert 0 <= told_client["durationMs"] <= told_client["completedAtMs"] - told_client["startedAtMs"] + 1
    assert done.spoken == ["The tool said: x is 1"]
    first, second = await requests(fake, 2)
    assert first.json["tools"] == [
        {"type": "function", "name": "lookup", "description": "Look up", "strict": False, "parameters": SCHEMA}
    ]
    assert (first.json["tool_choice"], first.json["parallel_tool_calls"]) == ("auto", True)
    user, function_call, output = items_of(second.json)
    assert user == items_of(first.json)[0]
    assert function_call["id"].startswith("fc_")
    # The arguments are the model's own words, to the letter.
    assert {**function_call, "id": ""} == {
        "type": "function_call",
        "id": "",
        "call_id": "call_1",
        "name": "lookup",
        "arguments": '{"q":  "x"}',
    }
    assert output["id"].startswith("fco_")
    assert {**output, "id": ""} == {
        "type": "function_call_output",
        "id": "",
        "call_id": "call_1",
        "output": "x is 1",
    }


async def test_a_turn_with_a_tool_is_told_in_order(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text="Let me see.", deltas=1, tool_calls=[call("call_1")])
    fake.script(text="Done.", deltas=1)
    thread = await thread_with(server)
    turn = await begin(server, thread)
    await answer(server, await called(server), result("1"))
    done = await course(server, thread, turn)

    # Usage and limits come with the end of a response, which says nothing about the parent's answer.
    aside = ("thread/tokenUsage/updated", "account/rateLimits/updated")
    assert [what for what in in_order(done.messages) if what not in aside] == [
        "thread/status/changed",
        "turn/started",
        "item/started userMessage",
        "item/completed userMessage",
        "item/started agentMessage",
        "item/agentMessage/delta",
        "item/completed agentMessage",
        "item/started dynamicToolCall",
        "item/completed dynamicToolCall",
        "item/started agentMessage",
        "item/agentMessage/delta",
        "item/completed agentMessage",
        "thread/status/changed",
        "turn/completed",
    ]
    assert [params["status"] for params in done.params("thread/status/changed")] == [
        {"type": "active", "activeFlags": []},
        {"type": "idle"},
    ]
    assert [item["text"] for item in done.turn["items"]] == ["Done."]
    assert [item["type"] for item in (await stored_items(server, thread))] == [
        "userMessage",
        "agentMessage",
        "dynamicToolCall",
        "agentMessage",
    ]


async def stored_items(server: ServerProcess, thread: str) -> list[Json]:
    """The items of the last turn, as ``thread/read`` tells them."""
    read = await server.result("thread/read", {"threadId": thread, "includeTurns": True})
    items: list[Json] = read["thread"]["turns"][-1]["items"]
    return items


async def test_a_tool_in_a_namespace_is_offered_and_called_within_it(fake: FakeOpenAI, server: ServerProcess) -> None:
    namespace = {"type": "namespace", "name": "files", "description": "Of files", "tools": [LOOKUP]}
    fake.script(tool_calls=[call("call_1", namespace="files")])
    thread = await thread_with(server, namespace)
    turn = await begin(server, thread)
    request = await called(server)
    assert (request["params"]["namespace"], request["params"]["tool"]) == ("files", "lookup")
    await answer(server, request, result("found"))
    done = await course(server, thread, turn)

    assert completed_items(done, "dynamicToolCall")[0]["namespace"] == "files"
    first, second = await requests(fake, 2)
    (offered,) = first.json["tools"]
    assert (offered["type"], offered["name"], offered["description"]) == ("namespace", "files", "Of files")
    assert [tool["name"] for tool in offered["tools"]] == ["lookup"]
    assert items_of(second.json)[1]["namespace"] == "files"


async def test_a_tool_of_a_namespace_is_not_found_outside_of_it(fake: FakeOpenAI, server: ServerProcess) -> None:
    namespace = {"type": "namespace", "name": "files", "description": "Of files", "tools": [LOOKUP]}
    fake.script(tool_calls=[call("call_1"), call("call_2", namespace="folders")])
    done = await talk(server, await thread_with(server, namespace))

    assert completed_items(done, "dynamicToolCall") == []
    assert told(await last_body(fake, 2))[-2:] == [
        ("call_1", "unsupported call: lookup"),
        ("call_2", "unsupported call: lookup"),
    ]


@pytest.mark.parametrize(
    ("declared", "namespace"),
    [
        ({"name": "lookup", "description": "Look up", "inputSchema": SCHEMA}, None),
        ({"name": "lookup", "description": "Look up", "inputSchema": SCHEMA, "namespace": "files"}, "files"),
    ],
)
async def test_the_older_form_of_a_tool_is_understood(
    fake: FakeOpenAI, server: ServerProcess, declared: Json, namespace: str | None
) -> None:
    fake.script(tool_calls=[call("call_1", **({"namespace": namespace} if namespace else {}))])
    thread = await thread_with(server, declared)
    turn = await begin(server, thread)
    request = await called(server)
    assert (request["params"]["tool"], request["params"]["namespace"]) == ("lookup", namespace)
    await answer(server, request, result("found"))
    assert (await course(server, thread, turn)).spoken == ["The tool said: found"]


async def test_no_tools_leave_the_request_without_any(fake: FakeOpenAI, server: ServerProcess) -> None:
    await talk(server, await start_thread(server, "once", dynamicTools=[]))
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & (await last_body(fake)).keys()


async def test_several_calls_are_asked_at_once_and_told_in_the_order_of_the_calls(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.script(tool_calls=[call(f"call_{number}") for number in range(1, 4)])
    thread = await thread_with(server)
    turn = await begin(server, thread)
    asked_for = {request["params"]["callId"]: request for request in [await called(server) for _ in range(3)]}
    assert list(asked_for) == ["call_1", "call_2", "call_3"]
    for name in ("call_3", "call_1", "call_2"):
        await answer(server, asked_for[name], result(f"of {name}"))
    done = await course(server, thread, turn)

    assert [item["id"] for item in completed_items(done, "dynamicToolCall")] == ["call_3", "call_1", "call_2"]
    assert told(await last_body(fake, 2))[1:] == [
        ("call", "call_1"),
        ("call", "call_2"),
        ("call", "call_3"),
        ("call_1", "of call_1"),
        ("call_2", "of call_2"),
        ("call_3", "of call_3"),
    ]


async def test_a_call_is_made_before_the_response_has_ended(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text="Let me see.", deltas=1, tool_calls=[call("call_1")])
    fake.fault("responses", hang_after_events=EVENTS_OF_A_MESSAGE + EVENTS_OF_A_CALL)
    thread = await thread_with(server)
    await begin(server, thread)
    await answer(server, await called(server), result("1"))
    await server.take(lambda message: message.get("method") == "item/completed" and is_tool_call(message))
    await requests(fake, 1)
    fake.release()

    while (await server.message())["method"] != "turn/completed":
        pass
    assert told(await last_body(fake, 2))[1:] == [("assistant", "Let me see."), ("call", "call_1"), ("call_1", "1")]


def is_tool_call(message: Json) -> bool:
    """Whether a notification is about a call."""
    return bool(message["params"]["item"]["type"] == "dynamicToolCall")


async def test_a_hundred_calls_in_one_response_are_all_made(fake: FakeOpenAI, server: ServerProcess) -> None:
    names = [f"call_{number}" for number in range(100)]
    fake.script(tool_calls=[call(name) for name in names], deltas=1)
    thread = await thread_with(server)
    turn = await begin(server, thread)
    for _ in names:
        request = await called(server)
        await answer(server, request, result(f"of {request['params']['callId']}"))
    done = await course(server, thread, turn)

    assert sorted(item["id"] for item in completed_items(done, "dynamicToolCall")) == sorted(names)
    assert told(await last_body(fake, 2))[1:] == [
        *(("call", name) for name in names),
        *((name, f"of {name}") for name in names),
    ]


async def test_the_model_may_call_again_after_it_has_seen_a_result(fake: FakeOpenAI, server: ServerProcess) -> None:
    for number in (1, 2, 3):
        fake.script(tool_calls=[call(f"call_{number}")])
    thread = await thread_with(server)
    turn = await begin(server, thread)
    for number in (1, 2, 3):
        await answer(server, await called(server), result(str(number)))
    done = await course(server, thread, turn)

    assert done.spoken == ["The tool said: 3"]
    assert [name for name, _ in told(await last_body(fake, 4))] == [
        "user",
        *("call", "call_1"),
        *("call", "call_2"),
        *("call", "call_3"),
    ]


async def test_the_next_turn_still_shows_the_calls_to_the_model(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[call("call_1")])
    thread = await thread_with(server)
    turn = await begin(server, thread, "First")
    await answer(server, await called(server), result("1"))
    await course(server, thread, turn)
    await talk(server, thread, "Second")

    assert told(await last_body(fake, 3)) == [
        ("user", "First"),
        ("call", "call_1"),
        ("call_1", "1"),
        ("assistant", "The tool said: 1"),
        ("user", "Second"),
    ]


# Calls that cannot be made


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("{q: 1}", "key must be a string at line 1 column 2"),
        ("", "EOF while parsing a value at line 1 column 0"),
        ('{"q": "x"', "EOF while parsing an object at line 1 column 9"),
    ],
)
async def test_arguments_that_are_no_json_are_the_models_to_correct(
    fake: FakeOpenAI, server: ServerProcess, arguments: str, problem: str
) -> None:
    fake.script(tool_calls=[{"name": "lookup", "arguments": arguments, "call_id": "call_1"}])
    done = await talk(server, await thread_with(server))

    assert completed_items(done, "dynamicToolCall") == []
    assert told(await last_body(fake, 2))[-1] == ("call_1", f"failed to parse function arguments: {problem}")


@pytest.mark.parametrize("arguments", [[1], "text", None, {"other": [{"deep": None}]}, 1.5])
async def test_arguments_that_do_not_fit_the_schema_are_the_parents_to_judge(
    fake: FakeOpenAI, server: ServerProcess, arguments: Any
) -> None:
    fake.script(tool_calls=[{"name": "lookup", "arguments": json.dumps(arguments), "call_id": "call_1"}])
    thread = await thread_with(server)
    turn = await begin(server, thread)
    request = await called(server)
    assert request["params"]["arguments"] == arguments
    await answer(server, request, result("1"))
    assert (await course(server, thread, turn)).status == "completed"


async def test_a_tool_that_nobody_has_is_not_asked_for(fake: FakeOpenAI, server: ServerProcess) -> None:
    custom = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "zzz", "input": "x"}
    fake.script(output_items=[custom], tool_calls=[call("call_1", "nobody_has_it")])
    fake.script(text="Then not.")
    done = await talk(server, await thread_with(server))

    assert done.spoken == ["Then not."]
    assert completed_items(done, "dynamicToolCall") == []
    assert told(await last_body(fake, 2))[1:] == [
        ("call", "call_2"),
        ("call", "call_1"),
        ("call_2", "unsupported custom tool call: zzz"),
        ("call_1", "unsupported call: nobody_has_it"),
    ]
    assert items_of(asked(fake)[-1].json)[3]["type"] == "custom_tool_call_output"


async def test_a_call_without_an_id_is_passed_over(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(
        events=[
            {
                "type": "response.output_item.done",
                "item": {"type": "function_call", "name": "lookup", "arguments": "{}"},
            },
            {"type": "response.completed", "response": {"id": "resp_1"}},
        ]
    )
    done = await talk(server, await thread_with(server))
    assert done.status == "completed"
    await requests(fake, 1)


@pytest.mark.parametrize(
    ("tools", "problem"),
    [
        ([LOOKUP, LOOKUP], "duplicate dynamic tool name: lookup"),
        (
            [{**LOOKUP, "name": "a b"}],
            "dynamic tool name must match ^[a-zA-Z0-9_-]+$ to match Responses API: a b",
        ),
        ([{**LOOKUP, "name": "mcp__x"}], "dynamic tool name is reserved: mcp__x"),
        (
            [{"type": "namespace", "name": "ns", "description": "", "tools": []}],
            "dynamic tool namespace must contain at least one tool: ns",
        ),
    ],
)
async def test_a_tool_that_the_model_could_not_be_offered_is_refused(
    server: ServerProcess, tools: list[Json], problem: str
) -> None:
    assert await server.error("thread/start", {"dynamicTools": tools}) == {"code": -32600, "message": problem}
