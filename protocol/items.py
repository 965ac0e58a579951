"""What a turn consists of: messages, reasoning, tool calls; and how they come to be, piece by piece.

Items that this server never makes (commands, file changes and the like) are no part of this union.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from protocol.base import Int64, UInt64, WireModel, WireUnion
from protocol.function_output import FunctionCallOutputBody
from protocol.method import ServerNotification
from protocol.user_input import UserInput

MessagePhase = Literal["commentary", "partial_answer", "final_answer"]
"""What an agent message is to the turn; models that do not say leave it null."""

DynamicToolCallStatus = Literal["inProgress", "completed", "failed"]
"""How far a call of a tool is."""


class InputTextDynamicToolCallOutputContentItem(WireModel):
    """A text."""

    type: Literal["inputText"] = "inputText"
    text: str


class InputImageDynamicToolCallOutputContentItem(WireModel):
    """An image by URL, a `data:` URL mostly."""

    type: Literal["inputImage"] = "inputImage"
    image_url: str


class InputAudioDynamicToolCallOutputContentItem(WireModel):
    """A sound by URL."""

    type: Literal["inputAudio"] = "inputAudio"
    audio_url: str


class DynamicToolCallOutputContentItem(
    WireUnion[
        Annotated[
            InputTextDynamicToolCallOutputContentItem
            | InputImageDynamicToolCallOutputContentItem
            | InputAudioDynamicToolCallOutputContentItem,
            Field(discriminator="type"),
        ]
    ]
):
    """A piece of what a tool gives back."""


class TimedItem(WireModel):
    """What every item has, as far as it is known."""

    id: str
    started_at_ms: Int64 | None = None
    """Unix time in milliseconds."""
    completed_at_ms: Int64 | None = None
    """Unix time in milliseconds."""


class UserMessageThreadItem(TimedItem):
    """What the user said."""

    type: Literal["userMessage"] = "userMessage"
    client_id: str | None = None
    """The client's own id for it (`clientUserMessageId`)."""
    content: list[UserInput]


class AgentMessageThreadItem(TimedItem):
    """What the model said."""

    type: Literal["agentMessage"] = "agentMessage"
    moderation: None = None
    text: str
    phase: MessagePhase | None = None
    memory_citation: None = None
    delivery: None = None
    questions: None = None


class FunctionCallOutputThreadItem(TimedItem):
    """What a tool has delivered without having been called (`toolOutput`)."""

    type: Literal["functionCallOutput"] = "functionCallOutput"
    name: str
    namespace: str | None = None
    output: FunctionCallOutputBody


class PlanThreadItem(TimedItem):
    """A plan that the model proposes, in plan mode."""

    type: Literal["plan"] = "plan"
    text: str


class ReasoningThreadItem(TimedItem):
    """What the model thought."""

    type: Literal["reasoning"] = "reasoning"
    summary: list[str] = []
    content: list[str] = []


class DynamicToolCallThreadItem(TimedItem):
    """A call of one of the parent's tools."""

    type: Literal["dynamicToolCall"] = "dynamicToolCall"
    namespace: str | None = None
    tool: str
    arguments: Any
    status: DynamicToolCallStatus
    content_items: list[DynamicToolCallOutputContentItem] | None = None
    success: bool | None = None
    duration_ms: Int64 | None = None


class ContextCompactionThreadItem(TimedItem):
    """The place where the history was replaced by a summary."""

    type: Literal["contextCompaction"] = "contextCompaction"


class ThreadItem(
    WireUnion[
        Annotated[
            UserMessageThreadItem
            | AgentMessageThreadItem
            | FunctionCallOutputThreadItem
            | PlanThreadItem
            | ReasoningThreadItem
            | DynamicToolCallThreadItem
            | ContextCompactionThreadItem,
            Field(discriminator="type"),
        ]
    ]
):
    """A part of a turn."""


class ItemStartedNotification(WireModel):
    """A part of a turn begins."""

    item: ThreadItem
    thread_id: str
    turn_id: str
    started_at_ms: Int64


class ItemCompletedNotification(WireModel):
    """A part of a turn is complete; the deltas before it add up to it."""

    item: ThreadItem
    thread_id: str
    turn_id: str
    content_token_count: UInt64 | None = None
    completed_at_ms: Int64


class AgentMessageDeltaNotification(WireModel):
    """More of a message."""

    thread_id: str
    turn_id: str
    item_id: str
    delta: str


class PlanDeltaNotification(WireModel):
    """More of a plan."""

    thread_id: str
    turn_id: str
    item_id: str
    delta: str


class ReasoningSummaryTextDeltaNotification(WireModel):
    """More of a summary of what the model thinks."""

    thread_id: str
    turn_id: str
    item_id: str
    delta: str
    summary_index: Int64


class ReasoningSummaryPartAddedNotification(WireModel):
    """Another part of the summary begins."""

    thread_id: str
    turn_id: str
    item_id: str
    summary_index: Int64


class ReasoningTextDeltaNotification(WireModel):
    """More of what the model thinks, in its own words."""

    thread_id: str
    turn_id: str
    item_id: str
    delta: str
    content_index: Int64


ITEM_STARTED = ServerNotification("item/started", ItemStartedNotification)
"""A part of a turn begins."""
ITEM_COMPLETED = ServerNotification("item/completed", ItemCompletedNotification)
"""A part of a turn is complete."""
AGENT_MESSAGE_DELTA = ServerNotification("item/agentMessage/delta", AgentMessageDeltaNotification)
"""More of a message."""
PLAN_DELTA = ServerNotification("item/plan/delta", PlanDeltaNotification)
"""More of a plan."""
REASONING_SUMMARY_TEXT_DELTA = ServerNotification(
    "item/reasoning/summaryTextDelta", ReasoningSummaryTextDeltaNotification
)
"""More of a summary of what the model thinks."""
REASONING_SUMMARY_PART_ADDED = ServerNotification(
    "item/reasoning/summaryPartAdded", ReasoningSummaryPartAddedNotification
)
"""Another part of the summary begins."""
REASONING_TEXT_DELTA = ServerNotification("item/reasoning/textDelta", ReasoningTextDeltaNotification)
"""More of what the model thinks, in its own words."""
