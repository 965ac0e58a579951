"""From the events of one response to items: what the model says and thinks, as it comes (Responses API streaming).

Events and members that are not known are passed over, as every client of that API has to.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from app_server.threads.ids import uuid7
from app_server.threads.open_message import OpenMessage, PlanningMessage
from app_server.threads.response_items import Item, part_texts, text_of, to_send_again
from app_server.threads.turn_record import TurnRecord
from protocol.items import ReasoningThreadItem

Event = dict[str, Any]
Opened = TypeVar("Opened")

_KEPT: Final = frozenset({"web_search_call", "image_generation_call", "file_search_call", "compaction"})
"""Items of the model's side that mean nothing to the client but have to be sent back."""


_MOST_PARTS: Final = 2**31
"""Of one item; a number beyond it is none."""


@dataclass(slots=True)
class _OpenReasoning:
    item: ReasoningThreadItem
    summary: dict[int, list[str]] = field(default_factory=dict)
    content: dict[int, list[str]] = field(default_factory=dict)


class ItemStream:
    """Takes the events of one response.

    :param record: where items go.
    :param call: told of each call of a tool, as the item that came.
    :param plan_mode: whether a ``<proposed_plan>`` is an item of its own.
    """

    def __init__(self, record: TurnRecord, call: Callable[[Item], None], *, plan_mode: bool) -> None:
        self.response: dict[str, Any] = {}
        """The response as its last event described it; empty until then."""
        self._record = record
        self._call = call
        self._plan_mode = plan_mode
        self._messages: dict[str, OpenMessage] = {}
        self._reasoning: dict[str, _OpenReasoning] = {}

    def take(self, events: list[Event]) -> None:
        """Take events in."""
        for event in events:
            handler = _HANDLERS.get(event.get("type"))  # type: ignore[arg-type] # whatever it is, it is not found
            if handler is not None:
                handler(self, event)

    def finish(self) -> None:
        """The response is complete, or nothing more of it is wanted: what it left open is complete as it is."""
        self._close(keep=True)

    def abandon(self) -> None:
        """The response broke off and will be asked for again; what it had not finished is forgotten."""
        self._close(keep=False)

    def _close(self, *, keep: bool) -> None:
        messages, reasoning = list(self._messages.values()), list(self._reasoning.values())
        self._messages.clear()
        self._reasoning.clear()
        if keep:
            for thought in reasoning:
                self._record.complete(thought.item.model_copy(update=_thoughts(thought)))
            for message in messages:
                message.complete()

    # Messages

    def _new_message(self, item_id: str, phase: Any = None) -> OpenMessage:
        kind = PlanningMessage if self._plan_mode else OpenMessage
        return kind(self._record, item_id, phase)

    def _on_text_delta(self, event: Event) -> None:
        delta = event.get("delta")
        if not isinstance(delta, str) or not delta:
            return
        item_id = _text(event.get("item_id"))
        message = self._messages.get(item_id) or _only(self._messages)
        if message is None:
            message = self._messages[item_id] = self._new_message(item_id)
        message.add(delta)

    def _on_message_done(self, raw: Item) -> None:
        item_id = _text(raw.get("id"))
        message = _taken(self._messages, item_id) or self._new_message(item_id, raw.get("phase"))
        message.complete(text_of(raw), raw)

    # Reasoning

    def _open_reasoning(self, item_id: str) -> _OpenReasoning:
        started = self._record.start(ReasoningThreadItem(id=item_id or f"rs_{uuid7()}"))
        opened = self._reasoning[item_id] = _OpenReasoning(started)
        return opened

    def _thought(self, event: Event) -> _OpenReasoning:
        item_id = _text(event.get("item_id"))
        return self._reasoning.get(item_id) or _only(self._reasoning) or self._open_reasoning(item_id)

    def _on_summary_part(self, event: Event) -> None:
        thought, index = self._thought(event), _index(event, "summary_index")
        thought.summary.setdefault(index, [])
        self._record.say.summary_part_added(self._record.turn_id, thought.item.id, index)

    def _on_summary_delta(self, event: Event) -> None:
        delta = event.get("delta")
        if isinstance(delta, str):
            thought, index = self._thought(event), _index(event, "summary_index")
            thought.summary.setdefault(index, []).append(delta)
            self._record.say.summary_delta(self._record.turn_id, thought.item.id, index, delta)

    def _on_reasoning_delta(self, event: Event) -> None:
        delta = event.get("delta")
        if isinstance(delta, str):
            thought, index = self._thought(event), _index(event, "content_index")
            thought.content.setdefault(index, []).append(delta)
            self._record.say.reasoning_delta(self._record.turn_id, thought.item.id, index, delta)

    def _on_reasoning_done(self, raw: Item) -> None:
        item_id = _text(raw.get("id"))
        thought = _taken(self._reasoning, item_id)
        done: dict[str, Any] = {"summary": part_texts(raw.get("summary")), "content": part_texts(raw.get("content"))}
        if thought is None:
            item = ReasoningThreadItem(id=item_id or f"rs_{uuid7()}", **done)
            self._record.at_once(item, to_send_again(raw))
        else:
            so_far = _thoughts(thought)
            update = {name: texts or so_far[name] for name, texts in done.items()}
            self._record.complete(thought.item.model_copy(update=update), to_send_again(raw))

    # Items and the response as a whole

    def _on_item_added(self, event: Event) -> None:
        raw = event.get("item")
        if not isinstance(raw, dict):
            return
        item_id = _text(raw.get("id"))
        if raw.get("type") == "message" and item_id not in self._messages:
            message = self._messages[item_id] = self._new_message(item_id, raw.get("phase"))
            message.begin()
        elif raw.get("type") == "reasoning" and item_id not in self._reasoning:
            self._open_reasoning(item_id)

    def _on_item_done(self, event: Event) -> None:
        raw = event.get("item")
        if not isinstance(raw, dict):
            return
        kind = _text(raw.get("type"))
        if kind == "message":
            self._on_message_done(raw)
        elif kind == "reasoning":
            self._on_reasoning_done(raw)
        elif kind in ("function_call", "custom_tool_call"):
            if isinstance(raw.get("call_id"), str):
                self._call(raw)
        elif kind in _KEPT:
            self._record.remember(to_send_again(raw))

    def _on_response(self, event: Event) -> None:
        response = event.get("response")
        if isinstance(response, dict):
            self.response = response


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _only(opened: dict[str, Opened]) -> Opened | None:
    """The item that is open, for servers whose events have an id each."""
    return next(iter(opened.values())) if len(opened) == 1 else None


def _taken(opened: dict[str, Opened], item_id: str) -> Opened | None:
    """The open item of this id, or else the only one; it is open no more."""
    if item_id not in opened and len(opened) == 1:
        item_id = next(iter(opened))
    return opened.pop(item_id, None)


def _index(event: Event, name: str) -> int:
    index = event.get(name)
    return index if type(index) is int and 0 <= index < _MOST_PARTS else 0


def _thoughts(thought: _OpenReasoning) -> dict[str, list[str]]:
    return {
        "summary": ["".join(parts) for _, parts in sorted(thought.summary.items())],
        "content": ["".join(parts) for _, parts in sorted(thought.content.items())],
    }


_HANDLERS: Final[dict[str, Callable[[ItemStream, Event], None]]] = {
    "response.output_text.delta": ItemStream._on_text_delta,
    "response.refusal.delta": ItemStream._on_text_delta,
    "response.output_item.added": ItemStream._on_item_added,
    "response.output_item.done": ItemStream._on_item_done,
    "response.reasoning_summary_part.added": ItemStream._on_summary_part,
    "response.reasoning_summary_text.delta": ItemStream._on_summary_delta,
    "response.reasoning_text.delta": ItemStream._on_reasoning_delta,
    "response.completed": ItemStream._on_response,
}
