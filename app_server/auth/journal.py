"""A note about a refresh that is under way, so that dying in the middle of one is recognised afterwards.

An issuer that rotates refresh tokens has spent the old one as soon as it answers. A process that dies between the
answer and the save leaves the spent token behind. The note, written before the request and removed after the save,
tells the next process so; it also keeps the issuer's final word, so that a refused token is not presented again at
every start. It names the token by a hash, holds no secret, and is only ever touched under the store's lock.
"""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final, Protocol

import anyio.to_thread
from pydantic import SecretStr

NAME: Final = "auth.refresh.json"


class Journal(Protocol):
    """Where the note is kept."""

    async def begin(self, refresh_token: SecretStr) -> None:
        """The token is about to be presented."""

    async def refused(self, refresh_token: SecretStr, message: str) -> None:
        """The issuer has refused the token for good, with this text for the user."""

    async def end(self) -> None:
        """What the refresh gave is safe, or it gave nothing and the token is unspent."""

    async def interrupted(self, refresh_token: SecretStr) -> bool:
        """Whether this token was presented by a process that did not finish."""

    async def refusal(self, refresh_token: SecretStr) -> str | None:
        """The text with which this token was refused for good, if it was."""


class FileJournal:
    """A small file in CODEX_HOME. That it cannot be written is no reason not to refresh.

    :param home: the CODEX_HOME.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / NAME

    async def begin(self, refresh_token: SecretStr) -> None:
        """See :meth:`Journal.begin`."""
        await self._write({"refresh_token_sha256": _hash(refresh_token), "state": "presented"})

    async def refused(self, refresh_token: SecretStr, message: str) -> None:
        """See :meth:`Journal.refused`."""
        await self._write({"refresh_token_sha256": _hash(refresh_token), "state": "refused", "message": message})

    async def end(self) -> None:
        """See :meth:`Journal.end`."""
        await anyio.to_thread.run_sync(self._remove)

    async def interrupted(self, refresh_token: SecretStr) -> bool:
        """See :meth:`Journal.interrupted`."""
        return (await self._note(refresh_token)).get("state") == "presented"

    async def refusal(self, refresh_token: SecretStr) -> str | None:
        """See :meth:`Journal.refusal`."""
        note = await self._note(refresh_token)
        message = note.get("message")
        return message if note.get("state") == "refused" and isinstance(message, str) else None

    async def _note(self, refresh_token: SecretStr) -> dict[str, Any]:
        note = await anyio.to_thread.run_sync(self._read)
        return note if note.get("refresh_token_sha256") == _hash(refresh_token) else {}

    async def _write(self, note: dict[str, str]) -> None:
        await anyio.to_thread.run_sync(self._replace, json.dumps(note))

    def _read(self) -> dict[str, Any]:
        try:
            note = json.loads(self._path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return note if isinstance(note, dict) else {}

    def _replace(self, text: str) -> None:
        # In place: a note that is torn by a crash counts as none, and the lock keeps everybody else away.
        with contextlib.suppress(OSError):
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.write(fd, text.encode())
                os.fsync(fd)
            finally:
                os.close(fd)

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


class NoJournal:
    """For logins that end with the process anyway."""

    async def begin(self, refresh_token: SecretStr) -> None:
        """See :meth:`Journal.begin`."""

    async def refused(self, refresh_token: SecretStr, message: str) -> None:
        """See :meth:`Journal.refused`."""

    async def end(self) -> None:
        """See :meth:`Journal.end`."""

    async def interrupted(self, refresh_token: SecretStr) -> bool:
        """See :meth:`Journal.interrupted`."""
        return False

    async def refusal(self, refresh_token: SecretStr) -> str | None:
        """See :meth:`Journal.refusal`."""
        return None


def _hash(secret: SecretStr) -> str:
    return hashlib.sha256(secret.get_secret_value().encode(errors="surrogatepass")).hexdigest()
