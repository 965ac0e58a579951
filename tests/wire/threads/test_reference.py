"""One home for this server and the reference: each lists, shows, resumes and continues what the other has begun.

Only where ``APP_SERVER_REFERENCE`` names the reference's program; it speaks to the fake and to nobody else.
"""

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.threads.support import (
    being_written,
    echoed,
    fork,
    listed,
    read,
    resume,
    said,
    told,
)
from tests.wire.turns.support import asked, begin, delta, text_input

REFERENCE = os.environ.get("APP_SERVER_REFERENCE", "")

pytestmark = pytest.mark.skipif(not REFERENCE, reason="APP_SERVER_REFERENCE names no program")

Server = Callable[[], AbstractAsyncContextManager[ServerProcess]]

TOOL: Json = {"type": "function", "name": "lookup", "description": "d", "inputSchema": {"type": "object"}}
MAIL: Json = {"name": "mail", "namespace": "post", "output": [{"type": "input_text", "text": "You have mail"}]}


@pytest.fixture
def ours(start: Start) -> Server:
    return start


@pytest.fixture
def reference(start: Start, home: Path) -> Server:
    home.mkdir(exist_ok=True)
    return partial(start, command=(REFERENCE, "app-server"))


async def talk(server: ServerProcess, thread_id: str, text: str) -> Json:
    """One whole turn, of which only the end counts here; the turn."""
    await server.result("turn/start", {"threadId": thread_id, "input": text_input(text)})
    finished = await server.notification("turn/completed")
    await server.barrier()
    turn: Json = finished["turn"]
    return turn


async def eventful(fake: FakeOpenAI, server: ServerProcess) -> str:
    """A thread in which everything happens that a turn can consist of: reasoning and a tool, an interruption, a
    failure, what a tool delivers unasked, and a plain answer in the end."""
    fake.script(reasoning="Hm.", tool_calls=[{"name": "lookup", "call_id": "call-1", "arguments": {"q": 1}}])
    thread_id: str = (await server.result("thread/start", {"dynamicTools": [TOOL]}))["thread"]["id"]
    await server.result("turn/start", {"threadId": thread_id, "input": text_input("Tool")})
    called = await server.server_request("item/tool/call")
    result = {"contentItems": [{"type": "inputText", "text": "Found"}], "success": True}
    await server.send({"id": called["id"], "result": result})
    await server.notification("turn/completed")
    await server.barrier()
    fake.fault("responses", hang_after_events=5)
    turn_id = await begin(server, thread_id, "Interrupted")
    await delta(server, thread_id)
    await server.result("turn/interrupt", {"threadId": thread_id, "turnId": turn_id})
    await server.notification("turn/completed")
    await server.barrier()
    fake.clear_faults()
    fake.release()
    fake.fault("responses", status=400, json={"error": {"message": "No.", "code": "bad"}})
    await talk(server, thread_id, "Failed")
    await server.result("turn/start", {"threadId": thread_id, "input": [], "toolOutput": MAIL})
    await server.notification("turn/completed")
    await server.barrier()
    await talk(server, thread_id, "Plain")
    return thread_id


def in_short(turns: list[Json]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Turns as both sides have to show them: their ids, how they ended, and the kinds and ids of their items."""
    return [(turn["id"], turn["status"], [(item["type"], item["id"]) for item in turn["items"]]) for turn in turns]


def model_was_told(fake: FakeOpenAI) -> list[Any]:
    """What the model was told last, without what each side says of the surroundings."""
    items = [
        (item["type"], item.get("call_id") or item.get("encrypted_content"), item.get("output"))
        for item in asked(fake)[-1].json["input"]
        if item["type"] != "message"
    ]
    texts = [(role, "(aborted)" if text.startswith("<turn_aborted>") else text) for role, text in told(fake)]
    return [items, texts]


@pytest.mark.parametrize("first", ["ours", "reference"])
async def test_the_other_lists_shows_and_continues_the_thread_and_back_again(
    fake: FakeOpenAI, ours: Server, reference: Server, first: str
) -> None:
    one, other = (ours, reference) if first == "ours" else (reference, ours)
    async with one() as server:
        thread_id = await eventful(fake, server)
        before = await read(server, thread_id)
        await talk(server, thread_id, "Last")
        told_by_one = model_was_told(fake)
    async with other() as server:
        assert await listed(server) == [thread_id]
        result = await resume(server, thread_id)
        turns = result["thread"]["turns"]
        assert in_short(turns)[:-1] == in_short(before["turns"])
        assert [said(turn) for turn in turns][:-1] == [said(turn) for turn in before["turns"]]
        assert turns[2]["error"]["message"] == before["turns"][2]["error"]["message"]
        for name in ("preview", "cwd", "modelProvider", "source", "createdAt", "historyMode"):
            assert result["thread"][name] == before[name], name
        assert result["model"] == "gpt-5.1-codex"

        await talk(server, thread_id, "Other")

        assert model_was_told(fake)[0] == told_by_one[0]
        assert model_was_told(fake)[1] == [*told_by_one[1], ("assistant", "Last"), ("user", "Other")]
        assert "lookup" in [declared.get("name") for declared in asked(fake)[-1].json["tools"]]
    async with one() as server:
        again = (await resume(server, thread_id))["thread"]["turns"]
        assert in_short(again)[:-1] == in_short(turns)
        assert said(again[-1]) == ["Other", "Other"]
        await talk(server, thread_id, "Back")
        assert model_was_told(fake)[1][-2:] == [("assistant", "Other"), ("user", "Back")]


@pytest.mark.parametrize("first", ["ours", "reference"])
async def test_there_is_one_writer(fake: FakeOpenAI, ours: Server, reference: Server, first: str) -> None:
    one, other = (ours, reference) if first == "ours" else (reference, ours)
    async with one() as holder, other() as visitor:
        thread_id = (await holder.result("thread/start", {}))["thread"]["id"]
        await talk(holder, thread_id, "One")
        for method in ("thread/resume", "thread/archive"):
            assert await visitor.error(method, {"threadId": thread_id}) == being_written(thread_id)
        await holder.close_input()
        assert await holder.exit_status() == 0
        await resume(visitor, thread_id)
        await talk(visitor, thread_id, "Two")
        assert told(fake) == echoed("One", "Two")


@pytest.mark.parametrize("first", ["ours", "reference"])
async def test_archived_by_the_one_and_brought_back_by_the_other(
    fake: FakeOpenAI, ours: Server, reference: Server, first: str
) -> None:
    one, other = (ours, reference) if first == "ours" else (reference, ours)
    async with one() as server:
        thread_id = (await server.result("thread/start", {}))["thread"]["id"]
        await talk(server, thread_id, "One")
        await server.result("thread/archive", {"threadId": thread_id})
    async with other() as server:
        assert (await listed(server), await listed(server, archived=True)) == ([], [thread_id])
        await server.result("thread/unarchive", {"threadId": thread_id})
    async with one() as server:
        assert (await listed(server), await listed(server, archived=True)) == ([thread_id], [])
    # What the reference has archived itself is archived in its own database as well, and it will not resume it.
    async with ours() as server:
        await resume(server, thread_id)
        await talk(server, thread_id, "Two")
        assert told(fake) == echoed("One", "Two")


@pytest.mark.parametrize("first", ["ours", "reference"])
async def test_a_fork_of_the_one_is_gone_on_with_by_the_other(
    fake: FakeOpenAI, ours: Server, reference: Server, first: str
) -> None:
    one, other = (ours, reference) if first == "ours" else (reference, ours)
    async with one() as server:
        source = (await server.result("thread/start", {}))["thread"]["id"]
        await talk(server, source, "One")
        forked = (await fork(server, source))["thread"]["id"]
        await talk(server, forked, "Fork")
        await talk(server, source, "Source")
    async with other() as server:
        await resume(server, source)  # The reference shows the turns of a fork once it has seen those of its source.
        thread = (await resume(server, forked))["thread"]
        assert thread["forkedFromId"] == source
        assert [said(turn) for turn in thread["turns"]] == [["One", "One"], ["Fork", "Fork"]]
        await talk(server, forked, "More")
        assert told(fake) == echoed("One", "Fork", "More")
        other_fork = (await fork(server, source))["thread"]
        assert [said(turn) for turn in other_fork["turns"]] == [["One", "One"], ["Source", "Source"]]


async def test_names_of_the_reference_are_known_here(fake: FakeOpenAI, ours: Server, reference: Server) -> None:
    async with reference() as server:
        thread_id = (await server.result("thread/start", {}))["thread"]["id"]
        await talk(server, thread_id, "One")
        await server.result("thread/name/set", {"threadId": thread_id, "name": "Theirs"})
    async with ours() as server:
        assert (await server.result("thread/list", {}))["data"][0]["name"] == "Theirs"
        assert (await resume(server, thread_id))["thread"]["name"] == "Theirs"


async def test_names_of_threads_in_the_old_form_are_known_there(
    fake: FakeOpenAI, ours: Server, reference: Server
) -> None:
    """Those of others it keeps in a database of its own, which nobody else writes."""
    async with ours() as server:
        thread_id = (await server.result("thread/start", {"historyMode": "legacy"}))["thread"]["id"]
        await talk(server, thread_id, "One")
        await server.result("thread/name/set", {"threadId": thread_id, "name": "Ours"})
    async with reference() as server:
        (entry,) = (await server.result("thread/list", {}))["data"]
        assert (entry["id"], entry["name"], entry["preview"]) == (thread_id, "Ours", "One")
        thread = await read(server, thread_id)
        assert [said(turn) for turn in thread["turns"]] == [["One", "One"]]
        await resume(server, thread_id)
        await talk(server, thread_id, "Two")
        assert told(fake) == echoed("One", "Two")
    async with ours() as server:
        assert [said(turn) for turn in (await resume(server, thread_id))["thread"]["turns"]][1] == ["Two", "Two"]


async def test_a_compacted_history_is_the_summary_on_both_sides(
    fake: FakeOpenAI, ours: Server, reference: Server
) -> None:
    async with ours() as server:
        thread_id = (await server.result("thread/start", {}))["thread"]["id"]
        await talk(server, thread_id, "One")
        fake.script(text="The summary", request_kind="compaction")
        await server.result("thread/compact/start", {"threadId": thread_id})
        await server.notification("turn/completed")
        await talk(server, thread_id, "Two")
        told_by_us = told(fake)
    async with reference() as server:
        turns = (await resume(server, thread_id))["thread"]["turns"]
        assert [item["type"] for item in turns[1]["items"]] == ["contextCompaction"]
        await talk(server, thread_id, "Three")
        assert told(fake) == [*told_by_us, ("assistant", "Two"), ("user", "Three")]
