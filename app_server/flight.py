"""One outcome that many wait for: the waiters share it, and none of them owns it."""

from typing import Generic, TypeVar

import anyio

T = TypeVar("T")


class Flight(Generic[T]):
    """The outcome of something under way. A waiter that is cancelled leaves the others, and the work, alone."""

    def __init__(self) -> None:
        self._landed = anyio.Event()
        self._result: T | None = None
        self._error: Exception | None = None

    @property
    def landed(self) -> bool:
        """Whether there is an outcome."""
        return self._landed.is_set()

    @property
    def succeeded(self) -> bool:
        """Whether there is a result."""
        return self.landed and self._error is None

    def succeed(self, result: T) -> None:
        """Give everybody the result; a later outcome is ignored."""
        if not self.landed:
            self._result = result
            self._landed.set()

    def fail(self, error: Exception) -> None:
        """Give everybody the error; a later outcome is ignored."""
        if not self.landed:
            self._error = error
            self._landed.set()

    async def outcome(self) -> T:
        """Wait for the outcome.

        :raises Exception: what :meth:`fail` was given.
        """
        await self._landed.wait()
        if self._error is not None:
            # Each waiter raises its own traceback onto the shared error; only the last would be seen.
            raise self._error.with_traceback(None)
        result: T = self._result  # type: ignore[assignment] # landed without an error means with a result
        return result
