"""The owner of the credentials: what is in force, how it changes, and how a 401 becomes a newer credential.

Credentials are immutable values. Whoever makes an authorised request takes one, and on a 401 hands back *the one it
used*: that is how one refresh serves any number of concurrent 401s, and why a 401 on a token that has already been
replaced asks nobody.

In force is, in this order: the parent's own tokens, the token of the environment, the stored login. Login flows and
announcements are not known here; see ``app_server.accounts``.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from anyio.abc import TaskGroup
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey, Credential, ExternalTokens, PersonalAccessToken
from app_server.auth.errors import CredentialsNotSaved, LoginNotAllowed, NotRecoverable, SignedOut
from app_server.auth.parent import AskParent, ParentRefresh
from app_server.auth.policy import LoginPolicy
from app_server.auth.store import Store, StoreError
from app_server.flight import Flight

CHECK_INTERVAL: Final = 1.0
"""Seconds between two looks at a store in which nobody was logged in (wire.md section 3)."""

log = logging.getLogger(__name__)


class AuthManager:
    """Owns the credential in force.

    :param store: where logins outlive the process.
    :param policy: which logins are allowed.
    :param ask_parent: asks the parent for tokens newer than the given ones.
    :param environment_token: resolves the token of the environment; None where there is none.
    :param tasks: owns what goes on in the background.
    :param parent_timeout: seconds that a request waits for the parent's tokens.
    """

    def __init__(
        self,
        store: Store,
        policy: LoginPolicy,
        ask_parent: AskParent,
        environment_token: Callable[[], Awaitable[PersonalAccessToken | None]] | None,
        tasks: TaskGroup,
        *,
        parent_timeout: float,
    ) -> None:
        self.policy = policy
        self._store = store
        self._environment_token = environment_token
        self._external: ExternalTokens | None = None
        self._environment: PersonalAccessToken | None = None
        self._environment_resolved: Flight[None] | None = None
        self._stored: Credential | None = None
        self._seen: object = None
        self._check_after = 0.0
        self._tasks = tasks
        self._parent = ParentRefresh(self._checked(ask_parent), self.use_tokens, tasks, parent_timeout)

    async def load(self) -> None:
        """Read the stored login, and begin to resolve the token of the environment. Neither failing is fatal."""
        await self._read_store()
        if self._environment_token is not None:
            self._environment_resolved = Flight()
            self._tasks.start_soon(self._resolve_environment, self._environment_token, self._environment_resolved)

    @property
    def in_force(self) -> Credential | None:
        """The credential as it was last known; see :meth:`current`."""
        return self._external or self._environment or self._stored

    async def current(self) -> Credential | None:
        """The credential in force, having looked whether another process has logged in meanwhile."""
        if self._environment_resolved is not None:
            await self._environment_resolved.outcome()
        if self.in_force is None and time.monotonic() >= self._check_after:
            await self._read_store()
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
        raise NotRecoverable

    def require_no_external_tokens(self) -> None:
        """:raises LoginNotAllowed: the parent's own tokens are in force and have to be cleared first."""
        if self._external is not None:
            raise LoginNotAllowed(
                "External auth is active. Use account/login/start (chatgptAuthTokens) to update it or "
                "account/logout to clear it."
            )

    async def use_api_key(self, key: SecretStr) -> None:
        """Store an API key and put it in force.

        :raises LoginNotAllowed: by policy, or because the parent's tokens are in force.
        :raises CredentialsNotSaved: the store refused; what was in force stays.
        """
        self.require_no_external_tokens()
        self.policy.require_api_key_allowed()
        await self._save(ApiKey(key), "failed to save api key")

    def use_tokens(self, tokens: ExternalTokens) -> None:
        """Put the parent's own tokens in force, in memory only; requests that wait for tokens go on with these."""
        self._external = tokens
        self._parent.settle(tokens)

    async def forget(self) -> Credential | None:
        """Log out: nothing that was logged in with is in force or stored any more, and nobody waits for it.

        :returns: the login that was in force, if any; a token of the environment stays in force.
        :raises CredentialsNotSaved: the stored login could not be removed; it stays in force.
        """
        was = self._external or self._stored
        self._external = None
        self._parent.settle(None)
        try:
            await self._store.delete()
        except StoreError as error:
            raise CredentialsNotSaved(f"failed to log out: {error}") from error
        self._stored = None
        self._look_again_later()
        return was

    async def _save(self, credential: Credential, failure: str) -> None:
        try:
            await self._store.save(credential)
        except StoreError as error:
            raise CredentialsNotSaved(f"{failure}: {error}") from error
        self._stored = credential
        self._look_again_later()

    async def _read_store(self) -> None:
        self._check_after = time.monotonic() + CHECK_INTERVAL
        seen = self._store.fingerprint()
        if seen == self._seen and seen is not None:
            return
        self._seen = seen
        try:
            stored = await self._store.load()
        except StoreError as error:
            log.warning("the stored login cannot be read: %s", error)
            stored = None
        if stored is not None and not self.policy.allows(stored):
            log.warning("the stored login is not allowed by the configuration and is ignored")
            stored = None
        self._stored = stored

    async def _resolve_environment(
        self, resolve: Callable[[], Awaitable[PersonalAccessToken | None]], resolved: Flight[None]
    ) -> None:
        self._environment = await resolve()
        self._environment_resolved = None
        resolved.succeed(None)

    def _look_again_later(self) -> None:
        self._seen = self._store.fingerprint()
        self._check_after = time.monotonic() + CHECK_INTERVAL

    def _checked(self, ask: AskParent) -> AskParent:
        """Let an answer pass only if its account may go on with what the old one began."""

        async def ask_and_check(used: ExternalTokens, timeout: float) -> ExternalTokens:
            tokens = await ask(used, timeout)
            self.policy.require_refreshed_account(tokens.account_id, used.account_id)
            return tokens

        return ask_and_check
