"""One loaded thread: its status, its history, and what becomes of it when it cannot be stored."""

import errno
import logging
from pathlib import Path
from typing import Any

import anyio
import pytest

from app_server.rollouts.errors import RolloutNotWritten
from app_server.rollouts.lock import WriterLock
from app_server.rollouts.reading import read_thread
from app_server.rollouts.records import Record
from app_server.rollouts.writer import RolloutWriter
from app_server.threads.response_items import CANCELLED, message
from app_server.threads.thread import Kept, LiveThread
from protocol.items import ThreadItem, UserMessageThreadItem
from protocol.turn import Turn, TurnStatus
from protocol.user_input import ImageUserInput, TextUserInput, UserInput
from tests.unit.threads.support import (
    DEADLINE,
    THREAD,
    Client,
    Hang,
    Model,
    Parent,
    added,
    begin,
    call_done,
    completed,
    course,
    delta,
    meta,
    output,
    said,
    settings,
    thread,
    turn_of,
)


class FullDisk(RolloutWriter):
    """Refuses to write for as long as it is full."""

    def __init__(self, tmp_path: Path) -> None:
        super().__init__(tmp_path / "rollout.jsonl", meta(tmp_path))
        self.full = True

    def append(self, *records: Record) -> None:
        if self.full:
            raise RolloutNotWritten.because(self.path, errno.ENOSPC)
        super().append(*records)


def kept(tmp_path: Path, writer: RolloutWriter | None = None) -> Kept:
    lock = WriterLock(tmp_path / "home", THREAD)
    lock.acquire()
    writer = writer or RolloutWriter(tmp_path / "rollout.jsonl", meta(tmp_path))
    return Kept(writer, lock, str(writer.path))


def stored(tmp_path: Path) -> Any:
    return read_thread(tmp_path / "rollout.jsonl", archived=False, find=lambda _: None)


def a_turn(*content: TextUserInput | ImageUserInput, status: TurnStatus = "completed") -> Turn:
    items = [ThreadItem(UserMessageThreadItem(id="u", content=[UserInput(part) for part in content]))]
    return Turn(id="t", items=items, status=status)


# Where it is kept


async def test_what_happens_in_a_thread_can_be_read_back(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client, kept=kept(tmp_path))
    await course(live, Model(said("Hello", 12)))
    live.close()
    read = stored(tmp_path)
    assert [turn.status for turn in read.turns] == ["completed"]
    assert [item.root.type for item in read.turns[0].items] == ["userMessage", "agentMessage"]
    assert read.history == list(live.window.history)
    assert (read.usage, read.preview) == (live.window.usage, "Hi")


async def test_a_thread_that_cannot_be_stored_warns_once_and_its_turns_go_on(
    client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    disk = FullDisk(tmp_path)
    live = thread(tmp_path, client, kept=kept(tmp_path, disk))
    await course(live, Model(said("Hello")))
    await course(live, Model(said("Hello again")))
    assert [turn.status for turn in live.turns] == ["completed", "completed"]
    [warning] = client.of("warning")
    assert "No space left on device" in warning["message"]
    assert len(caplog.records) == 1
    live.close()


async def test_a_thread_that_cannot_be_stored_again_warns_again(client: Client, tmp_path: Path) -> None:
    disk = FullDisk(tmp_path)
    live = thread(tmp_path, client, kept=kept(tmp_path, disk))
    for full in (True, True, False, True, True):
        disk.full = full
        live.inject([message("user", "x")])
    assert len(client.of("warning")) == 2
    live.close()


async def test_a_closed_thread_ends_its_turn_first_and_then_lets_others_write_it(
    client: Client, tmp_path: Path
) -> None:
    live, hang = thread(tmp_path, client, kept=kept(tmp_path)), Hang()
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            begin(live, Model(([added(), delta("Half")], hang)), tasks)
            await hang.reached.wait()
            live.close()
            other = WriterLock(tmp_path / "home", THREAD)
            other.acquire()
    other.release()
    assert [turn.status for turn in stored(tmp_path).turns] == ["interrupted"]
    assert client.of("warning") == []
    assert len(client.of("turn/completed")) == 1


def test_an_ephemeral_thread_writes_nothing(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client)
    live.inject([message("user", "x")])
    live.materialize()
    live.close()
    assert list(tmp_path.iterdir()) == []


# Its history


def test_calls_that_a_dead_process_left_open_are_answered_as_cancelled(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client)
    open_call = {"type": "function_call", "call_id": "a", "name": "x", "arguments": "{}"}
    live.inject([open_call, message("user", "Hi")])
    live.answer_open_calls()
    live.answer_open_calls()
    outputs = [item for item in live.window.history if item["type"] == "function_call_output"]
    assert [(item["call_id"], item["output"]) for item in outputs] == [("a", CANCELLED)]


async def test_a_turn_keeps_the_settings_and_limits_that_it_began_with(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client)
    context = live.turn_context()
    live.settings = settings(tmp_path / "other")
    assert context.settings.cwd == str(tmp_path)
    assert live.turn_context().settings.cwd == str(tmp_path / "other")
    assert context.window is live.turn_context().window is live.window


# What the client sees


async def test_a_status_is_told_when_it_changes(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client)
    live.turn_ended(a_turn(), None)
    live.begin(turn_of(live, Model()))
    live.turn_waits(False)
    live.turn_ended(a_turn(status="failed"), None)
    live.turn_ended(a_turn(status="failed"), None)
    assert client.statuses == ["active", "systemError"]


def test_nobody_waits_for_the_user_where_no_turn_runs(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client)
    live.turn_waits(True)
    live.turn_waits(False)
    assert client.statuses == []


@pytest.mark.parametrize(
    ("content", "preview"),
    [
        ([TextUserInput(text=" Hi "), TextUserInput(text="there")], "Hi there"),
        ([ImageUserInput(url="data:,")], "[Image]"),
        ([], ""),
    ],
)
def test_the_first_thing_that_the_user_said_is_the_preview(
    client: Client, tmp_path: Path, content: Any, preview: str
) -> None:
    live = thread(tmp_path, client)
    live.turn_ended(a_turn(*content), None)
    assert live.preview == preview
    live.turn_ended(a_turn(TextUserInput(text="Later")), None)
    assert live.preview == (preview or "Later")


async def test_those_who_have_unsubscribed_are_told_of_the_status_only(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client)
    live.say.subscribed = False
    live.begin(turn_of(live, Model()))
    live.say.warning("x")
    live.say.message_delta("t", "i", "d")
    live.say.closed()
    assert client.methods == ["thread/status/changed", "thread/closed"]


async def test_it_is_told_when_no_turn_runs_any_more_and_the_client_knows(client: Client, tmp_path: Path) -> None:
    seen: list[tuple[bool, str]] = []

    def settled_down(live: LiveThread) -> None:
        seen.append((live.turn is None, client.told[-1][0]))

    await course(thread(tmp_path, client, settled_down=settled_down), Model(said("Hello")))
    assert seen == [(True, "turn/completed")]


async def test_a_turn_that_has_called_a_tool_can_be_read_back(client: Client, tmp_path: Path) -> None:
    async def tool(_: Any) -> Any:
        return output("found")

    live = thread(tmp_path, client, kept=kept(tmp_path))
    await course(live, Model([call_done(), completed()], said("Done")), parent=Parent(tool))
    live.close()
    assert stored(tmp_path).history == list(live.window.history)


async def test_a_turn_that_has_not_begun_changes_nothing(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client)
    turn_of(live, Model())
    assert (live.turn, client.told, len(live.window.history)) == (None, [], 0)
