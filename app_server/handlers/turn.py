"""``turn/*`` (wire.md section 14)."""

from app_server.router import Reply
from app_server.threads.turns import Turns
from protocol.turn import (
    TurnInterruptParams,
    TurnInterruptResponse,
    TurnStartParams,
    TurnStartResponse,
    TurnSteerParams,
    TurnSteerResponse,
)


class TurnHandlers:
    """What the user says, and that the user has heard enough."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    async def start(self, params: TurnStartParams) -> Reply[TurnStartResponse]:
        """``turn/start``."""
        begun = await self._turns.start(params)
        return Reply(TurnStartResponse(turn=begun.turn), begun.then)

    async def steer(self, params: TurnSteerParams) -> Reply[TurnSteerResponse]:
        """``turn/steer``."""
        return Reply(TurnSteerResponse(turn_id=await self._turns.steer(params)))

    async def interrupt(self, params: TurnInterruptParams) -> Reply[TurnInterruptResponse]:
        """``turn/interrupt``."""
        return Reply(TurnInterruptResponse(), self._turns.interrupt(params))
