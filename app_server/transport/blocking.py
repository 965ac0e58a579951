"""Blocking calls on a daemon thread, one at a time, for descriptors that know no readiness.

anyio's own worker threads are joined when the interpreter ends, which a thread that is blocked in a read of a
terminal or of a Windows pipe would hold up for ever; a daemon thread is not.
"""

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.from_thread
from anyio.lowlevel import current_token

T = TypeVar("T")


class _Outcome:
    def __init__(self) -> None:
        self.done = anyio.Event()
        self.value: Any = None
        self.error: Exception | None = None


class BlockingCalls:
    """A thread that starts with the first call and ends with the process."""

    def __init__(self, name: str) -> None:
        self._name = f"app-server {name}"
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def call(self, function: Callable[[], T]) -> T:
        """Run ``function`` on the thread; the caller must not have two calls under way.

        :raises Exception: what ``function`` raised, as a rule an OSError.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        outcome = _Outcome()
        token = current_token()

        def carry_out() -> None:
            try:
                outcome.value = function()
            except Exception as error:
                outcome.error = error
            try:
                anyio.from_thread.run_sync(outcome.done.set, token=token)
            except RuntimeError:
                return  # the event loop has ended; nobody waits

        self._calls.put(carry_out)
        await outcome.done.wait()
        if outcome.error is not None:
            raise outcome.error
        result: T = outcome.value
        return result

    def _run(self) -> None:
        while True:
            self._calls.get()()
