"""Reading, naming, archiving, bringing back and deleting threads, loaded or not."""

import json
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start, without_times
from tests.wire.threads.support import (
    NOBODY,
    echoed,
    files_below,
    listed,
    no_rollout,
    read,
    refused,
    resume,
    said,
    spoken,
    thread_with,
    told,
    unload,
)
from tests.wire.turns.support import begin, delta, start_thread, talk

NOT_LOADED: Json = {"type": "notLoaded"}


async def everything(server: ServerProcess, method: str, thread_id: str) -> list[str]:
    """What is said when a thread is moved, up to the notification of it, in short."""
    await server.barrier()
    await server.send({"id": 1, "method": method, "params": {"threadId": thread_id}})
    answer = await server.answer(1)
    assert "result" in answer, answer
    # Taken by answer(), it is put back where it was: before what has not been read yet.
    return [_short(message) for message in [*server.messages, answer, *await _rest(server)]]


async def _rest(server: ServerProcess) -> list[Json]:
    server.messages.clear()
    return await server.barrier()


def _short(message: Json) -> str:
    if "method" not in message:
        return "(answer)"
    status = message["params"].get("status") or message["params"].get("turn", {}).get("status")
    if isinstance(status, dict):
        status = status["type"]
    return f"{message['method']} {status}" if status else str(message["method"])


# Reading


async def test_a_thread_that_is_not_loaded_is_read_from_its_file(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One", "Two")
    loaded = await read(server, thread_id)
    await unload(server, thread_id)

    stored = await read(server, thread_id)

    assert (stored["status"], stored["canAcceptDirectInput"]) == (NOT_LOADED, None)
    assert stored["turns"] == loaded["turns"]
    assert [turn["itemsView"] for turn in stored["turns"]] == ["full", "full"]
    for name in ("id", "preview", "path", "cwd", "model", "modelProvider", "createdAt", "originator", "source"):
        assert stored[name] == loaded[name]
    assert (await read(server, thread_id, turns=False))["turns"] == []
    assert thread_id not in (await server.result("thread/loaded/list", {}))["data"]


async def test_the_preview_is_the_first_thing_that_was_said(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await start_thread(server, "once")
    text = "  A long\nfirst " + "word " * 100
    await talk(server, thread_id, text)
    await talk(server, thread_id, "Another")

    assert (await read(server, thread_id))["preview"] == text.strip()
    await unload(server, thread_id)
    assert (await read(server, thread_id))["preview"] == text.strip()


async def test_nothing_to_read(server: ServerProcess) -> None:
    for method in ("thread/read", "thread/turns/list", "thread/items/list"):
        assert await server.error(method, {"threadId": NOBODY}) == refused(f"thread not loaded: {NOBODY}")


async def test_before_the_first_turn_there_is_a_thread_without_turns(own_server: ServerProcess) -> None:
    thread_id = await start_thread(own_server, "once")
    before = files_below(own_server.home)

    assert (await read(own_server, thread_id))["turns"] == []
    assert (await own_server.result("thread/turns/list", {"threadId": thread_id}))["data"] == []
    assert (await own_server.result("thread/items/list", {"threadId": thread_id}))["data"] == []
    assert files_below(own_server.home) == before, "to look makes no file"


# Names


async def test_a_name_is_told_trimmed_and_known_to_everybody(fake: FakeOpenAI, start: Start) -> None:
    async with start() as first:
        thread_id = await thread_with(first, "One")
        await first.barrier()
        assert await first.result("thread/name/set", {"threadId": thread_id, "name": "  Mine \n"}) == {}
        assert without_times(await first.barrier()) == [
            {"method": "thread/name/updated", "params": {"threadId": thread_id, "threadName": "Mine"}}
        ]
        for name in ("First", "Mine é\n二"):
            await first.result("thread/name/set", {"threadId": thread_id, "name": name})
        assert (await read(first, thread_id))["name"] == "Mine é\n二"
    async with start() as second:
        assert (await read(second, thread_id))["name"] == "Mine é\n二"
        assert (await second.result("thread/list", {}))["data"][0]["name"] == "Mine é\n二"
        assert await listed(second, searchTerm="二") == [thread_id]
        # Not loaded, it can be named as well.
        await second.result("thread/name/set", {"threadId": thread_id, "name": "Third"})
        assert (await resume(second, thread_id))["thread"]["name"] == "Third"
        last = (second.home / "session_index.jsonl").read_text().splitlines()[-1]
        assert (json.loads(last)["id"], json.loads(last)["thread_name"]) == (thread_id, "Third")


async def test_before_the_first_turn_a_name_can_be_given(fake: FakeOpenAI, start: Start) -> None:
    async with start() as first:
        thread_id = await start_thread(first, "once")
        await first.result("thread/name/set", {"threadId": thread_id, "name": "Mine"})
        await talk(first, thread_id, "One")
    async with start() as second:
        assert (await resume(second, thread_id))["thread"]["name"] == "Mine"
        await talk(second, thread_id, "Two")
        assert told(fake) == echoed("One", "Two")


async def test_what_is_no_name(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One")

    async def error(thread: str, name: object) -> Json:
        return await server.error("thread/name/set", {"threadId": thread, "name": name})

    for empty in ("", " \n"):
        assert await error(thread_id, empty) == refused("thread name must not be empty")
    assert await error(thread_id, None) == refused("Invalid request: invalid type: null, expected a string")
    assert await error(NOBODY, "x") == no_rollout(NOBODY)
    await server.result("thread/archive", {"threadId": thread_id})
    assert await error(thread_id, "x") == no_rollout(thread_id)


# Archiving


async def test_to_put_a_thread_away_and_bring_it_back(fake: FakeOpenAI, own_server: ServerProcess) -> None:
    server = own_server
    thread_id = await thread_with(server, "One")
    path = Path((await read(server, thread_id))["path"])

    assert await everything(server, "thread/archive", thread_id) == [
        "thread/status/changed notLoaded",
        "(answer)",
        "thread/archived",
    ]

    relative = str(path.relative_to(server.home))
    files = files_below(server.home)
    assert f"archived_sessions/{path.name}" in files
    assert relative not in files
    assert (await listed(server), await listed(server, archived=True)) == ([], [thread_id])
    assert said((await read(server, thread_id))["turns"][0]) == ["One", "One"]
    assert await server.error("thread/archive", {"threadId": thread_id}) == no_rollout(thread_id)

    await server.barrier()
    back = (await server.result("thread/unarchive", {"threadId": thread_id}))["thread"]
    assert [message["method"] for message in await server.barrier()] == ["thread/unarchived"]
    assert (back["id"], back["status"], back["turns"], back["path"]) == (thread_id, NOT_LOADED, [], str(path))
    assert (await listed(server), await listed(server, archived=True)) == ([thread_id], [])
    await resume(server, thread_id)
    assert spoken(await talk(server, thread_id, "Two")) == ("completed", ["Two"])
    assert told(fake) == echoed("One", "Two")


@pytest.mark.parametrize(
    ("method", "said_last"), [("thread/archive", "thread/archived"), ("thread/delete", "thread/deleted")]
)
async def test_a_running_turn_is_ended_first(
    fake: FakeOpenAI, server: ServerProcess, method: str, said_last: str
) -> None:
    thread_id = await thread_with(server, "One")
    fake.fault("responses", hang_after_events=5)
    await begin(server, thread_id, "Two")
    await delta(server, thread_id)

    order = await everything(server, method, thread_id)

    assert order.count("turn/completed interrupted") == 1
    assert order[order.index("turn/completed interrupted") :] == [
        "turn/completed interrupted",
        "thread/status/changed notLoaded",
        "(answer)",
        said_last,
    ]
    if method == "thread/archive":
        turns = (await read(server, thread_id))["turns"]
        assert [turn["status"] for turn in turns] == ["completed", "interrupted"]
        assert said(turns[1])[0] == "Two"
        assert thread_id in await listed(server, archived=True)
    assert thread_id not in await listed(server)
    error = await server.error("turn/start", {"threadId": thread_id, "input": []})
    assert error == refused(f"thread not found: {thread_id}")


async def test_what_cannot_be_brought_back(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One")

    for one in (thread_id, NOBODY):
        error = await server.error("thread/unarchive", {"threadId": one})
        assert error == refused(f"no archived rollout found for thread id {one}")

    # It was asked in vain, and nothing has become of the thread.
    assert spoken(await talk(server, thread_id, "Two")) == ("completed", ["Two"])


# Deleting


@pytest.mark.parametrize("state", ["loaded", "stored", "archived", "before the first turn"])
async def test_a_deleted_thread_is_gone(fake: FakeOpenAI, own_server: ServerProcess, state: str) -> None:
    server = own_server
    texts = () if state == "before the first turn" else ("One",)
    thread_id = await thread_with(server, *texts)
    await server.result("thread/name/set", {"threadId": thread_id, "name": "Canary"})
    if state == "stored":
        await unload(server, thread_id)
    elif state == "archived":
        await server.result("thread/archive", {"threadId": thread_id})

    order = await everything(server, "thread/delete", thread_id)

    loaded = state in ("loaded", "before the first turn")
    assert order == [*(["thread/status/changed notLoaded"] if loaded else []), "(answer)", "thread/deleted"]
    assert [name for name in files_below(server.home) if thread_id in name] == []
    assert "Canary" not in (server.home / "session_index.jsonl").read_text()
    assert await listed(server) == await listed(server, archived=True) == []
    assert await server.error("thread/delete", {"threadId": thread_id}) == no_rollout(thread_id)
    assert await server.error("thread/resume", {"threadId": thread_id}) == no_rollout(thread_id)
