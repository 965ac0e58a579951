"""A login in the keyring where there is one, else in ``auth.json`` (``cli_auth_credentials_store = "auto"``).

There is one login to a home, the newest, wherever it is. Looked for in the keyring first and then in the file, like in
the reference; saved to the keyring, from which time on the file is gone; saved to the file while the keyring is out of
reach or does not take it, from which time on what the keyring may still hold is outdated, and is not used when the
keyring comes back. The next save that reaches the keyring moves the login there again.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import anyio

from app_server.auth.credentials import Credential
from app_server.auth.stores import auth_file
from app_server.auth.stores.auth_file import Fingerprint
from app_server.auth.stores.file_store import FileStore
from app_server.auth.stores.keyring_backend import Backend, system_keyring
from app_server.auth.stores.keyring_store import TIMEOUT, KeyringAccess, decoded
from app_server.auth.stores.store import LOCK_TIMEOUT, Access
from app_server.auth.stores.store_errors import StoreError, StoreUnavailable, StoreUnreadable

log = logging.getLogger(__name__)

FELL_BACK: Final = "The system's keyring cannot be used. Logins are kept in auth.json instead."
LEFT_BEHIND: Final = "The system's keyring cannot be reached. The login in it is not used any more, but is still there."

Warn = Callable[[str, str], None]


class AutoStore:
    """Keeps a login in the keyring if it works, else in the file, and says so once.

    :param home: the CODEX_HOME; created when first saved to.
    :param warn: tells the user: a sentence, and details.
    :param backend: finds the keyring.
    :param timeout: seconds for one call to the keyring.
    :param lock_timeout: seconds that ``save`` and ``delete`` wait for whoever is at it already.
    """

    def __init__(
        self,
        home: Path,
        warn: Warn,
        *,
        backend: Callable[[], Backend] = system_keyring,
        timeout: float = TIMEOUT,
        lock_timeout: float = LOCK_TIMEOUT,
    ) -> None:
        self._home = home
        self._keyring = KeyringAccess(home, backend, timeout)
        self._file = FileStore(home)
        self._warn = _Once(warn)
        self._lock_timeout = lock_timeout

    def fingerprint(self) -> Fingerprint:
        """See :meth:`Store.fingerprint`. It costs a look at the file and one at the note beside it."""
        return self._keyring.fingerprint(auth_file.fingerprint(self._home))

    async def load(self) -> Credential | None:
        """See :meth:`Access.load`."""
        return await self._access(self._file).load()

    async def save(self, credential: Credential) -> Fingerprint | None:
        """See :meth:`Access.save`."""
        async with self.exclusive(self._lock_timeout) as held:
            return await held.save(credential)

    async def delete(self) -> bool:
        """See :meth:`Access.delete`."""
        async with self.exclusive(self._lock_timeout) as held:
            return await held.delete()

    @asynccontextmanager
    async def exclusive(self, timeout: float) -> AsyncIterator[Access]:
        """See :meth:`Store.exclusive`."""
        async with self._file.exclusive(timeout) as file:
            yield self._access(file)

    def _access(self, file: Access) -> Access:
        return _AutoAccess(self._keyring, file, self._warn, self.fingerprint)


class _AutoAccess:
    """Both places as whoever holds the locks may treat them; loading needs no lock."""

    def __init__(
        self, keyring: KeyringAccess, file: Access, warn: "_Once", fingerprint: Callable[[], Fingerprint]
    ) -> None:
        self._keyring = keyring
        self._file = file
        self._warn = warn
        self._fingerprint = fingerprint

    async def load(self) -> Credential | None:
        try:
            text = await self._keyring.text_in_force()
            if text is not None:
                return decoded(text)
        except (StoreUnavailable, StoreUnreadable) as error:
            if isinstance(error, StoreUnavailable):
                self._warn(FELL_BACK, str(error))
            stored = await self._file.load()
            if stored is None and (isinstance(error, StoreUnreadable) or await self._keyring.holds_login()):
                # A keyring that is out of reach for a moment has logged nobody out.
                raise StoreUnreadable(str(error)) from error
            return stored
        return await self._file.load()

    async def save(self, credential: Credential) -> Fingerprint:
        try:
            await self._keyring.save(credential)
        except StoreUnavailable as error:
            self._warn(FELL_BACK, str(error))
            with anyio.CancelScope(shield=True):
                await self._save_to_file(credential)
        return self._fingerprint()

    async def _save_to_file(self, credential: Credential) -> None:
        # The file first: whatever happens next, no login is lost.
        await self._file.save(credential)
        try:
            await self._keyring.outdate()
        except StoreError as error:
            log.warning("an older login in the keyring may come back: %s", error)
        if self._keyring.entry.known is not None and not self._keyring.entry.hangs:
            # What does not take the new login, being too small for it, may still let go of the old one.
            with suppress(StoreError):
                await self._keyring.remove()

    async def delete(self) -> bool:
        try:
            return await self._keyring.delete()
        except StoreUnavailable as error:
            await self._keyring.outdate()
            self._warn(LEFT_BEHIND, f"{error}; the next login or logout that reaches the keyring removes it.")
            return True


class _Once:
    """Says each thing only once."""

    def __init__(self, warn: Warn) -> None:
        self._warn = warn
        self._said: set[str] = set()

    def __call__(self, summary: str, details: str) -> None:
        log.warning("%s %s", summary, details)
        if summary not in self._said:
            self._said.add(summary)
            self._warn(summary, details)
