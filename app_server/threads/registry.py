"""The threads that are loaded: which there are, who may write them, and when they are let go of.

How a thread comes to be loaded is in ``opening``.
"""

import logging
import math
from collections.abc import Iterator
from typing import Final

import anyio
from anyio.abc import TaskGroup

from app_server.rollouts.store import ThreadStore
from app_server.threads import described
from app_server.threads.ids import thread_id as checked_id
from app_server.threads.thread import LiveThread
from protocol.errors import InvalidRequest
from protocol.thread import NotLoadedThreadStatus, ThreadStatus, ThreadUnsubscribeStatus

log = logging.getLogger(__name__)

MARGIN: Final = 0.5
"""Seconds before the end of the drain at which turns that still run are ended, so that the client hears of it."""


class ThreadNotFound(InvalidRequest):
    """No such thread is loaded."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"thread not found: {thread_id}")


class LoadedThreads:
    """The threads of this connection.

    :param tasks: owns what goes on in the background.
    :param store: where they are kept; it is told of changes, and closed in the end.
    :param unload_delay: seconds after which a thread that nobody has subscribed to is let go of.
    """

    def __init__(self, tasks: TaskGroup, store: ThreadStore, unload_delay: float) -> None:
        self._tasks = tasks
        self._store = store
        self._unload_delay = unload_delay
        self._deadline = math.inf
        self._threads: dict[str, LiveThread] = {}
        self._leaving: dict[str, anyio.CancelScope] = {}
        self.opening = anyio.Lock()
        """Held while a thread is being loaded, moved or deleted, so that it happens once."""
        tasks.start_soon(self._let_go_at_the_end)

    def __len__(self) -> int:
        return len(self._threads)

    def __iter__(self) -> Iterator[LiveThread]:
        return iter(list(self._threads.values()))

    def get(self, thread_id: str) -> LiveThread | None:
        """A thread, if it is loaded."""
        return self._threads.get(thread_id)

    def require(self, thread_id: str) -> LiveThread:
        """A thread that has to be loaded.

        :raises InvalidRequest: no thread id.
        :raises ThreadNotFound: it is not loaded.
        """
        thread = self._threads.get(checked_id(thread_id))
        if thread is None:
            raise ThreadNotFound(thread_id)
        return thread

    def add(self, thread: LiveThread) -> None:
        """A thread has been loaded."""
        self._threads[thread.id] = thread

    def subscribe(self, thread: LiveThread) -> None:
        """The client wants to know what happens in it."""
        thread.say.subscribed = True
        self._stay(thread)

    def unsubscribe(self, thread_id: str) -> ThreadUnsubscribeStatus:
        """The client has no further interest; the thread is let go of after a while, once no turn runs in it."""
        thread = self._threads.get(checked_id(thread_id))
        if thread is None:
            return "notLoaded"
        if not thread.say.subscribed:
            return "notSubscribed"
        thread.say.subscribed = False
        self.settled_down(thread)
        return "unsubscribed"

    def settled_down(self, thread: LiveThread) -> None:
        """No turn runs in it any more."""
        if thread.kept is not None and thread.kept.writer.materialized:
            self._store.note(described.summary(thread))
        if thread.turn is None and not thread.say.subscribed and thread.id in self._threads:
            self._stay(thread)  # the delay counts from the last turn
            self._leaving[thread.id] = anyio.CancelScope()
            self._tasks.start_soon(self._leave, thread, self._leaving[thread.id])

    def unload(self, thread: LiveThread) -> None:
        """Let go of a thread at once; a turn that runs in it is interrupted."""
        del self._threads[thread.id]
        self._stay(thread)
        thread.close()
        thread.say.status(ThreadStatus(NotLoadedThreadStatus()))

    def close_in(self, seconds: float) -> None:
        """The client has closed its side: turns that run have so many seconds."""
        self._deadline = anyio.current_time() + seconds - MARGIN
        self._tasks.start_soon(self._end_turns_in_time)

    async def finish(self) -> None:
        """Wait for the turns that run, and end those that take too long."""
        with anyio.CancelScope(deadline=self._deadline):
            for thread in self:
                if thread.turn is not None:
                    await thread.turn.ended.wait()
        self._end_turns()

    def close(self) -> None:
        """Let go of everything: files are closed, and other processes may have the threads."""
        for thread in self:
            del self._threads[thread.id]
            try:
                thread.close()
            except Exception:
                log.exception("internal error while letting go of a thread")

    async def _end_turns_in_time(self) -> None:
        # Not left to finish: whoever calls that may have other things to wait for first.
        await anyio.sleep_until(self._deadline)
        self._end_turns()

    def _end_turns(self) -> None:
        for thread in self:
            if thread.turn is not None:
                thread.turn.interrupt()

    def _stay(self, thread: LiveThread) -> None:
        """Forget that the thread is to be let go of."""
        scope = self._leaving.pop(thread.id, None)
        if scope is not None:
            scope.cancel()

    async def _leave(self, thread: LiveThread, scope: anyio.CancelScope) -> None:
        with scope:
            await anyio.sleep(self._unload_delay)
        if self._leaving.get(thread.id) is scope:
            del self._leaving[thread.id]
            if not scope.cancelled_caught and thread.turn is None and not thread.say.subscribed:
                self.unload(thread)
                thread.say.closed()

    async def _let_go_at_the_end(self) -> None:
        """However the server ends, other processes can have the threads."""
        try:
            await anyio.sleep_forever()
        finally:
            self.close()
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await self._store.aclose()
