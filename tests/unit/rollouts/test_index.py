"""The index: it matches the files, whoever changes them; and whatever becomes of it, there is an answer."""

import os
import sqlite3
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from app_server.rollouts.database import SCHEMA_VERSION
from app_server.rollouts.layout import INDEX
from app_server.rollouts.lock import WriterLock
from app_server.rollouts.records import event as happened
from app_server.rollouts.store import ThreadQuery, ThreadStore, ThreadSummary
from app_server.rollouts.writer import RolloutWriter
from tests.unit.rollouts.rollout_support import (
    NOON,
    event,
    meta,
    paths_in,
    raw,
    session,
    settle,
    spoken,
    thread_id,
    turn_records,
    written,
)


async def previews(store: ThreadStore, **query: Any) -> list[str]:
    return [summary.preview for summary in (await store.list(ThreadQuery(**query))).summaries]


async def settled(store: ThreadStore, home: Path) -> None:
    """Nothing changes for a while, and the index knows it."""
    settle(home)
    await store.list(ThreadQuery())


async def test_new_files_are_found_at_the_next_list(store: ThreadStore, tmp_path: Path) -> None:
    spoken(tmp_path, 1, "one")
    await settled(store, tmp_path)
    spoken(tmp_path, 2, "two")
    spoken(tmp_path, 3, "three", created_at=NOON.replace(year=2027))
    assert await previews(store) == ["three", "two", "one"]


async def test_a_thread_is_listed_as_soon_as_something_is_said_in_it(store: ThreadStore, tmp_path: Path) -> None:
    path = written(tmp_path, meta())
    await settled(store, tmp_path)
    assert await previews(store) == []
    RolloutWriter(path, meta(), next_ordinal=1).append(*turn_records(meta().id, "t", "now"))
    assert await previews(store) == ["now"]


async def test_files_that_are_gone_are_not_listed(store: ThreadStore, tmp_path: Path) -> None:
    paths = [spoken(tmp_path, number, str(number)) for number in (1, 2)]
    other = spoken(tmp_path, 3, "3", created_at=NOON.replace(year=2027))
    await settled(store, tmp_path)
    paths[0].unlink()
    other.unlink()
    for directory in list(other.parents)[:3]:
        directory.rmdir()
    assert await previews(store) == ["2"]


async def test_a_thread_that_is_loaded_somewhere_shows_its_growth_at_once(store: ThreadStore, tmp_path: Path) -> None:
    path = spoken(tmp_path, 1)
    lock = WriterLock(tmp_path, thread_id(1))
    lock.acquire()
    await settled(store, tmp_path)
    os.utime(path, (5000, 5000))
    (summary,) = (await store.list(ThreadQuery())).summaries
    assert (summary.updated_at, summary.recency_at, summary.preview) == (5000, 5000, "hello")
    lock.release()


async def test_what_a_thread_grew_by_before_its_lock_went_shows_too(store: ThreadStore, tmp_path: Path) -> None:
    path = spoken(tmp_path, 1)
    lock = WriterLock(tmp_path, thread_id(1))
    lock.acquire()
    await settled(store, tmp_path)
    os.utime(path, (5000, 5000))
    lock.release()
    (summary,) = (await store.list(ThreadQuery())).summaries
    assert summary.updated_at == 5000


async def test_locks_that_come_and_go_within_one_tick_of_the_clock_are_not_missed(
    store: ThreadStore, tmp_path: Path
) -> None:
    path = spoken(tmp_path, 1)
    settle(tmp_path)
    lock = WriterLock(tmp_path, thread_id(1))
    lock.acquire()
    lock.release()
    now = time.time_ns() + 10**9  # as fresh as can be
    for moment in (5000, 6000):
        os.utime(tmp_path / "thread-writer-locks", ns=(now, now))
        os.utime(path, (moment, moment))
        assert (await store.list(ThreadQuery())).summaries[0].updated_at == moment


async def test_no_file_is_looked_at_while_nothing_has_changed(store: ThreadStore, tmp_path: Path) -> None:
    (tmp_path / "thread-writer-locks").mkdir()
    path = spoken(tmp_path, 1)
    await settled(store, tmp_path)
    (before,) = (await store.list(ThreadQuery())).summaries
    os.utime(path, (5000, 5000))  # by somebody who takes no locks: found out later
    assert (await store.list(ThreadQuery())).summaries == [before]


async def test_the_beginning_of_a_file_is_read_once(store: ThreadStore, tmp_path: Path) -> None:
    path = spoken(tmp_path, 1, "before")
    await settled(store, tmp_path)
    path.write_bytes(path.read_bytes().replace(b"before", b"after!"))
    RolloutWriter(path, meta(), next_ordinal=9).append(happened("weird"))
    os.utime(path.parent)
    assert await previews(store) == ["before"]


async def test_a_file_that_has_become_shorter_is_another_one(store: ThreadStore, tmp_path: Path) -> None:
    path = spoken(tmp_path, 1, "before")
    await settled(store, tmp_path)
    path.write_bytes(session() + event("user_message", message="x"))
    os.utime(path.parent)
    assert await previews(store) == ["x"]


async def test_the_index_alone_answers_if_asked_to(store: ThreadStore, tmp_path: Path) -> None:
    spoken(tmp_path, 1, "one")
    assert await previews(store, use_state_db_only=True) == ["one"]  # there was none yet
    spoken(tmp_path, 2, "two")
    assert await previews(store, use_state_db_only=True) == ["one"]
    assert await previews(store) == ["two", "one"]


async def test_names_given_by_other_programs_are_found(store: ThreadStore, tmp_path: Path) -> None:
    spoken(tmp_path, 1)
    await settled(store, tmp_path)
    other = ThreadStore(tmp_path)
    for name in ("one", "two"):
        await other.set_name(thread_id(1), name)
        assert (await store.list(ThreadQuery())).summaries[0].name == name
    (tmp_path / "session_index.jsonl").unlink()
    assert (await store.list(ThreadQuery())).summaries[0].name is None


async def test_a_fork_shows_what_was_said_first_in_its_source(store: ThreadStore, tmp_path: Path) -> None:
    spoken(tmp_path, 1, "first of all", created_at=NOON.replace(hour=11))
    base = {"thread_id": thread_id(1), "end_ordinal_exclusive": 8}
    raw(tmp_path, 2, session(2, history_base=base, forked_from_id=thread_id(1)), event("user_message", message="later"))
    raw(tmp_path, 3, session(3, history_base=base, forked_from_id=thread_id(1)))
    page = await store.list(ThreadQuery())
    assert [summary.preview for summary in page.summaries] == ["first of all"] * 3
    assert [summary.forked_from_id for summary in page.summaries] == [thread_id(1), thread_id(1), None]


class TestNotes:
    def summary(self, path: Path, **changes: Any) -> ThreadSummary:
        values: dict[str, Any] = {
            "preview": "noted",
            "context": {"model": "m2", "effort": "low"},
            "updated_at_ms": 7000,
            "recency_at_ms": 6000,
        }
        return ThreadSummary.of_meta(meta(), path, **values | changes)

    async def test_what_a_live_thread_tells_is_listed(self, store: ThreadStore, tmp_path: Path) -> None:
        path = spoken(tmp_path, 1)
        await settled(store, tmp_path)
        store.note(self.summary(path))
        (listed,) = (await store.list(ThreadQuery())).summaries
        assert (listed.preview, listed.model, listed.effort) == ("noted", "m2", "low")
        assert (listed.updated_at, listed.recency_at, listed.path) == (7, 6, path)

    async def test_only_the_last_note_of_a_thread_counts(self, store: ThreadStore, tmp_path: Path) -> None:
        path = spoken(tmp_path, 1)
        store.note(self.summary(path, preview="one"))
        store.note(self.summary(path, preview="two"))
        assert await previews(store) == ["two"]

    async def test_a_thread_without_a_file_is_not_listed(self, store: ThreadStore, tmp_path: Path) -> None:
        spoken(tmp_path, 2, "other")
        store.note(self.summary(tmp_path / "sessions" / "none.jsonl"))
        store.note(self.summary(tmp_path.parent / "elsewhere.jsonl"))
        assert await previews(store) == ["other"]

    async def test_a_note_does_not_forget_where_a_history_begins(self, store: ThreadStore, tmp_path: Path) -> None:
        spoken(tmp_path, 2)
        base = {"thread_id": thread_id(2), "end_ordinal_exclusive": 8}
        path = raw(tmp_path, 1, session(1, history_base=base))
        await settled(store, tmp_path)
        store.note(self.summary(path))
        await store.list(ThreadQuery())
        with pytest.raises(Exception, match="forked history still references it"):
            await store.delete(thread_id(2))


class TestTrouble:
    async def answers(self, home: Path) -> list[str]:
        store = ThreadStore(home)
        try:
            return await previews(store)
        finally:
            await store.aclose()

    async def test_the_index_is_for_its_owner_only(self, store: ThreadStore, tmp_path: Path) -> None:
        spoken(tmp_path, 1)
        before = os.umask(0)
        try:
            await store.list(ThreadQuery())
        finally:
            os.umask(before)
        files = [path for path in paths_in(tmp_path) if path.name.startswith(INDEX)]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}

    async def test_a_later_process_finds_the_index_there(self, tmp_path: Path) -> None:
        path = spoken(tmp_path, 1, "before")
        (tmp_path / "thread-writer-locks").mkdir()
        settle(tmp_path)
        assert await self.answers(tmp_path) == ["before"]
        path.write_bytes(path.read_bytes().replace(b"before", b"after!"))
        assert await self.answers(tmp_path) == ["before"]

    async def test_without_an_index_one_is_made(self, tmp_path: Path) -> None:
        spoken(tmp_path, 1, "one")
        assert await self.answers(tmp_path) == ["one"]
        for path in paths_in(tmp_path):
            if path.name.startswith(INDEX):
                path.unlink()
        assert await self.answers(tmp_path) == ["one"]

    @pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 4080])
    async def test_a_broken_index_is_made_anew(self, tmp_path: Path, content: bytes) -> None:
        spoken(tmp_path, 1, "one")
        (tmp_path / INDEX).write_bytes(content)
        assert await self.answers(tmp_path) == ["one"]
        with sqlite3.connect(tmp_path / INDEX) as connection:
            assert connection.execute("SELECT preview FROM threads").fetchall() == [("one",)]
        connection.close()

    async def test_an_index_that_breaks_while_it_is_in_use_is_made_anew(
        self, store: ThreadStore, tmp_path: Path
    ) -> None:
        spoken(tmp_path, 1, "one")
        await store.list(ThreadQuery())
        with sqlite3.connect(tmp_path / INDEX) as connection:
            connection.execute("DROP TABLE names")
        connection.close()
        assert await previews(store) == ["one"]

    async def test_an_index_of_another_schema_is_made_anew(self, tmp_path: Path) -> None:
        spoken(tmp_path, 1, "one")
        with sqlite3.connect(tmp_path / INDEX) as connection:
            connection.execute("CREATE TABLE threads (other)")
            connection.execute("CREATE TABLE more (other)")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        assert await self.answers(tmp_path) == ["one"]
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        assert ("more",) not in tables
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        connection.close()

    async def test_an_index_that_somebody_does_not_let_go_of_costs_a_look_at_the_files(self, tmp_path: Path) -> None:
        spoken(tmp_path, 1, "one")
        assert await self.answers(tmp_path) == ["one"]
        connection = sqlite3.connect(tmp_path / INDEX, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        spoken(tmp_path, 2, "two")
        assert await self.answers(tmp_path) == ["two", "one"]
        connection.execute("ROLLBACK")
        connection.close()

    async def test_a_place_where_there_can_be_no_index_costs_a_look_at_the_files(self, tmp_path: Path) -> None:
        spoken(tmp_path, 1, "one")
        (tmp_path / INDEX).mkdir()
        store = ThreadStore(tmp_path)
        assert await previews(store) == ["one"]
        spoken(tmp_path, 2, "two")
        assert await previews(store) == ["two", "one"]
        await store.aclose()

    @pytest.mark.parametrize("home", ["none", "empty", "file"])
    async def test_a_home_without_threads_lists_none_and_stays_as_it_is(self, tmp_path: Path, home: str) -> None:
        if home == "empty":
            (tmp_path / home).mkdir()
        elif home == "file":
            (tmp_path / home).write_text("")
        assert await self.answers(tmp_path / home) == []
        assert [path for path in paths_in(tmp_path) if path != tmp_path / home] == []

    async def test_two_processes_share_the_index(self, tmp_path: Path) -> None:
        spoken(tmp_path, 1, "one")
        first, second = ThreadStore(tmp_path), ThreadStore(tmp_path)
        assert await previews(first) == await previews(second) == ["one"]
        spoken(tmp_path, 2, "two")
        assert await previews(first) == await previews(second) == ["two", "one"]
        await first.aclose()
        await second.aclose()
