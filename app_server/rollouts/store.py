"""The threads below one CODEX_HOME: finding, reading, listing, naming, archiving and deleting them.

All of it happens in worker threads; what it consists of is in the modules beside. Writing a thread is ``writer``.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread

from app_server.rollouts.errors import (
    HistoryStillReferenced,
    NoArchivedRollout,
    NoRollout,
    RolloutNotWritten,
)
from app_server.rollouts.finding import Found, find_by_name
from app_server.rollouts.layout import ARCHIVED, is_thread_id, make_directories, path_of, unarchived_path
from app_server.rollouts.lock import WriterLock
from app_server.rollouts.names import NameBook, append_name, forget_names
from app_server.rollouts.reading import read_for_fork, read_thread
from app_server.rollouts.records import Record
from app_server.rollouts.stored import SessionMeta, StoredThread
from app_server.rollouts.summary import ThreadPage, ThreadQuery, ThreadSummary

if TYPE_CHECKING:
    from app_server.rollouts.cached_index import CachedIndex
    from app_server.rollouts.index import Index

__all__ = ["Found", "ThreadPage", "ThreadQuery", "ThreadStore", "ThreadSummary"]

T = TypeVar("T")

_MOST_NOTES: Final = 512
"""Threads of this process whose changes wait for the next list. The index finds out about others by itself."""


class ThreadStore:
    """All threads of a CODEX_HOME, which need not exist."""

    def __init__(self, codex_home: Path) -> None:
        self._home = codex_home
        self._names = NameBook(codex_home)
        self._index: CachedIndex | None = None
        self._notes: dict[str, ThreadSummary] = {}
        self._one_at_a_time: anyio.CapacityLimiter | None = None

    def path_for(self, meta: SessionMeta) -> Path:
        """Where a new thread's file belongs.

        :raises ValueError: its id is no UUID.
        """
        self._require_id(meta.id)
        return path_of(self._home, meta.created_at, meta.id)

    def writer_lock(self, thread_id: str) -> WriterLock:
        """The right to write a thread, not yet taken.

        :raises ValueError: the id is no UUID.
        """
        self._require_id(thread_id)
        return WriterLock(self._home, thread_id)

    async def find(self, thread_id: str) -> Found | None:
        """Where a thread is; None if there is none, or if the id is no UUID in canonical form."""
        if not is_thread_id(thread_id):
            return None
        found = await anyio.to_thread.run_sync(find_by_name, self._home, thread_id)
        if found is not None:
            return found
        # The id that counts is the one in the file, where that and the name differ.
        files = await self._ask(lambda index: index.find(thread_id))
        return next((Found(self._home / path, archived) for path, archived in files), None)

    async def load(self, path: Path, archived: bool) -> StoredThread:
        """Read a thread with its turns. The file may lie anywhere.

        :raises RolloutPathNotFound: there is no such file.
        :raises RolloutUnreadable: there is no thread in it.
        :raises NoRollout: its history begins in a thread that is not there any more.
        """
        thread = await anyio.to_thread.run_sync(lambda: read_thread(path, archived=archived, find=self._find_source))
        thread.name = await self.name(thread.meta.id)
        return thread

    async def load_for_fork(
        self, path: Path, archived: bool, *, last_turn_id: str | None = None, before_turn_id: str | None = None
    ) -> tuple[StoredThread, list[Record]]:
        """Read a thread up to one of its turns; and the records for a fork's file to begin with, whose meta has to have
        the same ``history_mode``. Without a turn, all of it; a turn that runs counts as interrupted.

        :param last_turn_id: the last turn to take along.
        :param before_turn_id: the first turn to leave behind.
        :raises TurnNotFound: there is no such turn.
        :raises RolloutError: as :meth:`load` does.
        """
        thread, records = await anyio.to_thread.run_sync(
            lambda: read_for_fork(
                path,
                archived=archived,
                find=self._find_source,
                last_turn_id=last_turn_id,
                before_turn_id=before_turn_id,
            )
        )
        thread.name = await self.name(thread.meta.id)
        return thread, records

    async def list(self, query: ThreadQuery) -> ThreadPage:
        """A part of the list of threads: those in which the user has said something.

        :raises InvalidCursor: the query's cursor is none.
        """
        return await self._ask(lambda index: index.page(query), fresh=not query.use_state_db_only)

    async def name(self, thread_id: str) -> str | None:
        """The name of a thread; None if it has none."""
        return await anyio.to_thread.run_sync(self._names.name, thread_id)

    async def set_name(self, thread_id: str, name: str) -> None:
        """Name a thread.

        :raises RolloutNotWritten: the file system refuses.
        """
        await anyio.to_thread.run_sync(append_name, self._home, thread_id, name)

    async def archive(self, thread_id: str) -> Path:
        """Put a thread away; nobody may have it loaded.

        :returns: where it is now.
        :raises NoRollout: there is none, or it is archived already.
        :raises AlreadyBeingWritten: somebody has it loaded.
        :raises RolloutNotWritten: the file system refuses.
        """
        found = await self.find(thread_id)
        if found is None or found.archived:
            raise NoRollout(thread_id)
        target = self._home / ARCHIVED / found.path.name
        await anyio.to_thread.run_sync(self._move, thread_id, found.path, target)
        return target

    async def unarchive(self, thread_id: str) -> Path:
        """Bring a thread back; it then counts as just updated.

        :returns: where it is now.
        :raises NoArchivedRollout: there is none among the archived ones.
        :raises AlreadyBeingWritten: somebody has it loaded.
        :raises RolloutNotWritten: the file system refuses.
        """
        found = await self.find(thread_id)
        if found is None or not found.archived:
            raise NoArchivedRollout(thread_id)
        target = unarchived_path(self._home, found.path.name)
        await anyio.to_thread.run_sync(self._move, thread_id, found.path, target)
        with contextlib.suppress(OSError):
            await anyio.to_thread.run_sync(os.utime, target)
        return target

    async def delete(self, thread_id: str) -> None:
        """Delete a thread, archived or not, and its name; nobody may have it loaded.

        :raises NoRollout: there is none.
        :raises HistoryStillReferenced: forks keep their history in its file.
        :raises AlreadyBeingWritten: somebody has it loaded.
        :raises RolloutNotWritten: the file system refuses.
        """
        found = await self.find(thread_id)
        if found is None:
            raise NoRollout(thread_id)
        if await self._ask(lambda index: index.has_forks(thread_id)):
            raise HistoryStillReferenced(thread_id)
        self._notes.pop(thread_id, None)
        await anyio.to_thread.run_sync(self._delete, thread_id, found.path)

    def note(self, summary: ThreadSummary) -> None:
        """A thread of this process has changed. It is remembered until the next list, no more."""
        self._notes[summary.id] = summary
        if len(self._notes) > _MOST_NOTES:
            del self._notes[next(iter(self._notes))]

    async def aclose(self) -> None:
        """Close the index."""
        if self._index is not None:
            await anyio.to_thread.run_sync(self._index.close, limiter=self._limiter)

    @property
    def _limiter(self) -> anyio.CapacityLimiter:
        # Of one token: the database is used by one worker thread at a time.
        if self._one_at_a_time is None:
            self._one_at_a_time = anyio.CapacityLimiter(1)
        return self._one_at_a_time

    async def _ask(self, question: "Callable[[Index], T]", *, fresh: bool = True) -> T:
        notes, self._notes = tuple(self._notes.values()), {}
        return await anyio.to_thread.run_sync(self._answer, question, notes, fresh, limiter=self._limiter)

    def _answer(self, question: "Callable[[Index], T]", notes: tuple[ThreadSummary, ...], fresh: bool) -> T:
        if self._index is None:
            # sqlite3 is for those who list threads.
            from app_server.rollouts.cached_index import CachedIndex  # noqa: PLC0415

            self._index = CachedIndex(self._home)
        return self._index.ask(question, notes, fresh=fresh)

    def _find_source(self, thread_id: str) -> Path | None:
        found = find_by_name(self._home, thread_id) if is_thread_id(thread_id) else None
        return None if found is None else found.path

    def _move(self, thread_id: str, source: Path, target: Path) -> None:
        lock = self.writer_lock(thread_id)
        lock.acquire()
        try:
            make_directories(target.parent)
            source.replace(target)
        except OSError as error:
            raise RolloutNotWritten(target, error) from error
        finally:
            lock.release()

    def _delete(self, thread_id: str, path: Path) -> None:
        lock = self.writer_lock(thread_id)
        lock.acquire()
        try:
            path.unlink(missing_ok=True)
            forget_names(self._home, thread_id)
        except RolloutNotWritten:
            raise
        except OSError as error:
            raise RolloutNotWritten(path, error) from error
        finally:
            lock.release()

    @staticmethod
    def _require_id(thread_id: str) -> None:
        if not is_thread_id(thread_id):
            raise ValueError("a thread id has to be a UUID")
