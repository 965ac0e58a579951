"""Bad servers and bad handlers: the Python client says clearly what happened, does not hang, and leaves no process.

The servers are scripts of a few lines. What the client does with a good one is tested in ``test_in_process``.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from app_server.client import Client, InvalidAnswer, ServerError, ServerGone, in_process, spawn
from app_server.client_handlers import BY_NAME
from app_server.config import load_configuration
from app_server.fake_openai.server import FakeOpenAI
from app_server.sync_client import spawn_sync
from app_server.testing.threaded_fake import ThreadedFakeOpenAI
from protocol.account import (
    ACCOUNT_READ,
    ACCOUNT_UPDATED,
    LOGIN_START,
    LOGOUT,
    REFRESH_AUTH_TOKENS,
    ApiKeyLogin,
    ChatgptAuthTokensRefreshResponse,
    GetAccountParams,
    LoginAccountParams,
)
from protocol.catalogue import SERVER_REQUESTS
from protocol.items import (
    AGENT_MESSAGE_DELTA,
    DynamicToolCallOutputContentItem,
    InputTextDynamicToolCallOutputContentItem,
)
from protocol.lifecycle import CONFIG_WARNING
from protocol.method import Empty
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
from tests.support.server import environment

DEADLINE = 10

SCRIPT = """
import json, os, sys, time

def read():
    line = sys.stdin.readline()
    if not line: sys.exit(0)
    return json.loads(line)

def write(*values):
    for value in values:
        print(value if isinstance(value, str) else json.dumps(value), flush=True)

def answer(result):
    write({"id": read()["id"], "result": result})

TURN = {"id": "t", "items": [], "itemsView": "full", "status": "inProgress"}
"""
"""What the scripted servers have in common."""

READY = '\nanswer({"userAgent": "s/1", "codexHome": "/", "platformFamily": "unix", "platformOs": "linux"})\n'
"""A handshake."""

LOGGED_OUT = {"account": None, "requiresOpenaiAuth": True}


def server(script: str) -> list[str]:
    """The command of a server that does this, and ends with its input."""
    return [sys.executable, "-SE", "-c", SCRIPT + script]


def children() -> set[int]:
    """Processes that this one has started and not buried."""
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Checked after each test."""
    before = children()
    yield
    assert children() <= before


@asynccontextmanager
async def serving(script: str, **options: Any) -> AsyncIterator[Client]:
    """A client of a server that does this; nothing hangs."""
    with anyio.fail_after(DEADLINE):
        async with spawn(server(script), **options) as client:
            yield client


async def read_account(client: Client, timeout: float = DEADLINE) -> None:
    assert (await client.request(ACCOUNT_READ, GetAccountParams(), timeout=timeout)).account is None


def says(words: str) -> TurnStartParams:
    return TurnStartParams(thread_id="thread", input=[UserInput(TextUserInput(text=words))])


# Commands that cannot be started


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["no-such-program"], "No such file"),
        ("no such program", "no such program"),
        ([], "the command is empty"),
        (["nul\0byte"], "null byte"),
    ],
)
async def test_a_wrong_command_is_gone_with_the_reason(command: list[str], why: str) -> None:
    with pytest.raises(ServerGone, match=why) as gone:
        async with spawn(command):
            pytest.fail("there is nothing to talk to")
    assert (gone.value.status, gone.value.stderr) == (None, "")


async def test_a_command_that_is_no_program_is_gone_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("Hello")
    for path in (tmp_path, tmp_path / "text"):
        with pytest.raises(ServerGone, match="Permission denied"):
            async with spawn([str(path)]):
                pytest.fail("there is nothing to talk to")


# Servers that die


async def test_a_server_that_dies_at_once_is_gone_with_its_last_words_without_secrets() -> None:
    script = "print('Traceback\\nBearer hush-hush\\n  KeyError: 7', file=sys.stderr); sys.exit(3)"
    async with serving(script, stderr=subprocess.PIPE) as client:
        with pytest.raises(ServerGone, match="status 3; the end of its stderr:") as gone:
            await client.initialize("x", "1")
    assert gone.value.status == 3
    assert gone.value.stderr == "Traceback\nBearer <redacted>\n  KeyError: 7"
    assert str(gone.value).endswith(gone.value.stderr)


async def test_only_the_end_of_what_it_wrote_is_kept() -> None:
    script = (
        "sys.stderr.write('x' * 3_000_000 + '\\n' + 'line\\n' * 100_000 + 'y' * 100_000 + '\\nthe end'); sys.exit(1)"
    )
    async with serving(script, stderr=subprocess.PIPE) as client:
        with pytest.raises(ServerGone) as gone:
            await client.initialize("x", "1")
    lines = gone.value.stderr.splitlines()
    assert lines[-3:] == ["line", "y" * 500, "the end"]
    assert len(lines) <= 21


async def test_a_server_that_dies_by_a_signal_is_gone_with_its_name() -> None:
    async with serving("os.kill(os.getpid(), 9)") as client:
        with pytest.raises(ServerGone, match=r"status -9 \(SIGKILL\)$") as gone:
            await client.initialize("x", "1")
    assert gone.value.status == -signal.SIGKILL
    assert gone.value.stderr == ""


async def test_a_server_that_dies_amid_requests_fails_all_of_them_and_those_that_follow() -> None:
    failed: list[ServerGone] = []

    async def ask(client: Client) -> None:
        with pytest.raises(ServerGone, match="status 4") as gone:
            await read_account(client)
        failed.append(gone.value)

    async with spawn(
        server(READY + 'read(); read(); read(); sys.stdout.write(\'{"id":1,"res\'); sys.exit(4)')
    ) as client:
        await client.initialize("x", "1")
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask, client)
        await ask(client)
        with pytest.raises(ServerGone):
            await client.notification(CONFIG_WARNING)
        assert [arrived async for arrived in client.notifications()] == []
    assert len(failed) == 4


async def test_a_server_that_dies_in_a_turn_ends_it_with_what_had_come() -> None:
    script = """
answer({"turn": TURN})
write({"method": "item/agentMessage/delta",
       "params": {"threadId": "thread", "turnId": "t", "itemId": "i", "delta": "Hel"}})
sys.exit(5)
"""
    seen = []
    async with serving(READY + script) as client:
        await client.initialize("x", "1")
        turn = await client.start_turn(says("Hi"))

        async def read() -> None:
            async for declaration, params in turn:
                seen.append((declaration, params.delta))

        for again in (read, turn.completed, turn.interrupt):
            with pytest.raises(ServerGone, match="status 5"):
                await again()
    assert seen == [(AGENT_MESSAGE_DELTA, "Hel")]


async def test_a_server_whose_own_child_keeps_the_output_open_is_gone_all_the_same(tmp_path: Path) -> None:
    held = tmp_path / "held"
    os.mkfifo(held)
    script = f"import subprocess; subprocess.Popen(['cat', {str(held)!r}]); print('bye', file=sys.stderr); os._exit(6)"
    try:
        async with serving(script, stderr=subprocess.PIPE) as client:
            with pytest.raises(ServerGone, match="status 6") as gone:
                await client.initialize("x", "1")
        assert gone.value.stderr == "bye"
    finally:
        await anyio.to_thread.run_sync(held.write_text, "")  # which ends the child


async def test_a_server_that_closes_its_output_and_goes_on_is_gone_without_a_status() -> None:
    async with serving("os.close(1); read(); read()") as client:
        with pytest.raises(ServerGone, match="the server is gone") as gone:
            await client.initialize("x", "1")
    assert gone.value.status is None


# Servers that talk nonsense


async def test_garbage_is_passed_over_and_what_is_meant_is_heard(caplog: pytest.LogCaptureFixture) -> None:
    script = """
write("Welcome!", "", "null", "7", "[]", "[{}]", "{}", '{"id":1}', '{"id":null,"method":"x"}', '{"id":[],"result":1}',
      '{"method":7}', '{"method":"no/such/notification","params":{}}', '{"method":"account/updated"}',
      '{"method":"account/updated","params":{"authMode":"nonsense"}}', '{"method":"turn/completed","params":{}}',
      '{"id":"1","result":{}}', '{"id":true,"result":{}}', '{"id":1.0,"result":{}}', '{"id":99,"result":{}}',
      '{"id":-1,"error":7}', "[" * 100_000, '{"' * 100_000, "\\ud800".encode("utf-8", "replace").decode())
sys.stdout.buffer.write(b"\\xff\\xfe\\x00\\n" + b"\\r\\n" + b'{"method":"account/updated","par')
sys.stdout.buffer.flush()
sys.stdout.buffer.write(b'ams":{"authMode":"apikey"}}\\r\\n')
sys.stdout.buffer.flush()
answer({"account": None, "requiresOpenaiAuth": True})
read()
"""
    async with serving(READY + script) as client:
        await client.initialize("x", "1")
        await read_account(client)
        assert (await client.notification(ACCOUNT_UPDATED)).auth_mode == "apikey"
    assert caplog.text.count("no message") > 10


async def test_a_line_without_end_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    script = """
for _ in range(65):
    sys.stdout.write("x" * 1024 * 1024)
write("")
answer({"account": None, "requiresOpenaiAuth": True})
read()
"""
    async with serving(READY + script) as client:
        await client.initialize("x", "1")
        await read_account(client)
    assert "too long" in caplog.text


async def test_a_result_of_the_wrong_shape_is_a_clear_error_that_does_not_quote_it() -> None:
    async with serving(READY + 'answer({"account": "sk-hush-hush", "requiresOpenaiAuth": 7}); read()') as client:
        await client.initialize("x", "1")
        with pytest.raises(InvalidAnswer) as told:
            await read_account(client)
    assert "hush" not in str(told.value)


async def test_an_error_of_the_wrong_shape_is_an_error() -> None:
    script = 'write({"id": read()["id"], "error": "no"}); write({"id": read()["id"], "error": {"code": "x"}}); read()'
    async with serving(READY + script) as client:
        await client.initialize("x", "1")
        for _ in range(2):
            with pytest.raises(ServerError, match="malformed error object"):
                await read_account(client)


async def test_a_server_that_never_answers_costs_the_timeout_and_is_killed_when_it_does_not_end() -> None:
    script = 'write(\'{"method":"account/updated","params":{}}\')\nwhile True: time.sleep(60)'
    async with serving(script, stop_timeout=0.1) as client:
        await client.notification(ACCOUNT_UPDATED)
        with pytest.raises(TimeoutError, match=r"account/read: no answer within 0\.05 s"):
            await read_account(client, timeout=0.05)
        with pytest.raises(TimeoutError, match="turn/start"):
            await client.start_turn(says("Hi"), timeout=0.05)


async def test_an_answer_that_comes_too_late_or_twice_disturbs_nobody() -> None:
    script = """
late = read()["id"]
read_again = read()["id"]
write({"id": late, "result": {"account": None, "requiresOpenaiAuth": True}})
for _ in range(2): write({"id": read_again, "result": {"account": None, "requiresOpenaiAuth": False}})
answer({"account": None, "requiresOpenaiAuth": True})
read()
"""
    async with serving(READY + script) as client:
        await client.initialize("x", "1")
        with pytest.raises(TimeoutError):
            await read_account(client, timeout=0.05)
        seen = [(await client.request(ACCOUNT_READ, GetAccountParams())).requires_openai_auth for _ in range(2)]
    assert seen == [False, True]


# Handlers

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


# Without an event loop

Offline = tuple[list[str], dict[str, str], ThreadedFakeOpenAI]


@pytest.fixture
def offline(home: Path) -> Iterator[Offline]:
    """A command and variables for a real server, and the upstream that it talks to."""
    with ThreadedFakeOpenAI.running() as fake:
        fake.configure(accept_any_token=True)
        arguments = [word for override in fake.config_overrides() for word in ("-c", override)]
        yield [sys.executable, "-m", "app_server", *arguments], {**environment(home), "NO_PROXY": "127.0.0.1"}, fake


def test_a_turn_with_a_tool_call_without_an_event_loop(offline: Offline) -> None:
    command, env, fake = offline
    threads = []

    def call(params: DynamicToolCallParams) -> DynamicToolCallResponse:
        threads.append(threading.current_thread())
        said = InputTextDynamicToolCallOutputContentItem(text="It rains.")
        return DynamicToolCallResponse(content_items=[DynamicToolCallOutputContentItem(said)], success=True)

    fake.script(tool_calls=[{"name": "wait", "arguments": {}}])
    with spawn_sync(command, env=env, tool_call=call) as client:
        client.initialize("sync", "1.0")
        client.request(LOGIN_START, KEY)
        assert client.notification(ACCOUNT_UPDATED).auth_mode == "apikey"
        thread = client.request(THREAD_START, NEW_THREAD).thread
        turn = client.start_turn(TurnStartParams(thread_id=thread.id, input=[text("Hi")]))
        said = "".join(params.delta for declaration, params in turn if declaration is AGENT_MESSAGE_DELTA)
        assert (said, turn.completed().status) == ("The tool said: It rains.", "completed")
        with pytest.raises(ServerError, match="Already initialized"):
            client.initialize("sync", "1.0")
    assert threading.main_thread() not in threads
    assert len(threads) == 1


def test_exceptions_come_out_as_they_are_without_an_event_loop() -> None:
    with pytest.raises(ServerGone, match="No such file"), spawn_sync(["no-such-program"]):
        pytest.fail("there is nothing to talk to")
    dies = spawn_sync(server("sys.exit('bye')"), stderr=subprocess.PIPE)
    with pytest.raises(ServerGone, match="bye"), dies as client:
        client.request(LOGOUT, Empty())
    with pytest.raises(LookupError, match="mine"), spawn_sync(server("read()")):
        raise LookupError("mine")
    with pytest.raises(TypeError, match="'refresh'"), spawn_sync(server(""), refresh=fail):
        pytest.fail("started")
