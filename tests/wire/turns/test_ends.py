"""The server ends while a turn runs: it ends the turn first, once, and keeps what was said.

The reference exits at the end of its input without a word about the turn; what the model had said is lost.
"""

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import REFRESH, Start, log_in_with_tokens, managed_login, store
from tests.wire.turns.support import (
    COMPLETED,
    DELTA,
    begin,
    conversation,
    start_thread,
    text_input,
    turn_of,
    works,
)

SHORT = "app_server.drain_timeout=0.2"
"""How long a turn may go on after the end of input or SIGTERM; 5 s by default."""

End = Callable[[ServerProcess], Awaitable[None]]


async def end_of_input(server: ServerProcess) -> None:
    await server.close_input()


async def sigterm(server: ServerProcess) -> None:
    server.process.send_signal(signal.SIGTERM)


ENDS = pytest.mark.parametrize("end", [end_of_input, sigterm])


async def last_words(server: ServerProcess, *turn_ids: str) -> dict[str, Json]:
    """The turns as they ended; each has ended once, nothing of it came later, and the server has exited well."""
    said = await server.rest()
    assert await server.exit_status() == 0
    ended: dict[str, Json] = {}
    for message in said:
        turn_id = turn_of(message)
        assert turn_id not in ended, message
        if message.get("method") == COMPLETED and turn_id is not None:
            ended[turn_id] = message["params"]["turn"]
    assert set(ended) == set(turn_ids)
    assert "Traceback" not in server.log.read_text()
    return ended


async def spoken_in(server: ServerProcess, thread: str) -> tuple[str, list[str]]:
    """How the only turn of a stored thread ended, and what the model said in it."""
    read = await server.result("thread/read", {"threadId": thread, "includeTurns": True})
    (turn,) = read["thread"]["turns"]
    return turn["status"], [item["text"] for item in turn["items"] if item["type"] == "agentMessage"]


@pytest.mark.parametrize(("end", "events"), [*((end_of_input, events) for events in (0, 2, 5, 9)), (sigterm, 5)])
async def test_a_turn_whose_upstream_hangs_is_interrupted_and_keeps_what_was_said(
    fake: FakeOpenAI, start: Start, end: End, events: int
) -> None:
    fake.script(text="abc", deltas=3)
    fake.fault("responses", hang_after_events=events)
    async with start(SHORT) as server:
        thread = await start_thread(server, "again")
        turn_id = await begin(server, thread)
        await fake.wait_hanging()
        for _ in range(min(max(events - 3, 0), 3)):
            await server.take(lambda message: message.get("method") == DELTA)
        await end(server)

        turn = (await last_words(server, turn_id))[turn_id]

    said = {0: [], 2: [""], 5: ["ab"], 9: ["abc"]}[events]
    assert (turn["status"], turn["error"]) == ("interrupted", None)
    assert [item["text"] for item in turn["items"]] == said
    async with start() as later:
        assert await spoken_in(later, thread) == ("interrupted", said)
        await later.result("thread/resume", {"threadId": thread})
        later.messages.clear()
        user, *answers, aborted, now = conversation(await works(later, fake, thread))
        assert (user, now) == (("user", "Hello"), ("user", "And now?"))
        assert answers == [("assistant", text) for text in said if text]
        assert aborted[1].startswith("<turn_aborted>")


@ENDS
async def test_a_turn_that_comes_to_its_end_in_time_is_completed(fake: FakeOpenAI, start: Start, end: End) -> None:
    fake.script(text="abc", deltas=3)
    fake.fault("responses", hang_after_events=5)
    async with start() as server:
        thread = await start_thread(server, "once")
        turn_id = await begin(server, thread)
        await fake.wait_hanging()
        await end(server)
        fake.release()

        turn = (await last_words(server, turn_id))[turn_id]

    assert turn["status"] == "completed"
    assert [item["text"] for item in turn["items"]] == ["abc"]
    async with start() as later:
        assert await spoken_in(later, thread) == ("completed", ["abc"])


@ENDS
async def test_a_turn_that_waits_for_its_next_attempt_is_interrupted(fake: FakeOpenAI, start: Start, end: End) -> None:
    fake.fault("responses", status=429, retry_after=60)
    async with start(SHORT) as server:
        thread = await start_thread(server, "again")
        turn_id = await begin(server, thread)
        await server.take(lambda message: message.get("method") == "error")
        await end(server)

        assert (await last_words(server, turn_id))[turn_id]["status"] == "interrupted"


@ENDS
async def test_a_turn_whose_token_the_parent_was_asked_about_ends_without_the_answer(
    fake: FakeOpenAI, start: Start, end: End
) -> None:
    async with start(SHORT) as server:
        tokens = fake.mint()
        await log_in_with_tokens(server, tokens)
        fake.expire(tokens.access_token)
        thread = await start_thread(server, "login")
        turn_id = await begin(server, thread)
        await server.server_request(REFRESH)
        await end(server)

        assert (await last_words(server, turn_id))[turn_id]["status"] in ("failed", "interrupted")


@ENDS
async def test_a_turn_whose_refresh_is_under_way_ends_and_the_rotated_tokens_are_saved(
    fake: FakeOpenAI, start: Start, end: End, home: Path
) -> None:
    tokens = fake.mint()
    store(home, managed_login(tokens))
    async with start() as server:
        thread = await start_thread(server, "login")
        fake.expire(tokens.access_token)
        fake.fault("token", hang=True, when="after")
        turn_id = await begin(server, thread)
        await fake.requests.wait_for("token")
        await end(server)
        fake.release()

        assert (await last_words(server, turn_id))[turn_id]["status"] == "completed"
    async with start() as later:
        await works(later, fake, await start_thread(later, "login"))
        assert len(fake.requests.of("token")) == 1


@ENDS
async def test_many_turns_end_once_each(fake: FakeOpenAI, start: Start, end: End) -> None:
    fake.fault("responses", hang_after_events=4, times=None)
    async with start(SHORT) as server:
        threads = [await start_thread(server, "once") for _ in range(20)]
        turns = [await begin(server, thread) for thread in threads]
        await fake.wait_hanging(20)
        await end(server)

        ended = await last_words(server, *turns)

    assert {turn["status"] for turn in ended.values()} == {"interrupted"}


async def test_a_turn_that_was_begun_in_the_last_line_is_carried_out(fake: FakeOpenAI, start: Start) -> None:
    async with start() as server:
        thread = await start_thread(server, "once")
        params = {"threadId": thread, "input": text_input("Last")}
        await server.send({"id": 1, "method": "turn/start", "params": params})
        await server.close_input()

        said = await server.rest()
        assert await server.exit_status() == 0

    (answer,) = [message for message in said if message.get("id") == 1]
    (ended,) = [message for message in said if message.get("method") == COMPLETED]
    assert ended is said[-1]
    assert ended["params"]["turn"]["id"] == answer["result"]["turn"]["id"]
    assert ended["params"]["turn"]["status"] == "completed"


async def test_a_turn_dies_with_a_server_that_is_killed_and_its_thread_can_be_gone_on_with(
    fake: FakeOpenAI, start: Start
) -> None:
    fake.fault("responses", hang_after_events=4)
    async with start() as server:
        thread = await start_thread(server, "once")
        await begin(server, thread)
        await fake.wait_hanging()
        os.kill(server.process.pid, signal.SIGKILL)
        assert await server.exit_status() == -signal.SIGKILL

    async with start() as later:
        status, _ = await spoken_in(later, thread)
        assert status == "interrupted"
        await later.result("thread/resume", {"threadId": thread})
        later.messages.clear()
        assert conversation(await works(later, fake, thread))[0] == ("user", "Hello")
