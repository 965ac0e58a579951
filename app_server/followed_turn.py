"""A turn as a client of the server follows it; :meth:`app_server.client.Client.start_turn` begins one.

The turn as the server carries it out is ``app_server.threads.turn``.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, Self, TypeVar

from app_server.notification_feed import Arrived, NotificationFeed
from protocol.base import WireValue
from protocol.method import ClientRequest, ServerNotification
from protocol.turn import TURN_COMPLETED, TURN_INTERRUPT, TURN_STEER, Turn, TurnInterruptParams, TurnSteerParams
from protocol.user_input import UserInput

P = TypeVar("P", bound=WireValue)
R = TypeVar("R", bound=WireValue)


class _Request(Protocol):
    async def __call__(self, declaration: ClientRequest[P, R], params: P, *, timeout: float = 60) -> R: ...


class FollowedTurn:
    """One turn, from where the client came in to ``turn/completed``.

    :param request: sends a request to the server.
    :param gone: why the connection has closed.
    :param max_unread: notifications kept for a reader that does not come; the oldest are dropped beyond that. What
        deltas said is said again, whole, by ``item/completed``.
    """

    def __init__(
        self, thread_id: str, request: _Request, gone: Callable[[], Awaitable[Exception]], max_unread: int
    ) -> None:
        self.thread_id = thread_id
        self.id = ""
        """Known once the server has accepted the turn."""
        self._feed = NotificationFeed(max_unread)
        self._request = request
        self._gone = gone
        self._turn: Turn | None = None

    def __aiter__(self) -> Self:
        """Its notifications as they come, each with its declaration and its typed params; the last is
        ``turn/completed``. Each is seen once, however often it is iterated.
        """
        return self

    async def __anext__(self) -> Arrived:
        """The next notification.

        :raises ServerGone: the connection closed before the end.
        """
        try:
            return await anext(self._feed)
        except StopAsyncIteration:
            if self._turn is None:
                raise await self._gone() from None
            raise

    async def completed(self) -> Turn:
        """Wait for the end, passing over what has not been read; the turn as ``turn/completed`` told it, whatever its
        status.

        :raises ServerGone: the connection closed first.
        """
        async for _ in self:
            pass
        assert self._turn is not None  # noqa: S101 - else the loop has raised
        return self._turn

    async def steer(self, *more: UserInput, timeout: float = 60) -> None:
        """Give it more input.

        :raises ServerError: it takes none, or has ended.
        """
        params = TurnSteerParams(thread_id=self.thread_id, expected_turn_id=self.id, input=list(more))
        await self._request(TURN_STEER, params, timeout=timeout)

    async def interrupt(self, *, timeout: float = 60) -> None:
        """End it; ``turn/completed`` follows.

        :raises ServerError: it has ended already.
        """
        await self._request(
            TURN_INTERRUPT, TurnInterruptParams(thread_id=self.thread_id, turn_id=self.id), timeout=timeout
        )

    # For the client

    @property
    def ended(self) -> bool:
        """Nothing of it comes any more: it is completed, or the connection is closed."""
        return self._feed.ended

    def accepted(self, turn: Turn) -> list[Arrived]:
        """The server has said which turn it is; returns what has come of the one that ran before."""
        self.id = turn.id
        early = self._feed.take_all()
        for declaration, params in early:
            if self.concerns(params):
                self.take(declaration, params)
        return [(declaration, params) for declaration, params in early if _turn_id(params) != self.id]

    def refused(self) -> list[Arrived]:
        """There is no such turn; returns what has come meanwhile."""
        return self._feed.take_all()

    def concerns(self, params: Any) -> bool:
        """Whether a notification with these params is of this turn, or may be."""
        turn_id = _turn_id(params)
        return (
            turn_id is not None and not self.ended and params.thread_id == self.thread_id and self.id in ("", turn_id)
        )

    def take(self, declaration: ServerNotification[Any], params: Any) -> None:
        """A notification of this turn has come."""
        self._feed.put([(declaration, params)])
        if declaration is TURN_COMPLETED and self.id:
            self._turn = params.turn
            self._feed.end()

    def close(self) -> None:
        """The connection is closed."""
        self._feed.end()


def _turn_id(params: Any) -> str | None:
    """The turn that a notification is about; None for those about something else."""
    turn = getattr(params, "turn", None)
    turn_id = getattr(params, "turn_id", None) if turn is None else turn.id
    return turn_id if isinstance(turn_id, str) else None
