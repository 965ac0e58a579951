"""A thread as a client holds it, to ask questions in; :meth:`Client.start_thread` and :meth:`Client.resume_thread`
give one."""

from typing import Protocol

from app_server.client.turn import FollowedTurn, Said, inputs
from protocol.thread import Thread
from protocol.turn import TurnStartParams


class _StartTurn(Protocol):
    async def __call__(self, params: TurnStartParams, *, timeout: float = 60) -> FollowedTurn: ...


class OpenThread:
    """One thread.

    :param thread: as the server described it when it was opened; notifications tell what becomes of it.
    :param start_turn: begins a turn.
    """

    def __init__(self, thread: Thread, start_turn: _StartTurn) -> None:
        self._start_turn = start_turn
        self.thread = thread
        self.id = thread.id
        """What ``thread_id`` is in requests about it."""

    async def ask(self, *said: Said, timeout: float = 60) -> FollowedTurn:
        """Begin a turn, or say this to the one that runs. With :meth:`Client.start_turn` more can be asked of one: its
        model, effort, schema, …

        :param said: the user's input.
        :param timeout: seconds to wait for it to be accepted.
        :raises ServerError, ServerGone, InvalidAnswer, TimeoutError: as :meth:`Client.request` does.
        """
        return await self._start_turn(TurnStartParams(thread_id=self.id, input=inputs(said)), timeout=timeout)
