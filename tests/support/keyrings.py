"""Keyrings for the ``keyring`` package of a server under test, chosen by ``PYTHON_KEYRING_BACKEND``.

They stand in for what the machine of a test may or may not have; a real one is asked in ``tests/keyring``.
"""

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

ROOT = Path(__file__).parents[2]
VARIABLE = "APP_SERVER_TEST_KEYRING"

NO_KEYRING = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
"""The environment of a server on a machine without a keyring."""


def keyring_in(file: Path) -> Mapping[str, str]:
    """The environment of a server whose keyring is this file; the keyring is locked while the file is a directory."""
    return {**_environment("InFile"), VARIABLE: str(file)}


def hanging_keyring() -> Mapping[str, str]:
    """The environment of a server whose keyring waits for somebody who never comes."""
    return _environment("Hanging")


def _environment(name: str) -> dict[str, str]:
    return {"PYTHON_KEYRING_BACKEND": f"{__name__}.{name}", "PYTHONPATH": str(ROOT)}


class InFile(KeyringBackend):
    """A keyring in a JSON file: texts by ``service/username``."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        return self._texts().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write({**self._texts(), f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        texts = self._texts()
        if texts.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("not found")
        self._write(texts)

    def _texts(self) -> dict[str, str]:
        file = Path(os.environ[VARIABLE])
        if file.is_dir():
            raise KeyringLocked("it is locked")
        return json.loads(file.read_bytes()) if file.exists() else {}

    def _write(self, texts: dict[str, str]) -> None:
        Path(os.environ[VARIABLE]).write_text(json.dumps(texts))


class Hanging(KeyringBackend):
    """A keyring whose prompt nobody answers."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        threading.Event().wait()
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise AssertionError("nothing may be written behind a prompt")
