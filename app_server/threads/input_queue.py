"""What the user has said, or a tool has delivered, and the turn has not yet taken in."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from app_server.threads.ids import uuid7
from app_server.threads.inputs import PreparedInput
from app_server.threads.response_items import Item, tool_output
from app_server.threads.turn_record import TurnRecord
from app_server.threads.unasked_output import UnaskedOutput
from protocol.items import FunctionCallOutputThreadItem, UserMessageThreadItem

MAX_WAITING_INPUTS: Final = 256


@dataclass(frozen=True, slots=True)
class Input:
    """What the user says at once, or a tool delivers.

    :param client_id: the client's own id for it.
    :param context: items that the client adds before it.
    :param output: what a tool has delivered; ``prepared`` is empty then.
    """

    prepared: PreparedInput
    client_id: str | None = None
    context: tuple[Item, ...] = ()
    output: UnaskedOutput | None = None


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
        if given.output is not None:
            self._take_output(given.output)
        parts, content = given.prepared.parts, given.prepared.content
        if not parts and not content:
            return
        raw = {"type": "message", "id": f"msg_{uuid7()}", "role": "user", "content": parts}
        item = UserMessageThreadItem(id=uuid7(), client_id=given.client_id, content=content)
        self._record.at_once(item, *([raw] if parts else []))

    def _take_output(self, given: UnaskedOutput) -> None:
        item_id, name, namespace = f"fco_{uuid7()}", given.name, given.namespace
        item = FunctionCallOutputThreadItem(id=item_id, name=name, namespace=namespace, output=given.output)
        self._record.at_once(item, tool_output(item_id, name, namespace, given.told))
