"""A thread that has been let go of leaves nothing behind, and when there are too few descriptors, threads are refused
before anything of them could be lost."""

from pathlib import Path
from typing import Final

import anyio
import pytest

from app_server.client import Client, in_process
from app_server.config import load_configuration
from app_server.fake_openai.server import FakeOpenAI
from protocol.thread import THREAD_CLOSED, THREAD_START, THREAD_UNSUBSCRIBE, ThreadStartParams, ThreadUnsubscribeParams
from protocol.turn import TurnStartParams
from protocol.user_input import TextUserInput, UserInput
from tests.support.server import COMMAND, Json, environment
from tests.wire.turn_load.conftest import Start
from tests.wire.turn_load.support import Listener, one_turn, open_files
from tests.wire.turns.support import KEY, provider

THREADS: Final = 100

FEW: Final = 256
"""Open files that a process may have by default on macOS."""

MANY: Final = 300

UNLOAD_AT_ONCE: Final = "app_server.thread_unload_delay=0"


def with_limit(option: str) -> tuple[str, ...]:
    """The command for a server under a limit of open files; ``-Sn`` is one that it may raise itself."""
    return ("sh", "-c", f'ulimit {option} {FEW}; exec "$@"', "sh", *COMMAND)


def locks(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "thread-writer-locks").iterdir())


def closed(listener: Listener) -> int:
    return sum(notice["method"] == "thread/closed" for notice in listener.notices)


async def come_and_go(listener: Listener, count: int) -> None:
    """So many threads are begun, have a turn each, and are let go of."""
    threads = await listener.start_threads(count)
    before = len(listener.turns), closed(listener)
    await listener.begin(threads, ["Hello"] * count)
    await listener.until_ended(before[0] + count)
    await listener.ask("thread/unsubscribe", [{"threadId": thread} for thread in threads])
    await listener.until(lambda: closed(listener) == before[1] + count)


@pytest.mark.soak
async def test_100_threads_that_come_and_go_leave_no_descriptor_and_no_lock(start: Start, home: Path) -> None:
    async with start(UNLOAD_AT_ONCE) as server:
        listener = Listener(server)
        await come_and_go(listener, 1)
        before = open_files(server), locks(home)

        await come_and_go(listener, THREADS)

        assert (open_files(server), locks(home)) == before
        assert await server.result("thread/loaded/list", {}) == {"data": [], "nextCursor": None}


async def test_100_threads_that_come_and_go_leave_no_task(fake: FakeOpenAI, home: Path) -> None:
    base, token = f"{fake.base_url}/v1", f'"{KEY}"'
    providers = provider("mine", base, env_key="none", experimental_bearer_token=token)
    overrides = [*fake.config_overrides(), *providers, 'model_provider="mine"', 'model="gpt-5.1"', UNLOAD_AT_ONCE]
    async with in_process(load_configuration(overrides, environment(home))) as client:
        await client.initialize("test", "1.0")
        await pass_by(client)
        await anyio.wait_all_tasks_blocked()
        before = len(anyio.get_running_tasks())

        for _ in range(THREADS):
            await pass_by(client)

        await anyio.wait_all_tasks_blocked()
        assert len(anyio.get_running_tasks()) == before


async def pass_by(client: Client) -> None:
    """A thread is begun, has a turn, and is let go of."""
    thread_id = (await client.request(THREAD_START, ThreadStartParams())).thread.id
    said = [UserInput(TextUserInput(text="Hello"))]
    turn = await client.start_turn(TurnStartParams(thread_id=thread_id, input=said))
    assert (await turn.completed()).status == "completed"
    await client.request(THREAD_UNSUBSCRIBE, ThreadUnsubscribeParams(thread_id=thread_id))
    await client.notification(THREAD_CLOSED)


async def test_a_thread_for_which_there_is_no_descriptor_is_refused_and_the_others_lose_nothing(
    start: Start, home: Path
) -> None:
    async with start(UNLOAD_AT_ONCE, command=with_limit("-n")) as server:
        listener = Listener(server)
        answers = await listener.ask("thread/start", [{}] * MANY)
        threads = [answer["result"]["thread"]["id"] for answer in answers if "result" in answer]
        errors = [answer["error"] for answer in answers if "error" in answer]
        assert THREADS < len(threads) < MANY
        advice = f"unsubscribe from some, or raise the limit of open files ({FEW})"
        refusal = (-32600, f"too many threads are loaded ({len(threads)}): {advice}")
        assert {(error["code"], error["message"]) for error in errors} == {refusal}

        await listener.begin(threads, ["Hello"] * len(threads))
        await listener.until_ended(len(threads))

        assert {turn["status"] for turn in listener.turns} == {"completed"}
        assert [notice for notice in listener.notices if notice["method"] == "warning"] == []
        assert await stored(listener) == set(threads)
        await listener.ask("thread/unsubscribe", [{"threadId": threads[0]}])
        await listener.until(lambda: closed(listener) == 1)
        (another,) = await listener.start_threads(1)
        assert (await one_turn(listener, another)).statuses == ["completed"]


async def stored(listener: Listener) -> set[str]:
    """The threads that the list knows, all pages."""
    found, cursor = set(), None
    while True:
        page: Json = await listener.server.result("thread/list", {"limit": 100, "cursor": cursor})
        found |= {thread["id"] for thread in page["data"]}
        cursor = page["nextCursor"]
        if cursor is None:
            return found


async def test_a_limit_that_the_server_may_raise_is_raised(start: Start) -> None:
    async with start(command=with_limit("-Sn")) as server:
        listener = Listener(server)
        threads = await listener.start_threads(MANY)

        assert len(set(threads)) == MANY
        assert (await one_turn(listener, threads[-1])).statuses == ["completed"]
