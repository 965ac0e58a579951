"""``account/*`` and ``getAuthStatus`` (wire.md sections 3 to 5 and 9)."""

import logging
from typing import Any

from pydantic import SecretStr

from app_server.accounts import Accounts
from app_server.auth.credentials import ApiKey, Credential, ExternalTokens, ManagedTokens, PersonalAccessToken
from app_server.auth.errors import (
    AuthError,
    CredentialsNotSaved,
    DeviceCodeUnavailable,
    InvalidCallback,
    LoginNotAllowed,
    PortUnavailable,
    RecoveryFailed,
    SignedOut,
)
from app_server.auth.parent import tokens_from_parent
from app_server.auth.tokens import InvalidToken
from app_server.backend.routing import Routing, RoutingError
from app_server.handlers.account_response import account_response
from app_server.pending_login import PendingLogin
from app_server.router import Deferred, Reply
from protocol.account import (
    AmazonBedrockAccessKeysLogin,
    AmazonBedrockLogin,
    ApiKeyLogin,
    ApiKeyLoginStarted,
    CancelLoginAccountParams,
    CancelLoginAccountResponse,
    ChatgptAuthTokensLogin,
    ChatgptAuthTokensLoginStarted,
    ChatgptLogin,
    ChatgptLoginStarted,
    CompleteLoginAccountParams,
    CompleteLoginAccountResponse,
    DeviceCodeLogin,
    DeviceCodeLoginStarted,
    GetAccountParams,
    GetAccountResponse,
    GetAuthStatusParams,
    GetAuthStatusResponse,
    LoginAccountParams,
    LoginAccountResponse,
    LogoutAccountResponse,
)
from protocol.errors import InternalError, InvalidRequest
from protocol.method import Empty
from protocol.uuid_text import canonical_uuid

log = logging.getLogger(__name__)


class AccountHandlers:
    """Who is logged in, on the wire."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._made: tuple[Credential | None, Routing | None, GetAccountResponse] | None = None

    async def read(self, params: GetAccountParams) -> Reply[GetAccountResponse] | Deferred[GetAccountResponse]:
        """``account/read``. What has to wait for an upstream does not hold up the requests behind this one."""
        if params.refresh_token and isinstance(self._accounts.auth.in_force, ManagedTokens):
            return Deferred(self._refresh_and_read)
        await self._accounts.auth.current()
        return self._read(self._accounts.auth.usable)

    async def auth_status(
        self, params: GetAuthStatusParams
    ) -> Reply[GetAuthStatusResponse] | Deferred[GetAuthStatusResponse]:
        """``getAuthStatus``, the older question."""
        include_token = bool(params.include_token)
        if params.refresh_token and isinstance(self._accounts.auth.in_force, ManagedTokens):
            return Deferred(lambda: self._refresh_and_tell(include_token))
        await self._accounts.auth.current()
        return self._auth_status(include_token)

    async def log_in(self, params: LoginAccountParams) -> Reply[LoginAccountResponse] | Deferred[LoginAccountResponse]:
        """``account/login/start``."""
        try:
            match params.root:
                case ApiKeyLogin(api_key=key):
                    return await self._log_in_with_api_key(key)
                case ChatgptAuthTokensLogin() as login:
                    return await self._log_in_with_tokens(login)
                case ChatgptLogin() as login:
                    pending = await self._accounts.begin_login("browser")
                    return Deferred(lambda: self._start_browser_login(pending, login))
                case DeviceCodeLogin():
                    pending = await self._accounts.begin_login("device")
                    return Deferred(lambda: self._start_device_login(pending))
                case AmazonBedrockLogin() | AmazonBedrockAccessKeysLogin():
                    self._accounts.auth.policy.require_bedrock_allowed()
                    raise InvalidRequest("Amazon Bedrock is not supported by this server")
        except LoginNotAllowed as error:
            raise InvalidRequest(error.message) from None
        except CredentialsNotSaved as error:
            raise InternalError(error.message) from error

    async def cancel(self, params: CancelLoginAccountParams) -> Reply[CancelLoginAccountResponse]:
        """``account/login/cancel``."""
        canceled = self._accounts.cancel_login(_login_id(params.login_id))
        return Reply(CancelLoginAccountResponse(status="canceled" if canceled else "notFound"))

    async def complete(self, params: CompleteLoginAccountParams) -> Reply[CompleteLoginAccountResponse]:
        """``account/login/complete``."""
        try:
            login_id = _login_id(params.login_id)
            await self._accounts.complete_login(login_id, params.callback_url.get_secret_value())
        except InvalidCallback as error:
            raise InvalidRequest(error.message) from None
        return Reply(CompleteLoginAccountResponse())

    async def log_out(self, params: Empty) -> Reply[LogoutAccountResponse]:
        """``account/logout``."""
        try:
            then = await self._accounts.log_out()
        except CredentialsNotSaved as error:
            raise InternalError(error.message) from error
        return Reply(LogoutAccountResponse(), then)

    async def _log_in_with_api_key(self, key: SecretStr) -> Reply[LoginAccountResponse]:
        if not key.get_secret_value().strip():
            raise InvalidRequest("Invalid request: the API key is empty")
        then = await self._accounts.log_in_with_api_key(key)
        return Reply(LoginAccountResponse(ApiKeyLoginStarted()), then)

    async def _log_in_with_tokens(self, login: ChatgptAuthTokensLogin) -> Reply[LoginAccountResponse]:
        try:
            tokens = tokens_from_parent(
                login.access_token,
                account_id=login.chatgpt_account_id,
                plan=login.chatgpt_plan_type,
                id_token=login.id_token,
            )
        except InvalidToken as error:
            raise InternalError(f"failed to set external auth: {error.reason}") from None
        then = await self._accounts.log_in_with_tokens(tokens)
        return Reply(LoginAccountResponse(ChatgptAuthTokensLoginStarted()), then)

    async def _start_browser_login(self, pending: PendingLogin, login: ChatgptLogin) -> Reply[LoginAccountResponse]:
        hosted_success_page = (login.app_brand or "codex") if login.use_hosted_login_success_page else None
        try:
            flow, then = await self._accounts.start_browser_login(
                pending, hosted_success_page, listen=not login.paste_callback
            )
        except PortUnavailable as error:
            raise InternalError(error.message, error.data()) from None
        except AuthError as error:
            raise InvalidRequest(error.message) from None
        return Reply(LoginAccountResponse(ChatgptLoginStarted(login_id=flow.login_id, auth_url=flow.auth_url)), then)

    async def _start_device_login(self, pending: PendingLogin) -> Reply[LoginAccountResponse]:
        try:
            flow, then = await self._accounts.start_device_login(pending)
        except DeviceCodeUnavailable as error:
            raise InternalError(error.message) from None
        except AuthError as error:
            raise InvalidRequest(error.message) from None
        started = DeviceCodeLoginStarted(
            login_id=flow.login_id, verification_url=flow.verification_url, user_code=flow.user_code
        )
        return Reply(LoginAccountResponse(started), then)

    async def _refresh_and_read(self) -> Reply[GetAccountResponse]:
        await self._refresh()
        outcome = self._read(self._accounts.auth.usable)
        return outcome if isinstance(outcome, Reply) else await outcome.finish()

    async def _refresh_and_tell(self, include_token: bool) -> Reply[GetAuthStatusResponse]:
        await self._refresh()
        return self._auth_status(include_token)

    async def _refresh(self) -> None:
        try:
            await self._accounts.auth.refresh_managed()
        except RecoveryFailed as error:
            # The client learns the state that results, not the failure (wire.md section 3).
            log.info("the requested refresh failed: %s", error.message)

    def _read(self, credential: Credential | None) -> Reply[GetAccountResponse] | Deferred[GetAccountResponse]:
        if credential is None or not self._accounts.requires_openai_auth:
            return Reply(self._response(None, None))
        if isinstance(credential, ApiKey):
            return Reply(self._response(credential, None))
        if not credential.account_id and not isinstance(credential, ExternalTokens):
            return Reply(self._response(credential, None))
        if routing := self._accounts.routing.known(credential):
            return Reply(self._response(routing.credential, routing))
        if self._accounts.auth.awaits_refresh(credential):
            # Its backend could only be asked with newer tokens, and this question never waits for the issuer.
            return Reply(self._response(credential, None))
        return Deferred(lambda: self._read_routed(credential))

    def _auth_status(self, include_token: bool) -> Reply[GetAuthStatusResponse]:
        auth = self._accounts.auth
        credential = auth.in_force
        if credential is None or not self._accounts.requires_openai_auth:
            return Reply(GetAuthStatusResponse(requires_openai_auth=self._accounts.requires_openai_auth))
        token: SecretStr | None = credential.bearer
        if not include_token or isinstance(credential, PersonalAccessToken) or auth.rejection is not None:
            token = None
        return Reply(
            GetAuthStatusResponse(auth_method=credential.auth_mode, auth_token=token, requires_openai_auth=True)
        )

    async def _read_routed(self, credential: Credential) -> Reply[GetAccountResponse]:
        try:
            routing = await self._accounts.routing.find(credential)
        except SignedOut:
            return Reply(self._response(None, None))
        except (RoutingError, RecoveryFailed) as error:
            raise InternalError(error.message, _additional_details(error.details)) from None
        return Reply(self._response(routing.credential, routing))

    def _response(self, credential: Credential | None, routing: Routing | None) -> GetAccountResponse:
        """The answer; made once for as long as nothing changes, because nothing is asked more often."""
        if self._made is None or self._made[0] is not credential or self._made[1] is not routing:
            response = account_response(credential, routing, requires_openai_auth=self._accounts.requires_openai_auth)
            self._made = (credential, routing, response)
        return self._made[2]


def _login_id(text: str) -> str:
    canonical = canonical_uuid(text)
    if canonical is None:
        raise InvalidRequest(f"invalid login id: {text}")
    return canonical


def _additional_details(details: str | None) -> dict[str, Any] | None:
    return None if details is None else {"additionalDetails": details}
