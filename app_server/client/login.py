"""A login as a client follows it, while its user is in a browser; :meth:`Client.log_in_with_browser` and
:meth:`Client.log_in_with_device_code` begin one."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar

import anyio

from app_server.client.connection import SendRequest
from app_server.client.errors import InvalidAnswer, LoginFailed
from protocol.account import (
    LOGIN_CANCEL,
    AccountLoginCompletedNotification,
    CancelLoginAccountParams,
    ChatgptLoginStarted,
    DeviceCodeLoginStarted,
)
from protocol.base import WireValue
from protocol.method import ServerNotification

Started = TypeVar("Started", ChatgptLoginStarted, DeviceCodeLoginStarted)

PATIENCE: Final = 1000.0
"""Seconds: more than the server itself waits for the user, which is 15 minutes at most."""


class FollowedLogin(Generic[Started]):
    """One login, until the user has been there, or has not.

    :param kind: what the server answers to the start of such a login.
    :param request: sends a request to the server.
    :param gone: why the connection has closed.
    """

    started: Started
    """What the user needs: ``auth_url``, or ``verification_url`` and ``user_code``."""

    def __init__(self, kind: type[Started], request: SendRequest, gone: Callable[[], Awaitable[Exception]]) -> None:
        self._kind: type[Started] = kind
        self.login_id = ""
        """Known once the server has begun it."""
        self._request = request
        self._gone = gone
        self._outcome: AccountLoginCompletedNotification | None = None
        self._ended = anyio.Event()

    async def completed(self, *, timeout: float = PATIENCE) -> None:
        """Wait for the user.

        :param timeout: seconds; the login goes on after that.
        :raises LoginFailed: the user declined, took too long, cancelled, or what came back was no good.
        :raises ServerGone: the connection closed first.
        :raises TimeoutError: nothing of it within that time.
        """
        with anyio.move_on_after(timeout):
            await self._ended.wait()
        if not self.ended:
            raise TimeoutError(f"the login did not end within {timeout:g} s")
        if self._outcome is None:
            raise await self._gone()
        if not self._outcome.success:
            raise LoginFailed(self._outcome.error or "the login failed")

    async def cancel(self, *, timeout: float = 60) -> bool:
        """Give it up; :meth:`completed` raises then. False if it has ended already."""
        params = CancelLoginAccountParams(login_id=self.login_id)
        return (await self._request(LOGIN_CANCEL, params, timeout=timeout)).status == "canceled"

    # For the client

    @property
    def ended(self) -> bool:
        """Nothing of it comes any more."""
        return self._ended.is_set()

    def begun(self, started: WireValue) -> None:
        """The server has said which login it is.

        :raises InvalidAnswer: it is of another kind.
        """
        if not isinstance(started, self._kind):
            raise InvalidAnswer(f"the server has begun another kind of login than {self._kind.__name__}")
        self.started, self.login_id = started, started.login_id

    def may_concern(self, params: Any) -> bool:
        """Whether a notification with these params is the end of a login."""
        return isinstance(params, AccountLoginCompletedNotification)

    def concerns(self, params: Any) -> bool:
        """Whether it is the end of this one."""
        return isinstance(params, AccountLoginCompletedNotification) and params.login_id == self.login_id

    def take(self, declaration: ServerNotification[Any], params: Any) -> None:
        """The end of this login has come."""
        self._outcome = params
        self._ended.set()

    def close(self) -> None:
        """The connection is closed."""
        self._ended.set()
