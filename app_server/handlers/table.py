"""Which handler carries out which method, for what every client needs; the rest is in ``conversation_table``.

A test and the router refuse tables that are not complete.
"""

from app_server.handlers.account import AccountHandlers
from app_server.handlers.diagnosis import DiagnosisHandlers
from app_server.handlers.lifecycle import LifecycleHandlers
from app_server.handlers.rate_limits import RateLimitHandlers
from app_server.router import Table
from protocol.account import ACCOUNT_READ, GET_AUTH_STATUS, LOGIN_CANCEL, LOGIN_COMPLETE, LOGIN_START, LOGOUT
from protocol.diagnosis import DIAGNOSE, SERVER_DIAGNOSTICS
from protocol.lifecycle import INITIALIZE
from protocol.rate_limits import RATE_LIMITS_READ


def account_table(
    lifecycle: LifecycleHandlers,
    account: AccountHandlers,
    rate_limits: RateLimitHandlers,
    diagnosis: DiagnosisHandlers,
) -> Table:
    """The table of the account server."""
    return {
        INITIALIZE: lifecycle.initialize,
        LOGIN_START: account.log_in,
        LOGIN_CANCEL: account.cancel,
        LOGIN_COMPLETE: account.complete,
        LOGOUT: account.log_out,
        ACCOUNT_READ: account.read,
        GET_AUTH_STATUS: account.auth_status,
        RATE_LIMITS_READ: rate_limits.read,
        DIAGNOSE: diagnosis.diagnose,
        SERVER_DIAGNOSTICS: diagnosis.server,
    }
