"""A turn as a client of the server follows it; :meth:`Client.start_turn` and :meth:`OpenThread.ask` begin one.

The turn as the server carries it out is ``app_server.threads.turn``.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Self

from app_server.client.connection import SendRequest
from app_server.client.errors import TurnFailed
from app_server.client.feed import Arrived, NotificationFeed
from protocol.items import AgentMessageDeltaNotification, AgentMessageThreadItem
from protocol.method import ServerNotification
from protocol.turn import (
    TURN_INTERRUPT,
    TURN_STEER,
    Turn,
    TurnCompletedNotification,
    TurnInterruptParams,
    TurnSteerParams,
)
from protocol.user_input import (
    ImageUserInput,
    LocalImageUserInput,
    MentionUserInput,
    SkillUserInput,
    TextUserInput,
    UserInput,
)

Said = str | UserInput | TextUserInput | ImageUserInput | LocalImageUserInput | SkillUserInput | MentionUserInput
"""A piece of the user's input: a text as it is, or what the wire has for it."""


def inputs(said: Iterable[Said]) -> list[UserInput]:
    """The same as the wire has it."""
    pieces = (TextUserInput(text=piece) if isinstance(piece, str) else piece for piece in said)
    return [piece if isinstance(piece, UserInput) else UserInput(piece) for piece in pieces]


class FollowedTurn:
    """One turn, from where the client came in to ``turn/completed``.

    :param request: sends a request to the server.
    :param gone: why the connection has closed.
    :param max_unread: notifications kept for a reader that does not come; the oldest are dropped beyond that. What
        deltas said is said again, whole, by ``item/completed``.
    """

    def __init__(
        self, thread_id: str, request: SendRequest, gone: Callable[[], Awaitable[Exception]], max_unread: int
    ) -> None:
        self.thread_id = thread_id
        self.id = ""
        """Known once the server has accepted the turn."""
        self._feed = NotificationFeed(max_unread)
        self._request = request
        self._gone = gone
        self._turn: Turn | None = None

    def __aiter__(self) -> Self:
        """Its notifications as they come, each with its declaration and its params (see :data:`feed.Arrived`); the
        last is ``turn/completed``. Each is seen once, however often it is iterated.
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

    def texts(self) -> AsyncIterator[str]:
        """What the model says, in pieces as they come; everything else is passed over.

        :raises TurnFailed: at the end, if it failed.
        :raises ServerGone: the connection closed before the end.
        """
        return _Texts(self)

    async def answer(self) -> str:
        """Wait for the end; the model's final answer, which is the last of its messages if it calls none so. Empty if
        it has said nothing; :meth:`texts` has what it says on the way.

        :raises TurnFailed: it failed. One that was interrupted has said what it has said.
        :raises ServerGone: the connection closed first.
        """
        turn = await self.completed()
        if turn.status == "failed":
            raise TurnFailed(turn)
        # No other message is told with the end (wire.md section 14).
        return "".join(item.root.text for item in turn.items if isinstance(item.root, AgentMessageThreadItem))

    async def steer(self, *more: Said, timeout: float = 60) -> None:
        """Give it more input.

        :raises ServerError: it takes none, or has ended.
        """
        params = TurnSteerParams(thread_id=self.thread_id, expected_turn_id=self.id, input=inputs(more))
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

    def accepted(self, turn: Turn) -> None:
        """The server has said which turn it is."""
        self.id = turn.id

    def may_concern(self, params: Any) -> bool:
        """Whether a notification with these params is of a turn of this thread."""
        return _turn_id(params) is not None and params.thread_id == self.thread_id

    def concerns(self, params: Any) -> bool:
        """Whether it is of this turn."""
        return _turn_id(params) == self.id and self.may_concern(params)

    def take(self, declaration: ServerNotification[Any], params: Any) -> None:
        """A notification of this turn has come."""
        self._feed.put([(declaration, params)])
        if isinstance(params, TurnCompletedNotification):
            self._turn = params.turn
            self._feed.end()

    def close(self) -> None:
        """The connection is closed."""
        self._feed.end()


class _Texts:
    """No generator, for the same reason as :class:`NotificationFeed`."""

    def __init__(self, turn: FollowedTurn) -> None:
        self._turn = turn

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        async for _, params in self._turn:
            if isinstance(params, AgentMessageDeltaNotification):
                return params.delta
        ended = await self._turn.completed()
        if ended.status == "failed":
            raise TurnFailed(ended)
        raise StopAsyncIteration


def _turn_id(params: Any) -> str | None:
    """The turn that a notification is about; None for those about something else."""
    turn = getattr(params, "turn", None)
    turn_id = getattr(params, "turn_id", None) if turn is None else turn.id
    return turn_id if isinstance(turn_id, str) else None
