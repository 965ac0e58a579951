"""``thread/unsubscribe``: a thread that nobody wants to hear of is let go of once nothing runs in it."""

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.support.upstream import Start, without_times
from tests.wire.threads.support import NOBODY, echoed, listed, read, refused, resume, said, spoken, thread_with, told
from tests.wire.turns.support import begin, delta, start_thread, talk, text_input


async def test_it_is_closed_and_can_be_resumed(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One")
    await server.barrier()
    await server.send({"id": 1, "method": "thread/unsubscribe", "params": {"threadId": thread_id}})

    answer = await server.message()
    said_then = without_times([await server.message() for _ in range(2)])

    assert answer["result"] == {"status": "unsubscribed"}
    assert said_then == [
        {"method": "thread/status/changed", "params": {"threadId": thread_id, "status": {"type": "notLoaded"}}},
        {"method": "thread/closed", "params": {"threadId": thread_id}},
    ]
    assert await server.result("thread/unsubscribe", {"threadId": thread_id}) == {"status": "notLoaded"}
    error = await server.error("turn/start", {"threadId": thread_id, "input": text_input("x")})
    assert error == refused(f"thread not found: {thread_id}")
    await resume(server, thread_id)
    await talk(server, thread_id, "Two")
    assert told(fake) == echoed("One", "Two")


async def test_a_running_turn_is_let_run_in_silence(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One")
    fake.fault("responses", hang_after_events=5)
    await begin(server, thread_id, "Two")
    await delta(server, thread_id)
    assert await server.result("thread/unsubscribe", {"threadId": thread_id}) == {"status": "unsubscribed"}
    await server.barrier()

    fake.release()

    assert await server.notification("thread/closed") == {"threadId": thread_id}
    said_meanwhile = [message["method"] for message in await server.barrier()]
    assert set(said_meanwhile) <= {"thread/status/changed"}
    turns = (await read(server, thread_id))["turns"]
    assert [(turn["status"], said(turn)) for turn in turns][1:] == [("completed", ["Two", "Two"])]


async def test_until_it_is_closed_it_stays_loaded_and_runs_turns(fake: FakeOpenAI, start: Start) -> None:
    async with start("app_server.thread_unload_delay=60") as server:
        thread_id = await thread_with(server, "One")
        assert await server.result("thread/unsubscribe", {"threadId": thread_id}) == {"status": "unsubscribed"}
        assert await server.result("thread/unsubscribe", {"threadId": thread_id}) == {"status": "notSubscribed"}
        await server.barrier()

        await begin(server, thread_id, "Two")

        statuses = [(await server.notification("thread/status/changed"))["status"]["type"] for _ in range(2)]
        assert statuses == ["active", "idle"]
        assert await server.barrier() == []
        assert (await server.result("thread/loaded/list", {}))["data"] == [thread_id]
        # Who resumes it in time hears of it again.
        await resume(server, thread_id)
        assert spoken(await talk(server, thread_id, "Three")) == ("completed", ["Three"])
        assert told(fake) == echoed("One", "Two", "Three")


@pytest.mark.parametrize("ephemeral", [True, False])
async def test_a_thread_in_which_nothing_was_said_is_gone(own_server: ServerProcess, ephemeral: bool) -> None:
    thread_id = await start_thread(own_server, "once", ephemeral=ephemeral)
    await own_server.result("thread/unsubscribe", {"threadId": thread_id})
    await own_server.notification("thread/closed")

    assert await own_server.error("thread/read", {"threadId": thread_id}) == refused(f"thread not loaded: {thread_id}")
    assert await listed(own_server) == []


async def test_of_a_thread_that_nobody_knows(server: ServerProcess) -> None:
    assert await server.result("thread/unsubscribe", {"threadId": NOBODY}) == {"status": "notLoaded"}
