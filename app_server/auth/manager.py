"""The owner of the credentials: what is in force, how it changes, and how a 401 becomes a newer credential.

Credentials are immutable values. Whoever makes an authorised request takes one, and on a 401 hands back *the one it
used*: that is how one refresh serves any number of concurrent 401s, and why a 401 on a token that has already been
replaced asks nobody.

In force is, in this order: the parent's own tokens, the token of the environment, the stored login. Login flows and
announcements are not known here; see ``app_server.accounts``.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import anyio
from anyio.abc import TaskGroup
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey, Credential, ExternalTokens, ManagedTokens, PersonalAccessToken
from app_server.auth.errors import (
    CredentialsNotSaved,
    LoginNotAllowed,
    NotRecoverable,
    RecoveryFailed,
    RefreshRejected,
    SignedOut,
)
from app_server.auth.journal import Journal
from app_server.auth.managed import ManagedRefresh
from app_server.auth.parent import AskParent, ParentRefresh
from app_server.auth.policy import LoginPolicy
from app_server.auth.refresh_counts import RefreshCounts
from app_server.auth.schedule import Schedule
from app_server.auth.stores.auth_file import Fingerprint
from app_server.auth.stores.store import LOCK_TIMEOUT, Store
from app_server.auth.stores.store_errors import StoreError
from app_server.auth.token_endpoint import TokenEndpoint
from app_server.auth.tokens import expires_at
from app_server.flight import Flight

log = logging.getLogger(__name__)


class AuthManager:
    """Owns the credential in force.

    :param store: where logins outlive the process.
    :param journal: remembers refreshes that a dying process left unfinished.
    :param policy: which logins are allowed.
    :param endpoint: refreshes managed tokens.
    :param ask_parent: asks the parent for tokens newer than the given ones.
    :param environment_token: resolves the token of the environment; None where there is none.
    :param changed: told when who is logged in changes although nobody asked for it: another process logged in or
        out, or the login has become useless.
    :param warn: tells the user that something is not as it should be: a sentence, and details.
    :param tasks: owns what goes on in the background.
    :param parent_timeout: seconds that a request waits for the parent's tokens.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        policy: LoginPolicy,
        endpoint: TokenEndpoint,
        ask_parent: AskParent,
        environment_token: Callable[[], Awaitable[PersonalAccessToken | None]] | None,
        changed: Callable[[], None],
        warn: Callable[[str, str], None],
        tasks: TaskGroup,
        *,
        parent_timeout: float,
    ) -> None:
        self.policy = policy
        self._store = store
        self._environment_token = environment_token
        self._changed = changed
        self._tasks = tasks
        self._external: ExternalTokens | None = None
        self._environment: PersonalAccessToken | None = None
        self._environment_resolved: Flight[None] | None = None
        self._stored: Credential | None = None
        self._seen: Fingerprint | None = None
        self._changing = anyio.Lock()
        self._parent = ParentRefresh(self._checked(ask_parent), self.use_tokens, tasks, parent_timeout)
        self._managed = ManagedRefresh(store, journal, endpoint, self._adopt, self._rejected, warn, tasks)
        self._schedule = Schedule(tasks)

    async def load(self) -> None:
        """Read the stored login, and begin to resolve the token of the environment. Neither failing is fatal, and
        neither waits for an upstream."""
        self._seen = self._store.fingerprint()
        self._stored = await self._load_allowed()
        if isinstance(self._stored, ManagedTokens):
            await self._managed.remember_refusal(self._stored)
            if await self._managed.was_interrupted(self._stored):
                self._tasks.start_soon(self._settle_interrupted, self._stored)
        self._watch()
        if self._environment_token is not None:
            self._environment_resolved = Flight()
            self._tasks.start_soon(self._resolve_environment, self._environment_token, self._environment_resolved)

    @property
    def parent_refreshes(self) -> RefreshCounts:
        """How often the parent was asked for tokens."""
        return self._parent.counts

    @property
    def managed_refreshes(self) -> RefreshCounts:
        """How often managed tokens were refreshed."""
        return self._managed.counts

    @property
    def in_force(self) -> Credential | None:
        """The credential as it was last known; see :meth:`current`."""
        return self._external or self._environment or self._stored

    @property
    def rejection(self) -> RefreshRejected | None:
        """Why the login in force is of no use any more, if it is not: the issuer refuses to refresh it."""
        credential = self.in_force
        return self._managed.rejection(credential) if isinstance(credential, ManagedTokens) else None

    def awaits_refresh(self, credential: Credential) -> bool:
        """Whether this credential has run out and newer tokens are being asked for: no upstream will accept it, and
        nobody knows for how long."""
        if not isinstance(credential, ManagedTokens) or not self._managed.is_replacing(credential):
            return False
        expiry = expires_at(credential.access_token)
        return expiry is not None and expiry <= datetime.now(UTC)

    @property
    def usable(self) -> Credential | None:
        """The credential in force, unless it is of no use any more."""
        return None if self.rejection is not None else self.in_force

    async def current(self) -> Credential | None:
        """The credential in force, having looked whether another process has logged in or out meanwhile."""
        if self._environment_resolved is not None:
            await self._environment_resolved.outcome()
        if self._store.fingerprint() != self._seen:
            async with self._changing:
                await self._notice_change()
        return self.in_force

    async def recover(self, used: Credential) -> Credential:
        """A credential to retry with, after the upstream has answered 401 to ``used``.

        :raises RecoveryFailed: there is none; see :mod:`app_server.auth.errors` for the kinds.
        """
        current = self.in_force
        if current is None:
            raise SignedOut
        if current != used:
            return current
        if isinstance(current, ExternalTokens):
            return await self._parent.newer_than(current)
        if isinstance(current, ManagedTokens):
            return await self._refresh(current, forced=False)
        raise NotRecoverable

    async def refresh_managed(self) -> None:
        """Refresh the login in force if it is a managed one, unless another process has done that already; any other
        kind is left alone.

        :raises RecoveryFailed: the refresh failed.
        """
        before = self.in_force
        current = await self.current()
        if isinstance(current, ManagedTokens) and current == before:
            await self._refresh(current, forced=True)

    def require_no_external_tokens(self) -> None:
        """:raises LoginNotAllowed: the parent's own tokens are in force and have to be cleared first."""
        if self._external is not None:
            raise LoginNotAllowed(
                "External auth is active. Use account/login/start (chatgptAuthTokens) to update it or "
                "account/logout to clear it."
            )

    async def use_api_key(self, key: SecretStr) -> Credential | None:
        """Store an API key and put it in force.

        :returns: the login it replaces.
        :raises LoginNotAllowed: by policy, or because the parent's tokens are in force.
        :raises CredentialsNotSaved: the store refused; what was in force stays.
        """
        self.require_no_external_tokens()
        self.policy.require_api_key_allowed()
        async with self._changing:
            return await self._save(ApiKey(key), "failed to save api key")

    async def use_managed(self, tokens: ManagedTokens, still_wanted: Callable[[], bool]) -> Credential | None:
        """Store the tokens of a login that has gone through, and put them in force.

        This is the commit gate: ``still_wanted`` is asked under the lock of the store, when nothing can come between
        the answer and the save, so a login that was cancelled, replaced or logged out meanwhile is never saved.

        :returns: the login it replaces.
        :raises LoginNotAllowed: the login is not wanted any more.
        :raises CredentialsNotSaved: the store refused; what was in force stays.
        """
        async with self._changing:
            return await self._save(tokens, "failed to save the login", still_wanted)

    def use_tokens(self, tokens: ExternalTokens) -> None:
        """Put the parent's own tokens in force, in memory only; requests that wait for tokens go on with these."""
        self._external = tokens
        self._parent.settle(tokens)
        self._watch()

    async def forget(self) -> Credential | None:
        """Log out: nothing that was logged in with is in force or stored any more, and nobody waits for it.

        :returns: the login that was in force, if any; a token of the environment stays in force.
        :raises CredentialsNotSaved: the stored login could not be removed; it stays in force.
        """
        was = self._external or self._stored
        self._external = None
        self._parent.settle(None)
        async with self._changing:
            self._managed.abandon()
            try:
                await self._store.delete()
            except StoreError as error:
                raise CredentialsNotSaved(f"logout failed: {error}") from error
            self._put_in_place(None, None)
        return was

    async def finish(self) -> None:
        """Wait for a refresh under way, and try once more to save what could not be saved."""
        await self._managed.finished()

    async def _refresh(self, used: ManagedTokens, *, forced: bool) -> ManagedTokens:
        try:
            return await self._managed.newer_than(used, "forced" if forced else "unauthorized_recovery")
        except SignedOut:
            # The store has another login, or none.
            await self.current()
            raise

    def _adopt(self, tokens: ManagedTokens, seen: Fingerprint | None) -> None:
        """Newer tokens of the login in force have been saved."""
        if isinstance(self._stored, ManagedTokens) and self._stored.account_id == tokens.account_id:
            self._stored = tokens
            self._seen = seen
            self._watch()

    def _rejected(self) -> None:
        """The issuer has refused tokens for good; perhaps not those in force."""
        if self.rejection is not None:
            self._changed()

    async def _save(
        self, credential: Credential, failure: str, still_wanted: Callable[[], bool] = lambda: True
    ) -> Credential | None:
        self._managed.abandon()
        try:
            async with self._store.exclusive(LOCK_TIMEOUT) as held:
                if not still_wanted():
                    raise LoginNotAllowed("Login was not completed")
                # From here on a cancelled caller waits; whoever logs out next finds the login complete and removes it.
                with anyio.CancelScope(shield=True):
                    was = self._stored
                    self._put_in_place(credential, await held.save(credential))
        except StoreError as error:
            raise CredentialsNotSaved(f"{failure}: {error}") from error
        return was

    def _put_in_place(self, credential: Credential | None, seen: Fingerprint | None) -> None:
        self._stored = credential
        self._seen = seen
        self._managed.forget()
        self._watch()

    async def _notice_change(self) -> None:
        """Another process has changed the store: take over what is there now."""
        seen = self._store.fingerprint()
        if seen == self._seen:
            return
        stored = await self._load_allowed()
        self._seen = seen
        if self._managed.supersedes(stored):
            return
        before = self.usable
        self._stored = stored
        self._watch()
        if _login_of(before) != _login_of(self.usable):
            self._changed()

    async def _load_allowed(self) -> Credential | None:
        try:
            stored = await self._store.load()
        except StoreError as error:
            # Somebody may be in the middle of writing it; what is in force stays until it can be read.
            log.warning("the stored login cannot be read: %s", error)
            return self._stored
        if stored is not None and not self.policy.allows(stored):
            log.warning("the stored login is not allowed by the configuration and is ignored")
            return None
        return stored

    async def _settle_interrupted(self, tokens: ManagedTokens) -> None:
        try:
            await self._managed.newer_than(tokens, "scheduled")
        except RecoveryFailed as error:
            log.warning("the interrupted refresh could not be made good: %s", error.message)

    async def _resolve_environment(
        self, resolve: Callable[[], Awaitable[PersonalAccessToken | None]], resolved: Flight[None]
    ) -> None:
        token = await resolve()
        if token is not None and not self.policy.allows(token):
            log.warning("the token of the environment is not allowed by the configuration and is ignored")
            token = None
        self._environment = token
        self._environment_resolved = None
        resolved.succeed(None)

    def _watch(self) -> None:
        self._schedule.watch(None if self.rejection else self.in_force, self._managed)

    def _checked(self, ask: AskParent) -> AskParent:
        """Let an answer pass only if its account may go on with what the old one began."""

        async def ask_and_check(used: ExternalTokens, timeout: float) -> ExternalTokens:
            tokens = await ask(used, timeout)
            self.policy.require_refreshed_account(tokens.account_id, used.account_id)
            return tokens

        return ask_and_check


def _login_of(credential: Credential | None) -> tuple[object, ...] | None:
    """What makes a login another one: its kind and its account, not its tokens."""
    if isinstance(credential, ApiKey):
        return (credential.auth_mode, credential.key)
    return None if credential is None else (credential.auth_mode, credential.account_id)
