"""Managed tokens: one refresh for any number of 401s, in this process and across processes (wire.md section 11).

Read from the store first, because another process may have refreshed already; then, holding the store's lock, read
again, ask the issuer once, and save. Nobody else asks meanwhile, and whoever waited for the lock finds the new tokens.
Tokens that cannot be saved are kept and saved later; the spent ones in the store are not taken for newer.
"""

import contextlib
import logging
from collections.abc import Callable
from typing import Final, NamedTuple

import anyio
from anyio.abc import TaskGroup
from pydantic import SecretStr

from app_server.auth.credentials import Credential, ManagedTokens
from app_server.auth.errors import RecoveryFailed, RefreshRejected, RefreshUnavailable, SignedOut
from app_server.auth.journal import Journal
from app_server.auth.refresh_counts import RefreshCounts
from app_server.auth.stores.auth_file import Fingerprint
from app_server.auth.stores.store import Access, Store
from app_server.auth.stores.store_errors import StoreError
from app_server.auth.token_endpoint import ALREADY_USED, RefreshReason, TokenEndpoint
from app_server.flight import Flight
from app_server.tracing import span

SAVING: Final = 3.0
"""Seconds by which another process's refresh is waited for longer than the exchange with the issuer can take."""

OTHERS_SAVE: Final = 2.0
"""Seconds within which a program that has spent our token, because it asks without the lock, has saved its new ones."""

LOOK_AGAIN: Final = 0.05
"""Seconds between two looks at the store meanwhile."""

SAVE_AGAIN: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds between the attempts to save tokens that could not be saved; the last one repeats."""

INTERRUPTED: Final = (
    "Your access token could not be refreshed because the last refresh was interrupted before the new tokens were "
    "saved, and the old ones have been spent. Please log out and sign in again."
)

NOT_SPENT: Final = ("refresh_token_expired", "refresh_token_invalidated")
"""The codes of refusals that have another cause than an interrupted refresh."""

log = logging.getLogger(__name__)


class _UnderWay(NamedTuple):
    """A refresh that has begun.

    :param used: the tokens that it is to replace.
    :param scope: ends it.
    """

    used: ManagedTokens
    flight: Flight[ManagedTokens]
    scope: anyio.CancelScope


class ManagedRefresh:
    """Turns managed tokens that do not work any more into newer ones.

    :param store: where the login is, and whose lock keeps other processes away.
    :param journal: remembers a refresh that was under way when its process died.
    :param endpoint: asks the issuer.
    :param adopt: takes newer tokens over, with the fingerprint of the store that holds them.
    :param rejected: told once when the issuer has refused the tokens for good.
    :param warn: tells the user that something is not as it should be: a sentence, and details.
    :param tasks: owns refreshes and saves under way.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        endpoint: TokenEndpoint,
        adopt: Callable[[ManagedTokens, Fingerprint | None], None],
        rejected: Callable[[], None],
        warn: Callable[[str, str], None],
        tasks: TaskGroup,
    ) -> None:
        self._store = store
        self._journal = journal
        self._endpoint = endpoint
        self._adopt = adopt
        self._on_rejected = rejected
        self._warn = warn
        self._tasks = tasks
        self._lock_timeout = endpoint.timeout + SAVING
        self._under_way: _UnderWay | None = None
        self._rejected: tuple[ManagedTokens, RefreshRejected] | None = None
        self._unsaved: ManagedTokens | None = None
        self._spent: SecretStr | None = None
        self._presented: SecretStr | None = None
        self.counts = RefreshCounts()

    def rejection(self, tokens: ManagedTokens) -> RefreshRejected | None:
        """Why these tokens can never be refreshed, if that is known."""
        if self._rejected is not None and self._rejected[0] == tokens:
            return self._rejected[1]
        return None

    def is_replacing(self, tokens: ManagedTokens) -> bool:
        """Whether newer tokens are being asked for."""
        return self._under_way is not None and self._under_way.used == tokens

    def supersedes(self, stored: Credential | None) -> bool:
        """Whether the tokens in force are newer than these of the store, because they could not be saved."""
        unsaved = self._unsaved is not None
        return unsaved and isinstance(stored, ManagedTokens) and stored.refresh_token == self._spent

    async def remember_refusal(self, tokens: ManagedTokens) -> None:
        """Learn from the journal whether the issuer has already refused these tokens for good."""
        if (message := await self._journal.refusal(tokens.refresh_token)) is not None:
            self._rejected = (tokens, RefreshRejected(message))

    async def was_interrupted(self, tokens: ManagedTokens) -> bool:
        """Whether a process died while it refreshed these tokens."""
        return await self._journal.interrupted(tokens.refresh_token)

    async def newer_than(self, used: ManagedTokens, reason: RefreshReason) -> ManagedTokens:
        """Wait for tokens that replace ``used``; everybody who asks about the same tokens shares one refresh.

        :raises SignedOut: the login is gone, or somebody else's.
        :raises RefreshRejected: only a new login helps; remembered for these tokens.
        :raises RefreshUnavailable: it may work another time.
        """
        if (rejection := self.rejection(used)) is not None:
            raise rejection.with_traceback(None)
        if self._under_way is None or self._under_way.used != used:
            self._under_way = _UnderWay(used, Flight(), anyio.CancelScope())
            self._tasks.start_soon(self._carry_out, self._under_way, reason)
        return await self._under_way.flight.outcome()

    async def finished(self) -> None:
        """Wait for the refresh under way, if any, whatever comes of it."""
        if self._under_way is not None:
            with contextlib.suppress(RecoveryFailed):
                await self._under_way.flight.outcome()
        await self.save_now()

    def abandon(self) -> None:
        """The login is about to be replaced or removed: that does not wait for a refresh, and whoever does is told.
        What the issuer has answered already is still saved, for whoever comes next to find."""
        if self._under_way is not None:
            refresh, self._under_way = self._under_way, None
            refresh.scope.cancel()
            refresh.flight.fail(SignedOut())

    def forget(self) -> None:
        """The login has been replaced or removed: nothing of the old one is saved any more."""
        self._unsaved = self._spent = self._rejected = None

    async def _carry_out(self, refresh: _UnderWay, reason: RefreshReason) -> None:
        self.counts.asked += 1
        kind = {"app_server.refresh.kind": "managed", "app_server.refresh.reason": reason}
        with span("refresh", kind) as traced, refresh.scope:
            try:
                newer, seen = await self._refresh(refresh.used, reason)
            except RecoveryFailed as error:
                traced.fail(type(error).__name__)
                self._end(refresh)
                if isinstance(error, RefreshRejected):
                    self._rejected = (refresh.used, error)
                    self._on_rejected()
                refresh.flight.fail(error)
            else:
                self._end(refresh)
                self._adopt(newer, seen)
                refresh.flight.succeed(newer)
        self.counts.ended(well=refresh.flight.succeeded)

    def _end(self, refresh: _UnderWay) -> None:
        if self._under_way is refresh:
            self._under_way = None

    async def _refresh(self, used: ManagedTokens, reason: RefreshReason) -> tuple[ManagedTokens, Fingerprint | None]:
        try:
            seen = self._store.fingerprint()
            if newer := self._newer(used, await self._store.load()):
                return newer, seen
            async with self._store.exclusive(self._lock_timeout) as held:
                seen = self._store.fingerprint()
                if newer := self._newer(used, await held.load()):
                    return newer, seen
                try:
                    return await self._ask_and_save(held, used, reason)
                except RefreshRejected as error:
                    rejection = error
            if rejection.message == ALREADY_USED and (others := await self._saved_by_others(used)):
                return others
        except StoreError as error:
            raise RefreshUnavailable(f"Failed to refresh token: {error}") from error
        raise rejection

    async def _saved_by_others(self, used: ManagedTokens) -> tuple[ManagedTokens, Fingerprint | None] | None:
        """Wait a moment for what somebody else has spent our token on. The reference holds the lock for its save
        only (wire.md section 15.23), so it may have asked at the same time and be about to save."""
        with anyio.move_on_after(OTHERS_SAVE):
            while True:
                seen = self._store.fingerprint()
                if newer := self._newer(used, await self._store.load()):
                    return newer, seen
                await anyio.sleep(LOOK_AGAIN)
        return None

    def _newer(self, used: ManagedTokens, stored: Credential | None) -> ManagedTokens | None:
        """What the store has, if it is newer than what was used.

        :raises SignedOut: the login in the store is gone, or of another account.
        """
        if not used.account_id or not isinstance(stored, ManagedTokens) or stored.account_id != used.account_id:
            raise SignedOut
        if stored.access_token == used.access_token or stored.refresh_token == self._spent:
            return None
        return stored

    async def _ask_and_save(
        self, held: Access, used: ManagedTokens, reason: RefreshReason
    ) -> tuple[ManagedTokens, Fingerprint | None]:
        token = used.refresh_token
        if (message := await self._journal.refusal(token)) is not None:
            raise RefreshRejected(message)  # another process has asked
        interrupted = await self._journal.interrupted(token)
        if not interrupted:
            await self._journal.begin(token)
        elif token != self._presented:
            self._warn(
                "A refresh of the stored login was interrupted before its new tokens were saved.",
                "The login is tried again; if the issuer has spent the old tokens, a new login is needed.",
            )
        self._presented = token
        try:
            newer = await self._endpoint.refresh(used, reason)
        except RefreshRejected as error:
            lost = interrupted and error.code not in NOT_SPENT
            rejection = RefreshRejected(INTERRUPTED, error.code) if lost else error
            await self._journal.refused(token, rejection.message)
            raise rejection from None
        except RefreshUnavailable as error:
            if not error.maybe_spent and not interrupted:
                await self._journal.end()
            raise
        try:
            # Once the issuer has answered, the answer is saved, whatever ends meanwhile.
            with anyio.CancelScope(shield=True):
                seen = await held.save(newer)
        except StoreError as error:
            self._keep(used, newer, str(error))
            return newer, self._store.fingerprint()
        self._unsaved = self._spent = None
        await self._journal.end()
        return newer, seen

    def _keep(self, used: ManagedTokens, newer: ManagedTokens, why: str) -> None:
        log.error("the refreshed tokens could not be saved: %s", why)
        self._warn("The refreshed login could not be saved; it is kept in memory and will be saved later.", why)
        first = self._unsaved is None
        self._spent = self._spent or used.refresh_token
        self._unsaved = newer
        if first:
            self._tasks.start_soon(self._save_later)

    async def _save_later(self) -> None:
        attempt = 0
        while self._unsaved is not None:
            await anyio.sleep(SAVE_AGAIN[min(attempt, len(SAVE_AGAIN) - 1)])
            attempt += 1
            await self.save_now()

    async def save_now(self) -> None:
        """Try to save what could not be saved, unless the store holds another login by now."""
        if self._unsaved is None:
            return
        try:
            async with self._store.exclusive(self._lock_timeout) as held:
                unsaved = self._unsaved
                stored = await held.load()
                if unsaved is None or not isinstance(stored, ManagedTokens) or stored.refresh_token != self._spent:
                    self._unsaved = self._spent = None
                    return
                await held.save(unsaved)
                self._unsaved = self._spent = None
                await self._journal.end()
        except StoreError as error:
            log.warning("the refreshed tokens still cannot be saved: %s", error)
