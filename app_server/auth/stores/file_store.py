"""A login in ``auth.json``, as the reference keeps it.

What it looks like there (``auth_json``), how the file is replaced (``auth_file``), and how programs keep out of each
other's way (``locks``) are other rooms.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import anyio.to_thread

from app_server.auth.credentials import Credential
from app_server.auth.stores import auth_file
from app_server.auth.stores.auth_file import Fingerprint
from app_server.auth.stores.auth_json import CorruptAuthFile, decode, encode
from app_server.auth.stores.locks import locked
from app_server.auth.stores.store import LOCK_TIMEOUT, Access
from app_server.auth.stores.store_errors import StoreError, StoreUnreadable

T = TypeVar("T")


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


async def _in_thread(work: Callable[[], T]) -> T:
    """Do something that blocks. It is never abandoned half done, so a cancelled caller waits for it, too."""
    try:
        return await anyio.to_thread.run_sync(work)
    except OSError as error:
        raise StoreError.of(error) from error
