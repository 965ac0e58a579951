"""``account/rateLimits/read`` (wire.md section 13)."""

from app_server.auth.credentials import ApiKey
from app_server.auth.manager import AuthManager
from app_server.backend.usage import Usage, UsageUnavailable
from app_server.router import Reply
from protocol.errors import InternalError, InvalidRequest
from protocol.rate_limits import GetAccountRateLimitsParams, GetAccountRateLimitsResponse


class RateLimitHandlers:
    """The account's limits."""

    def __init__(self, auth: AuthManager, usage: Usage) -> None:
        self._auth = auth
        self._usage = usage

    async def read(self, params: GetAccountRateLimitsParams) -> Reply[GetAccountRateLimitsResponse]:
        """``account/rateLimits/read``."""
        credential = await self._auth.current()
        if credential is None:
            raise InvalidRequest("codex account authentication required to read rate limits")
        if isinstance(credential, ApiKey):
            raise InvalidRequest("chatgpt authentication required to read rate limits")
        try:
            limits = await self._usage.read(credential, credit_details=not params.exclude_reset_credit_details)
        except UsageUnavailable as error:
            data = None if error.details is None else {"additionalDetails": error.details}
            raise InternalError(f"failed to fetch codex rate limits: {error.message}", data) from None
        return Reply(limits)
