"""Threads as clients see them, loaded or not."""

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from app_server.rollouts.lock import WriterLock
from app_server.rollouts.stored import StoredThread
from app_server.rollouts.writer import RolloutWriter
from app_server.threads import described
from app_server.threads.thread import Kept
from protocol.thread import ThreadStartResponse
from protocol.turn import Turn
from tests.unit.threads.support import DEADLINE, THREAD, Client, Hang, Model, begin, course, meta, said, thread, turn_of


async def test_a_loaded_thread_is_told_with_its_settings_and_its_status(tmp_path: Path) -> None:
    live = thread(tmp_path, Client())
    live.rename("Name")
    live.begin(turn_of(live, Model()))
    told = described.live(live)
    assert (told.id, told.name, told.model, told.model_provider, told.cwd) == (
        THREAD,
        "Name",
        "test-model",
        "mock",
        str(tmp_path),
    )
    assert (told.status.root.type, told.ephemeral, told.path, told.turns) == ("active", True, None, [])


def test_a_thread_that_is_kept_says_where(tmp_path: Path) -> None:
    writer = RolloutWriter(tmp_path / "rollout.jsonl", meta(tmp_path))
    live = thread(tmp_path, Client(), kept=Kept(writer, WriterLock(tmp_path, THREAD), str(writer.path)))
    told = described.live(live)
    assert (told.ephemeral, told.path) == (False, str(writer.path))
    assert described.summary(live).path == writer.path


def test_times_are_seconds_and_the_list_has_milliseconds(tmp_path: Path) -> None:
    live = thread(tmp_path, Client())
    live.updated_at_ms = live.recency_at_ms = 1_795_255_369_935
    assert (described.live(live).updated_at, described.live(live).recency_at) == (1_795_255_369, 1_795_255_369)
    assert described.summary(live).updated_at_ms == 1_795_255_369_935


def test_changed_settings_are_those_that_are_told(tmp_path: Path) -> None:
    live = thread(tmp_path, Client())
    live.settings = replace(live.settings, model="other", effort="high", cwd="/elsewhere", service_tier="priority")
    told = described.opened(ThreadStartResponse, live)
    assert (told.model, told.reasoning_effort, told.cwd, told.runtime_workspace_roots, told.service_tier) == (
        "other",
        "high",
        "/elsewhere",
        ["/elsewhere"],
        "priority",
    )
    assert (told.thread.cwd, told.thread.model, told.thread.reasoning_effort) == ("/elsewhere", "other", "high")


async def test_the_turn_that_runs_is_the_last_of_all_turns(tmp_path: Path) -> None:
    live, hang = thread(tmp_path, Client()), Hang()
    await course(live, Model(said("Hello")))
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            turn = begin(live, Model((hang, said("Again"))), tasks)
            await hang.reached.wait()
            assert [(each.id, each.status) for each in described.all_turns(live)][1:] == [(turn.id, "inProgress")]
            hang.go_on.set()
    assert [each.status for each in described.all_turns(live)] == ["completed", "completed"]


@pytest.mark.parametrize(("source", "told"), [("cli", "cli"), ("vscode", "vscode"), ("a word of tomorrow", "unknown")])
def test_a_stored_thread_is_not_loaded_and_its_source_is_a_word_that_clients_know(
    tmp_path: Path, source: str, told: str
) -> None:
    stored = StoredThread.empty(replace(meta(tmp_path), source=source), tmp_path / "x.jsonl", "Name")
    stored.turns = [Turn(id="t", items=[], status="completed", started_at=1_795_255_369)]
    stored.context = {"model": "stored", "effort": "low"}
    seen = described.stored(stored)
    assert (seen.source.root, seen.status.root.type, seen.name, seen.model) == (told, "notLoaded", "Name", "stored")
    assert (seen.recency_at, seen.turns) == (1_795_255_369, [])
    assert described.stored(stored, stored.turns).turns == stored.turns


def test_a_stored_thread_without_turns_is_as_old_as_its_beginning(tmp_path: Path) -> None:
    stored = StoredThread.empty(meta(tmp_path), tmp_path / "x.jsonl")
    assert described.stored(stored).recency_at == int(stored.meta.created_at.timestamp())


def test_the_repository_that_a_thread_of_the_reference_was_begun_in_is_told(tmp_path: Path) -> None:
    stored = StoredThread.empty(replace(meta(tmp_path), git=("abc", "main", None)), tmp_path / "x.jsonl")
    git = described.stored(stored).git_info
    assert git is not None
    assert (git.sha, git.branch, git.origin_url) == ("abc", "main", None)
    assert described.stored(StoredThread.empty(meta(tmp_path), tmp_path / "x.jsonl")).git_info is None
