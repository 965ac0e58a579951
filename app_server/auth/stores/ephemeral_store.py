"""A login that ends with the process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from app_server.auth.credentials import Credential
from app_server.auth.stores.auth_file import Fingerprint
from app_server.auth.stores.store import LOCK_TIMEOUT, Access
from app_server.auth.stores.store_errors import LockTimeout


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
