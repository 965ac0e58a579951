"""A turn is interrupted at any moment: it is over at once, exactly once, and what was said is kept.

The aim is 100 ms; the tests allow a second and leave what they measured as a property of the test (``milliseconds``).
The reference completes no item of an interrupted turn and forgets what the model had said.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account
from tests.support.server import Json, ServerProcess
from tests.support.upstream import LOGIN, tokens_login
from tests.wire.turns.support import (
    AT_ONCE,
    DELTA,
    Course,
    asked,
    begin,
    conversation,
    course,
    start_thread,
    talk,
    text_input,
    works,
)
from tests.wire.turns.test_broken_streams import DELTAS, TEXT, Point, points

ABORTED: Final = "<turn_aborted>\nThe user interrupted the previous turn on purpose."

Interrupt = Callable[[str, str], Awaitable[Course]]


@pytest.fixture
def interrupt(server: ServerProcess, request: pytest.FixtureRequest) -> Interrupt:
    """Interrupts a turn; the deadline is checked."""

    async def interrupt(thread: str, turn_id: str) -> Course:
        sent = time.monotonic()
        params = {"threadId": thread, "turnId": turn_id}
        await server.send({"id": "interrupt", "method": "turn/interrupt", "params": params})
        ended = await course(server, thread, turn_id)
        seconds = time.monotonic() - sent
        request.node.user_properties.append(("milliseconds", round(seconds * 1000, 1)))
        assert await server.answer("interrupt") == {"id": "interrupt", "result": {}}
        assert seconds < AT_ONCE
        assert (ended.status, ended.turn["error"]) == ("interrupted", None)
        assert ended.methods[-2:] == ["thread/status/changed", "turn/completed"]
        assert ended.params("thread/status/changed")[-1]["status"] == {"type": "idle"}
        return ended

    return interrupt


async def until_seen(server: ServerProcess, wanted: dict[str, int]) -> None:
    """Wait until there were so many notifications of each method, which stay for later."""
    passed: list[Json] = []
    left = dict(wanted)
    while any(count > 0 for count in left.values()):
        message = await server.message()
        passed.append(message)
        if (method := message.get("method", "")) in left:
            left[method] -= 1
    server.messages[:0] = passed


def told(point: Point) -> dict[str, int]:
    """What a client has been told when the stream hangs here; the user's own message is an item too."""
    return {
        "item/started": 2 if point.events >= 2 else 1,
        DELTA: min(max(point.events - 3, 0), DELTAS),
        "item/completed": 2 if point.events >= 9 else 1,
    }


async def kept(server: ServerProcess, fake: FakeOpenAI, thread: str, said: list[str]) -> None:
    """What was said is in the thread, and the model is told of it and of the interruption."""
    read = await server.result("thread/read", {"threadId": thread, "includeTurns": True})
    (turn,) = read["thread"]["turns"]
    assert turn["status"] == "interrupted"
    assert [item["text"] for item in turn["items"] if item["type"] == "agentMessage"] == said

    user, *answers, aborted, now = conversation(await works(server, fake, thread))
    assert (user, now) == (("user", "Hello"), ("user", "And now?"))
    assert answers == [("assistant", text) for text in said if text]
    assert aborted[0] == "user"
    assert aborted[1].startswith(ABORTED)


@pytest.mark.parametrize("point", [point for point in points("hang") if not point.whole], ids=str)
async def test_while_the_stream_hangs(
    fake: FakeOpenAI, server: ServerProcess, interrupt: Interrupt, point: Point
) -> None:
    fake.script(text=TEXT, deltas=DELTAS)
    fake.fault("responses", **point.fault)
    thread = await start_thread(server, "again")
    turn_id = await begin(server, thread)
    await fake.wait_hanging()
    await until_seen(server, told(point))

    ended = await interrupt(thread, turn_id)

    assert ended.spoken == point.said
    assert [item["text"] for item in ended.turn["items"]] == point.said
    await kept(server, fake, thread, point.said)


async def test_the_answer_comes_first_then_what_was_said_then_the_end(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text=TEXT, deltas=DELTAS)
    fake.fault("responses", hang_after_events=5)
    thread = await start_thread(server, "once")
    turn_id = await begin(server, thread)
    await until_seen(server, {DELTA: 2})
    await server.take(lambda message: message.get("method") == DELTA)
    while server.messages:
        await server.message()

    await server.send({"id": 1, "method": "turn/interrupt", "params": {"threadId": thread, "turnId": turn_id}})

    first, *rest = [await server.message() for _ in range(4)]
    assert first == {"id": 1, "result": {}}
    assert [message["method"] for message in rest] == ["item/completed", "thread/status/changed", "turn/completed"]
    assert rest[0]["params"]["item"]["text"] == TEXT[:8]
    assert rest[2]["params"]["turn"]["items"] == [rest[0]["params"]["item"]]


async def test_before_the_headers(fake: FakeOpenAI, server: ServerProcess, interrupt: Interrupt) -> None:
    fake.fault("responses", hang=True)
    thread = await start_thread(server, "again")
    turn_id = await begin(server, thread)
    await fake.wait_hanging()

    assert (await interrupt(thread, turn_id)).spoken == []

    await kept(server, fake, thread, [])


@pytest.mark.parametrize("status", [429, 503])
async def test_while_it_waits_for_the_next_attempt(
    fake: FakeOpenAI, server: ServerProcess, interrupt: Interrupt, status: int
) -> None:
    fake.fault("responses", status=status, retry_after=60, json={"error": {"message": "Later."}}, times=None)
    thread = await start_thread(server, "again")
    turn_id = await begin(server, thread)
    await until_seen(server, {"error": 1})

    await interrupt(thread, turn_id)

    fake.clear_faults()
    await kept(server, fake, thread, [])
    assert len(asked(fake)) == 2


async def test_while_it_waits_for_a_silent_resend(
    fake: FakeOpenAI, server: ServerProcess, interrupt: Interrupt
) -> None:
    fake.fault("responses", status=503, retry_after=60)
    thread = await start_thread(server, "resend")
    turn_id = await begin(server, thread)
    await fake.requests.wait_for("responses")

    await interrupt(thread, turn_id)

    await kept(server, fake, thread, [])


async def test_while_the_backend_of_the_workspace_is_looked_up(
    fake: FakeOpenAI, server: ServerProcess, interrupt: Interrupt
) -> None:
    fake.add_account(Account(backend_origin="https://127.0.0.1:9"))
    fake.fault("accounts_check", hang=True, times=None)
    await server.result(LOGIN, tokens_login(fake.mint()))
    thread = await start_thread(server, "backend")
    turn_id = await begin(server, thread)
    await fake.requests.wait_for("accounts_check")

    await interrupt(thread, turn_id)

    fake.clear_faults()
    await server.notification("account/updated")
    assert asked(fake) == []


async def test_while_the_history_is_compacted(fake: FakeOpenAI, server: ServerProcess, interrupt: Interrupt) -> None:
    thread = await start_thread(server, "once")
    await works(server, fake, thread)
    fake.fault("responses", hang_after_events=4)
    assert await server.result("thread/compact/start", {"threadId": thread}) == {}
    await fake.wait_hanging()
    begun = await server.take(lambda message: message.get("method") == "turn/started")
    server.messages.insert(0, begun)

    ended = await interrupt(thread, begun["params"]["turn"]["id"])

    assert ended.spoken == []
    assert conversation(await works(server, fake, thread))[:2] == [("user", "And now?"), ("assistant", "And now?")]


async def test_while_deltas_pour_in(fake: FakeOpenAI, server: ServerProcess, interrupt: Interrupt) -> None:
    text = "x" * 20_000
    fake.script(text=text, deltas=20_000, delay=0.0001)
    thread = await start_thread(server, "once")
    turn_id = await begin(server, thread)
    await until_seen(server, {DELTA: 5})

    ended = await interrupt(thread, turn_id)

    assert ended.spoken == [ended.streamed]
    assert 5 <= len(ended.streamed) < len(text)
    assert conversation(await works(server, fake, thread))[1] == ("assistant", ended.streamed)


@pytest.mark.parametrize("turn_id", ["", None])
async def test_in_the_same_breath_as_its_beginning(
    fake: FakeOpenAI, server: ServerProcess, turn_id: str | None
) -> None:
    """Whether the turn has begun by then or not, it ends once. (In the reference it has not for some milliseconds.)"""
    fake.fault("responses", hang=True, times=None)
    thread = await start_thread(server, "once")
    start = {"id": "start", "method": "turn/start", "params": {"threadId": thread, "input": text_input("Hello")}}
    stop = {"id": "stop", "method": "turn/interrupt", "params": {"threadId": thread, "turnId": turn_id or ""}}
    await server.send(start, stop)
    begun: str = (await server.answer("start"))["result"]["turn"]["id"]
    stopped = await server.answer("stop")
    if "error" in stopped:
        assert stopped["error"] == {"code": -32600, "message": "no active turn to interrupt"}
        await server.result("turn/interrupt", {"threadId": thread, "turnId": begun})

    assert (await course(server, thread, begun)).status == "interrupted"
    fake.clear_faults()
    await works(server, fake, thread)


async def test_twice_ends_it_once(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("responses", hang=True)
    thread = await start_thread(server, "once")
    turn_id = await begin(server, thread)
    await fake.wait_hanging()
    params = {"threadId": thread, "turnId": turn_id}
    await server.send(*({"id": number, "method": "turn/interrupt", "params": params} for number in range(3)))

    answers = [await server.answer(number) for number in range(3)]

    assert {"id": 0, "result": {}} in answers
    refused = [answer["error"]["message"] for answer in answers if "error" in answer]
    assert set(refused) <= {"no active turn to interrupt"}
    assert (await course(server, thread, turn_id)).status == "interrupted"
    await works(server, fake, thread)


async def test_the_upstream_is_let_go_at_once(fake: FakeOpenAI, server: ServerProcess, interrupt: Interrupt) -> None:
    """A model that goes on answering nobody costs the user's money."""
    fake.fault("responses", hang_after_events=4)
    thread = await start_thread(server, "once")
    turn_id = await begin(server, thread)
    await fake.wait_hanging(1)

    await interrupt(thread, turn_id)

    fake.fault("responses", hang_after_events=4)
    turn_id = await begin(server, thread)
    await fake.requests.wait_for("responses", count=2)
    await fake.wait_hanging(1)
    await interrupt(thread, turn_id)
    assert (await talk(server, thread)).status == "completed"
