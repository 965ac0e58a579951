"""What a store is. ``opening`` chooses one; each kind has a module of its own."""

from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from app_server.auth.credentials import Credential
from app_server.auth.stores.auth_file import Fingerprint

LOCK_TIMEOUT: Final = 10.0
"""Seconds that saving and deleting wait for whoever is at it already."""


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
