"""Turns through the Python client (``app_server.client.Client.start_turn``), with our own pytest plugin."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from app_server.client import Client, ServerError, ServerGone
from app_server.client.turn import FollowedTurn
from app_server.testing.server_under_test import ServerUnderTest
from app_server.testing.threaded_fake import ThreadedFakeOpenAI
from protocol.items import AGENT_MESSAGE_DELTA, ITEM_COMPLETED, AgentMessageThreadItem, UserMessageThreadItem
from protocol.method import ServerNotification
from protocol.thread import THREAD_START, THREAD_STARTED, THREAD_STATUS_CHANGED, ThreadStartParams
from protocol.turn import (
    TOKEN_USAGE_UPDATED,
    TURN_COMPLETED,
    TURN_STARTED,
    Turn,
    TurnCompletedNotification,
    TurnStartParams,
)
from protocol.user_input import TextUserInput, UserInput

pytestmark = pytest.mark.app_server(in_process=True)


@pytest.fixture
def client(logged_in_client: Client) -> Client:
    return logged_in_client


def text(words: str) -> UserInput:
    return UserInput(TextUserInput(text=words))


async def new_thread(client: Client) -> str:
    return (await client.request(THREAD_START, ThreadStartParams(ephemeral=True))).thread.id


def says(thread_id: str, words: str) -> TurnStartParams:
    return TurnStartParams(thread_id=thread_id, input=[text(words)])


def final_text(turn: Turn) -> str:
    final = turn.items[-1].root
    assert isinstance(final, AgentMessageThreadItem)
    return final.text


async def read(turn: FollowedTurn) -> list[tuple[ServerNotification[Any], Any]]:
    with anyio.fail_after(10):
        return [seen async for seen in turn]


async def test_a_turn_is_read_from_its_start_to_its_completion(client: Client, fake_openai: ThreadedFakeOpenAI) -> None:
    fake_openai.script(text="Hello, you", deltas=4)
    turn = await client.start_turn(says(await new_thread(client), "Hi"))
    seen = await read(turn)
    assert seen[0][0] is TURN_STARTED
    assert seen[-1][0] is TURN_COMPLETED
    assert TOKEN_USAGE_UPDATED in [declaration for declaration, _ in seen]
    assert "".join(params.delta for declaration, params in seen if declaration is AGENT_MESSAGE_DELTA) == "Hello, you"
    ended = await turn.completed()
    assert (ended.id, ended.status, final_text(ended)) == (turn.id, "completed", "Hello, you")
    assert await read(turn) == []


async def test_a_turn_belongs_to_the_trace_that_it_is_given(client: Client, fake_openai: ThreadedFakeOpenAI) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    carrier = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
    turn = await client.start_turn(says(await new_thread(client), "Hi"), trace_context=carrier)
    await turn.completed()
    (asked,) = fake_openai.requests.of("responses")
    assert trace_id in (asked.headers.get("traceparent") or "")


async def test_what_is_not_of_the_turn_stays_with_the_other_notifications(client: Client) -> None:
    turn = await client.start_turn(says(await new_thread(client), "Hi"))
    await turn.completed()
    others = []
    async for declaration, params in client.notifications():
        others.append(declaration)
        if declaration is THREAD_STATUS_CHANGED and params.status.root.type == "idle":
            break
    assert others[0] is THREAD_STARTED
    assert not {TURN_STARTED, TURN_COMPLETED, AGENT_MESSAGE_DELTA, ITEM_COMPLETED} & set(others)


async def test_turns_of_several_threads_at_once_are_kept_apart(client: Client) -> None:
    async with anyio.create_task_group() as tasks:
        heard: dict[int, str] = {}

        async def converse(number: int) -> None:
            thread_id = await new_thread(client)
            for _ in range(2):
                turn = await client.start_turn(says(thread_id, f"I am number {number}"))
                seen = await read(turn)
                assert {params.thread_id for _, params in seen} == {thread_id}
                heard[number] = "".join(params.delta for what, params in seen if what is AGENT_MESSAGE_DELTA)

        for number in range(20):
            tasks.start_soon(converse, number)
    assert heard == {number: f"I am number {number}" for number in range(20)}


async def test_a_turn_that_runs_is_joined_steered_and_interrupted(
    client: Client, fake_openai: ThreadedFakeOpenAI
) -> None:
    fake_openai.fault("responses", hang_after_events=3, times=2)
    first = await client.start_turn(says(await new_thread(client), "Begin"))
    await fake_openai.wait_hanging()
    joined = await client.start_turn(says(first.thread_id, "Join"))
    assert joined.id == first.id
    await fake_openai.requests.wait_for("responses", count=2)
    await first.steer(text("Steer"))
    await fake_openai.requests.wait_for("responses", count=3)
    ended = await joined.completed()
    assert (ended.status, final_text(ended)) == ("completed", "Steer")
    said = [params.item.root for declaration, params in await read(first) if declaration is ITEM_COMPLETED]
    words = [part.root for item in said if isinstance(item, UserMessageThreadItem) for part in item.content]
    assert words == [TextUserInput(text=each) for each in ("Begin", "Join", "Steer")]

    fake_openai.fault("responses", hang=True)
    last = await client.start_turn(says(first.thread_id, "Never mind"))
    await fake_openai.wait_hanging()
    await last.interrupt()
    assert (await last.completed()).status == "interrupted"
    with pytest.raises(ServerError, match="no active turn to interrupt"):
        await last.interrupt()
    with pytest.raises(ServerError, match="no active turn to steer"):
        await last.steer(text("Too late"))


async def test_a_turn_that_fails_is_completed_with_its_error(client: Client, fake_openai: ThreadedFakeOpenAI) -> None:
    fake_openai.fault("responses", status=400, body='{"error": {"code": "context_length_exceeded"}}')
    ended = await (await client.start_turn(says(await new_thread(client), "Hi"))).completed()
    assert ended.status == "failed"
    assert ended.error is not None
    assert ended.error.codex_error_info is not None
    assert ended.error.codex_error_info.root == "contextWindowExceeded"


async def test_a_turn_that_is_not_accepted_is_an_error_and_nothing_is_lost(client: Client) -> None:
    unknown = "0199a213-81c0-7800-8aa1-bbab2a035a53"
    with pytest.raises(ServerError, match="thread not found"):
        await client.start_turn(says(unknown, "Hi"))
    thread_id = await new_thread(client)
    assert (await client.notification(THREAD_STARTED)).thread.id == thread_id


async def test_a_reader_that_does_not_come_loses_the_oldest_and_never_the_end() -> None:
    """The whole text is said again by what is not lost."""

    async def request(declaration: Any, params: Any, *, timeout: float = 60) -> Any:
        raise AssertionError

    async def gone() -> Exception:
        raise AssertionError

    turn = FollowedTurn("t", request, gone, 2)
    turn.accepted(Turn(id="u", items=[], status="inProgress"))
    for number in range(5):
        turn.take(AGENT_MESSAGE_DELTA, number)
    turn.take(TURN_COMPLETED, TurnCompletedNotification(thread_id="t", turn=Turn(id="u", items=[], status="completed")))
    seen = await read(turn)
    assert [declaration for declaration, _ in seen] == [AGENT_MESSAGE_DELTA, TURN_COMPLETED]
    assert seen[0][1] == 4


async def test_a_turn_whose_server_is_gone_does_not_wait_for_ever(
    app_server: ServerUnderTest, fake_openai: ThreadedFakeOpenAI, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    command = ["/bin/sh", "-c", 'echo $$ >"$0"; exec "$@"', str(pid), *app_server.command]
    server = replace(app_server, command=command, in_process=False)
    async with server.connect(tokens=fake_openai.mint()) as client:
        fake_openai.fault("responses", hang_after_events=3)
        turn = await client.start_turn(says(await new_thread(client), "Hi"))
        await fake_openai.wait_hanging()
        kill(pid)
        with anyio.fail_after(10), pytest.raises(ServerGone, match="status -9"):
            await turn.completed()
        with pytest.raises(ServerGone):
            await client.start_turn(says(turn.thread_id, "Hi"))


def kill(pid: Path) -> None:
    os.kill(int(pid.read_text()), signal.SIGKILL)
