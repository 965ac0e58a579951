"""Notifications that have come and that nobody has read: what clients and turns iterate."""

from collections import deque
from collections.abc import Iterable
from typing import Any, Final, Self

import anyio

from protocol.base import WireValue
from protocol.method import ServerNotification

Arrived = tuple[ServerNotification[Any], WireValue]
"""A notification: its declaration and its params. Each declaration has a class of its own for them, so that
``isinstance(params, AgentMessageDeltaNotification)`` tells which it is, type checkers too.
"""

MAX_UNREAD: Final = 10_000
"""Notifications kept for a reader that does not come; the oldest are dropped beyond that."""


class NotificationFeed:
    """A bounded queue that ends. Iterating it takes from it, so each entry is seen once, whoever iterates.

    It is an iterator and no generator: leaving a loop early leaves nothing behind that would have to be closed.

    :param max_unread: entries kept for a reader that does not come; the oldest are dropped beyond that.
    """

    def __init__(self, max_unread: int) -> None:
        self._unread: deque[Arrived] = deque(maxlen=max_unread)
        self._changed = anyio.Event()
        self.ended = False
        """Nothing comes any more; what has come can still be read."""

    def put(self, arrived: Iterable[Arrived]) -> None:
        """Append entries."""
        self._unread.extend(arrived)
        self._wake()

    def end(self) -> None:
        """Let readers end once they have read the rest."""
        self.ended = True
        self._wake()

    def __aiter__(self) -> Self:
        """It is its own iterator."""
        return self

    async def __anext__(self) -> Arrived:
        """The oldest entry, as soon as there is one."""
        while not self._unread:
            if self.ended:
                raise StopAsyncIteration
            await self._changed.wait()
        return self._unread.popleft()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
