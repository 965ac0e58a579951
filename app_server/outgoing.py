"""The one way out: answers, notifications, and requests to the client with a map from id to callback.

Everything that goes to the client is encoded here and queued in the order in which it was said; one task writes the
queue out. Nothing here waits for the client to read, except :meth:`Outgoing.request`, which waits for an answer, and
:meth:`Outgoing.room`, which producers await before they make more.
"""

import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

import anyio

from app_server.pending import PendingRequests, result_of
from app_server.transport.base import Transport
from protocol.base import WireValue
from protocol.errors import WireError
from protocol.jsonrpc import (
    RequestId,
    Response,
    encode_error,
    encode_notification,
    encode_request,
    encode_result,
)
from protocol.method import ServerNotification, ServerRequest

P = TypeVar("P", bound=WireValue)
R = TypeVar("R", bound=WireValue)

HIGH_WATER: Final = 256 * 1024
"""Bytes that may wait to be written before producers are held back."""

log = logging.getLogger(__name__)


def _nobody(_: RequestId) -> None:
    pass


class Outgoing:
    """What this server says to one client.

    :param transport: where it is written.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._muted: frozenset[str] = frozenset()
        self._queue: list[bytes] = []
        self._queued_bytes = 0
        self._filled = anyio.Event()
        self._emptied = anyio.Event()
        self._pending = PendingRequests()
        self._closed = False

    # What is said

    def respond(self, request_id: RequestId, result: WireValue) -> None:
        """Answer a request with its result."""
        self._enqueue(encode_result(request_id, result.to_json()))

    def fail(self, request_id: RequestId | None, error: WireError) -> None:
        """Answer a request with an error; the id is None where it is unknown."""
        self._enqueue(encode_error(request_id, error))

    def notify(self, notification: ServerNotification[P], params: P) -> None:
        """Send a notification, unless the client has opted out of it."""
        self.notify_encoded(notification, params.to_json())

    def notify_encoded(self, notification: ServerNotification[P], params: bytes) -> None:
        """Send a notification whose params are JSON already: for those that are said so often that it counts."""
        if notification.method not in self._muted:
            self._enqueue(encode_notification(notification.method, params, time.time_ns() // 1_000_000))

    def mute(self, methods: frozenset[str]) -> None:
        """Leave out these notifications from now on (``optOutNotificationMethods``)."""
        self._muted = methods

    async def request(
        self,
        declaration: ServerRequest[P, R],
        params: P,
        timeout: float,
        over: Callable[[RequestId], None] = _nobody,
    ) -> R:
        """Ask the client, and wait for its answer.

        :param timeout: seconds to wait. Whatever ends the wait, its id is forgotten.
        :param over: told the request's id once nothing is waited for any more.
        :raises RequestFailed: the client's error, a timeout, a closed connection, or a result that does not fit;
            each is an exception of its own in :mod:`app_server.pending`.
        """
        with self._pending.open() as (request_id, answer):
            self._enqueue(encode_request(request_id, declaration.method, params.to_json()))
            try:
                return await result_of(declaration, answer, timeout)
            finally:
                over(request_id)

    def resolve(self, response: Response) -> None:
        """Hand the client's answer to whoever waits for it; an answer that nobody waits for is ignored."""
        if not self._pending.resolve(response):
            log.debug("ignored an answer whose id nobody waits for")

    @property
    def unanswered(self) -> int:
        """Requests to the client that somebody waits for."""
        return len(self._pending)

    # How it gets out

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait to be written."""
        return self._queued_bytes

    async def room(self) -> None:
        """Wait until no more than HIGH_WATER bytes wait to be written."""
        while self._queued_bytes > HIGH_WATER and not self._closed:
            await self._emptied.wait()

    async def run(self) -> None:
        """Write what is queued, until cancelled, closed, or until the client does not read any more.

        :raises TransportClosed: the client does not read any more.
        """
        while True:
            if not self._queue:
                await self._filled.wait()
            data = b"".join(self._queue)
            self._queue.clear()
            await self._transport.send(data)
            if self._closed:
                return
            self._queued_bytes -= len(data)
            self._emptied.set()
            self._emptied = anyio.Event()

    async def flush(self) -> None:
        """Wait until everything that was said has been written."""
        while self._queued_bytes:
            await self._emptied.wait()

    def refuse_answers(self) -> None:
        """The client can answer nothing any more: fail every request that waits, and every later one."""
        self._pending.close()

    def close(self) -> None:
        """Nobody reads any more: forget what is queued and release all who wait."""
        self.refuse_answers()
        self._closed = True
        self._queue.clear()
        self._queued_bytes = 0
        self._emptied.set()

    def _enqueue(self, line: bytes) -> None:
        if self._closed:
            return
        self._queue.append(line)
        self._queued_bytes += len(line)
        if len(self._queue) == 1:
            self._filled.set()
            self._filled = anyio.Event()
