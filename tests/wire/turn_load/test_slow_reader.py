"""A client that does not read for a while in the middle of a long answer: nothing is lost, memory stays bounded,
because the upstream is slowed down, and an interruption works as soon as the client reads again (wire.md section 15,
item 21)."""

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.wire.turn_load.support import MIB, FastServer, Listener, memory, one_turn

DELTAS = 120_000
HEARD = 1_000
"""Deltas that the client has heard before it stops reading."""

FAR = 90_000
"""Events, of some 200 bytes each: more than all buffers on the way together hold."""

PAUSE = 2.0
"""Seconds. Time has to pass: nothing else shows that the server does not use it to collect."""

GROWTH = 20 * MIB


def long_answer(fake: FakeOpenAI) -> str:
    """What the model is going to say; it has got far when something hangs."""
    text = "".join(chr(0x61 + number * number % 26) for number in range(DELTAS))
    fake.script(contains="At length", text=text, deltas=DELTAS)
    fake.fault("responses", contains="At length", hang_after_events=FAR)
    return text


async def get_going(listener: Listener) -> str:
    """A turn of which some has been heard; its thread."""
    (thread,) = await listener.start_threads(1)
    await one_turn(listener, thread)  # everything has been imported, and every buffer made
    await listener.begin([thread], ["At length, please"])
    before = len(listener.threads[thread].pieces)
    await listener.until(lambda: len(listener.threads[thread].pieces) >= before + HEARD)
    return thread


async def test_a_client_that_pauses_slows_the_upstream_down_and_loses_nothing(
    fake: FakeOpenAI, measured_server: FastServer
) -> None:
    server = measured_server
    listener = Listener(server)
    text = long_answer(fake)
    thread = await get_going(listener)
    heard, before = listener.threads[thread], memory(server)

    status = await listener.send("getAuthStatus", {})
    with pytest.raises(TimeoutError):
        await fake.wait_hanging(timeout=PAUSE)

    assert memory(server, "VmHWM") - before < GROWTH
    await listener.until(lambda: status in listener.answers)
    assert heard.statuses == ["completed"]  # the first one: the other requests need not wait for the end
    await listener.until(lambda: len(heard.pieces) > DELTAS // 2)
    async with listener.reading():
        await fake.wait_hanging()
    fake.release()
    await listener.until_ended(2)
    await listener.nothing_more()

    assert heard.streamed == f"Hello{text}"
    assert heard.texts == ["Hello", text]
    assert memory(server, "VmHWM") - before < GROWTH


async def test_a_client_that_reads_again_has_its_interruption_at_once_and_what_was_said_is_kept(
    fake: FakeOpenAI, server: FastServer
) -> None:
    listener = Listener(server)
    text = long_answer(fake)
    thread = await get_going(listener)
    heard = listener.threads[thread]

    with pytest.raises(TimeoutError):
        await fake.wait_hanging(timeout=PAUSE / 6)
    interrupted = await listener.send("turn/interrupt", {"threadId": thread, "turnId": heard.begun[-1]})
    await listener.until_ended(2)
    await listener.nothing_more()

    assert "result" in listener.answers[interrupted]
    assert heard.statuses == ["completed", "interrupted"]
    said = heard.streamed.removeprefix("Hello")
    assert len(said) < FAR
    assert text.startswith(said)
    assert heard.texts == ["Hello", said]
    assert (await one_turn(listener, thread)).statuses[-1] == "completed"
