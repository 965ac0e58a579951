"""The one entry that a CODEX_HOME has in a keyring, as a text, with a deadline for everything.

A keyring may ask its user, who may be away, or be a D-Bus service that does not answer. So every call has a daemon
thread, which holds up neither the event loop nor the end of the process. What the text means is not known here.
"""

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import anyio
import anyio.from_thread
from anyio.lowlevel import current_token

from app_server.auth.stores.keyring_backend import Backend
from app_server.auth.stores.store_errors import StoreUnavailable

SERVICE: Final = "Codex Auth"
"""The service under which the reference keeps its entries."""

T = TypeVar("T")


def account(home: Path) -> str:
    """The user name under which the reference keeps the entry of a CODEX_HOME."""
    canonical = os.fsencode(os.path.realpath(home)).decode(errors="replace")
    return f"cli|{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


def digest(text: str) -> str:
    """What tells one text from another without being it."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class KeyringEntry:
    """What a keyring keeps for one CODEX_HOME.

    :param backend: finds the keyring; asked again as long as it raises. Called in a thread, like all that it gives.
    :param timeout: seconds that anything here takes at most.
    """

    def __init__(self, home: Path, backend: Callable[[], Backend], timeout: float) -> None:
        self._home = home
        self._find = backend
        self._backend: Backend | None = None
        self._calls = _Calls(timeout)
        self.known: str | None = None
        """The digest of the text as it was last seen; None if there was none, or nobody has looked."""

    @property
    def late_answers(self) -> int:
        """How often the keyring has answered after the deadline, for example because somebody has unlocked it. What
        could not be read before can be read now."""
        return self._calls.late

    @property
    def hangs(self) -> bool:
        """Whether a call is under way that nobody waits for any more."""
        return self._calls.busy

    async def read(self) -> str | None:
        """The text; None if there is none. This is where a locked keyring asks its user, so it is worth doing before
        changing anything: a call that is given up may still be carried out.

        :raises StoreUnavailable: the keyring cannot be reached, refuses, or does not answer in time.
        """

        def read() -> str | None:
            return self._open().get_password(SERVICE, account(self._home))

        text = await self._call(read)
        self.known = None if text is None else digest(text)
        return text

    async def write(self, text: str) -> None:
        """Put a text in the place of whatever is there. Whoever is cancelled here does not know what became of it.

        :raises StoreUnavailable: as in :meth:`read`, or the keyring does not keep what it is given.
        """

        def write() -> bool:
            backend = self._open()
            backend.set_password(SERVICE, account(self._home), text)
            return backend.get_password(SERVICE, account(self._home)) == text

        if not await self._call(write):
            raise StoreUnavailable("the keyring does not keep what it is given")
        self.known = digest(text)

    async def remove(self) -> None:
        """Remove the text, which has to be there. Whoever is cancelled here does not know what became of it.

        :raises StoreUnavailable: as in :meth:`read`.
        """

        def remove() -> None:
            self._open().delete_password(SERVICE, account(self._home))

        await self._call(remove)
        self.known = None

    def _open(self) -> Backend:
        if self._backend is None:
            self._backend = self._find()
        return self._backend

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await self._calls.call(work)
        except StoreUnavailable:
            raise
        except Exception as error:  # whatever a keyring, D-Bus or an operating system may come up with
            raise StoreUnavailable(str(error) or type(error).__name__) from error


class _Outcome(Generic[T]):
    def __init__(self) -> None:
        self.ended = anyio.Event()
        self.value: list[T] = []
        self.error: BaseException | None = None
        self.abandoned = False


class _Calls:
    """Blocking calls on daemon threads, one at a time. One that is given up keeps its turn until it ends, so that
    threads and prompts do not pile up.

    :param timeout: seconds for a call, including the wait for its turn.
    """

    def __init__(self, timeout: float) -> None:
        self.late = 0
        self._timeout = timeout
        self._turn = anyio.Semaphore(1)

    @property
    def busy(self) -> bool:
        return self._turn.value == 0

    async def call(self, work: Callable[[], T]) -> T:
        """
        :raises StoreUnavailable: it takes too long; ``work`` may still come to its end.
        :raises Exception: what ``work`` raised.
        """
        outcome = _Outcome[T]()
        try:
            with anyio.move_on_after(self._timeout):
                await self._turn.acquire()
                self._start(work, outcome)
                await outcome.ended.wait()
        finally:
            outcome.abandoned = not outcome.ended.is_set()
        if outcome.abandoned:
            raise StoreUnavailable(f"the keyring did not answer within {self._timeout:g} s")
        if isinstance(outcome.error, Exception):
            raise outcome.error
        if outcome.error is not None:  # whatever ends a thread does not end the server
            raise StoreUnavailable(f"the keyring failed: {type(outcome.error).__name__}") from outcome.error
        return outcome.value[0]

    def _start(self, work: Callable[[], T], outcome: _Outcome[T]) -> None:
        token = current_token()

        def carry_out() -> None:
            try:
                outcome.value.append(work())
            except BaseException as error:
                outcome.error = error
            try:
                anyio.from_thread.run_sync(self._end, outcome, token=token)
            except RuntimeError:
                return  # the event loop has ended; nobody waits

        try:
            threading.Thread(target=carry_out, name="app-server keyring", daemon=True).start()
        except BaseException:
            self._turn.release()
            raise

    def _end(self, outcome: _Outcome[T]) -> None:
        self._turn.release()
        if outcome.abandoned and outcome.error is None:
            self.late += 1
        outcome.ended.set()
