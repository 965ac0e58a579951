"""The OAuth client of interactive logins: where to send the user, and what a code is worth (wire.md section 7).

Authorization code with PKCE (RFC 6749 section 4.1, RFC 7636), token exchange for an API key (RFC 8693). How the code
gets here is the flows' business, ``browser`` and ``device_code``; refreshing tokens is ``token_endpoint``'s.
"""

import base64
import hashlib
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from pydantic import SecretStr

from app_server.auth.credentials import ManagedTokens, Provenance
from app_server.auth.errors import LoginNotAllowed
from app_server.auth.tokens import parse_claims
from app_server.redaction import MASK, redact

SCOPE: Final = "openid profile email offline_access api.connectors.read api.connectors.invoke"

EXCHANGE_TIMEOUT: Final = 30.0
"""Seconds for the exchange of a code."""

API_KEY_TIMEOUT: Final = 10.0
"""Seconds for the exchange for an API key. The user is waiting, and the login is complete without it."""

_MAX_SHOWN: Final = 500
_PHRASES: Final = {
    413: "Payload Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Entity",
}
"""What RFC 9110 calls them; Python's names changed between versions."""

log = logging.getLogger(__name__)


class Answer(Protocol):
    """An answer of the issuer, whatever its status."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    def json(self) -> Any:
        """The body; raises ValueError where it is no JSON."""


class SendRequest(Protocol):
    """Sends a request; raises OSError, with a text that may be shown, when there is no answer.

    ``timeout`` is in seconds and for the whole exchange. Redirects are not followed: they would carry secrets along.
    """

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        timeout: float,
        json: object = None,
        form: dict[str, str] | None = None,
    ) -> Answer: ...


class ExchangeFailed(Exception):
    """A code could not be exchanged for tokens.

    :param reason: what the user may read; holds no secret.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """What a code was exchanged for."""

    id_token: SecretStr
    access_token: SecretStr
    refresh_token: SecretStr


def new_state() -> SecretStr:
    """A value that ties a callback to one login (RFC 6749 section 10.12): 43 characters of base64url."""
    return SecretStr(secrets.token_urlsafe(32))


def new_verifier() -> SecretStr:
    """A PKCE code verifier (RFC 7636 section 4.1): 86 characters of base64url."""
    return SecretStr(secrets.token_urlsafe(64))


def code_challenge(verifier: SecretStr) -> str:
    """The S256 challenge of a verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.get_secret_value().encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def status_text(status: int) -> str:
    """An HTTP status as failures name it, such as ``400 Bad Request``."""
    try:
        phrase = _PHRASES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        phrase = "<unknown status code>"
    return f"{status} {phrase}"


def document(answer: Answer) -> dict[str, Any]:
    """The members of the JSON object in an answer; none where there is no such object."""
    try:
        value = answer.json()
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def showable(text: str, *known: SecretStr) -> str:
    """Somebody else's text as a person may read it: short, printable, without what looks like a secret.

    :param known: secrets that the text may quote.
    """
    for secret in known:
        value = secret.get_secret_value()
        if len(value) > 3:  # what is shorter is no secret, and would mask half of the text
            text = text.replace(value, MASK)
    text = "".join(character if character.isprintable() else " " for character in redact(text))
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


class OAuthClient:
    """Knows one issuer, as one of its public clients.

    :param send: sends requests; the only way out.
    :param issuer: base URL of the issuer.
    :param client_id: who this program is there.
    :param workspaces: the only ChatGPT workspaces that may sign in; empty for any.
    """

    def __init__(self, send: SendRequest, issuer: str, client_id: str, workspaces: tuple[str, ...] = ()) -> None:
        self.send = send
        self.issuer = issuer.rstrip("/")
        self.client_id = client_id
        self._workspaces = workspaces

    def authorize_url(self, *, redirect_uri: str, verifier: SecretStr, state: SecretStr, originator: str) -> str:
        """Where the user signs in. It holds the state, and is for the client that asked for the login only.

        :param originator: the name of the client, see ``user_agent.originator``.
        """
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "code_challenge": code_challenge(verifier),
            "code_challenge_method": "S256",
            "state": state.get_secret_value(),
            "scope": SCOPE,
            "id_token_add_organizations": "true",
            "codex_cli_simplified_flow": "true",
            "originator": originator,
        }
        if self._workspaces:
            parameters["allowed_workspace_id"] = ",".join(self._workspaces)
        # As the URL standard serialises forms, which differs from Python's way in two characters.
        return f"{self.issuer}/oauth/authorize?{urlencode(parameters, safe='*').replace('~', '%7E')}"

    async def sign_in(
        self, code: SecretStr, redirect_uri: str, verifier: SecretStr, *, with_api_key: bool
    ) -> ManagedTokens:
        """Exchange a code for a login that is allowed.

        :param with_api_key: ask for an API key besides; a login is complete without it.
        :raises ExchangeFailed: the issuer refused, or gave no answer that can be used.
        :raises LoginNotAllowed: the login is one of another workspace.
        :raises InvalidToken: the ID token cannot be read.
        """
        issued = await self.exchange_code(code, redirect_uri, verifier)
        claims = parse_claims(issued.id_token)
        self._require_workspace(claims.account_id)
        return ManagedTokens(
            id_token=issued.id_token,
            access_token=issued.access_token,
            refresh_token=issued.refresh_token,
            account_id=claims.account_id or None,
            claims=claims,
            last_refresh=datetime.now(UTC),
            provenance=Provenance(self.issuer, self.client_id),
            api_key=await self.exchange_api_key(issued.id_token) if with_api_key else None,
            login_owner_id=SecretStr(secrets.token_urlsafe(32)),
        )

    async def exchange_code(self, code: SecretStr, redirect_uri: str, verifier: SecretStr) -> IssuedTokens:
        """Exchange an authorization code for tokens (RFC 6749 section 4.1.3), within 30 s.

        :raises ExchangeFailed: the issuer refused, or gave no answer that can be used.
        """
        form = {
            "grant_type": "authorization_code",
            "client_id": self.client_id,
            "code": code.get_secret_value(),
            "redirect_uri": redirect_uri,
            "code_verifier": verifier.get_secret_value(),
        }
        try:
            answer = await self.send("POST", f"{self.issuer}/oauth/token", form=form, timeout=EXCHANGE_TIMEOUT)
        except OSError as error:
            raise ExchangeFailed(str(error)) from None
        if not 200 <= answer.status_code < 300:
            said = showable(_what_the_issuer_said(document(answer)), code, verifier)
            raise ExchangeFailed(f"token endpoint returned status {status_text(answer.status_code)}: {said}")
        return _tokens(document(answer))

    async def exchange_api_key(self, id_token: SecretStr) -> SecretStr | None:
        """An API key for the person of an ID token (RFC 8693), within 10 s; None where none can be had."""
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "client_id": self.client_id,
            "requested_token": "openai-api-key",
            "subject_token": id_token.get_secret_value(),
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        }
        try:
            answer = await self.send("POST", f"{self.issuer}/oauth/token", form=form, timeout=API_KEY_TIMEOUT)
        except OSError as error:
            log.info("the login goes without an API key: %s", error)
            return None
        key = document(answer).get("access_token")
        if not 200 <= answer.status_code < 300 or not isinstance(key, str) or not key:
            log.info("the login goes without an API key: the issuer answered with status %d", answer.status_code)
            return None
        return SecretStr(key)

    def _require_workspace(self, account_id: str | None) -> None:
        if not self._workspaces or account_id in self._workspaces:
            return
        if not account_id:
            raise LoginNotAllowed(
                "Login is restricted to a specific workspace, "
                "but the token did not include an chatgpt_account_id claim."
            )
        raise LoginNotAllowed(f"Login is restricted to workspace id(s) {', '.join(self._workspaces)}.")


def _tokens(members: dict[str, Any]) -> IssuedTokens:
    values = [members.get(name) for name in ("id_token", "access_token", "refresh_token")]
    if not all(isinstance(value, str) and value.isascii() and value.isprintable() for value in values):
        raise ExchangeFailed("OAuth token response is invalid")
    id_token, access_token, refresh_token = (SecretStr(str(value)) for value in values)
    if not access_token:  # a refresh token is not always given
        raise ExchangeFailed("OAuth token response is invalid")
    return IssuedTokens(id_token, access_token, refresh_token)


def _what_the_issuer_said(members: dict[str, Any]) -> str:
    """The description, else the message, else the code (RFC 6749 section 5.2, and OpenAI's shape); nothing else."""
    error = members.get("error")
    nested = error if isinstance(error, dict) else {}
    candidates = [
        members.get("error_description"),
        nested.get("message"),
        nested.get("code"),
        error,
        members.get("code"),
    ]
    return next((text for text in candidates if isinstance(text, str) and text.strip()), "unknown error")
