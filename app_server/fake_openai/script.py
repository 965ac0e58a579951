"""What a script may say: the members of one scripted answer of the Responses API.

How it becomes a stream is in ``answer``; what is said without a script, in ``echo``; who takes which, in ``responses``.
Everything refuses unknown members, so that a typing error cannot pass for a script.
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app_server.fake_openai.faults import HeaderMap, Json

_CONFIG: Final = ConfigDict(
    frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
)


def _check_event(event: Any) -> Any:
    if not isinstance(event, dict | str):
        raise ValueError("an event is an object, or a text that is sent as it is")  # noqa: TRY004 - for pydantic
    return event


Event = Annotated[Json, AfterValidator(_check_event)]


class Message(BaseModel):
    """One message of the assistant."""

    model_config = _CONFIG

    text: str
    phase: Literal["commentary", "final_answer"] | None = None
    """Left out of the item when None."""
    done: bool = True
    """Off: it stops after its deltas, without the events that end it, and is no part of the response's output."""


class ToolCall(BaseModel):
    """One call of a function."""

    model_config = _CONFIG

    name: str
    namespace: str | None = None
    """Left out of the item when None."""
    arguments: Json = Field(default_factory=dict)
    """A text is sent as it is, JSON or not; any other value is written as JSON."""
    call_id: str | None = None
    """None: made up."""


class Failure(BaseModel):
    """Why a response failed."""

    model_config = _CONFIG

    code: str | None = "server_error"
    message: str = "The script says so."


class InputDetails(BaseModel):
    """What the input's tokens were."""

    model_config = _CONFIG

    cached_tokens: int | None = Field(default=0, ge=0)
    cache_write_tokens: int | None = Field(default=None, ge=0)
    """Left out unless it is given."""


class OutputDetails(BaseModel):
    """What the output's tokens were."""

    model_config = _CONFIG

    reasoning_tokens: int | None = Field(default=0, ge=0)


class Usage(BaseModel):
    """Token counts in the wire's own shape. What is not given is estimated; what is null is sent as null."""

    model_config = _CONFIG

    input_tokens: int | None = Field(default=None, ge=0)
    input_tokens_details: InputDetails | None = None
    output_tokens: int | None = Field(default=None, ge=0)
    output_tokens_details: OutputDetails | None = None
    total_tokens: int | None = Field(default=None, ge=0)
    """Not given: the sum of the other two."""

    def over(self, estimated: dict[str, Any]) -> dict[str, Any]:
        """The estimate with what is given here in its place."""
        usage = {**estimated, **self.model_dump(exclude_unset=True)}
        if "total_tokens" not in self.model_fields_set:
            usage["total_tokens"] = (usage["input_tokens"] or 0) + (usage["output_tokens"] or 0)
        return usage


class Script(BaseModel):
    """What to answer to a POST.

    The answer is made of, in this order: ``reasoning``, ``output_items``, ``text`` or ``messages``, ``tool_calls``.
    """

    model_config = _CONFIG

    times: int | None = Field(default=1, ge=1)
    """How many requests it answers; None: all until reset."""
    contains: str | None = None
    """Only requests whose body contains this text, as it was sent; others take the next script that is for them."""
    request_kind: Literal["turn", "compaction"] | None = None
    """Only requests for an answer, or only those for a summary of the conversation (``echo.is_compaction``)."""

    reasoning: str | list[str] | None = None
    """A summary of the model's reasoning, one part or several; an ``encrypted_content`` goes with it."""
    raw_reasoning: str | None = None
    """The reasoning itself."""
    output_items: list[dict[str, Json]] = Field(default_factory=list)
    """Items of any other type, each with its ``type``; they come whole, in ``response.output_item.done`` only."""
    text: str | None = None
    """The assistant's message; None: the default answer (``echo``), unless there are messages, calls or items."""
    messages: list[Message] | None = None
    """Several messages, instead of ``text``; an empty list: none."""
    tool_calls: list[ToolCall] = Field(default_factory=list)
    """Functions that the model wants called."""
    deltas: int = Field(default=3, ge=1, le=1_000_000)
    """In how many pieces each text comes, at most one for each character."""
    events: list[Event] | None = None
    """The whole stream, instead of the usual one: each event with its ``type``; a text is sent as it is."""

    usage: Usage | Literal["absent"] | None = None
    """Token counts; None: estimated at four bytes each."""
    model: str | None = None
    """The model that is said to have answered, in the response and in the header ``openai-model``."""
    end_turn: bool | None = None
    """``end_turn`` of the response; false: the model wants to go on. Left out when None."""
    status: Literal["completed", "incomplete", "failed", "error"] = "completed"
    """How the stream ends: ``response.completed``, ``.incomplete``, ``.failed``, or an ``error`` event."""
    error: Failure | None = None
    """Code and message for the status failed, which it implies, or error. Then there is no default answer."""
    incomplete_reason: str | None = "max_output_tokens"
    """For the status incomplete; None: no details."""
    completed: bool = True
    """Off: the stream ends before its last event, ``response.completed`` or whatever the status says."""

    delay: float = Field(default=0.0, ge=0)
    """Seconds between events; each is then sent on its own."""
    chunk_bytes: int | None = Field(default=None, ge=1)
    """Size of the pieces that the stream is cut into, whatever the boundaries of events and characters."""
    headers: HeaderMap = {}
    """Headers of the answer, for example ``x-codex-primary-used-percent``."""

    @property
    def ending(self) -> str:
        """The status, after what an error implies."""
        return "failed" if self.error is not None and self.status == "completed" else self.status

    @property
    def says_something(self) -> bool:
        """Whether it brings an answer of its own, so that the default one is not asked for."""
        spoken = self.text is not None or self.messages is not None
        return bool(spoken or self.tool_calls or self.output_items or self.ending in ("failed", "error"))

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.text is not None and self.messages is not None:
            raise ValueError("give one of text and messages")
        parts = {"text", "messages", "reasoning", "raw_reasoning", "tool_calls", "output_items", "usage", "end_turn"}
        given = {name for name in parts if getattr(self, name) not in (None, [])}
        if self.events is not None and (given or self.ending != "completed"):
            raise ValueError("events are the whole stream: give them, or what it is made of")
        if self.error is not None and self.status == "incomplete":
            raise ValueError("an error is for the status failed or error")
        if not self.completed and self.ending != "completed":
            raise ValueError("a stream that is not completed has no status to end with")
        return self
