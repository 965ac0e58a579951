"""The notifications about accounts, as :class:`app_server.accounts.Announcements` wants them."""

from app_server.auth.credentials import Credential
from app_server.outgoing import Outgoing
from protocol.account import (
    ACCOUNT_UPDATED,
    LOGIN_COMPLETED,
    AccountLoginCompletedNotification,
    AccountUpdatedNotification,
)


class AccountAnnouncements:
    """Tells one client."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    def login_completed(self, login_id: str | None, error: str | None) -> None:
        """``account/login/completed``."""
        params = AccountLoginCompletedNotification(login_id=login_id, success=error is None, error=error)
        self._outgoing.notify(LOGIN_COMPLETED, params)

    def account_updated(self, credential: Credential | None) -> None:
        """``account/updated``."""
        if credential is None:
            params = AccountUpdatedNotification()
        else:
            params = AccountUpdatedNotification(auth_mode=credential.auth_mode, plan_type=credential.plan_type)
        self._outgoing.notify(ACCOUNT_UPDATED, params)
