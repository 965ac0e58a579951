"""One connection to a server as its client has it: requests and their results, notifications, what the server asks.

What is said over it in particular stands in ``client``; ``starting`` makes connections.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal, Protocol, TypeVar

import anyio
from anyio.abc import TaskGroup

from app_server.client.errors import ServerError, ServerGone
from app_server.client.feed import MAX_UNREAD, NotificationFeed
from app_server.client.followers import Followers
from app_server.client.handlers import Answers
from app_server.pending import AnswerTimedOut, ConnectionClosed, PeerRefused, PendingRequests, result_of
from app_server.transport.base import MessageTooLong, Transport, TransportClosed
from protocol.base import WireValue
from protocol.catalogue import SERVER_NOTIFICATIONS
from protocol.errors import InvalidRequest, WireError
from protocol.jsonrpc import Notification, Request, Response, decode, encode_request
from protocol.method import ClientRequest, ServerNotification
from protocol.method import decode as decode_model

P = TypeVar("P", bound=WireValue)
R = TypeVar("R", bound=WireValue)

MAX_ASKED: Final = 256
"""Requests of the server that are answered at once; it asks 64 at most. Those beyond that are ignored."""

Trace = Callable[[Literal["sent", "received"], bytes], None]
"""Sees every line that passes, for narration and for logs; the lines hold secrets. What it raises is logged, and it is
not called again."""

_TRACE_MEMBERS: Final = ("traceparent", "tracestate")

log = logging.getLogger(__name__)


class SendRequest(Protocol):
    """:meth:`Connection.request`, for what needs no more of a connection."""

    async def __call__(self, declaration: ClientRequest[P, R], params: P, *, timeout: float = 60) -> R: ...


class Connection:
    """One connection to a server.

    :param answers: what the server's requests are answered with.
    :param tasks: where they are answered; ends with the connection.
    :param trace: sees every line.
    :param gone: why the server is not there any more, once it is not.
    """

    def __init__(
        self,
        transport: Transport,
        answers: Answers,
        tasks: TaskGroup,
        trace: Trace | None = None,
        gone: Callable[[], Awaitable[ServerGone]] | None = None,
    ) -> None:
        self._transport = transport
        self._answers = answers
        self._tasks = tasks
        self._trace = trace
        self._why_gone = gone
        self._declared = {declaration.method: declaration for declaration in SERVER_NOTIFICATIONS}
        self._pending = PendingRequests()
        self._feed = NotificationFeed(MAX_UNREAD)
        self._followers = Followers(self._feed)
        self._asked = 0

    async def request(
        self,
        declaration: ClientRequest[P, R],
        params: P,
        *,
        timeout: float = 60,
        trace_context: Mapping[str, str] | None = None,
    ) -> R:
        """Send a request and wait for its result.

        :param timeout: seconds to wait.
        :param trace_context: the W3C trace that it belongs to, and what is asked of an upstream for it: ``traceparent``
            and ``tracestate``, as ``opentelemetry.propagate.inject`` puts them into a carrier. All else is left out.
        :raises ServerError: the server answered with an error.
        :raises ServerGone: the connection closed before an answer came.
        :raises InvalidAnswer: the result does not fit the declared model.
        :raises TimeoutError: no answer in time.
        """
        trace = (
            {name: trace_context[name] for name in _TRACE_MEMBERS if name in trace_context} if trace_context else None
        )
        try:
            # A server that has stopped reading holds up the sending, too.
            with self._pending.open() as (request_id, answer), anyio.fail_after(timeout):
                await self._send(encode_request(request_id, declaration.method, params.to_json(), trace))
                return await result_of(declaration, answer, timeout)
        except PeerRefused as refusal:
            raise ServerError(declaration.method, refusal.error) from None
        except (AnswerTimedOut, TimeoutError):
            raise TimeoutError(f"{declaration.method}: no answer within {timeout:g} s") from None
        except (ConnectionClosed, TransportClosed):
            raise await self._gone() from None

    async def notification(self, declaration: ServerNotification[P], *, timeout: float = 60) -> P:
        """The next notification of this kind, dropping those of other kinds before it.

        :param timeout: seconds to wait.
        :raises ServerGone: the connection closed first.
        :raises TimeoutError: none came in time.
        """
        with anyio.move_on_after(timeout) as deadline:
            async for _, params in self.notifications():
                if isinstance(params, declaration.params):
                    return params
        if deadline.cancelled_caught:
            raise TimeoutError(f"{declaration.method}: none came within {timeout:g} s")
        raise await self._gone()

    def notifications(self) -> NotificationFeed:
        """Notifications as they come, each with its declaration and its params (see :data:`feed.Arrived`); ends with
        the connection.

        Those of turns and logins that somebody follows are not among them. Each is seen once, however often they are
        iterated.
        """
        return self._feed

    async def run(self) -> None:
        """Read until the server closes the connection; the context managers of ``starting`` call it."""
        try:
            while (line := await self._receive()) is not None:
                self._show("received", line)
                self._take(line)
        finally:
            self._pending.close()
            self._followers.close()

    async def _receive(self) -> bytes | None:
        while True:
            try:
                return await self._transport.receive()
            except MessageTooLong as error:
                log.warning("the server wrote a line that is too long: %s", error)

    async def _gone(self) -> ServerGone:
        return ServerGone() if self._why_gone is None else await self._why_gone()

    async def _send(self, line: bytes) -> None:
        self._show("sent", line)
        await self._transport.send(line)

    def _show(self, direction: Literal["sent", "received"], line: bytes) -> None:
        try:
            if self._trace is not None:
                self._trace(direction, line)
        except Exception:
            log.exception("the trace failed")
            self._trace = None

    def _take(self, line: bytes) -> None:
        try:
            message = decode(line)
        except WireError as error:
            log.warning("the server wrote a line that is no message: %s", error.message)
            return
        match message:
            case Response():
                if not self._pending.resolve(message):
                    log.debug("the server answered a request that nobody waits for")
            case Request():
                self._be_asked(message)
            case Notification():
                self._keep(message)

    def _keep(self, message: Notification) -> None:
        declaration = self._declared.get(message.method)
        if declaration is None:
            log.debug("ignored a notification that is not declared: %s", message.method)
            return
        try:
            params = decode_model(declaration.params, message.params)
        except InvalidRequest as error:
            log.warning("ignored %s: %s", message.method, error.message)
            return
        self._followers.tell(declaration, params)

    def _be_asked(self, request: Request) -> None:
        if self._asked < MAX_ASKED:
            self._asked += 1
            self._tasks.start_soon(self._answer, request)
        else:
            # Without an answer, not even a refusal: to wait here for a server that does not read could be for ever.
            log.warning("ignored %s: %d requests of the server are unanswered", request.method, self._asked)

    async def _answer(self, request: Request) -> None:
        try:
            await self._send(await self._answers.to(request))
        except TransportClosed:
            log.debug("the server is gone; nobody waits for the answer")
        finally:
            self._asked -= 1
