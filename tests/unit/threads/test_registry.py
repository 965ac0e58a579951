"""Which threads are loaded, when they are let go of, and what becomes of them in the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import TaskGroup

from app_server.rollouts.lock import WriterLock
from app_server.rollouts.store import ThreadStore
from app_server.rollouts.summary import ThreadSummary
from app_server.rollouts.writer import RolloutWriter
from app_server.threads.registry import MARGIN, LoadedThreads, ThreadNotFound
from app_server.threads.thread import Kept, LiveThread
from protocol.errors import InvalidRequest
from tests.unit.threads.support import (
    DEADLINE,
    OTHER,
    THREAD,
    Client,
    Hang,
    Model,
    added,
    begin,
    delta,
    meta,
    said,
    thread,
)

LONG = 3600.0


class Store(ThreadStore):
    """Remembers what it is told."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.notes: list[ThreadSummary] = []
        self.closed = False

    def note(self, summary: ThreadSummary) -> None:
        self.notes.append(summary)

    async def aclose(self) -> None:
        self.closed = True


class Registry:
    """Loaded threads, and who is told of them."""

    def __init__(self, tmp_path: Path, tasks: TaskGroup, delay: float) -> None:
        self.path = tmp_path
        self.tasks = tasks
        self.client = Client()
        self.store = Store(tmp_path / "home")
        self.loaded = LoadedThreads(tasks, self.store, delay)

    def load(self, thread_id: str = THREAD, *, kept: bool = False) -> LiveThread:
        where = None
        if kept:
            lock = WriterLock(self.path / "home", thread_id)
            lock.acquire()
            writer = RolloutWriter(self.path / f"{thread_id}.jsonl", meta(self.path, thread_id))
            where = Kept(writer, lock, str(writer.path))
        live = thread(self.path, self.client, kept=where, thread_id=thread_id, settled_down=self.loaded.settled_down)
        self.loaded.add(live)
        return live

    @property
    def ids(self) -> list[str]:
        """The threads that are loaded."""
        return [live.id for live in self.loaded]


@asynccontextmanager
async def registry(tmp_path: Path, delay: float = LONG) -> AsyncIterator[Registry]:
    """A registry for as long as the block takes."""
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            yield Registry(tmp_path, tasks, delay)
            tasks.cancel_scope.cancel()


async def test_a_thread_is_found_by_its_id_in_any_spelling(tmp_path: Path) -> None:
    async with registry(tmp_path) as made:
        live = made.load()
        assert made.loaded.get(THREAD) is live
        assert made.loaded.require(THREAD.upper()) is live


async def test_a_thread_that_is_not_loaded_and_an_id_that_is_none_are_refused(tmp_path: Path) -> None:
    async with registry(tmp_path) as made:
        with pytest.raises(ThreadNotFound, match=f"thread not found: {THREAD}"):
            made.loaded.require(THREAD)
        with pytest.raises(InvalidRequest, match="invalid thread id"):
            made.loaded.require("zz")
        with pytest.raises(InvalidRequest, match="invalid thread id"):
            made.loaded.unsubscribe("zz")


# Letting go


async def test_a_thread_that_nobody_wants_is_let_go_of_after_a_while(tmp_path: Path) -> None:
    async with registry(tmp_path, delay=0.01) as made:
        made.load(kept=True)
        assert made.loaded.unsubscribe(THREAD) == "unsubscribed"
        assert made.ids == [THREAD]
        await made.client.heard("thread/closed")
        assert made.ids == []
        assert made.client.statuses == ["notLoaded"]
        again = WriterLock(tmp_path / "home", THREAD)
        again.acquire()
        again.release()


async def test_there_is_a_while_before_it_is_let_go_of(tmp_path: Path) -> None:
    async with registry(tmp_path) as made:
        made.load()
        made.loaded.unsubscribe(THREAD)
        await anyio.wait_all_tasks_blocked()
        assert made.ids == [THREAD]


async def test_unsubscribing_says_what_there_was_to_unsubscribe_from(tmp_path: Path) -> None:
    async with registry(tmp_path) as made:
        assert made.loaded.unsubscribe(THREAD) == "notLoaded"
        made.load()
        assert made.loaded.unsubscribe(THREAD) == "unsubscribed"
        assert made.loaded.unsubscribe(THREAD) == "notSubscribed"


async def test_a_thread_that_is_wanted_again_in_time_stays(tmp_path: Path) -> None:
    async with registry(tmp_path, delay=0) as made:
        live = made.load()
        made.loaded.unsubscribe(THREAD)
        made.loaded.subscribe(live)
        await anyio.wait_all_tasks_blocked()
        assert made.ids == [THREAD]
        assert live.say.subscribed
        made.loaded.unsubscribe(THREAD)
        await made.client.heard("thread/closed")
        assert made.ids == []


async def test_a_thread_whose_turn_runs_is_let_go_of_afterwards(tmp_path: Path) -> None:
    async with registry(tmp_path, delay=0) as made:
        live, hang = made.load(), Hang()
        turn = begin(live, Model((hang, said("Hello"))), made.tasks)
        made.loaded.unsubscribe(THREAD)
        await hang.reached.wait()
        await anyio.wait_all_tasks_blocked()
        assert made.ids == [THREAD]
        hang.go_on.set()
        await made.client.heard("thread/closed")
        assert (made.ids, turn.snapshot().status) == ([], "completed")


async def test_a_turn_begun_in_the_last_moment_keeps_its_thread(tmp_path: Path) -> None:
    async with registry(tmp_path, delay=0) as made:
        live, hang = made.load(), Hang()
        made.loaded.unsubscribe(THREAD)
        begin(live, Model((hang, said("Hello"))), made.tasks)
        await hang.reached.wait()
        await anyio.wait_all_tasks_blocked()
        assert made.ids == [THREAD]
        hang.go_on.set()
        await made.client.heard("thread/closed")


async def test_a_thread_that_is_let_go_of_at_once_ends_its_turn_and_is_not_let_go_of_twice(tmp_path: Path) -> None:
    async with registry(tmp_path, delay=0) as made:
        live, hang = made.load(), Hang()
        begin(live, Model((hang,)), made.tasks)
        await hang.reached.wait()
        made.loaded.unsubscribe(THREAD)
        made.loaded.unload(live)
        await anyio.wait_all_tasks_blocked()
        assert made.ids == []
        assert live.turns[0].status == "interrupted"
        assert made.client.statuses == ["active", "idle", "notLoaded"]
        assert made.client.of("thread/closed") == []


async def test_the_store_is_told_of_threads_that_have_a_file(tmp_path: Path) -> None:
    async with registry(tmp_path) as made:
        begun, kept = made.load(OTHER, kept=True), made.load(kept=True)
        made.load("01a1fdc1-0000-7000-8000-000000000003")
        for live in made.loaded:
            made.loaded.settled_down(live)
        assert made.store.notes == []
        turn = begin(kept, Model(said("Hello")), made.tasks)
        await turn.ended.wait()
        assert [(note.id, note.preview) for note in made.store.notes] == [(THREAD, "Hi")]
        assert not begun.kept or not begun.kept.writer.materialized


# The end


async def test_turns_have_time_to_end_by_themselves(tmp_path: Path) -> None:
    async with registry(tmp_path) as made:
        live, hang = made.load(), Hang()
        turn = begin(live, Model((hang, said("Hello"))), made.tasks)
        await hang.reached.wait()
        made.loaded.close_in(LONG)
        made.tasks.start_soon(made.loaded.finish)
        await anyio.wait_all_tasks_blocked()
        assert live.turn is turn
        hang.go_on.set()
        await turn.ended.wait()
        assert turn.snapshot().status == "completed"


@pytest.mark.parametrize("seconds", [MARGIN, 0.0])
async def test_turns_that_take_too_long_are_ended_and_the_client_hears_of_it(tmp_path: Path, seconds: float) -> None:
    async with registry(tmp_path) as made:
        for thread_id in (THREAD, OTHER):
            hang = Hang()
            begin(made.load(thread_id), Model(([added(), delta("Half")], hang)), made.tasks)
            await hang.reached.wait()
        made.loaded.close_in(seconds)
        await made.loaded.finish()
        ended = [params["turn"] for params in made.client.of("turn/completed")]
        assert [(turn["status"], turn["items"][0]["text"]) for turn in ended] == [("interrupted", "Half")] * 2


async def test_turns_are_ended_in_time_also_while_something_else_is_still_waited_for(tmp_path: Path) -> None:
    async with registry(tmp_path) as made:
        hang = Hang()
        turn = begin(made.load(), Model((hang,)), made.tasks)
        await hang.reached.wait()
        made.loaded.close_in(MARGIN)
        await turn.ended.wait()
        assert turn.snapshot().status == "interrupted"


async def test_however_the_server_ends_others_can_have_the_threads(tmp_path: Path) -> None:
    async with registry(tmp_path) as made:
        live, hang = made.load(kept=True), Hang()
        begin(live, Model((hang,)), made.tasks)
        await hang.reached.wait()
    assert (made.ids, made.store.closed) == ([], True)
    assert [params["turn"]["status"] for params in made.client.of("turn/completed")] == ["interrupted"]
    again = WriterLock(tmp_path / "home", THREAD)
    again.acquire()
    again.release()
