"""One client's connection: requests in, answers out, within its limits. How many there may be is for ``server``."""

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import parse_qsl, urlsplit

import anyio
import h11
from anyio.abc import SocketStream

from app_server.http_server.messages import DropConnection, Handler, Headers, Request, Response

_log = logging.getLogger(__name__)

_CHUNK: Final = 64 * 1024
_LINGER_SECONDS: Final = 1.0
_LINGER_BYTES: Final = 1024 * 1024
_PHRASES: Final = {status.value: status.phrase.encode() for status in HTTPStatus}


@dataclass(frozen=True)
class Limits:
    """What one server grants its clients, all of them together as well as each."""

    header_bytes: int = 16 * 1024
    """Request line and headers; also chunk headers and trailers. More: 431."""
    body_bytes: int = 4 * 1024 * 1024
    """Request body. More: 413."""
    connections: int = 64
    """Open connections. When they are all taken, the one that has kept us waiting longest for a request goes."""
    request_seconds: float = 10.0
    """From the connection (or, on a kept-alive one, the first byte) to the complete request. Longer: 408."""
    idle_seconds: float = 5.0
    """How long a connection is kept for another request."""
    send_seconds: float = 10.0
    """How long a client may leave 64 KiB of an answer unread before it is dropped."""


class _Refused(Exception):
    """The request is answered with this status without asking the handler, and the connection closed."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Connection:
    """One client's connection: requests in, answers out, one after the other."""

    def __init__(
        self,
        stream: SocketStream,
        handler: Handler,
        limits: Limits,
        mark_waiting: Callable[["Connection"], None],
    ) -> None:
        self.stream = stream
        self.scope = anyio.CancelScope()
        self.waiting = True
        self._handler = handler
        self._limits = limits
        self._mark_waiting = mark_waiting
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.header_bytes)
        self._served = False

    async def run(self) -> None:
        """Serve requests until one side closes."""
        try:
            while True:
                request = await self._read_request()
                if request is None:
                    return
                self.waiting = False
                await self._send_answer(request, *await self._answer(request))
                if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                    return
                self._http.start_next_cycle()
                self._served = self.waiting = True
                self._mark_waiting(self)
        except _Refused as refused:
            await self._refuse(refused.status)
        except (DropConnection, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        except Exception as error:
            _log_failure("a connection failed", error)

    # -- reading

    async def _read_request(self) -> Request | None:
        with anyio.CancelScope() as scope:
            if not self._served or self._http.trailing_data[0]:
                self._grant(scope, self._limits.request_seconds)
            else:
                self._grant(scope, self._limits.idle_seconds)
            try:
                return await self._assemble_request(scope)
            except h11.RemoteProtocolError as error:
                raise _Refused(error.error_status_hint) from None
        if self._http.trailing_data[0] or self._http.their_state is not h11.IDLE:
            raise _Refused(HTTPStatus.REQUEST_TIMEOUT)
        return None

    @staticmethod
    def _grant(scope: anyio.CancelScope, seconds: float) -> None:
        scope.deadline = anyio.current_time() + seconds

    async def _assemble_request(self, scope: anyio.CancelScope) -> Request | None:
        head = self._http.next_event()
        if head is h11.NEED_DATA:
            await self._receive()
            if self._served:
                self._grant(scope, self._limits.request_seconds)
            head = await self._next_event()
        if not isinstance(head, h11.Request):
            return None
        # h11 refuses an oversized head while it grows, but not one that came all at once.
        if sum(len(n) + len(v) + 4 for n, v in head.headers) + len(head.target) > self._limits.header_bytes:
            raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        headers = Headers(tuple((name.decode(), value.decode("latin-1")) for name, value in head.headers))
        if int(headers.get("content-length") or 0) > self._limits.body_bytes:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if self._http.they_are_waiting_for_100_continue:
            await self._send(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
        body = bytearray()
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
            if len(body) > self._limits.body_bytes:
                raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        target = head.target.decode()
        try:
            path, query = _split_target(target)
        except ValueError:
            raise _Refused(HTTPStatus.BAD_REQUEST) from None
        return Request(head.method.decode(), path, target, query, headers, bytes(body), self._wait_disconnected)

    async def _next_event(self) -> h11.Event | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            await self._receive()
        return cast(h11.Event | type[h11.PAUSED], event)

    async def _receive(self) -> None:
        try:
            self._http.receive_data(await self.stream.receive(_CHUNK))
        except anyio.EndOfStream:
            self._http.receive_data(b"")

    async def _wait_disconnected(self) -> None:
        ahead = 0
        try:
            while ahead <= self._limits.header_bytes:
                data = await self.stream.receive(_CHUNK)
                self._http.receive_data(data)  # the beginning of the client's next request
                ahead += len(data)
        except anyio.EndOfStream:
            self._http.receive_data(b"")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        else:  # it talks too much to be listened to, and so has not left
            await anyio.sleep_forever()

    # -- answering

    async def _answer(self, request: Request) -> tuple[h11.Response, bytes | AsyncIterator[bytes]]:
        try:
            response = await self._handler(request)
            return _head(response), response.body
        except DropConnection:
            raise
        except Exception as error:
            _log_failure(f"the handler failed on {request!r}", error)
            response = Response.text(500, "Internal Server Error")
            return _head(response), response.body

    async def _send_answer(self, request: Request, head: h11.Response, body: bytes | AsyncIterator[bytes]) -> None:
        bodiless = request.method == "HEAD" or head.status_code in (204, 304)
        data = self._http.send(head) or b""
        if isinstance(body, bytes):
            if body and not bodiless:
                data += self._http.send(h11.Data(data=body)) or b""
            await self._send(data + (self._http.send(h11.EndOfMessage()) or b""))
            return
        try:
            await self._send(data)
            if not bodiless:
                async for chunk in body:
                    await self._send(self._http.send(h11.Data(data=chunk)))
            await self._send(self._http.send(h11.EndOfMessage()))
        finally:
            if (aclose := getattr(body, "aclose", None)) is not None:
                await aclose()

    async def _refuse(self, status: int) -> None:
        """Answer a request that is not complete, so that the answer survives what the client still sends."""
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        response = Response.text(status, HTTPStatus(status).phrase, ("connection", "close"))
        try:
            await self._send_answer(Request("", ""), _head(response), response.body)
            # Closing with unread input makes the system send RST, which can destroy the answer on its way.
            with anyio.move_on_after(_LINGER_SECONDS):
                await self.stream.send_eof()
                drained = 0
                while drained < _LINGER_BYTES:
                    drained += len(await self.stream.receive(_CHUNK))
        except (DropConnection, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream):
            pass

    async def _send(self, data: bytes | None) -> None:
        for start in range(0, len(data or b""), _CHUNK):
            with anyio.move_on_after(self._limits.send_seconds) as scope:
                await self.stream.send((data or b"")[start : start + _CHUNK])
            if scope.cancelled_caught:
                raise DropConnection


def _head(response: Response) -> h11.Response:
    """Status line and headers.

    :raises h11.LocalProtocolError: the handler's headers cannot be sent.
    """
    fields = [("date", formatdate(usegmt=True)), *response.headers]
    if isinstance(response.body, bytes) and response.status not in (204, 304):
        fields.append(("content-length", str(len(response.body))))
    return h11.Response(status_code=response.status, headers=fields, reason=_PHRASES.get(response.status, b""))


def _split_target(target: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Path and decoded query of a request target in origin, absolute or asterisk form (RFC 9112 section 3.2)."""
    if target.startswith("/"):
        path, _, query = target.partition("?")
    else:
        parts = urlsplit(target)
        path, query = parts.path or "/", parts.query
    return path, tuple(parse_qsl(query, keep_blank_values=True)) if query else ()


def _log_failure(what: str, error: Exception) -> None:
    places = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{code.co_filename}:{traceback.tb_lineno} in {code.co_qualname}")
        traceback = traceback.tb_next
    _log.error("%s: %s at %s", what, type(error).__name__, " > ".join(places))
