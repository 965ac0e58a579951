"""Turns: what the user asks for, and everything that comes of it until `turn/completed` (wire.md section 14)."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from protocol.base import Int64, WireModel, experimental_field
from protocol.errors import InternalError, InvalidRequest
from protocol.function_output import FunctionCallOutputBody
from protocol.items import ThreadItem
from protocol.method import ClientRequest, ServerNotification
from protocol.permissions import ApprovalsReviewer, AskForApproval, SandboxPolicy
from protocol.turn_error import TurnError
from protocol.user_input import UserInput

TurnStatus = Literal["completed", "interrupted", "failed", "inProgress"]
"""How far a turn is."""

TurnItemsView = Literal["notLoaded", "summary", "full"]
"""How much of a turn's items is there: none, the first user message and the final answer, or all."""

ReasoningEffort = Annotated[str, Field(min_length=1), WithJsonSchema({"type": "string", "minLength": 1})]
"""How hard the model thinks, in the model's own words: `low`, `medium`, `high` and their like."""

ReasoningSummary = Literal["auto", "concise", "detailed", "none"]
"""How much the model tells of what it thinks."""

Personality = Literal["none", "friendly", "pragmatic"]
"""Accepted and without effect."""

ModeKind = Literal["plan", "default"]
"""Whether the model makes a plan or acts."""


class Settings(WireModel, alias_generator=None):
    """What a collaboration mode sets; it wins over the turn's own settings."""

    model: str
    reasoning_effort: ReasoningEffort | None = None
    developer_instructions: str | None = None


class CollaborationMode(WireModel):
    """How the model and the user work together."""

    mode: ModeKind
    settings: Settings


AdditionalContextKind = Literal["untrusted", "application"]
"""Where a piece of context comes from."""


class AdditionalContextEntry(WireModel):
    """A piece of context that the client adds."""

    value: str
    kind: AdditionalContextKind
    name: str | None = None


class TurnToolOutput(WireModel):
    """What a tool delivers that the model has not called: content of no authority, in place of the user's words."""

    name: str
    namespace: str | None = None
    output: FunctionCallOutputBody
    retain: bool = False
    """Accepted; every output stays in the history until it is summed up."""


class Turn(WireModel):
    """What the user asked for and what came of it."""

    id: str
    root_turn_id: str | None = None
    items: list[ThreadItem]
    items_view: TurnItemsView = "full"
    status: TurnStatus
    error: TurnError | None = None
    started_at: Int64 | None = None
    """Unix time in seconds."""
    completed_at: Int64 | None = None
    """Unix time in seconds."""
    duration_ms: Int64 | None = None


class TurnStartParams(WireModel):
    """The user's input, and what is different from now on in this thread."""

    thread_id: str
    client_user_message_id: str | None = None
    input: list[UserInput]
    additional_context: dict[str, AdditionalContextEntry] | None = experimental_field()
    cwd: str | None = None
    runtime_workspace_roots: list[str] | None = experimental_field()
    approval_policy: AskForApproval | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox_policy: SandboxPolicy | None = None
    permissions: str | None = experimental_field()
    model: str | None = None
    service_tier: str | None = None
    effort: ReasoningEffort | None = None
    summary: ReasoningSummary | None = None
    personality: Personality | None = None
    output_schema: Any = None
    """JSON Schema of the final message of this turn."""
    collaboration_mode: CollaborationMode | None = experimental_field()
    tool_output: TurnToolOutput | None = None
    """In place of an input, which has to be empty then."""


class TurnStartResponse(WireModel):
    """The turn that takes the input: a new one, or the one that runs."""

    turn: Turn


class TurnSteerParams(WireModel):
    """More input for the turn that runs."""

    thread_id: str
    client_user_message_id: str | None = None
    input: list[UserInput]
    additional_context: dict[str, AdditionalContextEntry] | None = experimental_field()
    expected_turn_id: str
    """The request fails unless this is the turn that runs."""


class TurnSteerResponse(WireModel):
    """The turn that takes the input."""

    turn_id: str


class TurnInterruptParams(WireModel):
    """The turn to end."""

    thread_id: str
    turn_id: str


class TurnInterruptResponse(WireModel):
    """The turn ends; `turn/completed` says so."""


class TurnStartedNotification(WireModel):
    """A turn begins."""

    thread_id: str
    turn: Turn


class TurnCompletedNotification(WireModel):
    """A turn has ended, one way or another; nothing of it follows."""

    thread_id: str
    turn: Turn


class TokenUsageBreakdown(WireModel):
    """Tokens."""

    total_tokens: Int64
    input_tokens: Int64
    cached_input_tokens: Int64
    cache_write_input_tokens: Int64 = 0
    output_tokens: Int64
    reasoning_output_tokens: Int64


class ThreadTokenUsage(WireModel):
    """What the thread has used, and its last request."""

    total: TokenUsageBreakdown
    last: TokenUsageBreakdown
    model_context_window: Int64 | None = None


class ThreadTokenUsageUpdatedNotification(WireModel):
    """What a thread has used so far."""

    thread_id: str
    turn_id: str
    token_usage: ThreadTokenUsage


TURN_START = ClientRequest("turn/start", TurnStartParams, TurnStartResponse, errors=(InvalidRequest, InternalError))
"""Begins a turn, or gives more input to the one that runs."""
TURN_STEER = ClientRequest("turn/steer", TurnSteerParams, TurnSteerResponse, errors=(InvalidRequest,))
"""Gives more input to the turn that runs."""
TURN_INTERRUPT = ClientRequest("turn/interrupt", TurnInterruptParams, TurnInterruptResponse, errors=(InvalidRequest,))
"""Ends the turn that runs; what the model has said is kept."""
TURN_STARTED = ServerNotification("turn/started", TurnStartedNotification)
"""A turn begins."""
TURN_COMPLETED = ServerNotification("turn/completed", TurnCompletedNotification)
"""A turn has ended: exactly one for each."""
TOKEN_USAGE_UPDATED = ServerNotification("thread/tokenUsage/updated", ThreadTokenUsageUpdatedNotification)
"""What a thread has used so far."""
