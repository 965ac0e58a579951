"""A note beside a CODEX_HOME's entry in a keyring: that it has changed, and whether it counts.

A keyring tells nobody when an entry changes, and may be out of reach just when a login in it has to go. So every change
that this program makes to an entry replaces this file, which other processes notice without asking the keyring; and a
login that could not be removed or replaced is called outdated here, lest it come back with the keyring. The note
names an entry by a hash, holds no secret, and is only written under the store's locks.
"""

import contextlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app_server.auth.stores.auth_file import Fingerprint

NAME: Final = "auth.keyring.json"


@dataclass(frozen=True, slots=True)
class Note:
    """What is known about the entry.

    :param entry: the digest of the text that this program put there; None if there is none that counts.
    :param outdated: digests of texts in whose place another login has come, or none. Any other text counts, because
        somebody has put it there since.
    """

    entry: str | None = None
    outdated: frozenset[str] = frozenset()


class NoteFile:
    """The note of a CODEX_HOME."""

    def __init__(self, home: Path) -> None:
        self._path = home / NAME

    def fingerprint(self) -> Fingerprint | None:
        """Differs once the note has been written again; None if there is none."""
        try:
            return Fingerprint.of(self._path.stat())
        except OSError:
            return None

    def read(self) -> Note:
        """What the note says; one that is missing or not understood says nothing."""
        try:
            document = json.loads(self._path.read_bytes())
            entry, outdated = document["entry_sha256"], frozenset(document["outdated_sha256"])
        except (OSError, ValueError, TypeError, KeyError):
            return Note()
        return Note(entry if isinstance(entry, str) else None, outdated)

    def write(self, note: Note) -> None:
        """Replace the note.

        :raises OSError: it cannot be written; the old one is still there.
        """
        # The name is one of those that a later save or delete sweeps up, should this be the last that we do.
        temporary = self._path.with_name(f".auth-{secrets.token_hex(3)}")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(fd, "w", encoding="ascii") as file:
                json.dump({"entry_sha256": note.entry, "outdated_sha256": sorted(note.outdated)}, file)
                file.flush()
                os.fsync(fd)
            temporary.replace(self._path)  # and not in place: two notes of one size and instant differ all the same
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
