"""Made-up identities and tokens: JSON Web Tokens (RFC 7519) that are well-formed and carry real claims.

They say RS256 but nobody signed them: clients of the real issuer do not check signatures, only claims. Which tokens
are good, and until when, is ``state``'s business.
"""

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

AUTH_CLAIM: Final = "https://api.openai.com/auth"
PROFILE_CLAIM: Final = "https://api.openai.com/profile"
CLIENT_ID: Final = "app_EMoamEEZ73f0CkXaXp7hrann"
"""The public client id of the reference (wire.md section 1)."""

_SIGNATURE: Final = b"nobody signed this: it comes from an offline fake of the issuer"


class Account(BaseModel):
    """A person's membership in one workspace, and what the backend says about that workspace."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    account_id: str = Field(default="acct-1", min_length=1)
    user_id: str = "user-1"
    email: str = "user@example.com"
    plan_type: str = "plus"
    workspace_name: str | None = "Acme"
    organization_id: str = "org-1"
    is_org_owner: bool = True
    completed_platform_onboarding: bool = True
    backend_origin: str = "https://chatgpt.com"
    """``workspace_backend_origin`` of accounts/check: an https origin or NO_CONSTRAINT (wire.md section 12)."""
    routing_override: Literal["NO_CONSTRAINT", "us", "us_cr"] = "NO_CONSTRAINT"


@dataclass(frozen=True)
class TokenSet:
    """What one sign-in or refresh yields. The repr leaves the tokens out, for readable test failures."""

    account: Account
    id_token: str = field(repr=False)
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: int
    """Unix seconds."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, with what a client needs beside the tokens."""
        return {
            "id_token": self.id_token,
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "expires_at": self.expires_at,
            "account_id": self.account.account_id,
            "plan_type": self.account.plan_type,
        }


def encode_segment(data: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def mint_jwt(claims: dict[str, Any]) -> str:
    """A well-formed, unsigned token with these claims, those that are None left out."""
    claims = {name: value for name, value in claims.items() if value is not None}
    header = {"alg": "RS256", "kid": "fake", "typ": "JWT"}
    return ".".join(encode_segment(part) for part in (orjson.dumps(header), orjson.dumps(claims), _SIGNATURE))


def id_token_claims(account: Account, *, issuer: str, client_id: str, now: int, expires_at: int) -> dict[str, Any]:
    """Claims of the token that tells the client who signed in."""
    organization = {
        "id": account.organization_id,
        "is_default": True,
        "role": "owner" if account.is_org_owner else "reader",
        "title": account.workspace_name or "Personal",
    }
    return {
        **_claims(account, issuer, now, expires_at),
        "aud": [client_id],
        "email": account.email,
        "email_verified": True,
        "name": account.email.partition("@")[0],
        AUTH_CLAIM: {**_auth_claim(account), "organizations": [organization]},
    }


def access_token_claims(account: Account, *, issuer: str, client_id: str, now: int, expires_at: int) -> dict[str, Any]:
    """Claims of the token that authorises requests; like the real one it carries enough of them to stand alone."""
    return {
        **_claims(account, issuer, now, expires_at),
        "aud": ["https://api.openai.com/v1"],
        "client_id": client_id,
        "scp": ["openid", "profile", "email", "offline_access"],
        "email": account.email,
        PROFILE_CLAIM: {"email": account.email, "email_verified": True},
        AUTH_CLAIM: _auth_claim(account),
    }


def _claims(account: Account, issuer: str, now: int, expires_at: int) -> dict[str, Any]:
    return {
        "iss": issuer,
        "sub": f"fake|{account.user_id}",
        "iat": now,
        "exp": expires_at,
        "jti": secrets.token_hex(8),  # makes every token unique, also two of one second
    }


def _auth_claim(account: Account) -> dict[str, Any]:
    return {
        "chatgpt_account_id": account.account_id,
        "chatgpt_plan_type": account.plan_type,
        "chatgpt_user_id": account.user_id,
        "user_id": account.user_id,
        "organization_id": account.organization_id,
        "completed_platform_onboarding": account.completed_platform_onboarding,
        "is_org_owner": account.is_org_owner,
    }
