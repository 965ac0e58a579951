"""The stored threads as clients see them: one that is loaded is told as it is, any other one as its file has it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from app_server.rollouts.store import Found, ThreadQuery, ThreadStore
from app_server.rollouts.summary import SortKey
from app_server.threads import described
from app_server.threads.errors import NoRollout, as_wire_errors
from app_server.threads.ids import thread_id as checked_id
from app_server.threads.paging import items_page, loaded_page, turns_page
from app_server.threads.registry import LoadedThreads
from app_server.threads.thread import LiveThread
from protocol.errors import InvalidParams, InvalidRequest
from protocol.thread import Thread
from protocol.thread_store import (
    ThreadItemsListParams,
    ThreadItemsListResponse,
    ThreadListParams,
    ThreadListResponse,
    ThreadLoadedListParams,
    ThreadLoadedListResponse,
    ThreadReadParams,
    ThreadTurnsListParams,
    ThreadTurnsListResponse,
)
from protocol.turn import Turn

MAX_EXCLUDED: Final = 100
"""Threads that one request may leave out of a list."""


class ThreadShelf:
    """Lists, reads, names, moves and deletes.

    :param default_provider: the provider whose threads are listed unless the client wants others.
    """

    def __init__(self, threads: LoadedThreads, store: ThreadStore, default_provider: str) -> None:
        self._threads = threads
        self._store = store
        self._default_provider = default_provider

    async def list(self, params: ThreadListParams) -> ThreadListResponse:
        """The stored threads, page by page.

        :raises InvalidRequest: the cursor or the order makes no sense.
        :raises InvalidParams: a filter makes none.
        """
        if params.originators:
            raise InvalidParams("originator filtering is not supported by the local app-server")
        query = ThreadQuery(
            cursor=params.cursor,
            limit=params.limit,
            sort_key=_sort_key(params),
            sort_direction=params.sort_direction,
            model_providers=[self._default_provider] if params.model_providers is None else params.model_providers,
            source_kinds=params.source_kinds,
            archived=params.archived,
            cwd=None if params.cwd is None else params.cwd.root,
            search_term=params.search_term,
            parent_thread_id=params.parent_thread_id,
            excluded_thread_ids=_excluded(params),
            use_state_db_only=params.use_state_db_only,
        )
        with as_wire_errors():
            page = await self._store.list(query)
        data = [described.summarized(summary) for summary in page.summaries]
        for index, thread in enumerate(data):
            if (live := self._threads.get(thread.id)) is not None:
                data[index] = described.live(live)
        return ThreadListResponse(data=data, next_cursor=page.next_cursor, backwards_cursor=page.backwards_cursor)

    def list_loaded(self, params: ThreadLoadedListParams) -> ThreadLoadedListResponse:
        """The loaded threads.

        :raises InvalidRequest: the cursor is none.
        """
        return loaded_page([thread.id for thread in self._threads], cursor=params.cursor, limit=params.limit)

    async def read(self, params: ThreadReadParams) -> Thread:
        """A thread, as it is.

        :raises InvalidRequest: there is none.
        """
        live = self._threads.get(checked_id(params.thread_id))
        if live is not None:
            return described.live(live, described.all_turns(live) if params.include_turns else ())
        with as_wire_errors():
            found = await self._find(params.thread_id)
            stored = await self._store.load(found.path, archived=found.archived)
        return described.stored(stored, stored.turns if params.include_turns else ())

    async def exists(self, thread_id: str) -> bool:
        """Whether there is such a thread, loaded or stored.

        :raises InvalidRequest: no thread id.
        """
        known = checked_id(thread_id)
        with as_wire_errors():
            return self._threads.get(known) is not None or await self._store.find(known) is not None

    async def list_turns(self, params: ThreadTurnsListParams) -> ThreadTurnsListResponse:
        """A thread's turns.

        :raises InvalidRequest: there is no such thread, or the cursor is none.
        """
        thread_id = checked_id(params.thread_id)
        return turns_page(
            thread_id,
            await self._turns(thread_id),
            cursor=params.cursor,
            limit=params.limit,
            direction=params.sort_direction,
            items_view=params.items_view,
        )

    async def list_items(self, params: ThreadItemsListParams) -> ThreadItemsListResponse:
        """A thread's items.

        :raises InvalidRequest: there is no such thread, or the cursor is none.
        """
        thread_id = checked_id(params.thread_id)
        return items_page(
            thread_id,
            await self._turns(thread_id),
            turn_id=params.turn_id,
            cursor=params.cursor,
            limit=params.limit,
            direction=params.sort_direction,
        )

    async def archive(self, thread_id: str) -> str:
        """Put a thread away; returns its id.

        :raises InvalidRequest: there is none, or somebody else is writing it.
        """
        async with self._moving(thread_id, "session id") as known:
            await self._store.archive(known)
        return known

    async def unarchive(self, thread_id: str) -> Thread:
        """Bring a thread back.

        :raises InvalidRequest: there is none that is archived, or somebody else is writing it.
        """
        known = checked_id(thread_id, "session id")
        async with self._threads.opening:
            with as_wire_errors():
                path = await self._store.unarchive(known)
                return described.stored(await self._store.load(path, archived=False))

    async def delete(self, thread_id: str) -> str:
        """Delete a thread; returns its id.

        :raises InvalidRequest: there is none, or somebody else is writing it.
        """
        live = self._threads.get(checked_id(thread_id))
        if live is not None and live.kept is None:
            raise InvalidRequest(f"thread is not persisted and cannot be deleted: {thread_id}")
        async with self._moving(thread_id) as known:
            await self._store.delete(known)
        return known

    async def set_name(self, thread_id: str, name: str) -> tuple[str, str]:
        """Name a thread; returns its id and its name.

        :raises InvalidRequest: there is none, or the name is empty.
        """
        known, name = checked_id(thread_id), name.strip()
        if not name:
            raise InvalidRequest("thread name must not be empty")
        live = self._threads.get(known)
        if live is not None and live.kept is None:
            raise InvalidRequest(f"ephemeral thread does not support metadata updates: {thread_id}")
        with as_wire_errors():
            if live is not None:
                live.materialize()
            else:
                found = await self._store.find(known)
                if found is None or found.archived:
                    raise NoRollout(thread_id)
            await self._store.set_name(known, name)
        if live is not None:
            live.rename(name)
        return known, name

    async def _turns(self, thread_id: str) -> Sequence[Turn]:
        live = self._threads.get(thread_id)
        if live is not None:
            return described.all_turns(live)
        with as_wire_errors():
            found = await self._find(thread_id)
            return (await self._store.load(found.path, archived=found.archived)).turns

    async def _find(self, thread_id: str) -> Found:
        found = await self._store.find(checked_id(thread_id))
        if found is None:
            raise InvalidRequest(f"thread not loaded: {thread_id}")
        return found

    @asynccontextmanager
    async def _moving(self, thread_id: str, what: str = "thread id") -> AsyncIterator[str]:
        """While a thread's file is moved or removed nobody here has it loaded, or loads it; the store sees to other
        processes."""
        known = checked_id(thread_id, what)
        async with self._threads.opening:
            with as_wire_errors():
                live: LiveThread | None = self._threads.get(known)
                if live is not None and live.kept is not None:
                    live.materialize()
                    self._threads.unload(live)
                yield known


def _sort_key(params: ThreadListParams) -> SortKey | None:
    if params.sort_key == "section_position":
        raise InvalidRequest("section-position sorting requires a section filter")
    return params.sort_key


def _excluded(params: ThreadListParams) -> list[str]:
    excluded = params.excluded_thread_ids or []
    if len(excluded) > MAX_EXCLUDED:
        raise InvalidParams(f"excludedThreadIds accepts at most {MAX_EXCLUDED} entries")
    try:
        return [checked_id(thread_id, "excluded thread id") for thread_id in excluded]
    except InvalidRequest as error:
        raise InvalidParams(error.message) from None
