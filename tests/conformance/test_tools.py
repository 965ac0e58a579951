"""The parent's own tools in a turn (facts of turns; issue 4)."""

from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.conformance.conftest import Differs
from tests.conformance.support import in_order, thread_on
from tests.support.server import Json, ServerProcess
from tests.wire.turns.support import RESPONSES, begin, course, talk

LOOKUP: Json = {"type": "function", "name": "lookup", "description": "Look up", "inputSchema": {"type": "object"}}
CALL: Json = {"name": "lookup", "call_id": "call_1", "arguments": {"q": "x"}}


async def called(server: ServerProcess, fake: FakeOpenAI, call: Json = CALL) -> tuple[str, str, Json]:
    """A turn in which the model calls a tool; the ids of thread and turn, and what the parent is asked."""
    fake.script(tool_calls=[call])
    fake.script(text="Done.", deltas=1)
    thread = await thread_on(server, dynamicTools=[LOOKUP])
    turn = await begin(server, thread, "What is x?")
    return thread, turn, await server.server_request("item/tool/call")


def output(fake: FakeOpenAI) -> Any:
    """What the model was told that came of it."""
    (found,) = [
        item for item in fake.requests.of(RESPONSES)[-1].json["input"] if item["type"] == "function_call_output"
    ]
    return found["output"]


async def test_a_call_goes_to_the_parent_and_its_result_to_the_model(server: ServerProcess, fake: FakeOpenAI) -> None:
    thread, turn, question = await called(server, fake)
    assert question["params"] == {
        "threadId": thread,
        "turnId": turn,
        "callId": "call_1",
        "namespace": None,
        "tool": "lookup",
        "arguments": {"q": "x"},
    }
    items = [{"type": "inputText", "text": "x is 1"}]
    await server.send({"id": question["id"], "result": {"contentItems": items, "success": True}})
    done = await course(server, thread, turn)
    aside = ("thread/tokenUsage/updated", "account/rateLimits/updated")
    assert [said for said in in_order(done) if said not in aside] == [
        "thread/status/changed active",
        "turn/started",
        "item/started userMessage",
        "item/completed userMessage",
        "item/started dynamicToolCall",
        "item/completed dynamicToolCall",
        "item/started agentMessage",
        "item/agentMessage/delta",
        "item/completed agentMessage",
        "thread/status/changed idle",
        "turn/completed",
    ]
    (item,) = [p["item"] for p in done.params("item/completed") if p["item"]["type"] == "dynamicToolCall"]
    expected = {"id": "call_1", "tool": "lookup", "status": "completed", "contentItems": items, "success": True}
    assert {name: item[name] for name in expected} == expected
    assert output(fake) == "x is 1"


ANSWERS: dict[str, tuple[Json, str, Any]] = {
    "bad news": (
        {"result": {"contentItems": [{"type": "inputText", "text": "Bad"}], "success": False}},
        "failed",
        "Bad",
    ),
    "several": (
        {
            "result": {
                "contentItems": [{"type": "inputText", "text": "1"}, {"type": "inputText", "text": "2"}],
                "success": True,
            }
        },
        "completed",
        [{"type": "input_text", "text": "1"}, {"type": "input_text", "text": "2"}],
    ),
    "nothing": ({"result": {"contentItems": [], "success": True}}, "completed", []),
    "no answer": ({"result": {}}, "failed", "dynamic tool response was invalid"),
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_answer_decides_the_item_and_what_the_model_is_told(
    server: ServerProcess, fake: FakeOpenAI, answer: str
) -> None:
    reply, status, told = ANSWERS[answer]
    thread, turn, question = await called(server, fake)
    await server.send({"id": question["id"], **reply})
    done = await course(server, thread, turn)
    (item,) = [p["item"] for p in done.params("item/completed") if p["item"]["type"] == "dynamicToolCall"]
    assert (done.status, item["status"], output(fake)) == ("completed", status, told)


async def test_an_error_of_the_parent(server: ServerProcess, fake: FakeOpenAI, differs: Differs) -> None:
    thread, turn, question = await called(server, fake)
    await server.send({"id": question["id"], "error": {"code": -32000, "message": "The vault is locked."}})
    assert (await course(server, thread, turn)).status == "completed"
    differs("tool-error", output(fake))


async def test_a_tool_that_nobody_has_offered_is_the_models_own_affair(server: ServerProcess, fake: FakeOpenAI) -> None:
    fake.script(tool_calls=[{**CALL, "name": "nope"}])
    fake.script(text="Done.")
    done = await talk(server, await thread_on(server, dynamicTools=[LOOKUP]))
    assert (done.status, output(fake)) == ("completed", "unsupported call: nope")


async def test_an_interrupt_ends_a_call_and_a_late_answer_is_ignored(server: ServerProcess, fake: FakeOpenAI) -> None:
    thread, turn, question = await called(server, fake)
    await server.result("turn/interrupt", {"threadId": thread, "turnId": turn})
    done = await course(server, thread, turn)
    (item,) = [p["item"] for p in done.params("item/completed") if p["item"]["type"] == "dynamicToolCall"]
    assert (done.status, item["status"], item["success"]) == ("interrupted", "failed", False)
    await server.send({"id": question["id"], "result": {"contentItems": [], "success": True}})
    assert (await talk(server, thread, "Next")).status == "completed"


async def test_server_requests_are_numbered_from_nought(start: Any, fake: FakeOpenAI) -> None:
    async with start() as server:
        for number in (0, 1):
            thread, turn, question = await called(server, fake)
            assert question["id"] == number
            await server.send({"id": number, "result": {"contentItems": [], "success": True}})
            await course(server, thread, turn)
