"""The threads that are stored: listing, reading, naming, archiving and deleting them."""

from collections.abc import Callable
from typing import TypeVar

from app_server.outgoing import Outgoing
from app_server.router import Reply
from app_server.threads.shelf import ThreadShelf
from protocol.base import WireValue
from protocol.method import ServerNotification
from protocol.thread_store import (
    THREAD_ARCHIVED,
    THREAD_DELETED,
    THREAD_NAME_UPDATED,
    THREAD_UNARCHIVED,
    ThreadArchivedNotification,
    ThreadArchiveParams,
    ThreadArchiveResponse,
    ThreadDeletedNotification,
    ThreadDeleteParams,
    ThreadDeleteResponse,
    ThreadItemsListParams,
    ThreadItemsListResponse,
    ThreadListParams,
    ThreadListResponse,
    ThreadLoadedListParams,
    ThreadLoadedListResponse,
    ThreadNameUpdatedNotification,
    ThreadReadParams,
    ThreadReadResponse,
    ThreadSetNameParams,
    ThreadSetNameResponse,
    ThreadTurnsListParams,
    ThreadTurnsListResponse,
    ThreadUnarchivedNotification,
    ThreadUnarchiveParams,
    ThreadUnarchiveResponse,
)

P = TypeVar("P", bound=WireValue)


class ThreadStoreHandlers:
    """``thread/*``, as far as it is about stored threads."""

    def __init__(self, shelf: ThreadShelf, outgoing: Outgoing) -> None:
        self._shelf = shelf
        self._outgoing = outgoing

    async def list(self, params: ThreadListParams) -> Reply[ThreadListResponse]:
        """``thread/list``."""
        return Reply(await self._shelf.list(params))

    async def list_loaded(self, params: ThreadLoadedListParams) -> Reply[ThreadLoadedListResponse]:
        """``thread/loaded/list``."""
        return Reply(self._shelf.list_loaded(params))

    async def read(self, params: ThreadReadParams) -> Reply[ThreadReadResponse]:
        """``thread/read``."""
        return Reply(ThreadReadResponse(thread=await self._shelf.read(params)))

    async def list_turns(self, params: ThreadTurnsListParams) -> Reply[ThreadTurnsListResponse]:
        """``thread/turns/list``."""
        return Reply(await self._shelf.list_turns(params))

    async def list_items(self, params: ThreadItemsListParams) -> Reply[ThreadItemsListResponse]:
        """``thread/items/list``."""
        return Reply(await self._shelf.list_items(params))

    async def archive(self, params: ThreadArchiveParams) -> Reply[ThreadArchiveResponse]:
        """``thread/archive``."""
        thread_id = await self._shelf.archive(params.thread_id)
        said = ThreadArchivedNotification(thread_id=thread_id)
        return Reply(ThreadArchiveResponse(), self._say(THREAD_ARCHIVED, said))

    async def unarchive(self, params: ThreadUnarchiveParams) -> Reply[ThreadUnarchiveResponse]:
        """``thread/unarchive``."""
        thread = await self._shelf.unarchive(params.thread_id)
        said = ThreadUnarchivedNotification(thread_id=thread.id)
        return Reply(ThreadUnarchiveResponse(thread=thread), self._say(THREAD_UNARCHIVED, said))

    async def delete(self, params: ThreadDeleteParams) -> Reply[ThreadDeleteResponse]:
        """``thread/delete``."""
        thread_id = await self._shelf.delete(params.thread_id)
        said = ThreadDeletedNotification(thread_id=thread_id)
        return Reply(ThreadDeleteResponse(), self._say(THREAD_DELETED, said))

    async def set_name(self, params: ThreadSetNameParams) -> Reply[ThreadSetNameResponse]:
        """``thread/name/set``."""
        thread_id, name = await self._shelf.set_name(params.thread_id, params.name)
        said = ThreadNameUpdatedNotification(thread_id=thread_id, thread_name=name)
        return Reply(ThreadSetNameResponse(), self._say(THREAD_NAME_UPDATED, said))

    def _say(self, notification: ServerNotification[P], params: P) -> Callable[[], None]:
        return lambda: self._outgoing.notify(notification, params)
