"""Logging in and out as the client sees it: what is begun, what it becomes, and what is announced when.

The credentials themselves belong to ``auth.manager``, the login that is pending to ``pending_login``.
"""

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol, TypeVar

from anyio.abc import TaskGroup
from pydantic import SecretStr

from app_server.auth.credentials import Credential, ExternalTokens, ManagedTokens, PersonalAccessToken
from app_server.auth.errors import AuthError, InvalidCallback, LoginFailed, LoginNotAllowed, RecoveryFailed
from app_server.auth.manager import AuthManager
from app_server.auth.revocation import Revocation
from app_server.backend.routing import RoutingError, WorkspaceRouting
from app_server.pending_login import (
    NOT_COMPLETED,
    BrowserFlow,
    DeviceFlow,
    LoginFlow,
    PendingLogin,
    PendingLogins,
)

F = TypeVar("F", bound=LoginFlow)

Brand = Literal["codex", "chatgpt"]

StartBrowserLogin = Callable[[Brand | None, bool], Awaitable[BrowserFlow]]
"""Given the brand of a hosted success page, and whether to listen for the callback."""

StartDeviceLogin = Callable[[], Awaitable[DeviceFlow]]


class Announcements(Protocol):
    """What the client is told of its own accord."""

    def login_completed(self, login_id: str | None, error: str | None) -> None:
        """A login ended; without an error it succeeded."""

    def account_updated(self, credential: Credential | None) -> None:
        """Who is logged in has changed."""

    def logged_out(self, remaining: Credential | None) -> None:
        """Every login is gone; what cannot be logged out remains."""


class Accounts:
    """Who is logged in, and the ways to change it.

    :param auth: owns the credentials.
    :param routing: confirms which backend serves a ChatGPT account.
    :param revocation: tells the issuer that a token is not used any more.
    :param announce: tells the client.
    :param browser_login: starts a login through a browser on this machine.
    :param device_login: starts a login with a device code.
    :param tasks: owns what goes on in the background.
    :param requires_openai_auth: whether the model provider in use needs a login at all.
    """

    def __init__(
        self,
        auth: AuthManager,
        routing: WorkspaceRouting,
        revocation: Revocation,
        announce: Announcements,
        browser_login: StartBrowserLogin,
        device_login: StartDeviceLogin,
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
        self._browser_login = browser_login
        self._device_login = device_login
        self._pending = PendingLogins(announce.login_completed)

    def announce_stored_login(self) -> None:
        """Tell a client that has just connected about a stored ChatGPT login, once its backend is known."""
        self._tasks.start_soon(self._announce_when_routed)

    def changed(self) -> None:
        """Who is logged in has changed although nobody here asked for it."""
        self._announce.account_updated(self.auth.usable)

    def close(self) -> None:
        """The client has nothing more to say: a login that waits for somebody will not be completed any more."""
        pending = self._pending.current
        if pending is not None and not pending.past_gate:
            self.abandon_login()

    async def finish(self) -> None:
        """Wait for what has begun and must not be torn off: saving a login, refreshes and revocations."""
        await self._conclude_saved_login()
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

    async def log_in_with_tokens(self, tokens: ExternalTokens) -> Callable[[], None]:
        """Use the parent's own tokens.

        :returns: what to call once the client has its answer; it announces the login when its backend is known.
        :raises LoginNotAllowed: by policy.
        """
        self.auth.policy.require_external_tokens_allowed(tokens.account_id)
        await self._conclude_saved_login()
        pending = self._pending.begin("tokens")
        self.auth.use_tokens(tokens)

        def confirm() -> None:
            pending.known = True
            self._tasks.start_soon(self._confirm, pending, tokens)

        return confirm

    async def begin_login(self, kind: Literal["browser", "device"]) -> PendingLogin:
        """Begin an interactive login, in the place of whatever is pending; :meth:`start_browser_login` or
        :meth:`start_device_login` goes on with it.

        :raises LoginNotAllowed: by policy, or because the parent's tokens are in force.
        """
        self.auth.require_no_external_tokens()
        self.auth.policy.require_chatgpt_allowed()
        await self._conclude_saved_login()
        return self._pending.begin(kind)

    async def start_browser_login(
        self, pending: PendingLogin, hosted_success_page: Brand | None, *, listen: bool
    ) -> tuple[BrowserFlow, Callable[[], None]]:
        """Make the address where the user signs in, and listen for the callback of their browser.

        :param hosted_success_page: the brand of ChatGPT's own success page, or None for ours.
        :param listen: False if the user will paste the callback; no port is needed then.
        :returns: the flow, and what to call once the client has its answer.
        :raises AuthError: it cannot be started, or was abandoned before it was.
        """
        return await self._start(pending, lambda: self._browser_login(hosted_success_page, listen))

    async def start_device_login(self, pending: PendingLogin) -> tuple[DeviceFlow, Callable[[], None]]:
        """Get a device code.

        :returns: the flow, and what to call once the client has its answer.
        :raises AuthError: it cannot be started, or was abandoned before it was.
        """
        return await self._start(pending, self._device_login)

    async def complete_login(self, login_id: str, callback_url: str) -> None:
        """Take the callback of a browser login that the user has pasted; what becomes of it is announced.

        :raises InvalidCallback: there is no such login, or this is not its callback; a login goes on.
        """
        pending = self._pending.named(login_id)
        if pending is None or pending.kind != "browser":
            raise InvalidCallback("There is no browser login with this id.")
        flow: BrowserFlow = pending.flow  # type: ignore[assignment] # that is what a browser login has
        await flow.complete(callback_url)

    def cancel_login(self, login_id: str) -> bool:
        """Cancel the pending login with this id, and announce that.

        :returns: whether there was one, and it was not too late.
        """
        pending = self._pending.named(login_id)
        if pending is None or pending.past_gate:
            return False
        self.abandon_login()
        return True

    def abandon_login(self) -> None:
        """Cancel the pending login, if any, and announce that it failed."""
        self._pending.abandon()

    async def log_out(self) -> Callable[[], None]:
        """Forget every login; managed tokens are revoked in the background.

        :returns: what to call once the client has its answer.
        :raises CredentialsNotSaved: the stored login could not be removed.
        """
        self.abandon_login()
        was = await self.auth.forget()

        def announce() -> None:
            self._announce.logged_out(self.auth.usable)
            self._revocation.begin(was)

        return announce

    async def _start(self, pending: PendingLogin, start: Callable[[], Awaitable[F]]) -> tuple[F, Callable[[], None]]:
        try:
            flow = await self._pending.attach(pending, start)
        except AuthError:
            self._pending.drop(pending)
            raise
        if flow is None:
            raise LoginNotAllowed(NOT_COMPLETED)

        def carry_on() -> None:
            pending.known = True
            self._tasks.start_soon(self._run, pending, flow)

        return flow, carry_on

    async def _run(self, pending: PendingLogin, flow: LoginFlow) -> None:
        """Carry an interactive login out and announce its end."""

        async def commit(tokens: ManagedTokens) -> None:
            try:
                replaced = await self.auth.use_managed(tokens, lambda: self._pending.pass_gate(pending))
                pending.saved = True
            finally:
                pending.settled.set()
            self._revocation.begin(replaced)
            committed.append(tokens)

        committed: list[ManagedTokens] = []
        with pending.cancellable():
            try:
                await flow.run(commit)
            except LoginFailed as failure:
                self._pending.end(pending, failure.message)
                return
            await self._announce_login(pending, committed[0])

    async def _confirm(self, pending: PendingLogin, tokens: ExternalTokens) -> None:
        with pending.cancellable():
            await self._announce_login(pending, tokens)

    async def _announce_login(self, pending: PendingLogin, credential: Credential) -> None:
        """The credential is in force; announce that once it is known which backend serves it."""
        error = await self._routing_error(credential)
        if self._pending.end(pending, error) and error is None:
            self._announce.account_updated(self.auth.usable)

    async def _conclude_saved_login(self) -> None:
        """A login that is saved is complete: announce that before it is replaced, and do not wait for its backend."""
        pending = self._pending.current
        if pending is None or not pending.past_gate:
            return
        await pending.settled.wait()
        if pending.saved and self._pending.end(pending, None):
            self._announce.account_updated(self.auth.usable)

    async def _announce_when_routed(self) -> None:
        credential = await self.auth.current()
        if not isinstance(credential, ManagedTokens | PersonalAccessToken):
            return
        if await self._routing_error(credential) is not None:
            return
        usable = self.auth.usable
        if usable is not None and usable.auth_mode == credential.auth_mode:
            self._announce.account_updated(usable)

    async def _routing_error(self, credential: Credential) -> str | None:
        try:
            await self.routing.find(credential)
        except (RoutingError, RecoveryFailed) as error:
            return error.message
        return None
