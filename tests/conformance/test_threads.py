"""Threads: begun, read, listed, renamed, forked, put away and deleted (facts of threads; issue 4)."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.conformance.conftest import Differs
from tests.conformance.support import only, refused, thread_on, told
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.turns.support import talk

EFFECTS: dict[str, tuple[Json, Json]] = {
    "model": ({"model": "zz"}, {"model": "zz"}),
    "policy": ({"approvalPolicy": "never"}, {"approvalPolicy": "never"}),
    "sandbox": (
        {"sandbox": "workspace-write"},
        {
            "sandbox": {
                "type": "workspaceWrite",
                "writableRoots": [],
                "networkAccess": False,
                "excludeTmpdirEnvVar": False,
                "excludeSlashTmp": False,
            },
            "activePermissionProfile": None,
        },
    ),
    "full access": ({"sandbox": "danger-full-access"}, {"sandbox": {"type": "dangerFullAccess"}}),
    "folder": ({"cwd": "/"}, {"cwd": "/", "runtimeWorkspaceRoots": ["/"]}),
    "settings": ({"config": {"model": "cm", "approval_policy": "never"}}, {"model": "cm", "approvalPolicy": "never"}),
    "reviewer": ({"approvalsReviewer": "auto_review"}, {"approvalsReviewer": "auto_review"}),
}


@pytest.mark.parametrize("row", EFFECTS)
async def test_a_thread_begins_as_it_was_asked_for(server: ServerProcess, row: str) -> None:
    params, effect = EFFECTS[row]
    result = await server.result("thread/start", {"modelProvider": "once", **params})
    assert only(result, *effect) == effect


async def test_a_thread_is_answered_then_announced_and_has_no_file_yet(server: ServerProcess) -> None:
    await server.send({"id": "t", "method": "thread/start", "params": {"modelProvider": "once", "model": None}})
    answer = await server.answer("t")
    thread = answer["result"]["thread"]
    assert [(method, params["thread"]["id"]) for method, params in told(await server.barrier())] in (
        [("thread/started", thread["id"])],
        [],  # it may come later
    )
    expected = {
        "sessionId": thread["id"],
        "preview": "",
        "ephemeral": False,
        "modelProvider": "once",
        "status": {"type": "idle"},
        "cliVersion": "0.169.0",
        "source": "vscode",
        "originator": "test",
        "turns": [],
        "name": None,
        "gitInfo": None,
        "forkedFromId": None,
    }
    assert {name: thread[name] for name in expected} == expected
    assert thread["path"].startswith(f"{server.home}/sessions/")
    read = await server.result("thread/read", {"threadId": thread["id"]})
    assert read["thread"]["id"] == thread["id"]


async def test_an_ephemeral_thread_is_stored_nowhere(server: ServerProcess) -> None:
    thread = await thread_on(server, ephemeral=True)
    await talk(server, thread)
    error = await server.error("thread/delete", {"threadId": thread})
    assert error == refused(f"thread is not persisted and cannot be deleted: {thread}")
    assert (await server.result("thread/read", {"threadId": thread}))["thread"]["path"] is None


async def test_a_thread_is_listed_once_something_was_said_in_it(server: ServerProcess) -> None:
    thread = await thread_on(server)
    params: Json = {"modelProviders": [], "limit": 100}

    async def listed() -> dict[str, Json]:
        return {one["id"]: one for one in (await server.result("thread/list", params))["data"]}

    assert thread not in await listed()
    await talk(server, thread, "  The first words  ")
    found = (await listed())[thread]
    assert only(found, "preview", "status", "turns", "modelProvider") == {
        "preview": "The first words",
        "status": {"type": "idle"},
        "turns": [],
        "modelProvider": "once",
    }
    assert thread in (await server.result("thread/loaded/list", {}))["data"]
    error = await server.error("thread/loaded/list", {"cursor": "zz"})
    assert error == refused("invalid cursor: zz")


async def test_a_list_goes_on_where_it_stopped(server: ServerProcess) -> None:
    threads = []
    for _ in range(3):
        threads.append(await thread_on(server))
        await talk(server, threads[-1])
    params: Json = {"modelProviders": [], "limit": 2}
    first = await server.result("thread/list", params)
    second = await server.result("thread/list", {**params, "cursor": first["nextCursor"]})
    ids = [one["id"] for page in (first, second) for one in page["data"]]
    assert ids[:3] == threads[::-1]


async def test_a_thread_is_read_with_its_turns(server: ServerProcess) -> None:
    thread = await thread_on(server)
    for text in ("One", "Two"):
        await talk(server, thread, text)
    read = (await server.result("thread/read", {"threadId": thread, "includeTurns": True}))["thread"]
    assert [(turn["status"], turn["itemsView"], turn["error"]) for turn in read["turns"]] == [
        ("completed", "full", None)
    ] * 2
    assert [[item["type"] for item in turn["items"]] for turn in read["turns"]] == [["userMessage", "agentMessage"]] * 2
    turns = await server.result("thread/turns/list", {"threadId": thread, "limit": 1})
    assert [turn["id"] for turn in turns["data"]] == [read["turns"][1]["id"]]
    assert turns["data"][0]["itemsView"] == "summary"
    older = await server.result("thread/turns/list", {"threadId": thread, "cursor": turns["nextCursor"]})
    assert [turn["id"] for turn in older["data"]] == [read["turns"][0]["id"]]
    items = (await server.result("thread/items/list", {"threadId": thread}))["data"]
    assert [(entry["turnId"], entry["item"]["type"]) for entry in items] == [
        (turn["id"], kind) for turn in read["turns"] for kind in ("userMessage", "agentMessage")
    ]


async def test_a_thread_goes_on_in_another_process(start: Start) -> None:
    async with start() as server:
        thread = await thread_on(server)
        await talk(server, thread, "One")
    async with start() as server:
        assert (await server.result("thread/read", {"threadId": thread}))["thread"]["status"] == {"type": "notLoaded"}
        resumed = await server.result("thread/resume", {"threadId": thread, "model": None, "cwd": None})
        assert [turn["status"] for turn in resumed["thread"]["turns"]] == ["completed"]
        assert resumed["thread"]["preview"] == "One"
        await server.barrier()
        assert (await talk(server, thread, "Two")).spoken == ["Two"]
        read = await server.result("thread/read", {"threadId": thread, "includeTurns": True})
        assert len(read["thread"]["turns"]) == 2


async def test_a_thread_has_one_writer(start: Start) -> None:
    async with start() as first, start() as second:
        thread = await thread_on(first)
        await talk(first, thread)
        error = await second.error("thread/resume", {"threadId": thread})
        assert error == refused(f"thread {thread} already has an active writer")
        assert (await second.result("thread/read", {"threadId": thread}))["thread"]["id"] == thread


async def test_a_resume_before_the_first_turn_finds_nothing(start: Start) -> None:
    async with start() as server:
        thread = await thread_on(server)
    async with start() as server:
        error = await server.error("thread/resume", {"threadId": thread})
        assert error == refused(f"no rollout found for thread id {thread}")


async def test_a_fork_knows_where_it_comes_from_and_has_its_turns(server: ServerProcess) -> None:
    thread = await thread_on(server)
    first = await talk(server, thread, "One")
    await talk(server, thread, "Two")
    result = await server.result("thread/fork", {"threadId": thread, "lastTurnId": first.turn_id})
    fork = result["thread"]
    assert fork["id"] != thread
    assert only(fork, "forkedFromId", "preview", "sessionId") == {
        "forkedFromId": thread,
        "preview": "One",
        "sessionId": fork["id"],
    }
    assert [turn["id"] for turn in fork["turns"]] == [first.turn_id]
    methods = [method for method, _ in told(await server.barrier())]
    assert methods in (["thread/tokenUsage/updated", "thread/started"], ["thread/tokenUsage/updated"])


async def test_a_fork_at_a_turn_that_there_is_not(server: ServerProcess, differs: Differs) -> None:
    thread = await thread_on(server)
    await talk(server, thread)
    error = await server.error("thread/fork", {"threadId": thread, "lastTurnId": "nope"})
    assert error["code"] == -32600
    differs("fork-at-no-turn", error["message"])


async def test_a_thread_is_renamed(server: ServerProcess) -> None:
    thread = await thread_on(server)
    await talk(server, thread)
    assert await server.result("thread/name/set", {"threadId": thread, "name": "  A name "}) == {}
    renamed = await server.notification("thread/name/updated")
    assert renamed == {"threadId": thread, "threadName": "A name"}
    assert (await server.result("thread/read", {"threadId": thread}))["thread"]["name"] == "A name"


async def test_a_thread_is_put_away_and_fetched_back(server: ServerProcess) -> None:
    thread = await thread_on(server)
    await talk(server, thread)
    await server.barrier()
    await server.send({"id": "a", "method": "thread/archive", "params": {"threadId": thread}})
    assert await server.answer("a") == {"id": "a", "result": {}}
    assert await server.notification("thread/archived") == {"threadId": thread}
    statuses = [params for method, params in told(server.messages) if method == "thread/status/changed"]
    assert [said["status"] for said in statuses if said["threadId"] == thread] == [{"type": "notLoaded"}]
    again = await server.error("thread/archive", {"threadId": thread})
    assert again == refused(f"no rollout found for thread id {thread}")
    archived = await server.result("thread/list", {"modelProviders": [], "archived": True})
    assert thread in [one["id"] for one in archived["data"]]
    back = await server.result("thread/unarchive", {"threadId": thread})
    assert only(back["thread"], "id", "status", "turns") == {
        "id": thread,
        "status": {"type": "notLoaded"},
        "turns": [],
    }
    assert await server.notification("thread/unarchived") == {"threadId": thread}


async def test_a_thread_is_deleted(server: ServerProcess) -> None:
    thread = await thread_on(server)
    await talk(server, thread)
    await server.barrier()
    assert await server.result("thread/delete", {"threadId": thread}) == {}
    assert await server.notification("thread/deleted") == {"threadId": thread}
    assert await server.error("thread/read", {"threadId": thread}) == refused(f"thread not loaded: {thread}")
    again = await server.error("thread/delete", {"threadId": thread})
    assert again == refused(f"no rollout found for thread id {thread}")


async def test_nobody_need_hear_of_a_thread(server: ServerProcess) -> None:
    thread = await thread_on(server)
    for status in ("unsubscribed", "notSubscribed"):
        assert await server.result("thread/unsubscribe", {"threadId": thread}) == {"status": status}
    other = {"threadId": "01a1fdca-cf50-755d-98b8-94821808da8f"}
    assert await server.result("thread/unsubscribe", other) == {"status": "notLoaded"}


async def test_items_are_put_into_a_thread_and_said_to_the_model(server: ServerProcess, fake: Any) -> None:
    thread = await thread_on(server)
    content = [{"type": "input_text", "text": "Injected"}]
    item = {"type": "message", "role": "user", "content": content}
    assert await server.result("thread/inject_items", {"threadId": thread, "items": [item]}) == {}
    await talk(server, thread)
    assert b"Injected" in fake.requests.of("responses")[-1].body
    bad: list[tuple[list[Any], str]] = [
        ([], "items must not be empty"),
        (
            [5],
            (
                "items[0] is not a valid response item: invalid type: integer `5`, expected internally tagged enum "
                "ResponseItem"
            ),
        ),
        ([{}], "items[0] is not a valid response item: missing field `type`"),
    ]
    for items, text in bad:
        error = await server.error("thread/inject_items", {"threadId": thread, "items": items})
        assert error == refused(text)


async def test_a_thread_is_compacted_in_a_turn_of_its_own(server: ServerProcess) -> None:
    thread = await thread_on(server)
    await talk(server, thread)
    await server.barrier()
    assert await server.result("thread/compact/start", {"threadId": thread}) == {}
    ended = await server.notification("turn/completed")
    said = [
        f"{method} {params.get('item', {}).get('type', '')}".strip()
        for method, params in told(server.messages)
        if method in ("turn/started", "item/started", "item/completed")
    ]
    assert said == ["turn/started", "item/started contextCompaction", "item/completed contextCompaction"]
    assert only(ended["turn"], "status", "items") == {"status": "completed", "items": []}


async def test_a_fork_without_a_provider_of_its_own(server: ServerProcess, differs: Differs) -> None:
    thread = await thread_on(server)
    await talk(server, thread)
    differs("fork-provider", (await server.result("thread/fork", {"threadId": thread}))["modelProvider"])


async def test_the_turns_of_an_ephemeral_thread(server: ServerProcess, differs: Differs) -> None:
    thread = await thread_on(server, ephemeral=True)
    await talk(server, thread)
    answer = await server.request("thread/read", {"threadId": thread, "includeTurns": True})
    turns = answer.get("result", {}).get("thread", {}).get("turns", [])
    differs("ephemeral-turns", answer.get("error", {}).get("message", len(turns)))


async def test_the_turns_of_a_thread_before_the_first(server: ServerProcess, differs: Differs) -> None:
    thread = await thread_on(server)
    answer = await server.request("thread/turns/list", {"threadId": thread})
    refusal = answer.get("error", {}).get("message")
    differs("no-turns-yet", refusal.replace(thread, "THREAD") if refusal else answer["result"]["data"])


async def test_a_thread_in_a_repository(server: ServerProcess, tmp_path: Path, differs: Differs) -> None:
    author = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    for words in (("init", "--quiet"), (*author, "commit", "--quiet", "--allow-empty", "--message", "First")):
        await anyio.run_process(["git", "-C", str(tmp_path), *words])
    thread = await thread_on(server, cwd=str(tmp_path))
    await talk(server, thread)
    info = (await server.result("thread/read", {"threadId": thread}))["thread"]["gitInfo"]
    differs("git", None if info is None else sorted(info))


async def test_who_may_read_a_conversation(server: ServerProcess, differs: Differs) -> None:
    thread = await thread_on(server)
    await talk(server, thread)
    (path,) = (server.home / "sessions").rglob(f"*{thread}.jsonl")
    differs("rollout-mode", f"{path.stat().st_mode & 0o777:o}")
