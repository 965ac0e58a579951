"""A login in the system's keyring: the document of ``auth.json`` as one entry, where the reference keeps it, too.

How a keyring is reached is ``keyring_entry``'s business. Changes take the same locks as those of the file, so both
programs and both kinds of stores can share a CODEX_HOME. Other processes of this program notice a change by the note
beside (``keyring_note``); one that another program makes is found out when the issuer refuses the tokens, as in the
reference. Nothing here asks the keyring unless somebody loads, saves or deletes.
"""

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

import anyio
import anyio.to_thread

from app_server.auth.credentials import Credential
from app_server.auth.stores import auth_file
from app_server.auth.stores.auth_file import Fingerprint
from app_server.auth.stores.auth_json import CorruptAuthFile, decode, encode
from app_server.auth.stores.keyring_backend import Backend, system_keyring
from app_server.auth.stores.keyring_entry import KeyringEntry, digest
from app_server.auth.stores.keyring_note import Note, NoteFile
from app_server.auth.stores.locks import locked
from app_server.auth.stores.store import LOCK_TIMEOUT, Access
from app_server.auth.stores.store_errors import StoreError, StoreUnavailable, StoreUnreadable

TIMEOUT: Final = 3.0
"""Seconds for one call to a keyring. Saving and deleting take two, so as not to change anything behind a prompt."""

log = logging.getLogger(__name__)

T = TypeVar("T")


class KeyringAccess:
    """The entry as whoever holds the locks of the home may treat it; loading needs no lock."""

    def __init__(self, home: Path, backend: Callable[[], Backend], timeout: float) -> None:
        self._home = home
        self._note = NoteFile(home)
        self.entry = KeyringEntry(home, backend, timeout)

    def fingerprint(self, *more: object) -> Fingerprint:
        """Differs once the entry has been changed or has become readable, or ``more`` differs."""
        # A hash of everything in the place of one of the numbers: only whether two of them are equal ever counts.
        return Fingerprint(hash((self._note.fingerprint(), self.entry.late_answers, *more)), 0, 0)

    async def load(self) -> Credential | None:
        """See :meth:`Access.load`."""
        try:
            text = await self.text_in_force()
        except StoreUnavailable as error:
            raise StoreUnreadable(f"failed to load CLI auth from keyring: {error}") from error
        return None if text is None else decoded(text)

    async def text_in_force(self) -> str | None:
        """What the keyring has, unless it is outdated.

        :raises StoreUnavailable: it cannot be reached.
        """
        text = await self.entry.read()
        note = await _in_thread(self._note.read)
        return None if text is None or digest(text) in note.outdated else text

    async def holds_login(self) -> bool:
        """Whether there is a login in the keyring as far as is known without asking it."""
        note = await _in_thread(self._note.read)
        return bool(self._known(note) - note.outdated)

    async def save(self, credential: Credential) -> Fingerprint:
        """See :meth:`Access.save`. A login in the file goes: the reference would not look there, either.

        :raises StoreUnavailable: the keyring cannot be reached, or does not take it.
        """
        try:
            previous = await self.entry.read()
            text = await _in_thread(lambda: self._encoded(credential, previous))
            with anyio.CancelScope(shield=True):
                await self.entry.write(text)
                await _in_thread(lambda: self._saved(text))
        except StoreUnavailable as error:
            raise StoreUnavailable(f"failed to write OAuth tokens to keyring: {error}") from error
        return self.fingerprint()

    async def delete(self) -> bool:
        """See :meth:`Access.delete`. The file goes first, and in any case.

        :raises StoreUnavailable: the keyring cannot be reached, and is known to hold a login.
        """
        was_in_file = await _in_thread(lambda: auth_file.remove(self._home))
        try:
            if await self.entry.read() is None:
                await _in_thread(self._forget_note)
                return was_in_file
            await self.remove()
        except StoreUnavailable as error:
            if not await self.holds_login():
                # This program has put nothing there, and whoever logs out must not be kept in by what is not there.
                log.warning("a login that another program may keep in the keyring is not removed: %s", error)
                return was_in_file
            raise StoreUnavailable(f"failed to delete auth from keyring: {error}") from error
        return True

    async def remove(self) -> None:
        """Remove the entry, which has to be there.

        :raises StoreUnavailable: the keyring cannot be reached, or refuses.
        """
        with anyio.CancelScope(shield=True):
            await self.entry.remove()
            await _in_thread(lambda: self._take_down(Note()))

    async def outdate(self) -> None:
        """Make a login that is known to be in the keyring count no more, without the keyring.

        :raises StoreError: that cannot be written down.
        """
        note = await _in_thread(self._note.read)
        if known := self._known(note):
            await _in_thread(lambda: self._note.write(Note(outdated=known | note.outdated)))

    def _known(self, note: Note) -> frozenset[str]:
        """What may be in the keyring: what this process has seen there last, and what any of this program has put."""
        return frozenset(known for known in (self.entry.known, note.entry) if known is not None)

    def _encoded(self, credential: Credential, previous: str | None) -> str:
        """The document, in ASCII and without spaces: some keyrings are small, and some guess at encodings."""
        try:
            # What others have added to a file moves with the login.
            old = auth_file.read(self._home) if previous is None else previous.encode(errors="surrogatepass")
            document = json.loads(encode(credential, decode(old or b"").document))
        except (CorruptAuthFile, OSError):
            document = json.loads(encode(credential, {}))
        return json.dumps(document, separators=(",", ":"))

    def _saved(self, text: str) -> None:
        # First the note, which makes others look, and then the file, which they take for what the keyring lacks.
        self._take_down(Note(digest(text)))
        try:
            auth_file.remove(self._home)
        except OSError as error:
            log.warning("the login is in the keyring, but the one in %s cannot be removed: %s", auth_file.NAME, error)

    def _forget_note(self) -> None:
        if self._note.read() != Note():
            self._take_down(Note())

    def _take_down(self, note: Note) -> None:
        try:
            self._note.write(note)
        except OSError as error:
            log.warning("other processes will not notice that the login in the keyring has changed: %s", error)


class KeyringStore:
    """Keeps a login in the keyring and nowhere else.

    :param home: the CODEX_HOME, by whose path the entry is named; created when first saved to.
    :param backend: finds the keyring.
    :param timeout: seconds for one call to the keyring.
    :param lock_timeout: seconds that ``save`` and ``delete`` wait for whoever is at it already.
    """

    def __init__(
        self,
        home: Path,
        *,
        backend: Callable[[], Backend] = system_keyring,
        timeout: float = TIMEOUT,
        lock_timeout: float = LOCK_TIMEOUT,
    ) -> None:
        self._home = home
        self._access = KeyringAccess(home, backend, timeout)
        self._lock_timeout = lock_timeout

    def fingerprint(self) -> Fingerprint:
        """See :meth:`Store.fingerprint`. It costs one look at the note, and nothing of the keyring."""
        return self._access.fingerprint()

    async def load(self) -> Credential | None:
        """See :meth:`Access.load`."""
        return await self._access.load()

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
        await _in_thread(lambda: self._home.mkdir(mode=0o700, parents=True, exist_ok=True))
        async with locked(self._home, timeout):
            yield self._access


def decoded(text: str) -> Credential | None:
    """The login that an entry says.

    :raises StoreUnreadable: it is not understood.
    """
    try:
        return decode(text.encode(errors="surrogatepass")).credential
    except CorruptAuthFile as error:
        raise StoreUnreadable(f"failed to deserialize CLI auth from keyring: {error.reason}") from error


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await anyio.to_thread.run_sync(work)
    except OSError as error:
        raise StoreError.of(error) from error
