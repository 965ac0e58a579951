"""The system's keyring, found through the ``keyring`` package. Everything here blocks, possibly on a person.

The package is an extra and takes 100 ms to import, so that is left to the first use. What is kept in the keyring, and
who may change it when, is not known here.
"""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final, Protocol

from app_server.auth.stores.store_errors import StoreUnavailable

WINDOWS_LIMIT: Final = 2560
"""Bytes, in UTF-16, that the Credential Manager takes for one entry (CRED_MAX_CREDENTIAL_BLOB_SIZE)."""

MISSING: Final = "the keyring package is not installed: pip install 'app-server[keyring]'"


class Backend(Protocol):
    """A keyring: texts by service and user name. What it raises is its own affair."""

    def get_password(self, service: str, username: str, /) -> str | None:
        """The text; None if there is none."""

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """Put a text in the place of whatever is there."""

    def delete_password(self, service: str, username: str, /) -> None:
        """Remove a text, which has to be there."""


def system_keyring() -> Backend:
    """The keyring that the user has configured for the ``keyring`` package; otherwise the one of the system.

    :raises StoreUnavailable: there is none, or the package is not installed.
    """
    try:
        from keyring import core  # noqa: PLC0415 - see the module's docstring
        from keyring.backends import fail  # noqa: PLC0415
    except ImportError as error:
        raise StoreUnavailable(f"{MISSING} ({error})") from error
    backend: Any = core.load_env() or core.load_config()
    if backend is None and sys.platform not in ("darwin", "win32"):
        return _secret_service()
    if backend is None:
        core.init_backend(core.recommended)
        backend = core.get_keyring()
    if isinstance(backend, fail.Keyring):
        raise StoreUnavailable("no keyring was found on this system")
    if (backend.__module__, type(backend).__name__) == ("keyring.backends.SecretService", "Keyring"):
        return SecretService(backend)
    if backend.__module__ == "keyring.backends.Windows":
        return LimitedKeyring(backend, "Windows Credential Manager", WINDOWS_LIMIT)
    found: Backend = backend
    return found


def _secret_service() -> Backend:
    """On Linux the reference knows nothing else, whereas the package prefers a KWallet that is there, too."""
    from keyring.backends.SecretService import Keyring  # noqa: PLC0415

    try:
        Keyring.priority  # noqa: B018 - tells why it cannot be used, which `viable` does not
    except RuntimeError as error:
        raise StoreUnavailable(f"no secret service provider or dbus session found: {error}") from error
    return SecretService(Keyring())  # type: ignore[no-untyped-call]


class SecretService:
    """A Secret Service, with items like the reference's, so that neither program leaves one that the other overlooks.

    The items differ from those of the ``keyring`` package in their attributes only. One that is there is changed
    rather than replaced, because services disagree about what replaces what.

    :param backend: the one of the ``keyring`` package, which connects and unlocks.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def get_password(self, service: str, username: str, /) -> str | None:
        """See :meth:`Backend.get_password`."""
        with self._items(service, username) as (_, items):
            if not items:
                return None
            self._backend.unlock(items[0])
            text: str = items[0].get_secret().decode()
            return text

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """See :meth:`Backend.set_password`."""
        with self._items(service, username) as (collection, items):
            if items:
                self._backend.unlock(items[0])
                items[0].set_secret(password.encode())
                return
            label = f"{username}@{service}:default"
            attributes = {
                "application": "rust-keyring",
                "service": service,
                "target": "default",
                "username": username,
            }
            collection.create_item(label, attributes, password.encode(), replace=True)

    def delete_password(self, service: str, username: str, /) -> None:
        """See :meth:`Backend.delete_password`."""
        with self._items(service, username) as (_, items):
            for item in items:
                item.delete()

    @contextmanager
    def _items(self, service: str, username: str) -> Iterator[tuple[Any, list[Any]]]:
        """The collection that the user keeps unlocked, and what it has of this name; the reference's favourite first.

        The reference prefers an item with its own target, and makes do with one of another program that has none.
        """
        collection = self._backend.get_preferred_collection()
        with closing(collection.connection):
            items = list(collection.search_items({"service": service, "username": username}))
            yield collection, sorted(items, key=lambda item: item.get_attributes().get("target") != "default")


class LimitedKeyring:
    """A keyring that takes only short texts, and would say so in words that nobody understands.

    :param name: what people call it.
    :param limit: bytes that it takes, in UTF-16.
    """

    def __init__(self, backend: Backend, name: str, limit: int) -> None:
        self._backend = backend
        self._name = name
        self._limit = limit

    def get_password(self, service: str, username: str, /) -> str | None:
        """See :meth:`Backend.get_password`."""
        return self._backend.get_password(service, username)

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """See :meth:`Backend.set_password`."""
        size = len(password.encode("utf-16-le"))
        if size > self._limit:
            raise StoreUnavailable(f"the login takes {size} bytes, and the {self._name} at most {self._limit}")
        self._backend.set_password(service, username, password)

    def delete_password(self, service: str, username: str, /) -> None:
        """See :meth:`Backend.delete_password`."""
        self._backend.delete_password(service, username)
