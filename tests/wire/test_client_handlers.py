"""What a parent answers to the server through the Python client: handlers that fail, hang, or have friendly names."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from app_server.client import Client, in_process, spawn
from app_server.client.handlers import BY_NAME
from app_server.config import load_configuration
from app_server.fake_openai.server import FakeOpenAI
from protocol.account import (
    LOGIN_START,
    REFRESH_AUTH_TOKENS,
    ApiKeyLogin,
    ChatgptAuthTokensRefreshResponse,
    LoginAccountParams,
)
from protocol.catalogue import SERVER_REQUESTS
from protocol.lifecycle import CONFIG_WARNING
from protocol.thread import THREAD_START, ThreadStartParams
from protocol.tools import (
    DynamicToolCallParams,
    DynamicToolCallResponse,
    DynamicToolSpec,
    FunctionDynamicToolSpec,
    ToolRequestUserInputAnswer,
    ToolRequestUserInputResponse,
)
from protocol.turn import TurnStartParams
from protocol.user_input import TextUserInput, UserInput
from tests.support.scripted_server import READY, expect_no_process_left, read_account, serving
from tests.support.server import environment

no_process_is_left = pytest.fixture(autouse=True)(expect_no_process_left)

ASKS = """
write({"id": 0, "method": "account/chatgptAuthTokens/refresh", "params": PARAMS})
said, asked = sorted([read(), read()], key=lambda message: "method" in message)
write({"id": asked["id"], "result": {"account": None, "requiresOpenaiAuth": True}})
write({"method": "configWarning", "params": {"summary": json.dumps(said)}})
read()
"""
"""Asks for tokens, and tells what it was answered when it has also been asked something."""


async def answered(
    handler: Callable[[Any], Any] | None, params: str = '{"reason": "unauthorized"}', timeout: float = 60
) -> Any:
    """What a server that asks for tokens is answered by a client with this handler, which goes on."""
    handlers = {} if handler is None else {REFRESH_AUTH_TOKENS: handler}
    script = READY + ASKS.replace("PARAMS", params)
    async with serving(script, handlers=handlers, handler_timeout=timeout) as client:
        await client.initialize("x", "1")
        await read_account(client)
        said = json.loads((await client.notification(CONFIG_WARNING)).summary)
    assert said.pop("id") == 0
    return said


async def fail(params: Any) -> Any:
    raise RuntimeError("a bug of the parent's")


async def give_no_model(params: Any) -> Any:
    return {"accessToken": "hush-hush", "chatgptAccountId": "a"}


async def give_another_model(params: Any) -> Any:
    return DynamicToolCallResponse(content_items=[], success=True)


async def give_nothing(params: Any) -> Any:
    return None


def be_no_coroutine(params: Any) -> Any:
    return ChatgptAuthTokensRefreshResponse(access_token=SecretStr("t"), chatgpt_account_id="a")


@pytest.mark.parametrize("handler", [fail, give_no_model, give_another_model, give_nothing, be_no_coroutine])
async def test_a_handler_that_fails_is_an_error_for_the_server_and_a_log_line_here(
    handler: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    said = await answered(handler)
    message = "the client's handler of account/chatgptAuthTokens/refresh failed"
    assert said == {"error": {"code": -32603, "message": message}}
    assert [record.getMessage() for record in caplog.records] == [f"the handler of {REFRESH_AUTH_TOKENS.method} failed"]
    assert "hush" not in caplog.text


async def test_a_handler_that_hangs_is_cancelled_and_the_server_told() -> None:
    cancelled = []

    async def hang(params: Any) -> Any:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append(params.reason)

    said = await answered(hang, timeout=0.05)
    assert said["error"]["message"].endswith("account/chatgptAuthTokens/refresh did not answer in time")
    assert cancelled == ["unauthorized"]


async def test_a_handler_whose_own_timeout_passes_has_failed_and_not_hung() -> None:
    async def give_up(params: Any) -> Any:
        raise TimeoutError

    assert (await answered(give_up))["error"]["message"].endswith("failed")


async def test_a_handler_whose_own_work_was_cancelled_has_failed_and_the_server_is_told() -> None:
    async def wait_for_what_was_cancelled(params: Any) -> Any:
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        return await task

    assert (await answered(wait_for_what_was_cancelled))["error"]["message"].endswith("failed")


async def test_of_a_server_that_asks_without_end_what_is_too_much_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    script = """
for number in range(300):
    write({"id": number, "method": "account/chatgptAuthTokens/refresh", "params": {"reason": "unauthorized"}})
answer({"account": None, "requiresOpenaiAuth": True})
read()
"""
    asked = []

    async def hang(params: Any) -> Any:
        asked.append(params)
        await anyio.sleep_forever()

    async with serving(READY + script, refresh_tokens=hang) as client:
        await client.initialize("x", "1")
        await read_account(client)
    assert len(asked) == 256
    assert caplog.text.count("256 requests of the server are unanswered") == 44


async def test_a_handler_may_ask_the_server() -> None:
    async def ask(params: Any) -> ChatgptAuthTokensRefreshResponse:
        await read_account(client)
        return ChatgptAuthTokensRefreshResponse(access_token=SecretStr("t"), chatgpt_account_id="a")

    script = """
write({"id": 0, "method": "account/chatgptAuthTokens/refresh", "params": {"reason": "unauthorized"}})
answer({"account": None, "requiresOpenaiAuth": True})
write({"method": "configWarning", "params": {"summary": read()["result"]["accessToken"]}})
read()
"""
    async with serving(READY + script, refresh_tokens=ask) as client:
        await client.initialize("x", "1")
        assert (await client.notification(CONFIG_WARNING)).summary == "t"


async def test_a_request_of_the_wrong_shape_is_refused_and_its_handler_not_called() -> None:
    for params in ("7", "None", '{"reason": "hush-hush"}'):
        said = await answered(lambda _: pytest.fail("called"), params)
        assert said["error"]["code"] == -32600


async def test_a_client_without_a_handler_says_so() -> None:
    assert (await answered(None))["error"]["message"] == f"this client does not answer {REFRESH_AUTH_TOKENS.method}"


async def test_a_handler_that_still_runs_does_not_keep_the_block_open(home: Path, fake: FakeOpenAI) -> None:
    """Of a server in this process, too, whose end nobody else brings about."""
    begun = anyio.Event()

    async def hang(params: Any) -> Any:
        begun.set()
        await anyio.sleep_forever()

    overrides = [*fake.config_overrides(), "app_server.drain_timeout=0.05"]
    async with in_process(load_configuration(overrides, environment(home)), tool_call=hang) as client:
        await client.initialize("x", "1")
        fake.configure(accept_any_token=True)
        fake.script(tool_calls=[{"name": "wait", "arguments": {}}])
        await log_in(client)
        await client.start_turn(TurnStartParams(thread_id=await new_thread(client), input=[text("Hi")]))
        await begun.wait()


def text(words: str) -> UserInput:
    return UserInput(TextUserInput(text=words))


KEY = LoginAccountParams(ApiKeyLogin(type="apiKey", api_key=SecretStr("sk-x")))
WAIT = DynamicToolSpec(FunctionDynamicToolSpec(name="wait", description="Waits.", input_schema={"type": "object"}))
NEW_THREAD = ThreadStartParams(ephemeral=True, dynamic_tools=[WAIT])


async def log_in(client: Client) -> None:
    await client.request(LOGIN_START, KEY)


async def new_thread(client: Client) -> str:
    return (await client.request(THREAD_START, NEW_THREAD)).thread.id


async def test_handlers_go_by_friendly_names_too() -> None:
    asked = []

    async def refresh(params: Any) -> ChatgptAuthTokensRefreshResponse:
        asked.append("tokens")
        return ChatgptAuthTokensRefreshResponse(access_token=SecretStr("t"), chatgpt_account_id="a")

    async def call(params: DynamicToolCallParams) -> DynamicToolCallResponse:
        asked.append(params.tool)
        return DynamicToolCallResponse(content_items=[], success=True)

    async def answer(params: Any) -> ToolRequestUserInputResponse:
        asked.append(params.questions[0].id)
        return ToolRequestUserInputResponse(answers={"q": ToolRequestUserInputAnswer(answers=["yes"])})

    script = """
place = {"threadId": "x", "turnId": "t"}
questions = [{"id": "q", "header": "H", "question": "Q?"}]
for method, params in [
    ("account/chatgptAuthTokens/refresh", {"reason": "unauthorized"}),
    ("item/tool/call", {**place, "callId": "c", "tool": "weather", "arguments": {}}),
    ("item/tool/requestUserInput", {**place, "itemId": "i", "questions": questions, "isBlocking": True}),
]:
    write({"id": 0, "method": method, "params": params})
    write({"method": "configWarning", "params": {"summary": json.dumps(read())}})
read()
"""
    named = {"refresh_tokens": refresh, "tool_call": call, "request_user_input": answer}
    async with serving(READY + script, **named) as client:
        await client.initialize("x", "1")
        said = [json.loads((await client.notification(CONFIG_WARNING)).summary)["result"] for _ in range(3)]
    assert asked == ["tokens", "weather", "q"]
    assert said == [
        {"accessToken": "t", "chatgptAccountId": "a", "chatgptPlanType": None},
        {"contentItems": [], "success": True},
        {"answers": {"q": {"answers": ["yes"]}}},
    ]


def test_every_server_request_has_a_friendly_name() -> None:
    assert list(BY_NAME.values()) == list(SERVER_REQUESTS)


async def test_a_handler_of_a_name_that_there_is_not_is_refused_before_anything_starts() -> None:
    with pytest.raises(TypeError, match="'refresh'; handlers are refresh_tokens, tool_call, request_user_input"):
        async with spawn(refresh=fail):  # type: ignore[call-arg] # this is the point
            pytest.fail("started")


async def test_leaving_the_loop_over_notifications_loses_nothing() -> None:
    script = """
for name in "abc": write({"method": "configWarning", "params": {"summary": name}})
read()
"""
    seen = []
    async with serving(script) as client:
        for _ in range(3):
            async for _, params in client.notifications():
                seen.append(params.summary)
                break
    assert seen == ["a", "b", "c"]
