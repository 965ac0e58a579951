"""Logging in and out as the client sees it: what is begun, what it becomes, and what is announced when.

The credentials themselves belong to ``auth.manager``; this is the story around them. At most one login is pending.
Whatever replaces it announces its failure first, and what was abandoned can change nothing any more.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import anyio
from anyio.abc import TaskGroup
from pydantic import SecretStr

from app_server.auth.credentials import Credential, ExternalTokens
from app_server.auth.errors import RecoveryFailed
from app_server.auth.manager import AuthManager
from app_server.auth.revocation import Revocation
from app_server.backend.routing import RoutingError, WorkspaceRouting

ABANDONED = "Login was not completed"

log = logging.getLogger(__name__)


class Announcements(Protocol):
    """What the client is told of its own accord."""

    def login_completed(self, login_id: str | None, error: str | None) -> None:
        """A login ended; without an error it succeeded."""

    def account_updated(self, credential: Credential | None) -> None:
        """Who is logged in has changed."""


@dataclass(slots=True, eq=False)
class PendingLogin:
    """A login that has begun and not ended.

    :param login_id: None for logins that the client cannot cancel.
    """

    login_id: str | None
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class Accounts:
    """Who is logged in, and the ways to change it.

    :param auth: owns the credentials.
    :param routing: confirms which backend serves a ChatGPT account.
    :param revocation: tells the issuer that a token is not used any more.
    :param announce: tells the client.
    :param tasks: owns what goes on in the background.
    :param requires_openai_auth: whether the model provider in use needs a login at all.
    """

    def __init__(
        self,
        auth: AuthManager,
        routing: WorkspaceRouting,
        revocation: Revocation,
        announce: Announcements,
        tasks: TaskGroup,
        *,
        requires_openai_auth: bool,
    ) -> None:
        self.auth = auth
        self.routing = routing
        self.requires_openai_auth = requires_openai_auth
        self._revocation = revocation
        self._announce = announce
        self._tasks = tasks
        self._pending: PendingLogin | None = None

    def announce_stored_login(self) -> None:
        """Tell a client that has just connected about a stored ChatGPT login, once its backend is known."""
        self._tasks.start_soon(self._announce_when_routed)

    def changed(self) -> None:
        """Who is logged in has changed although nobody here asked for it."""
        self._announce.account_updated(self.auth.usable)

    async def finish(self) -> None:
        """Wait for what has begun upstream and must not be torn off: refreshes and revocations."""
        await self.auth.finish()
        await self._revocation.finished()

    async def log_in_with_api_key(self, key: SecretStr) -> Callable[[], None]:
        """Store a key and use it.

        :returns: what to call once the client has its answer.
        :raises LoginNotAllowed: by policy or state.
        :raises CredentialsNotSaved: the store refused.
        """
        replaced = await self.auth.use_api_key(key)
        self.abandon_login()

        def announce() -> None:
            self._announce.login_completed(None, None)
            self._announce.account_updated(self.auth.usable)
            self._revocation.begin(replaced)

        return announce

    def log_in_with_tokens(self, tokens: ExternalTokens) -> Callable[[], None]:
        """Use the parent's own tokens.

        :returns: what to call once the client has its answer; it announces the login when its backend is known.
        :raises LoginNotAllowed: by policy.
        """
        self.auth.policy.require_external_tokens_allowed(tokens.account_id)
        self.abandon_login()
        self.auth.use_tokens(tokens)
        pending = self._pending = PendingLogin(None)

        def confirm() -> None:
            self._tasks.start_soon(self._confirm, pending, tokens)

        return confirm

    def cancel_login(self, login_id: str) -> bool:
        """Cancel the pending login with this id, and announce that.

        :returns: whether there was one.
        """
        if self._pending is None or self._pending.login_id != login_id:
            return False
        self.abandon_login()
        return True

    def abandon_login(self) -> None:
        """Cancel the pending login, if any, and announce that it failed."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.scope.cancel()
            self._announce.login_completed(pending.login_id, ABANDONED)

    async def log_out(self) -> Callable[[], None]:
        """Forget every login; managed tokens are revoked in the background.

        :returns: what to call once the client has its answer.
        :raises CredentialsNotSaved: the stored login could not be removed.
        """
        self.abandon_login()
        was = await self.auth.forget()

        def announce() -> None:
            self._announce.account_updated(self.auth.usable)
            self._revocation.begin(was)

        return announce

    async def _confirm(self, pending: PendingLogin, tokens: ExternalTokens) -> None:
        """Announce a login with the parent's tokens once it is known which backend serves them."""
        with pending.scope:
            error = await self._routing_error(tokens)
            if self._pending is not pending:
                return
            self._pending = None
            self._announce.login_completed(pending.login_id, error)
            if error is None:
                self._announce.account_updated(self.auth.usable)

    async def _announce_when_routed(self) -> None:
        credential = await self.auth.current()
        if credential is None or credential.auth_mode != "chatgpt":
            return
        if credential.account_id and await self._routing_error(credential) is not None:
            return
        if self.auth.usable is not None and self.auth.usable.auth_mode == "chatgpt":
            self._announce.account_updated(self.auth.usable)

    async def _routing_error(self, credential: Credential) -> str | None:
        try:
            await self.routing.find(credential)
        except (RoutingError, RecoveryFailed) as error:
            return error.message
        return None
