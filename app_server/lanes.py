"""Where admitted requests wait and run: one lane for each scope.

A lane runs up to a number of calls at once and keeps the others in order. The account lane runs one, which makes it
a first-in, first-out queue; tasks exist only while there is work, so an idle server has none to wake.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup

from app_server.router import Call, Deferred

CALL_OVERHEAD: Final = 1024
"""Bytes that a waiting call takes beyond the line it came in, roughly."""


class Backlog:
    """Counts what has been admitted and not answered, in requests and in bytes, and says when it is too much.

    :param max_bytes: bytes of admitted requests beyond which nothing more is read.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.bytes = 0
        self.calls = 0
        self._changed = anyio.Event()
        self._waited_for = False

    def enter(self, call: Call) -> None:
        """A call was admitted."""
        self.calls += 1
        self.bytes += call.size + CALL_OVERHEAD

    def leave(self, call: Call) -> None:
        """A call was answered."""
        self.calls -= 1
        self.bytes -= call.size + CALL_OVERHEAD
        if self._waited_for and (self.calls == 0 or self.bytes <= self._max_bytes):
            self._changed.set()
            self._changed = anyio.Event()
            self._waited_for = False

    async def room(self) -> None:
        """Wait until more may be read. One line may always be read, however long it is."""
        while self.bytes > self._max_bytes:
            self._waited_for = True
            await self._changed.wait()

    async def empty(self) -> None:
        """Wait until every admitted call has been answered."""
        while self.calls:
            self._waited_for = True
            await self._changed.wait()


class Lane:
    """Calls of one scope.

    :param limit: calls that run at once.
    :param run: answers one call, whatever happens; returns what is still to be waited for, if anything.
    :param finish: answers a call whose handler had to wait for somebody else.
    """

    DEFERRED: Final = 256
    """Deferred calls of a lane that may wait at once; the lane pauses beyond that."""

    def __init__(
        self,
        limit: int,
        tasks: TaskGroup,
        run: Callable[[Call], Awaitable[Deferred[Any] | None]],
        finish: Callable[[Call, Deferred[Any]], Awaitable[None]],
    ) -> None:
        self._limit = limit
        self._tasks = tasks
        self._run = run
        self._finish = finish
        self._waiting: deque[Call] = deque()
        self._workers = 0
        self._deferred = anyio.CapacityLimiter(self.DEFERRED)

    @property
    def waiting(self) -> int:
        """Calls whose turn has not come."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Calls that have begun, but for those that are deferred."""
        return self._workers

    @property
    def deferred(self) -> int:
        """Calls that have had their turn and wait for somebody else."""
        return self._deferred.borrowed_tokens

    def admit(self, call: Call) -> None:
        """Take a call in; it runs when its turn comes."""
        self._waiting.append(call)
        if self._workers < self._limit:
            self._workers += 1
            self._tasks.start_soon(self._work)

    def abandon(self) -> list[Call]:
        """Give back the calls that have not begun."""
        calls = list(self._waiting)
        self._waiting.clear()
        return calls

    async def _work(self) -> None:
        try:
            while self._waiting:
                call = self._waiting.popleft()
                deferred = await self._run(call)
                if deferred is not None:
                    await self._deferred.acquire_on_behalf_of(call)
                    self._tasks.start_soon(self._finish_deferred, call, deferred)
        finally:
            self._workers -= 1

    async def _finish_deferred(self, call: Call, deferred: Deferred[Any]) -> None:
        try:
            await self._finish(call, deferred)
        finally:
            self._deferred.release_on_behalf_of(call)
