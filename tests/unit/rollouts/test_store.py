"""``ThreadStore``: finding, reading, archiving and deleting threads."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app_server.rollouts.errors import (
    AlreadyBeingWritten,
    HistoryStillReferenced,
    NoArchivedRollout,
    NoRollout,
    RolloutNotWritten,
)
from app_server.rollouts.layout import created_ms, is_thread_id, path_of, unarchived_path
from app_server.rollouts.store import Found, ThreadQuery, ThreadStore
from app_server.rollouts.stored import StoredThread
from tests.unit.rollouts.rollout_support import NOON, event, meta, paths_in, raw, session, spoken, thread_id

T = thread_id(1)


@pytest.fixture
def far_east() -> str:
    """Local time is half a day ahead."""
    return "XXX-12"


def test_a_path_has_the_local_time_of_creation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, far_east: str) -> None:
    monkeypatch.setenv("TZ", far_east)
    time.tzset()
    try:
        path = path_of(tmp_path, datetime(2026, 11, 20, 13, 4, 5, tzinfo=UTC), T)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert path == tmp_path / f"sessions/2026/11/21/rollout-2026-11-21T01-04-05-{T}.jsonl"
    assert unarchived_path(tmp_path, path.name) == path


@pytest.mark.parametrize("text", ["", "x", "../../etc/passwd", T.upper(), f"{T}/", f"{T}\n", T.replace("-", "")])
async def test_what_is_no_id_never_becomes_a_path(store: ThreadStore, tmp_path: Path, text: str) -> None:
    assert not is_thread_id(text)
    with pytest.raises(ValueError, match="UUID"):
        store.writer_lock(text)
    with pytest.raises(ValueError, match="UUID"):
        store.path_for(meta(id=text))
    assert await store.find(text) is None
    assert paths_in(tmp_path) == []


def test_an_id_tells_when_it_was_made_if_it_is_of_version_7() -> None:
    assert created_ms(T) == NOON.timestamp() * 1000
    assert created_ms("bb893ada-8aa6-415f-86cf-1e509559c4b3") is None


class TestFinding:
    async def test_a_thread_is_found_where_its_id_says(self, store: ThreadStore, tmp_path: Path) -> None:
        path = spoken(tmp_path, 1)
        assert await store.find(T) == Found(path, archived=False)

    async def test_a_thread_is_found_wherever_it_is(self, store: ThreadStore, tmp_path: Path) -> None:
        path = spoken(tmp_path, 1, created_at=NOON.replace(year=2020))
        assert await store.find(T) == Found(path, archived=False)

    async def test_a_thread_of_another_kind_of_id_is_found(self, store: ThreadStore, tmp_path: Path) -> None:
        odd = "bb893ada-8aa6-415f-86cf-1e509559c4b3"
        path = spoken(tmp_path, 1, id=odd)
        assert await store.find(odd) == Found(path, archived=False)

    async def test_an_archived_thread_is_found_unless_there_is_another(
        self, store: ThreadStore, tmp_path: Path
    ) -> None:
        archived = raw(tmp_path, 1, session(), archived=True)
        assert await store.find(T) == Found(archived, archived=True)
        path = raw(tmp_path, 1, session())
        assert await store.find(T) == Found(path, archived=False)

    async def test_the_id_in_the_file_counts_too(self, store: ThreadStore, tmp_path: Path) -> None:
        path = raw(tmp_path, 1, session(2))
        assert await store.find(thread_id(2)) == Found(path, archived=False)
        assert await store.find(T) == Found(path, archived=False)

    async def test_by_the_id_in_the_file_too_one_that_is_not_archived_comes_first(
        self, store: ThreadStore, tmp_path: Path
    ) -> None:
        raw(tmp_path, 3, session(9), archived=True)
        path = raw(tmp_path, 4, session(9))
        assert await store.find(thread_id(9)) == Found(path, archived=False)

    async def test_what_is_not_there_is_not_found(self, store: ThreadStore, tmp_path: Path) -> None:
        spoken(tmp_path, 1)
        assert await store.find(thread_id(2)) is None


async def test_a_thread_is_read_with_its_name(store: ThreadStore, tmp_path: Path) -> None:
    path = spoken(tmp_path, 1, "hello")
    await store.set_name(T, "its name")
    thread = await store.load(path, archived=False)
    assert (thread.meta.id, thread.name, thread.preview, len(thread.turns)) == (T, "its name", "hello", 1)
    assert await store.name(T) == "its name"
    cut, records = await store.load_for_fork(path, archived=False, before_turn_id="turn-1")
    assert (cut.name, cut.turns, records) == ("its name", [], [])


async def test_a_file_outside_of_the_home_can_be_read(store: ThreadStore, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_bytes(spoken(tmp_path / "other", 1).read_bytes())
    assert (await store.load(elsewhere, archived=False)).meta.id == T


async def test_a_fork_of_the_reference_is_read_with_its_beginning(store: ThreadStore, tmp_path: Path) -> None:
    spoken(tmp_path, 1, "first")
    base = {"thread_id": T, "end_ordinal_exclusive": 8}
    path = raw(tmp_path, 2, session(2, history_mode="paginated", history_base=base))
    assert (await store.load(path, archived=False)).preview == "first"


def test_a_thread_in_which_nothing_has_happened_is_empty(tmp_path: Path) -> None:
    thread = StoredThread.empty(meta(), tmp_path, "name")
    assert (thread.turns, thread.history, thread.preview, thread.name) == ([], [], "", "name")
    assert thread.updated_at == NOON.timestamp()


class TestArchiving:
    async def test_a_thread_goes_and_comes_back(self, store: ThreadStore, tmp_path: Path) -> None:
        path = spoken(tmp_path, 1)
        content = path.read_bytes()
        os.utime(path, (1000, 1000))
        archived = await store.archive(T)
        assert archived == tmp_path / "archived_sessions" / path.name
        assert (await store.find(T), path.exists()) == (Found(archived, archived=True), False)
        assert archived.stat().st_mtime == 1000
        path.parent.rmdir()
        assert await store.unarchive(T) == path
        assert (path.read_bytes(), archived.exists()) == (content, False)
        assert path.stat().st_mtime > 1000

    async def test_the_lists_follow(self, store: ThreadStore, tmp_path: Path) -> None:
        spoken(tmp_path, 1)
        for archived in (False, True, False):
            if archived:
                await store.archive(T)
            elif await store.find(T) != Found(path_of(tmp_path, NOON, T), archived=False):
                await store.unarchive(T)
            assert len((await store.list(ThreadQuery(archived=archived))).summaries) == 1
            assert len((await store.list(ThreadQuery(archived=not archived))).summaries) == 0

    async def test_what_is_not_there_is_told_as_such(self, store: ThreadStore, tmp_path: Path) -> None:
        spoken(tmp_path, 1)
        with pytest.raises(NoArchivedRollout) as not_archived:
            await store.unarchive(T)
        assert not_archived.value.message == f"no archived rollout found for thread id {T}"
        await store.archive(T)
        with pytest.raises(NoRollout) as archived:
            await store.archive(T)
        assert archived.value.message == f"no rollout found for thread id {T}"
        for missing in (store.archive, store.delete):
            with pytest.raises(NoRollout):
                await missing(thread_id(2))

    async def test_a_thread_that_is_loaded_stays_where_it_is(self, store: ThreadStore, tmp_path: Path) -> None:
        path = spoken(tmp_path, 1)
        lock = store.writer_lock(T)
        lock.acquire()
        for refused in (store.archive, store.delete):
            with pytest.raises(AlreadyBeingWritten):
                await refused(T)
        assert path.exists()
        lock.release()
        await store.archive(T)
        lock.acquire()
        with pytest.raises(AlreadyBeingWritten):
            await store.unarchive(T)
        lock.release()

    async def test_a_file_system_that_refuses_is_told_as_such_and_leaves_no_lock(
        self, store: ThreadStore, tmp_path: Path
    ) -> None:
        path = spoken(tmp_path, 1)
        (tmp_path / "archived_sessions").write_text("in the way")
        with pytest.raises(RolloutNotWritten, match="failed to write"):
            await store.archive(T)
        assert path.exists()
        lock = store.writer_lock(T)
        lock.acquire()
        lock.release()


class TestDeleting:
    @pytest.mark.parametrize("archived", [False, True])
    async def test_a_thread_is_gone_with_its_name(self, store: ThreadStore, tmp_path: Path, archived: bool) -> None:
        spoken(tmp_path, 1)
        spoken(tmp_path, 2)
        await store.set_name(T, "its name")
        if archived:
            await store.archive(T)
        await store.delete(T)
        assert (await store.find(T), await store.name(T)) == (None, None)
        assert [summary.id for summary in (await store.list(ThreadQuery())).summaries] == [thread_id(2)]
        with pytest.raises(NoRollout):
            await store.delete(T)

    async def test_a_thread_whose_file_has_the_history_of_others_stays(
        self, store: ThreadStore, tmp_path: Path
    ) -> None:
        path = spoken(tmp_path, 1)
        base = {"thread_id": T, "end_ordinal_exclusive": 8}
        fork = raw(tmp_path, 2, session(2, history_base=base), event("user_message", message="x"))
        with pytest.raises(HistoryStillReferenced) as caught:
            await store.delete(T)
        assert caught.value.message == f"cannot delete thread {T}: forked history still references it"
        assert path.exists()
        fork.unlink()
        await store.delete(T)
        assert not path.exists()
