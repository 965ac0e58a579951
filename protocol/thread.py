"""Threads: beginning, resuming, forking and letting go of one, and what a client learns about it.

The threads that are stored - listing, reading, naming, archiving them - are in ``thread_store.py``.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from protocol.base import Int64, UInt32, WireModel, WireUnion, experimental_field
from protocol.errors import InternalError, InvalidRequest
from protocol.method import ClientRequest, ServerNotification
from protocol.permissions import ActivePermissionProfile, ApprovalsReviewer, AskForApproval, SandboxMode, SandboxPolicy
from protocol.tools import DynamicToolSpec
from protocol.turn import CollaborationMode, Personality, ReasoningEffort, Turn, TurnItemsView

ThreadActiveFlag = Literal["waitingOnApproval", "waitingOnUserInput"]
"""What a running turn waits for."""


class NotLoadedThreadStatus(WireModel):
    """It is stored, and no more."""

    type: Literal["notLoaded"] = "notLoaded"


class IdleThreadStatus(WireModel):
    """No turn runs."""

    type: Literal["idle"] = "idle"


class SystemErrorThreadStatus(WireModel):
    """No turn runs, and the last one failed."""

    type: Literal["systemError"] = "systemError"


class ActiveThreadStatus(WireModel):
    """A turn runs."""

    type: Literal["active"] = "active"
    active_flags: list[ThreadActiveFlag]


class ThreadStatus(
    WireUnion[
        Annotated[
            NotLoadedThreadStatus | IdleThreadStatus | SystemErrorThreadStatus | ActiveThreadStatus,
            Field(discriminator="type"),
        ]
    ]
):
    """What a thread is doing."""


class GitInfo(WireModel):
    """The repository that the thread was begun in, for threads of the reference; this server does not look."""

    sha: str | None = None
    branch: str | None = None
    origin_url: str | None = None


class CustomSessionSource(WireModel):
    """A program by its own name."""

    custom: str


class SubAgentSessionSource(WireModel):
    """A thread that another one began, in the reference."""

    sub_agent: Any


class SessionSource(
    WireUnion[Literal["cli", "vscode", "exec", "appServer", "unknown"] | CustomSessionSource | SubAgentSessionSource]
):
    """What kind of program began a thread."""


ThreadHistoryMode = Literal["legacy", "paginated"]
"""How clients are meant to read the history: whole, or page by page. Both are always possible here."""

ThreadStartSource = Literal["startup", "clear"]
"""Why a thread is begun."""


class Thread(WireModel):
    """A conversation."""

    id: str
    """A UUID of version 7."""
    session_id: str
    """Shared by a thread and its forks."""
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    preview: str
    """The first thing that the user said."""
    ephemeral: bool
    """Whether it is never stored."""
    project_id: str | None = Field()
    history_mode: ThreadHistoryMode = "legacy"
    model_provider: str
    model: str | None = None
    reasoning_effort: ReasoningEffort | None = None
    created_at: Int64
    """Unix time in seconds."""
    updated_at: Int64
    """Unix time in seconds."""
    recency_at: Int64 | None = None
    """Unix time in seconds of the last turn's begin."""
    status: ThreadStatus
    path: str | None = None
    """Where it is stored; the file comes to be with the first turn."""
    cwd: str
    cli_version: str
    originator: str | None = None
    """The name of the client that began it."""
    source: SessionSource
    can_accept_direct_input: bool | None = experimental_field()
    thread_source: str | None = None
    agent_nickname: str | None = None
    agent_role: str | None = None
    git_info: GitInfo | None = None
    name: str | None = None
    turns: list[Turn]
    """Empty except in the answers of `thread/resume`, `thread/fork` and `thread/read` that ask for them."""


class ThreadWishes(WireModel):
    """What a thread is to be like, however it comes to be loaded; what is left out is as it was, or as configured."""

    model: str | None = None
    model_provider: str | None = None
    service_tier: str | None = None
    cwd: str | None = None
    runtime_workspace_roots: list[str] | None = experimental_field()
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox: SandboxMode | None = None
    permissions: str | None = experimental_field()
    config: dict[str, Any] | None = None
    """Settings of this thread by their names in `config.toml`."""
    base_instructions: str | None = None
    """In place of the model's own instructions."""
    developer_instructions: str | None = None
    """In addition to them."""


class ThreadStartParams(ThreadWishes):
    """What the thread is to be like; the configuration says what is left out."""

    service_name: str | None = None
    personality: Personality | None = None
    ephemeral: bool | None = None
    """Never store it."""
    history_mode: ThreadHistoryMode | None = experimental_field()
    session_start_source: ThreadStartSource | None = None
    thread_source: str | None = None
    project_id: str | None = experimental_field()
    dynamic_tools: list[DynamicToolSpec] | None = experimental_field()
    """The parent's own tools, which the model calls through `item/tool/call`."""


class ThreadStartResponse(WireModel):
    """The thread, and the settings in force."""

    thread: Thread
    model: str
    model_provider: str
    service_tier: str | None = None
    disabled_plugin_ids: list[str] = []
    cwd: str
    runtime_workspace_roots: list[str] = experimental_field([])
    instruction_sources: list[str] = []
    approval_policy: AskForApproval
    approvals_reviewer: ApprovalsReviewer
    sandbox: SandboxPolicy
    active_permission_profile: ActivePermissionProfile | None = experimental_field()
    reasoning_effort: ReasoningEffort | None = None


SortDirection = Literal["asc", "desc"]
"""Oldest first, or newest first."""


class ThreadResumeInitialTurnsPageParams(WireModel):
    """The page of turns to answer with."""

    limit: UInt32 | None = None
    sort_direction: SortDirection | None = None
    items_view: TurnItemsView | None = None


class TurnsPage(WireModel):
    """A page of `thread/turns/list`."""

    data: list[Turn]
    next_cursor: str | None = None
    backwards_cursor: str | None = None


class ThreadResumeParams(ThreadWishes):
    """The thread to go on with, and what is to be different."""

    thread_id: str
    path: str | None = experimental_field()
    """The rollout to resume, whatever the id says, unless that thread is loaded."""
    personality: Personality | None = None
    exclude_turns: bool = False
    """Leave `thread.turns` empty."""
    initial_turns_page: ThreadResumeInitialTurnsPageParams | None = experimental_field()


class ThreadResumeResponse(ThreadStartResponse):
    """The thread, and the settings in force."""

    collaboration_mode: CollaborationMode | None = None
    initial_turns_page: TurnsPage | None = experimental_field()
    turns_backwards_cursor: str | None = None
    items_backwards_cursor: str | None = None


class ThreadForkParams(ThreadWishes):
    """The thread to begin another one from, and what is to be different."""

    thread_id: str
    last_turn_id: str | None = None
    """The last turn to take along."""
    before_turn_id: str | None = experimental_field()
    """The first turn to leave behind."""
    path: str | None = experimental_field()
    """The rollout to fork, whatever the id says."""
    ephemeral: bool = False
    thread_source: str | None = None
    exclude_turns: bool = False


class ThreadForkResponse(ThreadStartResponse):
    """The new thread, and the settings in force."""


class ThreadUnsubscribeParams(WireModel):
    """The thread that the client has no further interest in."""

    thread_id: str


ThreadUnsubscribeStatus = Literal["notLoaded", "notSubscribed", "unsubscribed"]
"""What became of it."""


class ThreadUnsubscribeResponse(WireModel):
    """What became of it."""

    status: ThreadUnsubscribeStatus


class ThreadInjectItemsParams(WireModel):
    """Items of the Responses API to put at the end of the history."""

    thread_id: str
    items: list[Any]


class ThreadInjectItemsResponse(WireModel):
    """The history has them."""


class ThreadCompactStartParams(WireModel):
    """The thread whose history is to become a summary."""

    thread_id: str


class ThreadCompactStartResponse(WireModel):
    """A turn begins that does it."""


class ThreadStartedNotification(WireModel):
    """A thread is there."""

    thread: Thread


class ThreadStatusChangedNotification(WireModel):
    """A thread does something else now."""

    thread_id: str
    status: ThreadStatus


class ThreadClosedNotification(WireModel):
    """A thread is not loaded any more."""

    thread_id: str


_FAULTS = (InvalidRequest, InternalError)

THREAD_START = ClientRequest("thread/start", ThreadStartParams, ThreadStartResponse, errors=_FAULTS)
"""Begins a thread."""
THREAD_RESUME = ClientRequest("thread/resume", ThreadResumeParams, ThreadResumeResponse, errors=_FAULTS)
"""Goes on with a thread that is stored or loaded."""
THREAD_FORK = ClientRequest("thread/fork", ThreadForkParams, ThreadForkResponse, errors=_FAULTS)
"""Begins a thread with the history of another one."""
THREAD_UNSUBSCRIBE = ClientRequest(
    "thread/unsubscribe", ThreadUnsubscribeParams, ThreadUnsubscribeResponse, errors=(InvalidRequest,)
)
"""Lets go of a thread; it is closed once nothing runs in it."""
THREAD_INJECT_ITEMS = ClientRequest(
    "thread/inject_items", ThreadInjectItemsParams, ThreadInjectItemsResponse, errors=_FAULTS
)
"""Puts items at the end of the history, without a turn."""
THREAD_COMPACT_START = ClientRequest(
    "thread/compact/start", ThreadCompactStartParams, ThreadCompactStartResponse, errors=_FAULTS
)
"""Replaces the history by a summary, in a turn of its own."""
THREAD_STARTED = ServerNotification("thread/started", ThreadStartedNotification)
"""A thread is there."""
THREAD_STATUS_CHANGED = ServerNotification("thread/status/changed", ThreadStatusChangedNotification)
"""A thread does something else now."""
THREAD_CLOSED = ServerNotification("thread/closed", ThreadClosedNotification)
"""A thread is not loaded any more."""
