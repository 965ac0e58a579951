"""The one login that may be pending, from its start to its announcement.

Whatever replaces it announces its failure first, and what was abandoned can change nothing any more: its scope is
cancelled, and the commit gate of ``auth.manager`` asks :meth:`PendingLogins.pass_gate` at the last moment.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal, Protocol, TypeVar

import anyio

from app_server.auth.credentials import ManagedTokens

NOT_COMPLETED: Final = "Login was not completed"
_BROWSER_PREFIX: Final = "Login server error: "

F = TypeVar("F", bound="LoginFlow")

Kind = Literal["browser", "device", "tokens"]


class LoginFlow(Protocol):
    """An interactive login: a browser's, or a device code's."""

    @property
    def login_id(self) -> str:
        """What the client calls it."""

    async def run(self, commit: Callable[[ManagedTokens], Awaitable[None]]) -> None:
        """Carry it out; raises LoginFailed."""

    async def aclose(self) -> None:
        """Let go of everything."""


class BrowserFlow(LoginFlow, Protocol):
    """A login through a browser."""

    @property
    def auth_url(self) -> str:
        """Where the user signs in."""

    async def complete(self, callback_url: str) -> None:
        """Take the callback that the user has pasted; raises InvalidCallback."""


class DeviceFlow(LoginFlow, Protocol):
    """A login with a device code."""

    @property
    def verification_url(self) -> str:
        """Where the user enters the code."""

    @property
    def user_code(self) -> str:
        """What the user enters."""


class PendingLogin:
    """A login that has begun and not ended."""

    def __init__(self, kind: Kind) -> None:
        self.kind: Final = kind
        self.flow: LoginFlow | None = None
        self._scope = anyio.CancelScope()
        self.known = False
        """Whether the client knows of it, so that its end has to be announced."""
        self.past_gate = False
        """Whether it is being saved, or is: it cannot be cancelled any more, and what becomes of it is announced."""
        self.saved = False
        self.settled = anyio.Event()
        """Set when it is known whether it could be saved."""

    @contextmanager
    def cancellable(self) -> Iterator[None]:
        """What is done within is cancelled with the login; also when that has been cancelled before."""
        # One scope for each block: none may be entered twice.
        with anyio.CancelScope() as scope:
            if self._scope.cancel_called:
                scope.cancel()
            self._scope = scope
            yield

    def cancel(self) -> None:
        """End what is being done for it, and what would be."""
        self._scope.cancel()

    @property
    def login_id(self) -> str | None:
        """None for a login that the client cannot name."""
        return None if self.flow is None else self.flow.login_id

    def text_if_abandoned(self, replacement: Kind | None) -> str:
        """What the reference announces, which depends on what replaces it (wire.md sections 7 and 8)."""
        if self.kind != "browser":
            return NOT_COMPLETED
        return f"{_BROWSER_PREFIX}{'Login cancelled' if replacement == 'browser' else NOT_COMPLETED}"


class PendingLogins:
    """At most one.

    :param announce: tells the client: the login's id, and an error or None.
    """

    def __init__(self, announce: Callable[[str | None, str | None], None]) -> None:
        self._announce = announce
        self._current: PendingLogin | None = None
        self._last_flow: LoginFlow | None = None

    def begin(self, kind: Kind) -> PendingLogin:
        """A new login, in the place of whatever is pending."""
        self.abandon(kind)
        self._current = PendingLogin(kind)
        return self._current

    def abandon(self, replacement: Kind | None = None) -> None:
        """Cancel what is pending, if anything, and announce that it failed."""
        pending, self._current = self._current, None
        if pending is not None:
            pending.cancel()
            if pending.known:
                self._announce(pending.login_id, pending.text_if_abandoned(replacement))

    @property
    def current(self) -> PendingLogin | None:
        """The login that is pending, if any."""
        return self._current

    def is_current(self, pending: PendingLogin) -> bool:
        """Whether this login may still change anything."""
        return self._current is pending

    def pass_gate(self, pending: PendingLogin) -> bool:
        """Whether this login may be saved, which is then done at once."""
        pending.past_gate = self.is_current(pending)
        return pending.past_gate

    def named(self, login_id: str) -> PendingLogin | None:
        """The pending login with this id."""
        return self._current if self._current is not None and self._current.login_id == login_id else None

    def end(self, pending: PendingLogin, error: str | None) -> bool:
        """Announce the end of a login; returns False, and announces nothing, if it has been abandoned."""
        if not self.is_current(pending):
            return False
        self._current = None
        self._announce(pending.login_id, error)
        return True

    def drop(self, pending: PendingLogin) -> None:
        """Forget a login that could not be started; the client's answer says so."""
        if self.is_current(pending):
            self._current = None

    async def attach(self, pending: PendingLogin, start: Callable[[], Awaitable[F]]) -> F | None:
        """Start a flow for this login, once the flow before it has let go of its port.

        :returns: the flow, or None if the login was abandoned meanwhile; nothing of it is left then.
        :raises AuthError: the flow cannot be started.
        """
        with pending.cancellable():
            if self._last_flow is not None:
                await self._last_flow.aclose()
            flow = await start()
            if self.is_current(pending):
                pending.flow = self._last_flow = flow
                return flow
            with anyio.CancelScope(shield=True):
                await flow.aclose()
        return None
