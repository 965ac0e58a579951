"""Upstreams that cannot be reached, and upstreams that fall silent (wire.md sections 14 and 15.28)."""

import socket
import time

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.support.upstream import Start
from tests.wire.turns.support import (
    AT_ONCE,
    KEY,
    SILENT,
    asked,
    begin,
    course,
    delta,
    provider,
    start_thread,
    talk,
    works,
)

WAITING = {
    "message": "Reconnecting... waiting for network",
    "codexErrorInfo": {"responseStreamDisconnected": {"httpStatusCode": None}},
    "additionalDetails": "Connection failed: error sending request",
    "misalignment": None,
}


async def test_a_refused_connection_is_no_failure_but_waited_out_whatever_the_retries_and_interruptible(
    fake: FakeOpenAI, start: Start
) -> None:
    with socket.socket() as closed:  # bound and not listening: nobody else can have the port meanwhile
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        async with start(*provider("nowhere", url)) as server:
            thread = await start_thread(server, "nowhere")
            began = time.monotonic()
            turn_id = await begin(server, thread)
            notice = (await server.notification("error"))["error"]
            assert notice == WAITING
            assert time.monotonic() - began < 5

            began = time.monotonic()
            await server.result("turn/interrupt", {"threadId": thread, "turnId": turn_id})
            ended = await server.notification("turn/completed")

            assert time.monotonic() - began < AT_ONCE
            assert (ended["turn"]["status"], ended["turn"]["error"]) == ("interrupted", None)


async def test_a_turn_goes_on_when_the_upstream_is_back(fake: FakeOpenAI, start: Start) -> None:
    """The second attempt comes after five seconds; more input, as here, does not wait for that."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        async with start(*provider("late", f"http://127.0.0.1:{port}/v1")) as server:
            thread = await start_thread(server, "late")
            turn_id = await begin(server, thread, "First")
            assert (await server.notification("error"))["error"] == WAITING
            reserved.close()
            async with FakeOpenAI.running(port) as late:
                assert await begin(server, thread, "Second") == turn_id
                ended = await server.notification("turn/completed")
                assert ended["turn"]["status"] == "completed"
                assert asked(late)[0].bearer == KEY


async def test_silence_in_the_stream_ends_it(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text="abcdef", deltas=6)
    fake.fault("responses", hang_after_events=6)
    thread = await start_thread(server, "silent")

    failed = await talk(server, thread)

    assert (failed.error["message"], failed.error["codexErrorInfo"]) == (SILENT, "other")
    assert failed.spoken == ["abc"]
    await works(server, fake, thread)


async def test_silence_before_the_first_event_ends_it(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("responses", hang_after_events=0)
    thread = await start_thread(server, "silent")

    assert (await talk(server, thread)).error["message"] == SILENT


async def test_silence_before_the_headers_ends_it_too(fake: FakeOpenAI, server: ServerProcess) -> None:
    """The reference waits for headers without limit (wire.md section 15.28)."""
    fake.fault("responses", hang=True)
    thread = await start_thread(server, "silent")

    failed = await talk(server, thread)

    assert (failed.error["message"], failed.error["codexErrorInfo"]) == (SILENT, "other")
    await works(server, fake, thread)


async def test_after_a_silence_the_stream_is_begun_again_and_the_request_is_not_resent(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("responses", hang=True, times=None)
    thread = await start_thread(server, "silent_again")

    failed = await talk(server, thread)

    assert failed.error["message"] == SILENT
    assert [notice["additionalDetails"] for notice in failed.notices] == [SILENT]
    assert len(asked(fake)) == 2


async def test_a_slow_stream_is_not_a_silent_one(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text="abcdef", deltas=6, delay=0.08)
    thread = await start_thread(server, "silent")

    done = await talk(server, thread)

    assert (done.status, done.spoken) == ("completed", ["abcdef"])


async def test_deltas_are_shown_as_they_come(fake: FakeOpenAI, server: ServerProcess) -> None:
    for events, piece in ((4, "a"), (5, "b"), (6, "c")):
        fake.script(text="abc", deltas=3)
        fake.fault("responses", hang_after_events=events)
        thread = await start_thread(server, "once")
        turn_id = await begin(server, thread)
        for expected in "abc"[: "abc".index(piece) + 1]:
            params = await server.notification("item/agentMessage/delta")
            assert params["delta"] == expected
        await fake.wait_hanging()
        fake.release()
        assert (await course(server, thread, turn_id)).spoken == ["abc"]
    fake.script(text="abc", deltas=3)
    turn_id = await begin(server, thread)
    assert await delta(server, thread) == "a"
    assert (await course(server, thread, turn_id)).streamed == "abc"
