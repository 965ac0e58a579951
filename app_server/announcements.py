"""The notifications about accounts, as :class:`app_server.accounts.Announcements` wants them."""

from typing import TypeVar

from app_server.auth.credentials import Credential
from app_server.outgoing import Outgoing
from app_server.session import Session
from protocol.account import (
    ACCOUNT_UPDATED,
    LOGIN_COMPLETED,
    AccountLoginCompletedNotification,
    AccountUpdatedNotification,
)
from protocol.base import WireValue
from protocol.method import ServerNotification

P = TypeVar("P", bound=WireValue)


class AccountAnnouncements:
    """Tells one client; what happens before its handshake it learns by asking."""

    def __init__(self, outgoing: Outgoing, session: Session) -> None:
        self._outgoing = outgoing
        self._session = session

    def login_completed(self, login_id: str | None, error: str | None) -> None:
        """``account/login/completed``."""
        params = AccountLoginCompletedNotification(login_id=login_id, success=error is None, error=error)
        self._notify(LOGIN_COMPLETED, params)

    def account_updated(self, credential: Credential | None) -> None:
        """``account/updated``."""
        if credential is None:
            params = AccountUpdatedNotification()
        else:
            params = AccountUpdatedNotification(auth_mode=credential.auth_mode, plan_type=credential.plan_type)
        self._notify(ACCOUNT_UPDATED, params)

    def logged_out(self, remaining: Credential | None) -> None:
        """``account/updated``, without the plan of what remains, as in the reference (wire.md section 5)."""
        mode = None if remaining is None else remaining.auth_mode
        self._notify(ACCOUNT_UPDATED, AccountUpdatedNotification(auth_mode=mode))

    def _notify(self, notification: ServerNotification[P], params: P) -> None:
        if self._session.initialized:
            self._outgoing.notify(notification, params)
