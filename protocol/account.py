"""Who is logged in, and how one logs in and out: ``account/*`` and ``getAuthStatus`` (wire.md sections 3 to 10).

Rate limits have their own module, ``rate_limits.py``.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from protocol.base import WireModel, WireSecret, WireUnion, experimental_field
from protocol.errors import InternalError, InvalidRequest
from protocol.method import ClientRequest, Empty, ParamsPresence, Scope, ServerNotification, ServerRequest

PlanType = Literal[
    "free",
    "go",
    "plus",
    "pro",
    "prolite",
    "promax",
    "team",
    "self_serve_business_prolite",
    "self_serve_business_usage_based",
    "business",
    "ent26",
    "enterprise_cbp_automation",
    "enterprise_cbp_usage_based",
    "enterprise",
    "edu",
    "edu_plus",
    "edu_pro",
    "sci",
    "sci_plus",
    "unknown",
]
"""A ChatGPT plan; one that is not known is `unknown`."""

AuthMode = Literal[
    "apikey",
    "chatgpt",
    "chatgptAuthTokens",
    "headers",
    "agentIdentity",
    "personalAccessToken",
    "bedrockApiKey",
    "bedrockAccessKeys",
]
"""How somebody is logged in. This server reports `apikey`, `chatgpt`, `chatgptAuthTokens` and `personalAccessToken`."""

AccountRoutingOverride = Literal["NO_CONSTRAINT", "us", "us_cr"]
"""Backend routing policy, as the backend itself writes it."""


class ApiKeyAccount(WireModel):
    """Logged in with an API key."""

    type: Literal["apiKey"] = Field()


class ChatgptAccount(WireModel):
    """Logged in with ChatGPT tokens, whoever owns them."""

    type: Literal["chatgpt"] = Field()
    email: str | None = Field()
    plan_type: PlanType
    workspace_name: str | None = None
    """Display name of the selected ChatGPT workspace, when available."""


class AmazonBedrockAccount(WireModel):
    """Never sent by this server; part of the union that clients know."""

    type: Literal["amazonBedrock"] = Field()
    uses_codex_managed_credentials: bool = False


class GcpAccount(WireModel):
    """Never sent by this server; part of the union that clients know."""

    type: Literal["gcp"] = Field()


class Account(
    WireUnion[
        Annotated[ApiKeyAccount | ChatgptAccount | AmazonBedrockAccount | GcpAccount, Field(discriminator="type")]
    ]
):
    """The account that is logged in."""


class WorkspaceRouting(WireModel):
    """Which backend serves the selected workspace."""

    chatgpt_account_id: str
    backend_origin: str
    account_routing_override: AccountRoutingOverride


class GetAccountParams(WireModel):
    """What to do before answering."""

    refresh_token: bool = False
    """Refresh managed tokens first; ignored for every other kind of credential."""


class GetAccountResponse(WireModel):
    """Who is logged in."""

    account: Account | None = None
    user_id: str | None = None
    """ChatGPT user ID belonging to this account response, when available."""
    requires_openai_auth: bool
    workspace_routing: WorkspaceRouting | None = None


class GetAuthStatusParams(WireModel):
    """What the older status request wants to know."""

    include_token: bool | None = None
    refresh_token: bool | None = None


class GetAuthStatusResponse(WireModel):
    """The older status answer; the token is included on request only."""

    auth_method: AuthMode | None = None
    auth_token: WireSecret | None = None
    requires_openai_auth: bool | None = None


class ApiKeyLogin(WireModel):
    """Log in with an API key, which is stored."""

    type: Literal["apiKey"] = Field()
    api_key: WireSecret


class ChatgptLogin(WireModel):
    """Log in through a browser on this machine (OAuth with PKCE and a loopback callback)."""

    type: Literal["chatgpt"] = Field()
    codex_streamlined_login: bool = False
    use_hosted_login_success_page: bool = False
    app_brand: Literal["codex", "chatgpt"] | None = None
    paste_callback: bool | None = experimental_field()
    """The user will paste the callback (`account/login/complete`): listen on no port for it."""


class DeviceCodeLogin(WireModel):
    """Log in through a browser on any machine, with a one-time code."""

    type: Literal["chatgptDeviceCode"] = Field()


class ChatgptAuthTokensLogin(WireModel):
    """Use ChatGPT tokens that the client owns; they live in memory only.

    The older shape with ``idToken`` is accepted too: what it leaves out is read from that token's claims.
    """

    experimental_variant = "chatgptAuthTokens"

    type: Literal["chatgptAuthTokens"] = Field()
    access_token: WireSecret
    """Access token (JWT) supplied by the client. This token is used for backend API requests and email extraction."""
    chatgpt_account_id: str
    """Workspace/account identifier supplied by the client."""
    chatgpt_plan_type: str | None = None
    """Optional plan type supplied by the client; else taken from the token's claims, else `unknown`."""
    id_token: WireSecret | None = experimental_field()
    """ID token (JWT) of the older shape of this request."""

    @model_validator(mode="before")
    @classmethod
    def _older_shape(cls, value: Any) -> Any:
        """An account id that is left out beside an ID token is empty: it comes from the claims."""
        if isinstance(value, dict) and value.get("idToken") and value.get("chatgptAccountId") is None:
            return {**value, "chatgptAccountId": ""}
        return value


class AmazonBedrockLogin(WireModel):
    """Known so that it can be declined by name; this server has no Bedrock provider."""

    type: Literal["amazonBedrock"] = Field()
    api_key: WireSecret
    region: str


class AmazonBedrockAccessKeysLogin(WireModel):
    """Known so that it can be declined by name; this server has no Bedrock provider."""

    type: Literal["amazonBedrockAccessKeys"] = Field()
    access_key_id: WireSecret
    secret_access_key: WireSecret
    session_token: WireSecret | None = None
    region: str


class LoginAccountParams(
    WireUnion[
        Annotated[
            ApiKeyLogin
            | ChatgptLogin
            | DeviceCodeLogin
            | ChatgptAuthTokensLogin
            | AmazonBedrockLogin
            | AmazonBedrockAccessKeysLogin,
            Field(discriminator="type"),
        ]
    ]
):
    """How to log in."""


class ApiKeyLoginStarted(WireModel):
    """The key is saved."""

    type: Literal["apiKey"] = "apiKey"


class ChatgptLoginStarted(WireModel):
    """A browser login waits for its callback."""

    type: Literal["chatgpt"] = "chatgpt"
    login_id: str
    auth_url: str
    """URL the client should open in a browser to initiate the OAuth flow."""


class DeviceCodeLoginStarted(WireModel):
    """A device login waits for its approval."""

    type: Literal["chatgptDeviceCode"] = "chatgptDeviceCode"
    login_id: str
    verification_url: str
    """URL the client should open in a browser to complete device code authorization."""
    user_code: str
    """One-time code the user must enter after signing in."""


class ChatgptAuthTokensLoginStarted(WireModel):
    """The tokens are in use."""

    type: Literal["chatgptAuthTokens"] = "chatgptAuthTokens"


class AmazonBedrockLoginStarted(WireModel):
    """Never sent by this server; part of the union that clients know."""

    type: Literal["amazonBedrock"] = "amazonBedrock"


class LoginAccountResponse(
    WireUnion[
        Annotated[
            ApiKeyLoginStarted
            | ChatgptLoginStarted
            | DeviceCodeLoginStarted
            | ChatgptAuthTokensLoginStarted
            | AmazonBedrockLoginStarted,
            Field(discriminator="type"),
        ]
    ]
):
    """How the login goes on."""


class CancelLoginAccountParams(WireModel):
    """Which login to cancel."""

    login_id: str


class CancelLoginAccountResponse(WireModel):
    """Whether there was such a login."""

    status: Literal["canceled", "notFound"]


class CompleteLoginAccountParams(WireModel):
    """The callback of a browser login, pasted by the user because their browser cannot reach this machine."""

    login_id: str
    callback_url: WireSecret
    """The whole URL that the browser ended on; it holds the authorization code."""


class CompleteLoginAccountResponse(Empty):
    """The callback is accepted; `account/login/completed` tells what has become of the login."""


class LogoutAccountResponse(Empty):
    """Nobody is logged in any more."""


class AccountLoginCompletedNotification(WireModel):
    """A login ended, well or badly."""

    login_id: str | None = None
    success: bool
    error: str | None = None
    onboarding_entrypoint: Literal["life_sciences"] | None = None


class AccountUpdatedNotification(WireModel):
    """Who is logged in has changed."""

    auth_mode: AuthMode | None = None
    plan_type: PlanType | None = None


class ChatgptAuthTokensRefreshParams(WireModel):
    """Why fresh tokens are asked for, and for which account."""

    reason: Literal["unauthorized"]
    previous_account_id: str | None = None
    """Workspace/account identifier that was used before: a hint for clients that manage several."""


class ChatgptAuthTokensRefreshResponse(WireModel):
    """Fresh tokens of the same account."""

    access_token: WireSecret
    chatgpt_account_id: str
    chatgpt_plan_type: str | None = None


ACCOUNT_READ = ClientRequest(
    "account/read", GetAccountParams, GetAccountResponse, scope=Scope.ACCOUNT, errors=(InternalError,)
)
"""Who is logged in."""
GET_AUTH_STATUS = ClientRequest("getAuthStatus", GetAuthStatusParams, GetAuthStatusResponse, scope=Scope.ACCOUNT)
"""The older question who is logged in; it can hand out the token."""
LOGIN_START = ClientRequest(
    "account/login/start",
    LoginAccountParams,
    LoginAccountResponse,
    scope=Scope.ACCOUNT,
    errors=(InvalidRequest, InternalError),
)
"""Log in: with an API key, a browser, a device code, or tokens that the client owns."""
LOGIN_CANCEL = ClientRequest(
    "account/login/cancel",
    CancelLoginAccountParams,
    CancelLoginAccountResponse,
    scope=Scope.ACCOUNT,
    errors=(InvalidRequest,),
)
"""Cancel a login that has begun."""
LOGIN_COMPLETE = ClientRequest(
    "account/login/complete",
    CompleteLoginAccountParams,
    CompleteLoginAccountResponse,
    scope=Scope.ACCOUNT,
    errors=(InvalidRequest,),
    experimental=True,
)
"""Complete a browser login with the URL that the browser ended on."""
LOGOUT = ClientRequest(
    "account/logout",
    Empty,
    LogoutAccountResponse,
    presence=ParamsPresence.UNIT,
    scope=Scope.ACCOUNT,
    errors=(InternalError,),
)
"""Log out: nothing is stored or in force afterwards."""
LOGIN_COMPLETED = ServerNotification("account/login/completed", AccountLoginCompletedNotification)
"""A login ended."""
ACCOUNT_UPDATED = ServerNotification("account/updated", AccountUpdatedNotification)
"""Who is logged in has changed."""
REFRESH_AUTH_TOKENS = ServerRequest(
    "account/chatgptAuthTokens/refresh", ChatgptAuthTokensRefreshParams, ChatgptAuthTokensRefreshResponse
)
"""The upstream refused the tokens that the client owns: give fresh ones."""
