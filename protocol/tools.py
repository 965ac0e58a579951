"""The parent's own tools, and questions to its user: what the model can do through the server's client."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from protocol.base import UInt64, WireModel, WireUnion, experimental_field
from protocol.items import DynamicToolCallOutputContentItem
from protocol.jsonrpc import RequestId
from protocol.method import ServerNotification, ServerRequest


class FunctionDynamicToolSpec(WireModel):
    """A function of the parent."""

    type: Literal["function"] = "function"
    namespace: str | None = experimental_field()
    """Only in the older form of this value, which has no `type`."""
    name: str
    description: str
    input_schema: Any
    """JSON Schema of its arguments."""
    defer_loading: bool | None = None
    """Accepted and without effect: every tool is offered at once."""


class NamespaceDynamicToolSpec(WireModel):
    """Functions of the parent under one name."""

    type: Literal["namespace"] = "namespace"
    name: str
    description: str
    tools: list[FunctionDynamicToolSpec]


class DynamicToolSpec(
    WireUnion[Annotated[FunctionDynamicToolSpec | NamespaceDynamicToolSpec, Field(discriminator="type")]]
):
    """A tool that the parent offers to the model."""

    @model_validator(mode="before")
    @classmethod
    def _older_form(cls, value: Any) -> Any:
        return {"type": "function", **value} if isinstance(value, dict) and "type" not in value else value


class DynamicToolCallParams(WireModel):
    """The model calls one of the parent's tools."""

    thread_id: str
    turn_id: str
    call_id: str
    namespace: str | None = None
    tool: str
    arguments: Any


class DynamicToolCallResponse(WireModel):
    """What came of it; the model is told."""

    content_items: list[DynamicToolCallOutputContentItem]
    success: bool


class ToolRequestUserInputOption(WireModel):
    """An answer to choose."""

    label: str
    description: str


class ToolRequestUserInputQuestion(WireModel):
    """A question of the model to the user."""

    id: str
    header: str
    question: str
    is_other: bool = False
    """Whether the user may answer something else than the options."""
    is_secret: bool = False
    """Whether the answer is to be hidden while it is typed."""
    options: list[ToolRequestUserInputOption] | None = None


class ToolRequestUserInputParams(WireModel):
    """The model asks the user."""

    thread_id: str
    turn_id: str
    item_id: str
    questions: list[ToolRequestUserInputQuestion]
    is_blocking: bool
    auto_resolution_ms: UInt64 | None = None


class ToolRequestUserInputAnswer(WireModel):
    """The answers to one question."""

    answers: list[str]


class ToolRequestUserInputResponse(WireModel):
    """The answers, by the question's id."""

    answers: dict[str, ToolRequestUserInputAnswer]


class ServerRequestResolvedNotification(WireModel):
    """A request to the client is over, whether or not it was answered."""

    thread_id: str
    request_id: RequestId


TOOL_CALL = ServerRequest("item/tool/call", DynamicToolCallParams, DynamicToolCallResponse)
"""Calls one of the tools that the parent declared at `thread/start`."""
REQUEST_USER_INPUT = ServerRequest(
    "item/tool/requestUserInput", ToolRequestUserInputParams, ToolRequestUserInputResponse
)
"""Asks the parent's user something."""
SERVER_REQUEST_RESOLVED = ServerNotification("serverRequest/resolved", ServerRequestResolvedNotification)
"""A request to the client is over."""
