"""What the user has said and the turn has not yet taken in."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from app_server.threads.ids import uuid7
from app_server.threads.inputs import PreparedInput
from app_server.threads.response_items import Item
from app_server.threads.turn_record import TurnRecord
from protocol.items import UserMessageThreadItem

MAX_WAITING_INPUTS: Final = 256


@dataclass(frozen=True, slots=True)
class Input:
    """What the user says at once.

    :param client_id: the client's own id for it.
    :param context: items that the client adds before it.
    """

    prepared: PreparedInput
    client_id: str | None = None
    context: tuple[Item, ...] = ()


class TooMuchInput(Exception):
    """A turn that runs has been given more than it can take in."""


class InputQueue:
    """Input that waits, in the order in which it came."""

    def __init__(self, record: TurnRecord) -> None:
        self._record = record
        self._waiting: deque[Input] = deque()

    def add(self, more: Input) -> None:
        """:raises TooMuchInput: too much is waiting already."""
        if len(self._waiting) >= MAX_WAITING_INPUTS:
            raise TooMuchInput
        self._waiting.append(more)

    def take_in(self) -> bool:
        """Make items of the turn of it, which the model will see; returns whether there was any."""
        took = bool(self._waiting)
        while self._waiting:
            self._take(self._waiting.popleft())
        return took

    def _take(self, given: Input) -> None:
        self._record.remember(*given.context)
        parts, content = given.prepared.parts, given.prepared.content
        if not parts and not content:
            return
        raw = {"type": "message", "id": f"msg_{uuid7()}", "role": "user", "content": parts}
        item = UserMessageThreadItem(id=uuid7(), client_id=given.client_id, content=content)
        self._record.at_once(item, *([raw] if parts else []))
