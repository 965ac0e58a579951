"""The Python client for callers without an event loop (``app_server.client``)."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app_server.client import Client, ServerError, ServerGone, spawn_sync
from app_server.testing.threaded_fake import ThreadedFakeOpenAI
from protocol.account import (
    ACCOUNT_READ,
    ACCOUNT_UPDATED,
    LOGIN_START,
    LOGOUT,
    ApiKeyLogin,
    GetAccountParams,
    LoginAccountParams,
)
from protocol.items import (
    AgentMessageDeltaNotification,
    DynamicToolCallOutputContentItem,
    InputTextDynamicToolCallOutputContentItem,
)
from protocol.lifecycle import CONFIG_WARNING, ConfigWarningNotification
from protocol.method import Empty
from protocol.thread import THREAD_START, ThreadStartParams
from protocol.tools import DynamicToolCallParams, DynamicToolCallResponse, DynamicToolSpec, FunctionDynamicToolSpec
from protocol.turn import TurnStartParams
from protocol.user_input import TextUserInput, UserInput
from tests.support.scripted_server import READY, expect_no_process_left, server
from tests.support.server import environment

no_process_is_left = pytest.fixture(autouse=True)(expect_no_process_left)

KEY = LoginAccountParams(ApiKeyLogin(type="apiKey", api_key=SecretStr("sk-x")))
WAIT = DynamicToolSpec(FunctionDynamicToolSpec(name="wait", description="Waits.", input_schema={"type": "object"}))
NEW_THREAD = ThreadStartParams(ephemeral=True, dynamic_tools=[WAIT])


ASKS = """
write({"id": 0, "method": "account/chatgptAuthTokens/refresh", "params": {"reason": "unauthorized"}})
write({"method": "configWarning", "params": {"summary": json.dumps(read())}})
read()
"""
"""Asks for tokens, and tells what it was answered."""


def says(thread_id: str, words: str) -> TurnStartParams:
    return TurnStartParams(thread_id=thread_id, input=[UserInput(TextUserInput(text=words))])


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
        turn = client.start_turn(says(thread.id, "Hi"))
        said = "".join(params.delta for _, params in turn if isinstance(params, AgentMessageDeltaNotification))
        assert (said, turn.completed().status) == ("The tool said: It rains.", "completed")
        with pytest.raises(ServerError, match="Already initialized"):
            client.initialize("sync", "1.0")
    assert threading.main_thread() not in threads
    assert len(threads) == 1


def test_notifications_are_read_until_the_server_is_gone() -> None:
    tells = 'for each in "abc": write({"method": "configWarning", "params": {"summary": each}})'
    with spawn_sync(server(READY + tells)) as client:
        client.initialize("sync", "1.0")
        declaration, _ = next(client.notifications())
        assert declaration is CONFIG_WARNING
        rest = [params for _, params in client.notifications()]
    assert rest == [ConfigWarningNotification(summary=each) for each in "bc"]


def test_no_word_of_the_client_is_missing_without_an_event_loop() -> None:
    words = {word for word in dir(Client) if not word.startswith("_")} - {"run"}
    with spawn_sync(server("read()")) as client:
        assert words <= set(dir(client))


def test_exceptions_come_out_as_they_are_without_an_event_loop() -> None:
    with pytest.raises(ServerGone, match="No such file"), spawn_sync(["no-such-program"]):
        pytest.fail("there is nothing to talk to")
    dies = spawn_sync(server("sys.exit('bye')"), stderr=subprocess.PIPE)
    with pytest.raises(ServerGone, match="bye"), dies as client:
        client.request(LOGOUT, Empty())
    with pytest.raises(LookupError, match="mine"), spawn_sync(server("read()")):
        raise LookupError("mine")
    misnamed = spawn_sync(server(""), refresh=print)  # type: ignore[call-arg] # this is the point
    with pytest.raises(TypeError, match="'refresh'"), misnamed:
        pytest.fail("started")


def test_a_turn_is_steered_and_interrupted_from_another_thread(offline: Offline) -> None:
    command, env, fake = offline
    fake.fault("responses", hang=True, times=None)
    with spawn_sync(command, env=env) as client:
        client.initialize("sync", "1.0")
        client.request(LOGIN_START, KEY)
        turn = client.start_turn(says(client.request(THREAD_START, NEW_THREAD).thread.id, "Hi"))

        def interrupt() -> None:
            fake.wait_hanging_sync()
            turn.steer(UserInput(TextUserInput(text="and more")))
            turn.interrupt()

        interrupting = threading.Thread(target=interrupt)
        interrupting.start()
        assert turn.completed().status == "interrupted"
        interrupting.join()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, LookupError])
def test_what_ends_the_program_comes_out_as_it_is(kind: type[BaseException]) -> None:
    """So that a program can take Ctrl-C for what it is."""
    error = kind("mine")
    with pytest.raises(kind) as raised, spawn_sync(server("read()")):
        raise error
    assert raised.value is error


def test_ctrl_c_ends_a_program_that_waits_for_an_answer() -> None:
    program = """
import signal, sys, threading
from app_server.client import spawn_sync
from protocol.account import LOGOUT
from protocol.method import Empty

def press(direction, line):
    # This is not the main thread, whose waiting ends only if the signal is its own, as those of a terminal are.
    if direction == "sent": signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

try:
    with spawn_sync([sys.executable, "-SE", "-c", "import sys; sys.stdin.read()"], trace=press) as client:
        client.request(LOGOUT, Empty())
except KeyboardInterrupt:
    print("left in order")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)
    assert (ran.stdout, ran.stderr, ran.returncode) == ("left in order\n", "", 0)


def test_a_handler_cannot_end_the_program(caplog: pytest.LogCaptureFixture) -> None:
    """Its thread is not the program's; the server is told that it failed."""
    for kind in (SystemExit, KeyboardInterrupt):

        def leave(params: Any, kind: type[BaseException] = kind) -> Any:
            raise kind

        with spawn_sync(server(READY + ASKS), refresh_tokens=leave) as client:
            client.initialize("sync", "1.0")
            said = json.loads(client.notification(CONFIG_WARNING).summary)
        assert said["error"]["message"].endswith("failed")
    assert caplog.text.count("failed") == 2


def test_a_client_whose_block_has_been_left_has_no_server(offline: Offline) -> None:
    command, env, fake = offline
    fake.fault("responses", hang=True, times=None)
    with spawn_sync([*command, "-c", "app_server.drain_timeout=0.1"], env=env) as client:
        client.initialize("sync", "1.0")
        client.request(LOGIN_START, KEY)
        turn = client.start_turn(says(client.request(THREAD_START, NEW_THREAD).thread.id, "Hi"))
    with pytest.raises(ServerGone):
        client.request(ACCOUNT_READ, GetAccountParams())
    with pytest.raises(ServerGone):
        turn.interrupt()
