"""What the fake remembers: accounts, issued tokens and their refresh families, authorization and device codes.

The rules of the issuer live here, without HTTP: one use per code, PKCE (RFC 7636), refresh rotation with rejection
of reuse, revocation of a whole sign-in (RFC 7009), approval of device codes (RFC 8628).
"""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from app_server.fake_openai import tokens
from app_server.fake_openai.tokens import CLIENT_ID, Account, TokenSet

T = TypeVar("T")

_MEMORY: Final = 20_000
"""Entries of each kind that are remembered; the oldest is forgotten first."""

_CODE_SECONDS: Final = 600
_DEVICE_SECONDS: Final = 900


class Settings(BaseModel):
    """Switches that stay until they are changed or reset."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    accept_any_token: bool = False
    """Accept whatever bearer token comes, as the current account's, unless it was expired on purpose."""
    access_token_seconds: int = Field(default=3600, ge=-(10**9), le=10**9)
    """Life of access tokens from now on; negative ones are born expired."""
    device_interval: str | int | None = "5"
    """``interval`` of device codes: the real issuer sends a string; None leaves it out."""
    revoke_family_on_reuse: bool = False
    """A spent refresh token ends its whole sign-in (RFC 9700 section 4.14.2). Off, the newest token stays good."""


class OAuthError(Exception):
    """A refusal of the issuer.

    :param code: the machine-readable code, for example ``invalid_grant``.
    :param status: HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class Verdict(Enum):
    """What is known about a bearer token."""

    GOOD = "good"
    EXPIRED = "expired"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass
class Family:
    """One sign-in and all tokens that came of it."""

    account: Account
    client_id: str
    live_refresh_token: str = ""
    revoked: bool = False


@dataclass(frozen=True)
class _Access:
    family: Family
    expires_at: int


@dataclass(frozen=True)
class _Code:
    account: Account
    client_id: str
    redirect_uri: str
    challenge: str
    expires_at: float


@dataclass
class DeviceCode:
    """A device sign-in that waits for a person."""

    device_auth_id: str
    user_code: str
    client_id: str
    expires_at: float
    status: str = "pending"
    account: Account | None = None


class _Memory(OrderedDict[str, T], Generic[T]):
    def remember(self, key: str, value: T) -> None:
        self[key] = value
        if len(self) > _MEMORY:
            self.popitem(last=False)


class State:
    """What the fake knows at one time.

    :param issuer: base URL, for the ``iss`` claim and the device flow's redirect URI.
    :param accounts: at least one; the first is the current one: who "signs in" when an authorization page is opened.
    :param clock: Unix seconds.
    """

    def __init__(
        self,
        issuer: str,
        accounts: Sequence[Account],
        settings: Settings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self.clock = clock
        self._initial = (tuple(accounts), settings or Settings())
        self.reset()

    def reset(self) -> None:
        """Forget everything but what the constructor was given."""
        accounts, self.settings = self._initial
        self.accounts = {account.account_id: account for account in accounts}
        self.current = accounts[0]
        self.authorize_refusals: deque[tuple[str, str]] = deque(maxlen=1000)
        """Error code and description for the next authorization pages."""
        self._access: _Memory[_Access] = _Memory()
        self._refresh: _Memory[Family] = _Memory()
        self._id_tokens: _Memory[Family] = _Memory()
        self._expired: _Memory[None] = _Memory()
        self._personal: _Memory[Account] = _Memory()
        self._codes: _Memory[_Code] = _Memory()
        self._devices: _Memory[DeviceCode] = _Memory()

    # -- accounts

    def add_account(self, account: Account, *, current: bool) -> None:
        """Add it, or replace the one with its id; tokens that exist keep the claims they were made with."""
        self.accounts[account.account_id] = account
        if current or self.current.account_id == account.account_id:
            self.current = account

    def account(self, account_id: str | None) -> Account:
        """The account with this id; the current one for None.

        :raises KeyError: there is none.
        """
        return self.current if account_id is None else self.accounts[account_id]

    def workspaces_of(self, account: Account) -> list[Account]:
        """All accounts of the same person."""
        return [other for other in self.accounts.values() if other.user_id == account.user_id]

    # -- tokens

    def sign_in(
        self,
        account: Account,
        client_id: str = CLIENT_ID,
        expires_in: int | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> TokenSet:
        """A new sign-in, with tokens of its own.

        :param expires_in: seconds until the access token expires; None takes it from the settings.
        :param claims: replaces claims of both tokens; None as a value leaves the claim out.
        """
        return self._issue(Family(account, client_id), expires_in, claims or {})

    def refresh(self, refresh_token: str) -> TokenSet:
        """Spend a refresh token on the next set of its sign-in.

        :raises OAuthError: 401 with the codes of wire.md section 11.
        """
        family = self._refresh.get(refresh_token)
        if family is None:
            raise OAuthError("invalid_grant", "The refresh token is unknown.", 401)
        if refresh_token in self._expired:
            raise OAuthError("refresh_token_expired", "The refresh token has expired.", 401)
        if family.revoked:
            raise OAuthError("refresh_token_invalidated", "The refresh token was revoked.", 401)
        if family.live_refresh_token != refresh_token:
            family.revoked = self.settings.revoke_family_on_reuse
            raise OAuthError("refresh_token_reused", "The refresh token was already used.", 401)
        family.account = self.accounts.get(family.account.account_id, family.account)
        return self._issue(family, None, {})

    def revoke(self, token: str) -> None:
        """End the sign-in that a refresh or access token belongs to; unknown tokens are ignored (RFC 7009)."""
        access = self._access.get(token)
        family = self._refresh.get(token) or (access and access.family)
        if family:
            family.revoked = True

    def expire(self, token: str) -> None:
        """From now on a bearer token is answered with 401, a refresh token with ``refresh_token_expired``."""
        self._expired.remember(token, None)

    def expire_account(self, account_id: str) -> None:
        """All access tokens and personal ones that this account has now are expired; refresh tokens stay good."""
        for token, access in self._access.items():
            if access.family.account.account_id == account_id:
                self.expire(token)
        for token, account in self._personal.items():
            if account.account_id == account_id:
                self.expire(token)

    def mint_personal(self, account: Account) -> str:
        """A personal access token (``at-…``)."""
        token = f"at-{secrets.token_urlsafe(24)}"
        self._personal.remember(token, account)
        return token

    def exchange_for_api_key(self, id_token: str) -> str:
        """An API key for the person of an id token of ours (RFC 8693).

        :raises OAuthError: it is not ours, or the person has no platform organisation.
        """
        family = self._id_tokens.get(id_token)
        if family is None:
            raise OAuthError("invalid_subject_token", "The subject token is not one of this issuer.", 401)
        if not family.account.completed_platform_onboarding:
            raise OAuthError("invalid_subject_token", "ID token missing organization_id.", 401)
        return f"sk-fake-{secrets.token_urlsafe(24)}"

    def judge(self, bearer: str) -> tuple[Verdict, Account | None]:
        """Whether a bearer token is good for the ChatGPT backend, and whose it is."""
        anything_goes = self.settings.accept_any_token and bearer
        verdict, account = Verdict.UNKNOWN, None
        if bearer in self._expired:
            verdict = Verdict.EXPIRED
        elif bearer in self._personal:
            verdict, account = Verdict.GOOD, self._personal[bearer]
        elif (access := self._access.get(bearer)) is None:
            if anything_goes:
                verdict, account = Verdict.GOOD, self.current
        elif access.family.revoked:
            verdict = Verdict.REVOKED
        elif access.expires_at <= self.clock() and not anything_goes:
            verdict = Verdict.EXPIRED
        else:
            verdict, account = Verdict.GOOD, access.family.account
        return verdict, account

    def _issue(self, family: Family, expires_in: int | None, claims: Mapping[str, Any]) -> TokenSet:
        now = int(self.clock())
        expires_at = now + (self.settings.access_token_seconds if expires_in is None else expires_in)
        common: dict[str, Any] = {"issuer": self.issuer, "client_id": family.client_id, "now": now}
        id_claims = tokens.id_token_claims(family.account, expires_at=now + 3600, **common)
        access_claims = tokens.access_token_claims(family.account, expires_at=expires_at, **common)
        issued = TokenSet(
            account=family.account,
            id_token=tokens.mint_jwt({**id_claims, **claims}),
            access_token=tokens.mint_jwt({**access_claims, **claims}),
            refresh_token=f"rt.{secrets.token_urlsafe(24)}",
            expires_at=expires_at,
        )
        family.live_refresh_token = issued.refresh_token
        self._refresh.remember(issued.refresh_token, family)
        self._access.remember(issued.access_token, _Access(family, expires_at))
        self._id_tokens.remember(issued.id_token, family)
        return issued

    # -- authorization codes

    def new_code(self, account: Account, client_id: str, redirect_uri: str, challenge: str) -> str:
        """An authorization code that is good once, for ten minutes, for who knows the challenge's verifier."""
        code = f"ac_{secrets.token_urlsafe(24)}"
        self._codes.remember(code, _Code(account, client_id, redirect_uri, challenge, self.clock() + _CODE_SECONDS))
        return code

    def redeem_code(self, code: str, client_id: str, redirect_uri: str, verifier: str) -> TokenSet:
        """Exchange an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.6).

        :raises OAuthError: ``invalid_grant``. The code is spent whatever the outcome.
        """
        grant = self._codes.pop(code, None)
        if grant is None:
            raise OAuthError("invalid_grant", "The authorization code is unknown or was already used.")
        if grant.expires_at <= self.clock():
            raise OAuthError("invalid_grant", "The authorization code has expired.")
        if grant.client_id != client_id:
            raise OAuthError("invalid_grant", "The authorization code was issued to another client.")
        if grant.redirect_uri != redirect_uri:
            raise OAuthError("invalid_grant", "The redirect_uri differs from that of the authorization.")
        if not hmac.compare_digest(challenge_of(verifier), grant.challenge):
            raise OAuthError("invalid_grant", "The code_verifier does not match the code_challenge.")
        return self.sign_in(grant.account, client_id)

    # -- device codes

    def new_device_code(self, client_id: str) -> DeviceCode:
        """A device sign-in to be approved by its user code within 15 minutes."""
        alphabet = "BCDFGHJKLMNPQRSTVWXZ"
        user_code = "-".join("".join(secrets.choice(alphabet) for _ in range(count)) for count in (4, 5))
        device = DeviceCode(f"deviceauth_{secrets.token_hex(12)}", user_code, client_id, self.clock() + _DEVICE_SECONDS)
        self._devices.remember(device.device_auth_id, device)
        return device

    def decide_device(self, user_code: str, account: Account | None) -> None:
        """Approve a device sign-in for this account, or deny it with None.

        :raises KeyError: no sign-in waits under this code.
        """
        for device in self._devices.values():
            if device.user_code == user_code.strip().upper() and device.status == "pending":
                device.account = account
                device.status = "denied" if account is None else "approved"
                return
        raise KeyError(user_code)

    def poll_device(self, device_auth_id: str, user_code: str) -> tuple[str, str]:
        """An authorization code and its PKCE verifier, once, when the sign-in was approved.

        :raises OAuthError: 403 while it waits, 400 when it was denied, has expired, or is unknown.
        """
        device = self._devices.get(device_auth_id)
        if device is None or device.user_code != user_code:
            raise OAuthError("deviceauth_unknown", "The device code is unknown.")
        if device.expires_at <= self.clock():
            raise OAuthError("expired_token", "The device code has expired.")
        if device.status == "denied":
            raise OAuthError("access_denied", "The sign-in was denied.")
        if device.account is None:
            raise OAuthError("deviceauth_authorization_pending", "The sign-in waits for approval.", 403)
        del self._devices[device_auth_id]
        verifier = secrets.token_urlsafe(64)
        redirect_uri = f"{self.issuer}/deviceauth/callback"
        return self.new_code(device.account, device.client_id, redirect_uri, challenge_of(verifier)), verifier


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636 section 4.2)."""
    return tokens.encode_segment(hashlib.sha256(verifier.encode()).digest())
