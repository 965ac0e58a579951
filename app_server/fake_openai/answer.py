"""One answer of the Responses API: the response object, and the server-sent events that tell of it.

Events come as bytes and one at a time, so that a stream of any length costs no memory, and deltas are written from
a template: the fake is not to be the bottleneck of a benchmark.
"""

import base64
import itertools
import secrets
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

import orjson

from app_server.fake_openai.script import Failure, Message, Script, ToolCall

Item = dict[str, Any]

_BYTES_PER_TOKEN: Final = 4


def raw_event(event: Item | str) -> bytes:
    """An event of a script as it is sent; a text as it is."""
    if isinstance(event, str):
        return event.encode()
    return b"event: %b\ndata: %b\n\n" % (str(event.get("type", "message")).encode(), orjson.dumps(event))


class _EventWriter:
    """Numbers events and writes them."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def event(self, kind: str, **members: Any) -> bytes:
        data = orjson.dumps({"type": kind, "sequence_number": next(self._numbers), **members})
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)

    def deltas(self, kind: str, place: Item, pieces: Iterable[str]) -> Iterator[bytes]:
        members = orjson.dumps({"type": kind, **place}).removesuffix(b"}").replace(b"%", b"%%")
        template = b"event: %b\ndata: %b" % (kind.encode(), members) + b',"sequence_number":%d,"delta":%b}\n\n'
        for piece, number in zip(pieces, self._numbers, strict=False):
            yield template % (number, orjson.dumps(piece))


class _Part(Protocol):
    """One item of the output."""

    done: bool
    output_bytes: int
    reasoning_bytes: int

    def item(self) -> Item: ...

    def events(self, writer: _EventWriter, index: int) -> Iterator[bytes]: ...


class Answer:
    """What one request gets.

    :param default: the message, or the item, for a script that does not bring an answer of its own.
    """

    def __init__(self, script: Script, fields: dict[str, Any], default: str | Item, created_at: int) -> None:
        self._script = script
        self._parts = list(_parts(script, default))
        self._id = f"resp_{secrets.token_hex(12)}"
        self._model = script.model or str(fields.get("model", "fake-1"))
        self._created_at = created_at
        self._input_bytes = len(orjson.dumps(fields.get("input"))) + len(str(fields.get("instructions") or ""))

    def response(self, status: str) -> Item:
        """The response object.

        :param status: in_progress, or how it ended.
        """
        script, ended = self._script, status != "in_progress"
        response = {
            "id": self._id,
            "object": "response",
            "created_at": self._created_at,
            "status": "failed" if status == "error" else status,
            "error": (script.error or Failure()).model_dump() if status in ("failed", "error") else None,
            "incomplete_details": None,
            "model": self._model,
            "output": [part.item() for part in self._parts if part.done] if ended else [],
            "usage": self._usage() if status in ("completed", "incomplete") else None,
        }
        if status == "incomplete" and script.incomplete_reason is not None:
            response["incomplete_details"] = {"reason": script.incomplete_reason}
        if ended and script.end_turn is not None:
            response["end_turn"] = script.end_turn
        return response

    def whole(self) -> Item:
        """The response object as it is in the end."""
        return self.response(self._script.ending)

    def events(self) -> Iterator[bytes]:
        """The stream."""
        writer, script = _EventWriter(), self._script
        yield writer.event("response.created", response=self.response("in_progress"))
        for index, part in enumerate(self._parts):
            yield from part.events(writer, index)
        if not script.completed:
            return
        if script.ending == "error":
            yield writer.event("error", **(script.error or Failure()).model_dump(), param=None)
        else:
            yield writer.event(f"response.{script.ending}", response=self.whole())

    def _usage(self) -> Item | None:
        if self._script.usage == "absent":
            return None
        reasoning = sum(part.reasoning_bytes for part in self._parts) // _BYTES_PER_TOKEN
        spoken = sum(part.output_bytes for part in self._parts) // _BYTES_PER_TOKEN
        input_tokens, output_tokens = max(1, self._input_bytes // _BYTES_PER_TOKEN), max(1, spoken + reasoning)
        estimated = {
            "input_tokens": input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": output_tokens,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": input_tokens + output_tokens,
        }
        return estimated if self._script.usage is None else self._script.usage.over(estimated)


class _MessagePart:
    reasoning_bytes = 0

    def __init__(self, message: Message, deltas: int) -> None:
        self.done = message.done
        self.output_bytes = len(message.text.encode())
        self._message = message
        self._deltas = deltas
        self._id = f"msg_{secrets.token_hex(12)}"

    def item(self) -> Item:
        part = {"type": "output_text", "text": self._message.text, "annotations": []}
        return self._item("completed", [part])

    def _item(self, status: str, content: list[Item]) -> Item:
        item = {"id": self._id, "type": "message", "status": status, "role": "assistant", "content": content}
        return item if self._message.phase is None else {**item, "phase": self._message.phase}

    def events(self, writer: _EventWriter, index: int) -> Iterator[bytes]:
        text = self._message.text
        place = {"item_id": self._id, "output_index": index, "content_index": 0}
        empty = {"type": "output_text", "text": "", "annotations": []}
        yield writer.event("response.output_item.added", output_index=index, item=self._item("in_progress", []))
        yield writer.event("response.content_part.added", **place, part=empty)
        yield from writer.deltas("response.output_text.delta", place, _split(text, self._deltas))
        if self.done:
            yield writer.event("response.output_text.done", **place, text=text)
            yield writer.event("response.content_part.done", **place, part={**empty, "text": text})
            yield writer.event("response.output_item.done", output_index=index, item=self.item())


class _ReasoningPart:
    done = True
    output_bytes = 0

    def __init__(self, summary: list[str], raw: str | None, deltas: int) -> None:
        self.reasoning_bytes = sum(len(text.encode()) for text in summary) + len((raw or "").encode())
        self._summary = summary
        self._raw = raw
        self._deltas = deltas
        self._id = f"rs_{secrets.token_hex(12)}"

    def item(self) -> Item:
        sealed = base64.b64encode(("sealed by the fake: " + "".join(self._summary)).encode()).decode()
        item: Item = {
            "id": self._id,
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": text} for text in self._summary],
            "encrypted_content": sealed,
        }
        return item if self._raw is None else {**item, "content": [{"type": "reasoning_text", "text": self._raw}]}

    def events(self, writer: _EventWriter, index: int) -> Iterator[bytes]:
        item = {"id": self._id, "type": "reasoning", "summary": []}
        yield writer.event("response.output_item.added", output_index=index, item=item)
        for number, text in enumerate(self._summary):
            place = {"item_id": self._id, "output_index": index, "summary_index": number}
            part = {"type": "summary_text", "text": ""}
            yield writer.event("response.reasoning_summary_part.added", **place, part=part)
            yield from writer.deltas("response.reasoning_summary_text.delta", place, _split(text, self._deltas))
            yield writer.event("response.reasoning_summary_text.done", **place, text=text)
            yield writer.event("response.reasoning_summary_part.done", **place, part={**part, "text": text})
        if self._raw is not None:
            place = {"item_id": self._id, "output_index": index, "content_index": 0}
            yield from writer.deltas("response.reasoning_text.delta", place, _split(self._raw, self._deltas))
            yield writer.event("response.reasoning_text.done", **place, text=self._raw)
        yield writer.event("response.output_item.done", output_index=index, item=self.item())


class _CallPart:
    done = True
    reasoning_bytes = 0

    def __init__(self, call: ToolCall, deltas: int) -> None:
        given = call.arguments
        self._arguments = given if isinstance(given, str) else orjson.dumps(given).decode()
        self.output_bytes = len(call.name) + len(self._arguments.encode())
        self._call = call
        self._deltas = deltas
        self._id = f"fc_{secrets.token_hex(12)}"
        self._call_id = f"call_{secrets.token_hex(12)}" if call.call_id is None else call.call_id

    def item(self) -> Item:
        return self._item("completed", self._arguments)

    def _item(self, status: str, arguments: str) -> Item:
        item = {
            "id": self._id,
            "type": "function_call",
            "status": status,
            "call_id": self._call_id,
            "name": self._call.name,
            "arguments": arguments,
        }
        return item if self._call.namespace is None else {**item, "namespace": self._call.namespace}

    def events(self, writer: _EventWriter, index: int) -> Iterator[bytes]:
        place = {"item_id": self._id, "output_index": index}
        pieces = _split(self._arguments, self._deltas)
        yield writer.event("response.output_item.added", output_index=index, item=self._item("in_progress", ""))
        yield from writer.deltas("response.function_call_arguments.delta", place, pieces)
        yield writer.event("response.function_call_arguments.done", **place, arguments=self._arguments)
        yield writer.event("response.output_item.done", output_index=index, item=self.item())


class _WholePart:
    """An item of another type: it has no events of its own."""

    done = True
    reasoning_bytes = 0

    def __init__(self, item: Item) -> None:
        kind = str(item.get("type", "item"))
        prefix = {"compaction": "cmp", "web_search_call": "ws", "custom_tool_call": "ctc"}.get(kind, kind)
        self._item = {"id": f"{prefix}_{secrets.token_hex(12)}", **item}
        self.output_bytes = len(orjson.dumps(item))

    def item(self) -> Item:
        return self._item

    def events(self, writer: _EventWriter, index: int) -> Iterator[bytes]:
        yield writer.event("response.output_item.done", output_index=index, item=self._item)


def _parts(script: Script, default: str | Item) -> Iterator[_Part]:
    if script.reasoning is not None or script.raw_reasoning is not None:
        summary = [script.reasoning] if isinstance(script.reasoning, str) else script.reasoning or []
        yield _ReasoningPart(summary, script.raw_reasoning, script.deltas)
    items, messages = list(script.output_items), list(script.messages or [])
    if script.text is not None:
        messages.append(Message(text=script.text))
    if not script.says_something:
        if isinstance(default, str):
            messages.append(Message(text=default))
        else:
            items.append(default)
    yield from map(_WholePart, items)
    for message in messages:
        yield _MessagePart(message, script.deltas)
    for call in script.tool_calls:
        yield _CallPart(call, script.deltas)


def _split(text: str, pieces: int) -> Iterator[str]:
    pieces = min(pieces, len(text))
    start = 0
    for index in range(1, pieces + 1):
        end = index * len(text) // pieces
        yield text[start:end]
        start = end
