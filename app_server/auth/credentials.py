"""What somebody can be logged in with, as immutable values.

Where credentials are kept, how a token is read and how one is renewed are other rooms: ``store``, ``tokens``,
``manager``. Every secret is a SecretStr, and nobody's name or address shows in a repr.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final, Literal, TypeAlias, get_args

from pydantic import SecretStr

from protocol.account import PlanType

_PLANS: Final[dict[str, PlanType]] = {
    **{plan: plan for plan in get_args(PlanType)},
    "hc": "enterprise",
    "education": "edu",
}


def plan_type(name: str | None) -> PlanType:
    """The wire's name for a plan, given the one in a token, or None for a token that names none.

    The case of a token's plan counts. Whoever takes the name from elsewhere (a parameter, a whoami answer) passes it
    in lower case.
    """
    return "unknown" if name is None else _PLANS.get(name, "unknown")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says about its owner (RFC 7519); None for whatever it does not say.

    :param plan: the plan as the token names it; see :func:`plan_type`.
    :param account_id: the ChatGPT account (workspace) that the token was issued for.
    :param expires_at: when *this* token runs out, in UTC.
    """

    email: str | None = field(default=None, repr=False)
    plan: str | None = None
    user_id: str | None = field(default=None, repr=False)
    account_id: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where managed tokens come from, and hence where they are refreshed and revoked.

    :param issuer: base URL of the OAuth issuer.
    :param client_id: the OAuth client that they were issued to.
    """

    issuer: str
    client_id: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of the OpenAI platform (wire.md section 4)."""

    auth_mode: ClassVar[Literal["apikey"]] = "apikey"

    key: SecretStr

    @property
    def bearer(self) -> SecretStr:
        return self.key

    @property
    def account_id(self) -> None:
        return None

    @property
    def plan_type(self) -> None:
        return None

    @property
    def email(self) -> None:
        return None

    @property
    def user_id(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class ManagedTokens:
    """A ChatGPT login that this program renews itself (wire.md sections 7, 8 and 11).

    :param account_id: the account that was logged in to. It stays what it is, whatever newer tokens claim; without
        it the tokens can never be refreshed.
    :param claims: those of the ID token.
    :param last_refresh: when the tokens were obtained, in UTC.
    :param provenance: None for a login that does not say, which is one of the default issuer.
    :param api_key: the key of the platform that a browser login may have been given besides; not used as bearer.
    :param login_owner_id: opaque, kept for the program that wrote it.
    """

    auth_mode: ClassVar[Literal["chatgpt"]] = "chatgpt"

    id_token: SecretStr
    access_token: SecretStr
    refresh_token: SecretStr
    account_id: str | None = field(repr=False)
    claims: Claims
    last_refresh: datetime | None = None
    provenance: Provenance | None = None
    api_key: SecretStr | None = None
    login_owner_id: SecretStr | None = None

    @property
    def bearer(self) -> SecretStr:
        return self.access_token

    @property
    def plan_type(self) -> PlanType:
        return plan_type(self.claims.plan)

    @property
    def email(self) -> str | None:
        return self.claims.email

    @property
    def user_id(self) -> str | None:
        return self.claims.user_id


@dataclass(frozen=True, slots=True)
class ExternalTokens:
    """ChatGPT tokens that the parent application owns and renews (wire.md sections 9 and 10).

    :param account_id: the account that the parent names; it may be empty.
    :param plan_type: the plan that the parent names, else the one in the claims, by its name on the wire.
    """

    auth_mode: ClassVar[Literal["chatgptAuthTokens"]] = "chatgptAuthTokens"

    access_token: SecretStr
    account_id: str = field(repr=False)
    plan_type: PlanType
    claims: Claims

    @property
    def bearer(self) -> SecretStr:
        return self.access_token

    @property
    def email(self) -> str | None:
        return self.claims.email

    @property
    def user_id(self) -> str | None:
        return self.claims.user_id


@dataclass(frozen=True, slots=True)
class PersonalAccessToken:
    """A long-lived ChatGPT token of a person (``at-…``). It says nothing about its owner; the upstream is asked.

    :param account_id: this and what follows is None until the upstream has been asked.
    """

    auth_mode: ClassVar[Literal["personalAccessToken"]] = "personalAccessToken"

    token: SecretStr
    email: str | None = field(default=None, repr=False)
    user_id: str | None = field(default=None, repr=False)
    account_id: str | None = field(default=None, repr=False)
    plan_type: PlanType = "unknown"

    @property
    def bearer(self) -> SecretStr:
        return self.token


Credential: TypeAlias = ApiKey | ManagedTokens | ExternalTokens | PersonalAccessToken
"""Whatever somebody is logged in with."""
