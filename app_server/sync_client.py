"""``app_server.client`` for callers without an event loop: it runs one in a thread of its own (anyio's portal).

Arguments, results and exceptions are those of the async client. Steering and interrupting are requests like any other.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from anyio import to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal

from app_server.client import Client, spawn
from app_server.client_handlers import BY_NAME, all_handlers
from app_server.followed_turn import FollowedTurn
from app_server.notification_feed import Arrived
from protocol.base import WireValue
from protocol.lifecycle import InitializeResponse
from protocol.method import ClientRequest, ServerNotification, ServerRequest
from protocol.turn import Turn, TurnStartParams

P = TypeVar("P", bound=WireValue)
R = TypeVar("R", bound=WireValue)
Handler = Callable[[Any], WireValue]


class SyncTurn:
    """See :class:`FollowedTurn`; iterating it gives its notifications as they come."""

    def __init__(self, turn: FollowedTurn, portal: BlockingPortal) -> None:
        self.id, self._turn, self._call = turn.id, turn, portal.call

    def __iter__(self) -> Iterator[Arrived]:
        while (arrived := self._call(anext, self._turn, None)) is not None:
            yield arrived

    def completed(self) -> Turn:
        """Wait for the end."""
        return self._call(self._turn.completed)


class SyncClient:
    """See :class:`Client`; any thread may call it."""

    def __init__(self, client: Client, portal: BlockingPortal) -> None:
        self._client, self._portal = client, portal

    def initialize(self, name: str, version: str, **options: Any) -> InitializeResponse:
        """The handshake."""
        return self._portal.call(partial(self._client.initialize, name, version, **options))

    def request(self, declaration: ClientRequest[P, R], params: P, *, timeout: float = 60) -> R:
        """Send a request and wait for its result."""
        return self._portal.call(partial(self._client.request, declaration, params, timeout=timeout))

    def start_turn(self, params: TurnStartParams, *, timeout: float = 60) -> SyncTurn:
        """Begin a turn."""
        return SyncTurn(self._portal.call(partial(self._client.start_turn, params, timeout=timeout)), self._portal)

    def notification(self, declaration: ServerNotification[P], *, timeout: float = 60) -> P:
        """The next notification of this kind."""
        return self._portal.call(partial(self._client.notification, declaration, timeout=timeout))


@contextmanager
def spawn_sync(
    *command: Any, handlers: Mapping[ServerRequest[Any, Any], Handler] | None = None, **options: Any
) -> Iterator[SyncClient]:
    """As :func:`spawn`, whose arguments it takes; handlers are plain functions, each called in a worker thread."""
    named = {name: options.pop(name) for name in BY_NAME if name in options}
    threaded = {asked: partial(_in_thread, handler) for asked, handler in all_handlers(handlers, named).items()}
    server = partial(spawn, *command, handlers=threaded, **options)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(server()) as client:
        yield SyncClient(client, portal)


async def _in_thread(handler: Handler, params: WireValue) -> WireValue:
    return await to_thread.run_sync(handler, params, abandon_on_cancel=True)
