"""The Responses API: an echo by default, or what a script says, as a stream of server-sent events or in one piece.

Scripts are taken by the next requests in the order declared; one with ``times: null`` stays. Faults in the middle of
a stream (``faults``: ``drop_after_events``, ``hang_after_events``) count the events written here.
"""

import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterator
from itertools import chain
from typing import Any, Final

import anyio
import orjson
from pydantic import BaseModel, ConfigDict, Field

from app_server.fake_openai.faults import Fault, FaultBook, HeaderMap, Json
from app_server.fake_openai.routing import Access, Exchange, Route, api_error, json_response
from app_server.fake_openai.state import State
from app_server.http_server import DropConnection, Request, Response

_MAX_SCRIPTS: Final = 1000
_FLUSH: Final = 16 * 1024
"""Events without a delay between them are sent together, up to so many bytes: the fake is not to be the bottleneck."""

Event = dict[str, Any]


class Script(BaseModel):
    """What to answer to a POST. Unknown members are refused, so that a typing error cannot pass for a script."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    times: int | None = Field(default=1, ge=1)
    """How many requests it answers; None: all until reset."""
    text: str | None = None
    """The assistant's message; None: the last text of the user."""
    deltas: int = Field(default=3, ge=1, le=1_000_000)
    """In how many pieces it comes, at most one for each character."""
    events: list[dict[str, Json]] | None = None
    """The whole stream, instead of the usual one: each event with its ``type``."""
    delay: float = Field(default=0.0, ge=0)
    """Seconds between events; each is then sent on its own."""
    chunk_bytes: int | None = Field(default=None, ge=1)
    """Size of the pieces that the stream is cut into, whatever the boundaries of events and characters."""
    completed: bool = True
    """Whether the stream ends as it should, with ``response.completed``."""
    headers: HeaderMap = {}
    """Headers of the answer, for example ``x-codex-primary-used-percent``."""


class Responses:
    """Answers for ``openai_base_url`` and for the ChatGPT backend's own path."""

    def __init__(self, state: State, faults: FaultBook) -> None:
        self._state = state
        self._faults = faults
        self._scripts: deque[tuple[Script, int | None]] = deque()

    def routes(self) -> list[Route]:
        """Its routes."""
        paths = ("/v1/responses", "/backend-api/codex/responses", "/responses")
        return [Route("responses", Access.API, paths, {"POST": self._create, "GET": _no_websocket})]

    def add_script(self, script: Script) -> None:
        """Queue a script.

        :raises ValueError: a thousand are waiting already.
        """
        if len(self._scripts) >= _MAX_SCRIPTS:
            raise ValueError(f"{_MAX_SCRIPTS} scripts are waiting already")
        self._scripts.append((script, script.times))

    def clear(self) -> None:
        """Back to the echo."""
        self._scripts.clear()

    def _take_script(self) -> Script:
        if not self._scripts:
            return Script()
        script, left = self._scripts.popleft()
        if left is None or left > 1:
            self._scripts.appendleft((script, None if left is None else left - 1))
        return script

    def _create(self, exchange: Exchange) -> Response:
        if (encoding := exchange.request.headers.get("content-encoding")) is not None:
            return api_error(415, "unsupported_content_encoding", f"The fake does not read {encoding} bodies.")
        fields = exchange.fields()
        if "input" not in fields:
            return api_error(400, "missing_required_parameter", "Missing required parameter: 'input'.")
        script = self._take_script()
        text = script.text if script.text is not None else _last_user_text(fields["input"])
        answer = _Answer(str(fields.get("model", "fake-1")), text, int(self._state.clock()), len(exchange.request.body))
        headers = tuple(script.headers.items())
        if not fields.get("stream", False):
            return json_response(200, answer.response("completed"), *headers)
        events = iter(script.events) if script.events is not None else answer.events(script)
        stream = self._stream(events, script, exchange.fault, exchange.request)
        if script.chunk_bytes is not None:
            stream = _recut(stream, script.chunk_bytes)
        return Response(200, (("content-type", "text/event-stream"), ("cache-control", "no-store"), *headers), stream)

    async def _stream(
        self, events: Iterator[Event], script: Script, fault: Fault | None, request: Request
    ) -> AsyncIterator[bytes]:
        drop = fault.drop_after_events if fault else None
        hang = fault.hang_after_events if fault else None
        pending = bytearray()
        # None marks the place after the last event, where a stream can break off as well.
        for sent, event in enumerate(chain(events, (None,))):
            due = script.delay or len(pending) >= _FLUSH or sent in (drop, hang) or event is None
            if pending and due:
                yield bytes(pending)
                pending.clear()
            if sent == hang:
                await self._faults.hang(request)
            if sent == drop:
                raise DropConnection
            if event is not None:
                if sent and script.delay:
                    await anyio.sleep(script.delay)
                kind = str(event.get("type", "message")).encode()
                pending += b"event: %b\ndata: %b\n\n" % (kind, orjson.dumps(event))


class _Answer:
    """One response object and the events that tell of it."""

    def __init__(self, model: str, text: str, created_at: int, request_bytes: int) -> None:
        self._model = model
        self._text = text
        self._created_at = created_at
        self._input_tokens = max(1, request_bytes // 4)
        self._id = f"resp_{secrets.token_hex(12)}"
        self._item_id = f"msg_{secrets.token_hex(12)}"

    def response(self, status: str) -> dict[str, Any]:
        done = status == "completed"
        output_tokens = max(1, len(self._text) // 4)
        usage = {
            "input_tokens": self._input_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self._input_tokens + output_tokens,
        }
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created_at,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": self._model,
            "output": [self._item("completed")] if done else [],
            "usage": usage if done else None,
        }

    def _item(self, status: str) -> dict[str, Any]:
        part = {"type": "output_text", "text": self._text, "annotations": []}
        return {
            "id": self._item_id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": [part] if status == "completed" else [],
        }

    def events(self, script: Script) -> Iterator[Event]:
        numbers = iter(range(2**31))

        def event(kind: str, **members: Any) -> Event:
            return {"type": kind, "sequence_number": next(numbers), **members}

        place = {"item_id": self._item_id, "output_index": 0, "content_index": 0}
        empty = {"type": "output_text", "text": "", "annotations": []}
        yield event("response.created", response=self.response("in_progress"))
        yield event("response.output_item.added", output_index=0, item=self._item("in_progress"))
        yield event("response.content_part.added", **place, part=empty)
        for delta in _split(self._text, script.deltas):
            yield event("response.output_text.delta", **place, delta=delta)
        yield event("response.output_text.done", **place, text=self._text)
        yield event("response.content_part.done", **place, part={**empty, "text": self._text})
        yield event("response.output_item.done", output_index=0, item=self._item("completed"))
        if script.completed:
            yield event("response.completed", response=self.response("completed"))


def _no_websocket(exchange: Exchange) -> Response:
    if (exchange.request.headers.get("upgrade") or "").lower() == "websocket":
        return api_error(426, "websocket_unsupported", "The fake speaks HTTP and server-sent events only.")
    return api_error(405, "method_not_allowed", "Use POST.")


def _split(text: str, pieces: int) -> Iterator[str]:
    pieces = min(pieces, len(text))
    for index in range(pieces):
        yield text[index * len(text) // pieces : (index + 1) * len(text) // pieces]


def _last_user_text(value: Any) -> str:
    """The text that the user said last, in any of the forms that ``input`` may have."""
    if isinstance(value, str):
        return value
    for item in reversed(value if isinstance(value, list) else []):
        if isinstance(item, dict) and item.get("role") == "user":
            content = item.get("content")
            if isinstance(content, str):
                return content
            parts = [part for part in content or [] if isinstance(part, dict)]
            if texts := [part["text"] for part in parts if isinstance(part.get("text"), str)]:
                return "".join(texts)
    return "Nothing to echo."


async def _recut(stream: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    async for chunk in stream:
        for start in range(0, len(chunk), size):
            yield chunk[start : start + size]
