"""The threads that are stored: listing, reading, naming, archiving and deleting them."""

from typing import Literal

from protocol.base import Int64, UInt32, WireModel, WireUnion, experimental_field
from protocol.errors import InternalError, InvalidParams, InvalidRequest
from protocol.items import ThreadItem
from protocol.method import ClientRequest, ServerNotification
from protocol.thread import SortDirection, Thread
from protocol.turn import Turn, TurnItemsView

ThreadSortKey = Literal["created_at", "updated_at", "recency_at", "section_position"]
"""What a list is sorted by; there are no sections here."""

ThreadSourceKind = Literal[
    "cli",
    "vscode",
    "exec",
    "appServer",
    "subAgent",
    "subAgentReview",
    "subAgentCompact",
    "subAgentThreadSpawn",
    "subAgentOther",
    "unknown",
]
"""What kind of program began a thread."""


class ThreadListCwdFilter(WireUnion[str | list[str]]):
    """One folder or several."""


class ThreadListParams(WireModel):
    """Which threads, and how many of them."""

    cursor: str | None = None
    """From the answer before this one."""
    limit: UInt32 | None = None
    """25 if left out; at most 100."""
    excluded_thread_ids: list[str] | None = None
    sort_key: ThreadSortKey | None = None
    sort_direction: SortDirection | None = None
    model_providers: list[str] | None = None
    """Empty or left out: all."""
    source_kinds: list[ThreadSourceKind] | None = None
    """Empty or left out: those that people use, `cli`, `vscode` and `appServer` with its own names."""
    originators: list[str] | None = None
    archived: bool | None = None
    """True: the archived ones only; else the others only."""
    cwd: ThreadListCwdFilter | None = None
    use_state_db_only: bool = False
    """Answer from the index as it is, without a look at the files."""
    search_term: str | None = None
    """A part of the name or the preview, in any case."""
    parent_thread_id: str | None = experimental_field()


class ThreadListResponse(WireModel):
    """A page of threads."""

    data: list[Thread]
    next_cursor: str | None = None
    """Where the next page begins; null after the last."""
    backwards_cursor: str | None = None
    """Where a page in the other direction begins."""


class ThreadLoadedListParams(WireModel):
    """Which part of the list."""

    cursor: str | None = None
    limit: UInt32 | None = None


class ThreadLoadedListResponse(WireModel):
    """The ids of threads that are loaded."""

    data: list[str]
    next_cursor: str | None = None


class ThreadReadParams(WireModel):
    """The thread to look at."""

    thread_id: str
    include_turns: bool = False


class ThreadReadResponse(WireModel):
    """The thread, as it is."""

    thread: Thread


class ThreadTurnsListParams(WireModel):
    """Which of the thread's turns."""

    thread_id: str
    cursor: str | None = None
    limit: UInt32 | None = None
    sort_direction: SortDirection | None = None
    items_view: TurnItemsView | None = None


class ThreadTurnsListResponse(WireModel):
    """A page of turns."""

    data: list[Turn]
    next_cursor: str | None = None
    backwards_cursor: str | None = None


class ThreadItemEntry(WireModel):
    """An item and its turn."""

    item: ThreadItem
    turn_id: str
    started_at_ms: Int64 | None = None
    completed_at_ms: Int64 | None = None


class ThreadItemsListParams(WireModel):
    """Which of the thread's items."""

    thread_id: str
    turn_id: str | None = None
    """Those of this turn only."""
    cursor: str | None = None
    limit: UInt32 | None = None
    sort_direction: SortDirection | None = None


class ThreadItemsListResponse(WireModel):
    """A page of items."""

    data: list[ThreadItemEntry]
    next_cursor: str | None = None
    backwards_cursor: str | None = None


class ThreadArchiveParams(WireModel):
    """The thread to put away."""

    thread_id: str


class ThreadArchiveResponse(WireModel):
    """It is put away."""


class ThreadUnarchiveParams(WireModel):
    """The thread to bring back."""

    thread_id: str


class ThreadUnarchiveResponse(WireModel):
    """It is back."""

    thread: Thread


class ThreadDeleteParams(WireModel):
    """The thread to delete."""

    thread_id: str


class ThreadDeleteResponse(WireModel):
    """It is gone."""


class ThreadSetNameParams(WireModel):
    """The thread and its name."""

    thread_id: str
    name: str


class ThreadSetNameResponse(WireModel):
    """It has the name."""


class ThreadNameUpdatedNotification(WireModel):
    """A thread has another name."""

    thread_id: str
    thread_name: str | None = None


class ThreadArchivedNotification(WireModel):
    """A thread has been put away."""

    thread_id: str


class ThreadUnarchivedNotification(WireModel):
    """A thread has been brought back."""

    thread_id: str


class ThreadDeletedNotification(WireModel):
    """A thread is gone."""

    thread_id: str


_FAULTS = (InvalidRequest, InternalError)

THREAD_LIST = ClientRequest("thread/list", ThreadListParams, ThreadListResponse, errors=(*_FAULTS, InvalidParams))
"""The stored threads, page by page."""
THREAD_LOADED_LIST = ClientRequest(
    "thread/loaded/list", ThreadLoadedListParams, ThreadLoadedListResponse, errors=(InvalidRequest,)
)
"""The threads that are loaded."""
THREAD_READ = ClientRequest("thread/read", ThreadReadParams, ThreadReadResponse, errors=_FAULTS)
"""A thread as it is, without loading it."""
THREAD_TURNS_LIST = ClientRequest("thread/turns/list", ThreadTurnsListParams, ThreadTurnsListResponse, errors=_FAULTS)
"""A thread's turns, page by page."""
THREAD_ITEMS_LIST = ClientRequest("thread/items/list", ThreadItemsListParams, ThreadItemsListResponse, errors=_FAULTS)
"""A thread's items, page by page."""
THREAD_ARCHIVE = ClientRequest("thread/archive", ThreadArchiveParams, ThreadArchiveResponse, errors=_FAULTS)
"""Puts a thread away."""
THREAD_UNARCHIVE = ClientRequest("thread/unarchive", ThreadUnarchiveParams, ThreadUnarchiveResponse, errors=_FAULTS)
"""Brings a thread back."""
THREAD_DELETE = ClientRequest("thread/delete", ThreadDeleteParams, ThreadDeleteResponse, errors=_FAULTS)
"""Deletes a thread."""
THREAD_NAME_SET = ClientRequest("thread/name/set", ThreadSetNameParams, ThreadSetNameResponse, errors=_FAULTS)
"""Names a thread."""
THREAD_NAME_UPDATED = ServerNotification("thread/name/updated", ThreadNameUpdatedNotification)
"""A thread has another name."""
THREAD_ARCHIVED = ServerNotification("thread/archived", ThreadArchivedNotification)
"""A thread has been put away."""
THREAD_UNARCHIVED = ServerNotification("thread/unarchived", ThreadUnarchivedNotification)
"""A thread has been brought back."""
THREAD_DELETED = ServerNotification("thread/deleted", ThreadDeletedNotification)
"""A thread is gone."""
