"""What a process that was killed in the middle of a turn leaves behind, and how its threads go on in the next one."""

from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json
from tests.support.upstream import Start
from tests.wire.threads.support import cut_off, echoed, kill, read, resume, said, spoken, thread_with, told
from tests.wire.turns.support import asked, begin, delta, start_thread, talk


async def interrupted_by_a_kill(fake: FakeOpenAI, start: Start) -> tuple[str, Path]:
    """A thread whose second turn had begun to answer when its process was killed; its id and its file."""
    async with start() as server:
        thread_id = await thread_with(server, "One")
        path = Path((await read(server, thread_id))["path"])
        fake.fault("responses", hang_after_events=5)
        await begin(server, thread_id, "Two")
        await delta(server, thread_id)
        await kill(server)
    fake.clear_faults()
    fake.release()
    return thread_id, path


async def test_a_turn_that_was_killed_was_interrupted_and_the_thread_goes_on(fake: FakeOpenAI, start: Start) -> None:
    thread_id, _ = await interrupted_by_a_kill(fake, start)
    async with start() as server:
        turns = (await resume(server, thread_id))["thread"]["turns"]

        assert [(turn["status"], said(turn)) for turn in turns] == [
            ("completed", ["One", "One"]),
            ("interrupted", ["Two"]),
        ]
        assert spoken(await talk(server, thread_id, "Three")) == ("completed", ["Three"])
        assert told(fake) == [*echoed("One", "Two"), ("user", "Three")]
        again = (await read(server, thread_id))["turns"]
        assert [turn["status"] for turn in again] == ["completed", "interrupted", "completed"]
    async with start() as server:
        turns = (await resume(server, thread_id))["thread"]["turns"]
        assert [turn["status"] for turn in turns] == ["completed", "interrupted", "completed"]


@pytest.mark.parametrize("torn", [b'{"timestamp":"2026-11-21T1', b"\xff\xfe{", b'{"a":1}', b"\n", b"null\n[]\nx\n"])
async def test_a_torn_last_line_is_repaired(fake: FakeOpenAI, start: Start, torn: bytes) -> None:
    thread_id, path = await interrupted_by_a_kill(fake, start)
    with path.open("ab") as file:
        file.write(torn)
    whole = path.read_bytes()
    async with start() as server:
        assert [turn["status"] for turn in (await read(server, thread_id))["turns"]] == ["completed", "interrupted"]
        assert path.read_bytes() == whole, "to read it changes nothing"
        await resume(server, thread_id)
        assert spoken(await talk(server, thread_id, "Three")) == ("completed", ["Three"])
        assert path.read_bytes().startswith(whole)
    async with start() as server:
        turns = (await resume(server, thread_id))["thread"]["turns"]
        assert [said(turn) for turn in turns] == [["One", "One"], ["Two"], ["Three", "Three"]]
        await talk(server, thread_id, "Four")
        assert told(fake) == [*echoed("One", "Two"), *echoed("Three", "Four")]


async def test_a_line_that_was_cut_off_in_the_middle_costs_no_more_than_itself(fake: FakeOpenAI, start: Start) -> None:
    async with start() as server:
        thread_id = await thread_with(server, "One", "Two")
        path = Path((await read(server, thread_id))["path"])
    cut_off(path, 20)
    async with start() as server:
        turns = (await resume(server, thread_id))["thread"]["turns"]

        assert [(turn["status"], said(turn)) for turn in turns] == [
            ("completed", ["One", "One"]),
            ("interrupted", ["Two", "Two"]),
        ]
        await talk(server, thread_id, "Three")
        assert told(fake) == echoed("One", "Two", "Three")


async def test_a_call_that_was_never_answered_is_answered_on_resume(fake: FakeOpenAI, start: Start) -> None:
    """A request with a call and no output of it would be refused by the model's side, for ever."""
    tool: Json = {"type": "function", "name": "lookup", "description": "d", "inputSchema": {"type": "object"}}
    fake.script(tool_calls=[{"name": "lookup", "call_id": "call-1", "arguments": {}}])
    async with start() as server:
        thread_id = await start_thread(server, "once", dynamicTools=[tool])
        await begin(server, thread_id, "One")
        await server.server_request("item/tool/call")
        await kill(server)
    async with start() as server:
        await resume(server, thread_id)
        await talk(server, thread_id, "Two")
        items = asked(fake)[-1].json["input"]
        calls = [item["call_id"] for item in items if item["type"] == "function_call"]
        outputs = [item["call_id"] for item in items if item["type"] == "function_call_output"]
        assert calls == outputs == ["call-1"]
        assert [declared["name"] for declared in asked(fake)[-1].json["tools"]] == ["lookup"]
