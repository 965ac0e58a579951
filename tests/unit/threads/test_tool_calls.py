"""Calls of tools: whatever the parent does, the model gets one output for each call, in order."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup

from app_server.threads.response_items import CANCELLED, Item
from app_server.threads.tool_calls import AT_ONCE, ToolCalls, ToolFailed
from protocol.tools import (
    DynamicToolCallParams,
    DynamicToolCallResponse,
    ToolRequestUserInputParams,
    ToolRequestUserInputResponse,
)
from protocol.turn import CollaborationMode, Settings
from tests.unit.threads.support import ASK, DEADLINE, THREAD, TURN, Client, Parent, output, record, thread


def call(call_id: str = "call_1", name: str = "lookup", arguments: Any = '{"q": 1}', **more: Any) -> Item:
    return {"type": "function_call", "id": "fc_1", "call_id": call_id, "name": name, "arguments": arguments, **more}


class Calls:
    """The calls of a turn."""

    def __init__(self, parent: Parent, tasks: TaskGroup, *, plan_mode: bool = False) -> None:
        self.client = Client()
        self.waiting: list[bool] = []
        live = thread(Path("/nowhere"), self.client)
        self.history = live.window.history
        mode = CollaborationMode(mode="plan" if plan_mode else "default", settings=Settings(model="m"))
        context = replace(live.turn_context(), settings=replace(live.settings, mode=mode))
        self.calls = ToolCalls(context, record(self.client, self.history), parent, tasks, self.waiting.append)

    @property
    def outputs(self) -> list[tuple[str, Any]]:
        """Id of the call and output, as the model sees them."""
        return [(item["call_id"], item["output"]) for item in self.history if item["type"].endswith("_output")]


async def settled(parent: Parent, *raw: Item, plan_mode: bool = False) -> Calls:
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            made = Calls(parent, tasks, plan_mode=plan_mode)
            for each in raw:
                made.calls.begin(each)
            assert made.calls.any
            await made.calls.settle()
    assert not made.calls.any
    return made


def answering(text: str, *, success: bool = True) -> Callable[[Any], Awaitable[DynamicToolCallResponse]]:
    async def tool(_: DynamicToolCallParams) -> DynamicToolCallResponse:
        return output(text, success=success)

    return tool


def failing(message: str) -> Callable[[Any], Awaitable[Any]]:
    async def tool(_: Any) -> Any:
        raise ToolFailed(message)

    return tool


async def test_a_call_goes_to_the_parent_and_its_answer_to_the_model() -> None:
    parent = Parent(answering("RES"))
    made = await settled(parent, call())
    assert parent.called == [
        DynamicToolCallParams(
            thread_id=THREAD, turn_id=TURN, call_id="call_1", namespace=None, tool="lookup", arguments={"q": 1}
        )
    ]
    assert [item["type"] for item in made.history] == ["function_call", "function_call_output"]
    assert made.outputs == [("call_1", "RES")]
    assert made.client.methods == ["item/started dynamicToolCall", "item/completed dynamicToolCall"]
    [item] = made.client.items()
    assert (item["id"], item["status"], item["success"], item["contentItems"]) == (
        "call_1",
        "completed",
        True,
        [{"type": "inputText", "text": "RES"}],
    )
    assert item["durationMs"] >= 0


@pytest.mark.parametrize(
    ("tool", "text"),
    [(answering("BAD", success=False), "BAD"), (failing("timed out"), "timed out")],
)
async def test_what_goes_wrong_is_told_to_the_model_and_shown(tool: Any, text: str) -> None:
    made = await settled(Parent(tool), call())
    [item] = made.client.items()
    assert (item["status"], item["success"], item["contentItems"]) == (
        "failed",
        False,
        [{"type": "inputText", "text": text}],
    )
    assert made.outputs == [("call_1", text)]


@pytest.mark.parametrize("levels", [128, 260, 400, 600, 2000])
async def test_arguments_that_are_nested_too_deeply_fail_the_call_and_the_model_is_told_why(levels: int) -> None:
    parent = Parent(answering("never"))
    made = await settled(parent, call(arguments='{"a":' * levels + "1" + "}" * levels))
    told = "failed to parse function arguments: recursion limit exceeded at line 1 column 636"
    assert made.outputs == [("call_1", told)]
    assert (parent.called, made.client.items()) == ([], [])


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (call(name="nope"), "unsupported call: nope"),
        ({**call(), "name": None}, "unsupported call: "),
        (call(namespace="elsewhere"), "unsupported call: lookup"),
        (call(arguments="{x"), "failed to parse function arguments: key must be a string at line 1 column 2"),
        (call(arguments=""), "failed to parse function arguments: EOF while parsing a value at line 1 column 0"),
        ({**call(name="zzz"), "type": "custom_tool_call"}, "unsupported custom tool call: zzz"),
        (call(name="request_user_input", arguments=ASK), "request_user_input is unavailable in Default mode"),
    ],
)
async def test_a_call_that_cannot_be_made_is_answered_without_asking_anybody(raw: Item, told: str) -> None:
    parent = Parent()
    made = await settled(parent, raw)
    assert made.outputs == [("call_1", told)]
    assert (made.client.told, parent.called, parent.asked) == ([], [], [])


@pytest.mark.parametrize("deep", ["[" * 400 + "]" * 400, "[" * 5000 + "]" * 5000, "[1e999, 99999999999999999999999]"])
async def test_odd_arguments_end_in_an_output_all_the_same(deep: str) -> None:
    made = await settled(Parent(answering("RES")), call(arguments=deep))
    assert len(made.outputs) == 1


async def test_calls_are_under_way_at_once_and_answered_in_the_order_of_the_calls() -> None:
    last = anyio.Event()

    async def tool(params: DynamicToolCallParams) -> DynamicToolCallResponse:
        if params.call_id == "c":
            last.set()
        await last.wait()
        return output(params.call_id)

    made = await settled(Parent(tool), call("a"), call("b"), call("c"))
    assert made.outputs == [("a", "a"), ("b", "b"), ("c", "c")]


async def test_only_so_many_calls_are_under_way_at_once() -> None:
    begun: list[str] = []
    full, go_on = anyio.Event(), anyio.Event()

    async def tool(params: DynamicToolCallParams) -> DynamicToolCallResponse:
        begun.append(params.call_id)
        if len(begun) == AT_ONCE:
            full.set()
        await go_on.wait()
        return output("x")

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            made = Calls(Parent(tool), tasks)
            for number in range(AT_ONCE + 5):
                made.calls.begin(call(str(number)))
            await full.wait()
            await anyio.lowlevel.checkpoint()
            assert len(begun) == AT_ONCE
            go_on.set()
            await made.calls.settle()
    assert len(made.outputs) == AT_ONCE + 5


async def test_what_is_pending_when_the_turn_ends_counts_as_cancelled_and_what_is_done_as_done() -> None:
    done = anyio.Event()

    async def tool(params: DynamicToolCallParams) -> DynamicToolCallResponse:
        if params.call_id == "slow":
            done.set()
            await anyio.sleep_forever()
        return output("done")

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            made = Calls(Parent(tool), tasks)
            made.calls.begin(call("quick"))
            made.calls.begin(call("slow"))
            await done.wait()
            made.calls.abort()
            made.calls.abort()
            tasks.cancel_scope.cancel()
    assert made.outputs == [("quick", "done"), ("slow", CANCELLED)]
    slow = made.client.items()[-1]
    assert (slow["id"], slow["status"], slow["success"], slow["contentItems"]) == ("slow", "failed", False, [])
    assert len(made.client.items()) == 2


async def test_an_answer_after_the_end_is_ignored() -> None:
    begun, late = anyio.Event(), anyio.Event()

    async def tool(_: DynamicToolCallParams) -> DynamicToolCallResponse:
        begun.set()
        await late.wait()
        return output("late")

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            made = Calls(Parent(tool), tasks)
            made.calls.begin(call())
            await begun.wait()
            made.calls.abort()
            late.set()
    assert made.outputs == [("call_1", CANCELLED)]
    assert len(made.client.items()) == 1


# Questions to the user


async def test_a_question_waits_for_the_user_and_the_model_reads_the_answer() -> None:
    async def user(_: ToolRequestUserInputParams) -> ToolRequestUserInputResponse:
        return ToolRequestUserInputResponse.model_validate({"answers": {"q": {"answers": ["A"]}}})

    parent = Parent(user=user)
    made = await settled(parent, call(name="request_user_input", arguments=ASK), plan_mode=True)
    assert made.outputs == [("call_1", '{"answers":{"q":{"answers":["A"]}}}')]
    assert made.waiting == [True, False]
    assert (parent.asked[0].item_id, parent.asked[0].is_blocking, made.client.told) == ("call_1", True, [])


@pytest.mark.parametrize(
    ("parent", "arguments", "told"),
    [
        (Parent(), "{}", "failed to parse function arguments: missing field `questions`"),
        (Parent(user=failing("user input request timed out after 9s")), ASK, "user input request timed out after 9s"),
    ],
)
async def test_a_question_without_an_answer_is_told_as_such(parent: Parent, arguments: str, told: str) -> None:
    made = await settled(parent, call(name="request_user_input", arguments=arguments), plan_mode=True)
    [(_, said)] = made.outputs
    assert said.startswith(told)
    assert made.waiting in ([], [True, False])


async def test_the_user_is_waited_for_until_the_last_question_is_answered() -> None:
    both = anyio.Event()
    first: list[str] = []

    async def user(params: ToolRequestUserInputParams) -> ToolRequestUserInputResponse:
        first.append(params.item_id)
        if len(first) == 2:
            both.set()
        await both.wait()
        return ToolRequestUserInputResponse(answers={})

    asks = (call(call_id, name="request_user_input", arguments=ASK) for call_id in "ab")
    made = await settled(Parent(user=user), *asks, plan_mode=True)
    assert (made.waiting[0], made.waiting[-1], made.waiting.count(False)) == (True, False, 1)
