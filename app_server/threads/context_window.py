"""What the model has seen of a thread, and how much room that takes. Nothing here does I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app_server.threads import usage
from app_server.threads.history import History
from app_server.threads.response_items import Item
from protocol.turn import ThreadTokenUsage


@dataclass(frozen=True, slots=True)
class ContextLimits:
    """How much a model can hold, in tokens.

    :param shown_window: what the client is told; a part of the window is kept back.
    :param compact_at: the history is replaced by a summary when the last response came to this.
    """

    shown_window: int
    compact_at: int


class ContextWindow:
    """The history of a thread and the tokens that it costs, from turn to turn."""

    def __init__(self, items: Iterable[Item] = (), used: ThreadTokenUsage = usage.NONE_USED) -> None:
        self.history = History(items)
        self.usage = used
        self.overflowed = False
        """The model has refused the history as too long."""

    def is_full(self, limits: ContextLimits) -> bool:
        """Whether the history has to become shorter before anything is added."""
        return self.overflowed or self.usage.last.total_tokens >= limits.compact_at

    def count(self, response: Mapping[str, Any], limits: ContextLimits) -> None:
        """Add up what a response has used."""
        self.usage = usage.add(self.usage, usage.used_by(response), limits.shown_window)

    def replace(self, items: Iterable[Item]) -> None:
        """These take the place of the history; how much they cost is a guess until the next response tells."""
        self.history.replace(items)
        self.overflowed = False
        self.usage = usage.estimated(self.usage, self.history.estimated_tokens())
