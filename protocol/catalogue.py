"""The complete surface: every declaration, in the order in which errors and schemas list them."""

from typing import Any, Final

from protocol import account, diagnosis, lifecycle, rate_limits
from protocol.method import ClientNotification, ClientRequest, ServerNotification, ServerRequest

CLIENT_REQUESTS: Final[tuple[ClientRequest[Any, Any], ...]] = (
    lifecycle.INITIALIZE,
    account.LOGIN_START,
    account.LOGIN_CANCEL,
    account.LOGIN_COMPLETE,
    account.LOGOUT,
    rate_limits.RATE_LIMITS_READ,
    account.ACCOUNT_READ,
    account.GET_AUTH_STATUS,
    diagnosis.DIAGNOSE,
)

CLIENT_NOTIFICATIONS: Final[tuple[ClientNotification, ...]] = (lifecycle.INITIALIZED,)

SERVER_REQUESTS: Final[tuple[ServerRequest[Any, Any], ...]] = (account.REFRESH_AUTH_TOKENS,)

SERVER_NOTIFICATIONS: Final[tuple[ServerNotification[Any], ...]] = (
    account.ACCOUNT_UPDATED,
    rate_limits.RATE_LIMITS_UPDATED,
    lifecycle.CONFIG_WARNING,
    account.LOGIN_COMPLETED,
)
