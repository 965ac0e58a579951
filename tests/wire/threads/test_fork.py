"""``thread/fork``: a thread of its own with the history of another one, or with a part of it."""

from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.threads.support import (
    NOBODY,
    echoed,
    files_below,
    fork,
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


async def test_the_fork_has_the_history_and_is_announced_as_a_thread_of_its_own(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    source = await thread_with(server, "One", "Two")
    before = await read(server, source)
    await server.barrier()
    await server.send({"id": 1, "method": "thread/fork", "params": {"threadId": source}})

    answer = await server.message()
    rest = await server.barrier()

    thread = answer["result"]["thread"]
    assert thread["id"] != source
    assert (thread["forkedFromId"], thread["sessionId"]) == (source, thread["id"])
    assert (thread["preview"], thread["turns"]) == ("One", before["turns"])
    assert thread["path"] not in (None, before["path"])
    assert [message["method"] for message in rest] == ["thread/tokenUsage/updated", "thread/started"]
    usage, begun = (message["params"] for message in rest)
    assert (usage["threadId"], usage["turnId"]) == (thread["id"], before["turns"][-1]["id"])
    assert begun["thread"] == {**thread, "turns": []}


async def test_both_go_their_own_ways_also_in_another_process(fake: FakeOpenAI, start: Start) -> None:
    async with start() as first:
        source = await thread_with(first, "One")
        forked = (await fork(first, source))["thread"]["id"]
        await talk(first, source, "Source")
        assert told(fake) == echoed("One", "Source")
        await talk(first, forked, "Fork")
        assert told(fake) == echoed("One", "Fork")
        assert fake.requests.of("responses")[-1].json["prompt_cache_key"] == forked
    async with start() as second:
        for thread_id, word in ((source, "Source"), (forked, "Fork")):
            turns = (await resume(second, thread_id))["thread"]["turns"]
            assert [said(turn) for turn in turns] == [["One", "One"], [word, word]]
            await talk(second, thread_id, "More")
            assert told(fake) == echoed("One", word, "More")


async def test_a_fork_outlives_its_source(fake: FakeOpenAI, start: Start) -> None:
    async with start() as first:
        source = await thread_with(first, "One")
        forked = (await fork(first, source))["thread"]["id"]
        await first.result("thread/delete", {"threadId": source})
    async with start() as second:
        assert await listed(second) == [forked]
        assert said((await resume(second, forked))["thread"]["turns"][0]) == ["One", "One"]
        await talk(second, forked, "Two")
    assert told(fake) == echoed("One", "Two")


@pytest.mark.parametrize(
    ("member", "place", "left"),
    [
        ("lastTurnId", 0, ["One"]),
        ("lastTurnId", 2, ["One", "Two", "Three"]),
        ("beforeTurnId", 2, ["One", "Two"]),
        ("beforeTurnId", 0, []),
    ],
)
async def test_a_part_of_the_history(
    fake: FakeOpenAI, server: ServerProcess, member: str, place: int, left: list[str]
) -> None:
    source = await thread_with(server, "One", "Two", "Three")
    turns = (await read(server, source))["turns"]

    thread = (await fork(server, source, **{member: turns[place]["id"]}))["thread"]

    assert thread["turns"] == turns[: len(left)]
    assert thread["preview"] == ("One" if left else "")
    await talk(server, thread["id"], "Four")
    assert told(fake) == echoed(*left, "Four")
    await unload(server, thread["id"])
    assert [turn["id"] for turn in (await resume(server, thread["id"]))["thread"]["turns"]][: len(left)] == [
        turn["id"] for turn in turns[: len(left)]
    ]


async def test_turns_that_are_not_there_or_still_run(fake: FakeOpenAI, server: ServerProcess) -> None:
    source = await thread_with(server, "One")
    fake.fault("responses", hang_after_events=5)
    running = await begin(server, source, "Two")
    await delta(server, source)

    async def error(**params: str) -> Json:
        return await server.error("thread/fork", {"threadId": source, **params})

    assert await error(lastTurnId="nope") == refused("lastTurnId 'nope' was not found in the source thread")
    assert await error(beforeTurnId="nope") == refused("beforeTurnId 'nope' was not found in the source thread")
    assert await error(lastTurnId=running) == refused(f"lastTurnId '{running}' identifies an in-progress turn")
    assert await error(lastTurnId=running, beforeTurnId=running) == refused(
        "`beforeTurnId` cannot be combined with `lastTurnId`"
    )
    thread = (await fork(server, source))["thread"]
    assert [(turn["id"], turn["status"]) for turn in thread["turns"]][1:] == [(running, "interrupted")]
    fake.release()
    await server.notification("turn/completed")
    assert (await read(server, source))["turns"][1]["status"] == "completed"
    await server.barrier()


async def test_an_ephemeral_fork_leaves_nothing_behind(fake: FakeOpenAI, own_server: ServerProcess) -> None:
    source = await thread_with(own_server, "One")
    before = files_below(own_server.home)

    thread = (await fork(own_server, source, ephemeral=True))["thread"]

    assert (thread["ephemeral"], thread["path"], thread["forkedFromId"]) == (True, None, source)
    assert spoken(await talk(own_server, thread["id"], "Two")) == ("completed", ["Two"])
    assert told(fake) == echoed("One", "Two")
    assert files_below(own_server.home) == before


async def test_by_path(fake: FakeOpenAI, server: ServerProcess) -> None:
    source = await thread_with(server, "One")
    path = (await read(server, source))["path"]

    thread = (await fork(server, "x", path=path))["thread"]

    assert (thread["forkedFromId"], said(thread["turns"][0])) == (source, ["One", "One"])
    error = await server.error("thread/fork", {"threadId": source, "path": "/nope"})
    assert error == refused("failed to resolve rollout path `/nope`: file does not exist")


async def test_before_the_first_turn_it_forks_nothing(fake: FakeOpenAI, server: ServerProcess) -> None:
    source = await start_thread(server, "once")

    thread = (await fork(server, source))["thread"]

    assert (thread["turns"], thread["preview"], thread["forkedFromId"]) == ([], "", source)
    await talk(server, thread["id"], "One")
    assert told(fake) == echoed("One")


async def test_what_is_asked_for_is_in_force_in_the_fork_only(fake: FakeOpenAI, server: ServerProcess) -> None:
    source = await thread_with(server, "One")

    result = await fork(server, source, model="zz", cwd="/x", threadSource="mine", excludeTurns=True)

    assert (result["model"], result["cwd"], result["thread"]["threadSource"]) == ("zz", "/x", "mine")
    assert result["thread"]["turns"] == []
    await talk(server, result["thread"]["id"], "Two")
    assert told(fake) == echoed("One", "Two")
    await talk(server, source, "Two")
    assert [request.json["model"] for request in fake.requests.of("responses")][1:] == ["zz", "gpt-5.1-codex"]


async def test_without_turns_nothing_is_said_of_their_tokens(fake: FakeOpenAI, server: ServerProcess) -> None:
    source = await thread_with(server, "One")
    await server.barrier()

    await server.result("thread/fork", {"threadId": source, "excludeTurns": True})

    assert [message["method"] for message in await server.barrier()] == ["thread/started"]


async def test_a_fork_inherits_the_name_and_the_tools(fake: FakeOpenAI, server: ServerProcess) -> None:
    tool: Json = {"type": "function", "name": "lookup", "description": "d", "inputSchema": {"type": "object"}}
    source = await thread_with(server, "One", dynamicTools=[tool])
    await server.result("thread/name/set", {"threadId": source, "name": "Mine"})

    thread = (await fork(server, source))["thread"]

    assert thread["name"] == "Mine"
    await server.result("thread/name/set", {"threadId": thread["id"], "name": "Other"})
    assert (await read(server, source))["name"] == "Mine"
    await talk(server, thread["id"], "Two")
    assert [declared["name"] for declared in fake.requests.of("responses")[-1].json["tools"]] == ["lookup"]


async def test_what_cannot_be_forked(server: ServerProcess, tmp_path: Path) -> None:
    assert await server.error("thread/fork", {"threadId": NOBODY}) == no_rollout(NOBODY)
    thread_id = await start_thread(server, "once")
    error = await server.error("thread/fork", {"threadId": thread_id, "modelProvider": "nope"})
    assert error == refused("failed to load configuration: Model provider `nope` not found")
