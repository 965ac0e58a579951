"""The Responses API: an echo by default, or what a script says, as a stream of server-sent events or in one piece.

Scripts are taken by the next requests that they are for, in the order declared; one with ``times: null`` stays. What
they may say is in ``script``, the echo in ``echo``, the events in ``answer``, how they are sent in ``streaming``.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from app_server.fake_openai.answer import Answer, raw_event
from app_server.fake_openai.echo import default_answer, is_compaction
from app_server.fake_openai.expiries import Expiries, Expiry
from app_server.fake_openai.faults import FaultBook
from app_server.fake_openai.routing import Access, Exchange, Route, api_error, bearer_of, json_response
from app_server.fake_openai.script import Script
from app_server.fake_openai.state import State
from app_server.fake_openai.streaming import Chunks, Stop, byte_stops, event_stops, recut, send_events, stop_at_bytes
from app_server.http_server import Request, Response

_MAX_SCRIPTS: Final = 1000
_ECHO: Final = Script()


class Responses:
    """Answers for ``openai_base_url`` and for the ChatGPT backend's own path."""

    def __init__(self, state: State, faults: FaultBook, expiries: Expiries) -> None:
        self._state = state
        self._faults = faults
        self._expiries = expiries
        self._scripts: list[_Waiting] = []

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
        self._scripts.append(_Waiting(script))

    def clear(self) -> None:
        """Back to the echo."""
        self._scripts.clear()

    def _take_script(self, request: Request, *, compaction: bool) -> Script:
        for waiting in self._scripts:
            script = waiting.script
            if script.request_kind not in (None, "compaction" if compaction else "turn"):
                continue
            if script.contains is not None and script.contains.encode() not in request.body:
                continue
            waiting.left -= 1
            if waiting.left == 0:
                self._scripts.remove(waiting)
            return script
        return _ECHO

    def _create(self, exchange: Exchange) -> Response:
        request = exchange.request
        if (encoding := request.headers.get("content-encoding")) is not None:
            return api_error(415, "unsupported_content_encoding", f"The fake does not read {encoding} bodies.")
        fields = exchange.fields()
        if "input" not in fields:
            return api_error(400, "missing_required_parameter", "Missing required parameter: 'input'.")
        compaction = is_compaction(request, fields)
        script = self._take_script(request, compaction=compaction)
        default = default_answer(fields, compaction=compaction)
        answer = Answer(script, fields, default, int(self._state.clock()))
        headers = tuple(script.headers.items())
        if script.model is not None:
            headers = (("openai-model", script.model), *headers)
        if not fields.get("stream", False):
            return json_response(200, answer.whole(), *headers)
        events = answer.events() if script.events is None else map(raw_event, script.events)
        headers = (("content-type", "text/event-stream"), ("cache-control", "no-store"), *headers)
        return Response(200, headers, self._stream(events, script, exchange))

    def _stream(self, events: Iterator[bytes], script: Script, exchange: Exchange) -> Chunks:
        fault = exchange.fault
        stops = []
        if exchange.expiry is not None and exchange.expiry.after_events is not None:
            act = self._expiring(exchange.expiry, bearer_of(exchange.request) or "")
            stops.append(Stop(exchange.expiry.after_events, act))

        async def hang() -> None:
            await self._faults.hang(exchange.request)

        if fault is not None:
            stops += event_stops(fault, hang)
        chunks = send_events(events, stops, script.delay)
        if fault is not None and (at_bytes := byte_stops(fault, hang)):
            chunks = stop_at_bytes(chunks, at_bytes)
        return chunks if script.chunk_bytes is None else recut(chunks, script.chunk_bytes)

    def _expiring(self, expiry: Expiry, bearer: str) -> Callable[[], Awaitable[bool]]:
        async def expire() -> bool:
            self._expiries.fire(expiry, bearer)
            return False

        return expire


class _Waiting:
    def __init__(self, script: Script) -> None:
        self.script = script
        self.left = -1 if script.times is None else script.times


def _no_websocket(exchange: Exchange) -> Response:
    if (exchange.request.headers.get("upgrade") or "").lower() == "websocket":
        return api_error(426, "websocket_unsupported", "The fake speaks HTTP and server-sent events only.")
    return api_error(405, "method_not_allowed", "Use POST.")
