"""Which store the configuration names."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from app_server.auth.stores.ephemeral_store import EphemeralStore
from app_server.auth.stores.file_store import FileStore
from app_server.auth.stores.store import Store

StoreKind = Literal["file", "keyring", "auto", "ephemeral"]


def open_store(kind: StoreKind, home: Path, warn: Callable[[str, str], None] | None = None) -> Store:
    """The store that the configuration names (``cli_auth_credentials_store``, wire.md section 6). Nothing is read, and
    no keyring is looked for, before it is used.

    :param home: the CODEX_HOME.
    :param warn: tells the user that the store is not what it should be: a sentence, and details.
    """
    match kind:
        case "file":
            return FileStore(home)
        case "ephemeral":
            return EphemeralStore()
        case "keyring":
            from app_server.auth.stores.keyring_store import KeyringStore  # noqa: PLC0415 - most homes have a file

            return KeyringStore(home)
        case "auto":
            from app_server.auth.stores.auto_store import AutoStore  # noqa: PLC0415

            return AutoStore(home, warn or (lambda _summary, _details: None))
