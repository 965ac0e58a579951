"""Several processes with one home: each thread has one of them to write it, for as long as that lives."""

from pathlib import Path

import anyio
import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import DEADLINE, Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.threads.support import (
    being_written,
    echoed,
    files_below,
    fork,
    kill,
    lines_of,
    listed,
    read,
    resume,
    said,
    spoken,
    thread_with,
    told,
    unload,
)
from tests.wire.turns.support import begin, delta, talk


async def test_the_second_process_is_refused_whatever_writes(fake: FakeOpenAI, start: Start) -> None:
    async with start() as first, start() as second:
        thread_id = await thread_with(first, "One")

        for method in ("thread/resume", "thread/archive", "thread/delete"):
            assert await second.error(method, {"threadId": thread_id}) == being_written(thread_id)

        assert spoken(await talk(first, thread_id, "Two")) == ("completed", ["Two"])
        assert told(fake) == echoed("One", "Two")


async def test_the_second_process_may_look_fork_and_name(fake: FakeOpenAI, start: Start) -> None:
    async with start() as first, start() as second:
        thread_id = await thread_with(first, "One")

        thread = await read(second, thread_id)
        assert (thread["status"], said(thread["turns"][0])) == ({"type": "notLoaded"}, ["One", "One"])
        assert await listed(second) == [thread_id]
        assert len((await second.result("thread/turns/list", {"threadId": thread_id}))["data"]) == 1
        assert await second.result("thread/name/set", {"threadId": thread_id, "name": "Mine"}) == {}
        forked = (await fork(second, thread_id))["thread"]
        await talk(second, forked["id"], "Two")
        assert told(fake) == echoed("One", "Two")
        await talk(first, thread_id, "Other")
        assert told(fake) == echoed("One", "Other")


@pytest.mark.parametrize("end", ["exit", "kill", "unload"])
async def test_whoever_comes_next_may_write_once_the_first_is_gone(fake: FakeOpenAI, start: Start, end: str) -> None:
    async with start() as first, start() as second:
        thread_id = await thread_with(first, "One")
        assert await second.error("thread/resume", {"threadId": thread_id}) == being_written(thread_id)

        if end == "exit":
            await first.close_input()
            assert await first.exit_status() == 0
        elif end == "kill":
            await kill(first)
        else:
            await unload(first, thread_id)

        await resume(second, thread_id)
        assert spoken(await talk(second, thread_id, "Two")) == ("completed", ["Two"])
        assert told(fake) == echoed("One", "Two")
        if end == "unload":
            assert await first.error("thread/resume", {"threadId": thread_id}) == being_written(thread_id)


async def test_two_processes_that_want_it_at_once_find_one_writer(fake: FakeOpenAI, start: Start) -> None:
    async with start() as first, start() as second:
        thread_id = await thread_with(first, "One")
        await unload(first, thread_id)
        params: Json = {"threadId": thread_id}
        for server in (first, second):
            await server.send({"id": 1, "method": "thread/resume", "params": params})

        answers = [await server.answer(1) for server in (first, second)]

        assert sorted("error" in answer for answer in answers) == [False, True]
        assert [answer["error"] for answer in answers if "error" in answer] == [being_written(thread_id)]


async def test_whoever_has_waited_for_it_finds_all_of_it(fake: FakeOpenAI, start: Start) -> None:
    """Also what was written between its first look at the file and the end of the first process's claim."""
    async with start() as first, start() as second:
        writer, waiter = first, second
        thread_id = await thread_with(writer, "One")
        for text in ("Two", "Three", "Four"):
            fake.fault("responses", hang_after_events=5)
            await begin(writer, thread_id, text)
            await delta(writer, thread_id)
            await writer.result("thread/unsubscribe", {"threadId": thread_id})
            fake.release()
            with anyio.fail_after(DEADLINE):
                while "error" in (answer := await waiter.request("thread/resume", {"threadId": thread_id})):
                    assert answer["error"] == being_written(thread_id)
            turns = answer["result"]["thread"]["turns"]
            assert (turns[-1]["status"], said(turns[-1])) == ("completed", [text, text])
            await waiter.barrier()
            await writer.barrier()
            writer, waiter = waiter, writer
        ordinals = [line["ordinal"] for line in lines_of(answer["result"]["thread"]["path"])]
        assert ordinals == list(range(len(ordinals)))


async def test_a_thread_that_has_gone_to_and_fro_has_one_history(fake: FakeOpenAI, start: Start) -> None:
    async with start() as first, start() as second:
        thread_id = await thread_with(first, "1")
        path = (await read(first, thread_id))["path"]
        texts = ["1"]
        before, after = first, second
        for number in range(2, 6):
            await unload(before, thread_id)
            await resume(after, thread_id)
            texts.append(str(number))
            await talk(after, thread_id, str(number))
            assert told(fake) == echoed(*texts)
            before, after = after, before
        ordinals = [line["ordinal"] for line in lines_of(path)]
        assert ordinals == list(range(len(ordinals)))


async def test_the_lock_is_gone_when_its_holder_has_ended(fake: FakeOpenAI, start: Start, home: Path) -> None:
    async with start() as server:
        thread_id = await thread_with(server, "One")
        assert f"thread-writer-locks/{thread_id}.lock" in files_below(home)
        await server.close_input()
        assert await server.exit_status() == 0
    assert f"thread-writer-locks/{thread_id}.lock" not in files_below(home)


async def test_a_thread_stays_writable_for_its_process_when_the_lock_file_is_removed(
    fake: FakeOpenAI, own_server: ServerProcess
) -> None:
    thread_id = await thread_with(own_server, "One")
    (own_server.home / f"thread-writer-locks/{thread_id}.lock").unlink()

    assert spoken(await talk(own_server, thread_id, "Two")) == ("completed", ["Two"])
    await unload(own_server, thread_id)
    assert len((await resume(own_server, thread_id))["thread"]["turns"]) == 2
