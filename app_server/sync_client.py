"""``app_server.client`` for callers without an event loop; it runs one in a thread of its own (anyio's portal).

    with spawn_sync() as client:
        client.initialize("my-script", "1.0")
        turn = client.start_turn(TurnStartParams(thread_id=thread_id, input=[hello]))
        for notification, params in turn:
            ...

Arguments, results and exceptions are those of the async client. Handlers are plain functions, each called in a thread.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from anyio import to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal

from app_server.client import Client, spawn
from app_server.client_handlers import all_handlers
from app_server.followed_turn import FollowedTurn
from app_server.notification_feed import Arrived
from protocol.base import WireValue
from protocol.lifecycle import InitializeResponse
from protocol.method import ClientRequest, ServerNotification, ServerRequest
from protocol.turn import Turn, TurnStartParams
from protocol.user_input import UserInput

P = TypeVar("P", bound=WireValue)
R = TypeVar("R", bound=WireValue)

Handler = Callable[[Any], WireValue]


class SyncTurn:
    """See :class:`app_server.followed_turn.FollowedTurn`."""

    def __init__(self, turn: FollowedTurn, portal: BlockingPortal) -> None:
        self.id = turn.id
        self._turn = turn
        self._call = portal.call

    def __iter__(self) -> Iterator[Arrived]:
        """Its notifications as they come."""
        while (arrived := self._call(_next, self._turn)) is not None:
            yield arrived

    def completed(self) -> Turn:
        """Wait for the end."""
        return self._call(self._turn.completed)

    def steer(self, *more: UserInput, timeout: float = 60) -> None:
        """Give it more input."""
        self._call(partial(self._turn.steer, *more, timeout=timeout))

    def interrupt(self, *, timeout: float = 60) -> None:
        """End it."""
        self._call(partial(self._turn.interrupt, timeout=timeout))


class SyncClient:
    """See :class:`app_server.client.Client`."""

    def __init__(self, client: Client, portal: BlockingPortal) -> None:
        self._client = client
        self._portal = portal

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
    command: Sequence[str] | None = None,
    *,
    handlers: Mapping[ServerRequest[Any, Any], Handler] | None = None,
    refresh_tokens: Handler | None = None,
    tool_call: Handler | None = None,
    request_user_input: Handler | None = None,
    **options: Any,
) -> Iterator[SyncClient]:
    """Start a server as a subprocess, and end it with the block.

    :param options: the other arguments of :func:`app_server.client.spawn`.
    """
    named = {"refresh_tokens": refresh_tokens, "tool_call": tool_call, "request_user_input": request_user_input}
    plain = all_handlers(handlers, {name: handler for name, handler in named.items() if handler})
    answers = {declaration: partial(_in_thread, handler) for declaration, handler in plain.items()}
    words = () if command is None else (command,)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(spawn(*words, handlers=answers, **options)) as client,
    ):
        yield SyncClient(client, portal)


async def _in_thread(handler: Handler, params: WireValue) -> WireValue:
    return await to_thread.run_sync(handler, params, abandon_on_cancel=True)


async def _next(turn: FollowedTurn) -> Arrived | None:
    return await anext(turn, None)
