"""Where a login outlives the process: what a store is, the file store, and one that only remembers.

What a login looks like on disk (``auth_json``), how the file is replaced (``auth_file``), how programs keep out of
each other's way (``locks``) and the stores that use a keyring (``keyring_store``, ``auto_store``) are other rooms. Who
is in force is the manager's business.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, Protocol, TypeVar

import anyio
import anyio.to_thread

from app_server.auth import auth_file
from app_server.auth.auth_file import Fingerprint
from app_server.auth.auth_json import CorruptAuthFile, decode, encode
from app_server.auth.credentials import Credential
from app_server.auth.locks import locked
from app_server.auth.store_errors import LockTimeout, StoreError, StoreUnavailable, StoreUnreadable

__all__ = [
    "LOCK_TIMEOUT",
    "Access",
    "EphemeralStore",
    "FileStore",
    "Fingerprint",
    "LockTimeout",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "StoreUnreadable",
    "UnavailableStore",
    "open_store",
]

LOCK_TIMEOUT: Final = 10.0
"""Seconds that saving and deleting wait for whoever is at it already."""

T = TypeVar("T")


class Access(Protocol):
    """What can be done with a stored login."""

    async def load(self) -> Credential | None:
        """Read it. No lock is needed for that.

        :returns: None if nothing is stored, or nothing by which anybody is logged in.
        :raises StoreUnreadable: something is stored, but cannot be read or is not understood.
        """

    async def save(self, credential: Credential) -> Fingerprint | None:
        """Store a login in the place of whatever was stored.

        :returns: what :meth:`Store.fingerprint` says as long as nobody changes it.
        :raises StoreError: it could not be stored; what was stored before is still there.
        :raises LockTimeout: somebody else is at it for too long.
        """

    async def delete(self) -> bool:
        """Remove the stored login.

        :returns: whether there was anything to remove.
        :raises StoreError: it could not be removed.
        :raises LockTimeout: somebody else is at it for too long.
        """


class Store(Access, Protocol):
    """Where a login is kept. Saving and deleting are safe against other tasks, threads and programs."""

    def fingerprint(self) -> Fingerprint | None:
        """Something cheap that differs once the stored login has changed; None if nothing is stored, or if nobody
        else can change it. To notice every change, take it *before* a load."""

    def exclusive(self, timeout: float) -> AbstractAsyncContextManager[Access]:
        """Keep everybody else from changing the stored login, over as many steps as it takes. Inside, use the access
        that this gives; the store's own ``save`` and ``delete`` would wait for it.

        :param timeout: seconds to wait for whoever is at it already.
        :raises LockTimeout: that was not enough.
        :raises StoreError: the store cannot be locked, for example because it is read-only.
        """


class FileStore:
    """Keeps a login in ``auth.json``, as the reference does.

    :param home: the CODEX_HOME; created when first saved to.
    :param lock_timeout: seconds that ``save`` and ``delete`` wait.
    """

    def __init__(self, home: Path, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self._home = home
        self._lock_timeout = lock_timeout

    def fingerprint(self) -> Fingerprint | None:
        return auth_file.fingerprint(self._home)

    async def load(self) -> Credential | None:
        return await _UnlockedFile(self._home).load()

    async def save(self, credential: Credential) -> Fingerprint | None:
        async with self.exclusive(self._lock_timeout) as held:
            return await held.save(credential)

    async def delete(self) -> bool:
        # Logging out where nobody has logged in must work in a home that is read-only or not there at all.
        if not await _in_thread(lambda: auth_file.leaves_traces(self._home)):
            return False
        async with self.exclusive(self._lock_timeout) as held:
            return await held.delete()

    @asynccontextmanager
    async def exclusive(self, timeout: float) -> AsyncIterator[Access]:
        await _in_thread(lambda: self._home.mkdir(mode=0o700, parents=True, exist_ok=True))
        async with locked(self._home, timeout):
            yield _UnlockedFile(self._home)


class _UnlockedFile:
    """The file as whoever holds the locks may treat it."""

    def __init__(self, home: Path) -> None:
        self._home = home

    async def load(self) -> Credential | None:
        return await _in_thread(self._load)

    async def save(self, credential: Credential) -> Fingerprint | None:
        return await _in_thread(lambda: self._save(credential))

    async def delete(self) -> bool:
        return await _in_thread(lambda: auth_file.remove(self._home))

    def _load(self) -> Credential | None:
        try:
            content = auth_file.read(self._home)
            return None if content is None else decode(content).credential
        except OSError as error:
            raise StoreUnreadable.of(error) from error
        except CorruptAuthFile as error:
            raise StoreUnreadable(f"{auth_file.NAME} is not understood: {error.reason}") from error

    def _save(self, credential: Credential) -> Fingerprint:
        try:
            content = encode(credential, decode(auth_file.read(self._home) or b"").document)
            keep_old = False
        except (CorruptAuthFile, OSError):
            # Whatever it is that cannot be carried over, it may be worth something to its owner.
            content = encode(credential, {})
            keep_old = True
        return auth_file.replace(self._home, content, keep_old=keep_old)


class EphemeralStore:
    """Remembers a login for as long as the process lives, and touches no file.

    :param lock_timeout: seconds that ``save`` and ``delete`` wait.
    """

    def __init__(self, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self._turn = anyio.Semaphore(1)  # like the lock of a file, it belongs to no task
        self._memory = _Memory()
        self._lock_timeout = lock_timeout

    def fingerprint(self) -> Fingerprint | None:
        return None

    async def load(self) -> Credential | None:
        return await self._memory.load()

    async def save(self, credential: Credential) -> None:
        async with self.exclusive(self._lock_timeout) as held:
            await held.save(credential)

    async def delete(self) -> bool:
        async with self.exclusive(self._lock_timeout) as held:
            return await held.delete()

    @asynccontextmanager
    async def exclusive(self, timeout: float) -> AsyncIterator[Access]:
        with anyio.move_on_after(timeout) as waiting:
            await self._turn.acquire()
        if waiting.cancelled_caught:
            raise LockTimeout("the login in memory", timeout)
        try:
            yield self._memory
        finally:
            self._turn.release()


class _Memory:
    def __init__(self) -> None:
        self._credential: Credential | None = None

    async def load(self) -> Credential | None:
        return self._credential

    async def save(self, credential: Credential) -> None:
        self._credential = credential

    async def delete(self) -> bool:
        credential, self._credential = self._credential, None
        return credential is not None


class UnavailableStore:
    """In the place of a store that is not there: nothing is stored, and nothing can be.

    :param why: told to whoever tries.
    """

    def __init__(self, why: str) -> None:
        self._why = why

    def fingerprint(self) -> None:
        return None

    async def load(self) -> None:
        return None

    async def save(self, credential: Credential) -> None:
        raise StoreUnavailable(self._why)

    async def delete(self) -> bool:
        return False

    def exclusive(self, timeout: float) -> AbstractAsyncContextManager[Access]:
        raise StoreUnavailable(self._why)


def open_store(kind: str, home: Path, warn: Callable[[str, str], None] | None = None) -> Store:
    """The store that the configuration names (``cli_auth_credentials_store``, wire.md section 6). Nothing is read, and
    no keyring is looked for, before it is used.

    :param kind: ``file``, ``ephemeral``, ``keyring`` or ``auto``.
    :param home: the CODEX_HOME.
    :param warn: tells the user that the store is not what it should be: a sentence, and details.
    :raises StoreUnavailable: there is no such store here.
    """
    match kind:
        case "file":
            return FileStore(home)
        case "ephemeral":
            return EphemeralStore()
        case "keyring":
            from app_server.auth.keyring_store import KeyringStore  # noqa: PLC0415 - most homes have a file

            return KeyringStore(home)
        case "auto":
            from app_server.auth.auto_store import AutoStore  # noqa: PLC0415

            return AutoStore(home, warn or (lambda _summary, _details: None))
        case _:
            raise StoreUnavailable(f'cli_auth_credentials_store = "{kind}" is not known')


async def _in_thread(work: Callable[[], T]) -> T:
    """Do something that blocks. It is never abandoned half done, so a cancelled caller waits for it, too."""
    try:
        return await anyio.to_thread.run_sync(work)
    except OSError as error:
        raise StoreError.of(error) from error
