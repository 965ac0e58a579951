"""The issuer's token endpoint: refreshing managed tokens (RFC 6749 section 6, wire.md section 11).

What its answers mean stands here; when it is asked, and what becomes of the answer, in ``managed``.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from pydantic import SecretStr

from app_server.auth.credentials import ManagedTokens
from app_server.auth.errors import RefreshRejected, RefreshUnavailable
from app_server.auth.tokens import InvalidToken, parse_claims

REFRESH_TIMEOUT: Final = 30.0
"""Seconds for the exchange, at most."""

RefreshReason = Literal["unauthorized_recovery", "forced", "proactive_expiry", "scheduled"]

_FAILED: Final = "Your access token could not be refreshed"
_SIGN_IN_AGAIN: Final = "Please log out and sign in again."

ALREADY_USED: Final = f"{_FAILED} because your refresh token was already used. {_SIGN_IN_AGAIN}"

_REJECTIONS: Final = {
    "refresh_token_expired": f"{_FAILED} because your refresh token has expired. {_SIGN_IN_AGAIN}",
    "refresh_token_reused": ALREADY_USED,
    "refresh_token_invalidated": f"{_FAILED} because your refresh token was revoked. {_SIGN_IN_AGAIN}",
}

log = logging.getLogger(__name__)


class HttpAnswer(NamedTuple):
    """An answer of the endpoint.

    :param document: its JSON, or None where it is none.
    """

    status: int
    reason: str
    document: Any


PostJson = Callable[[str, dict[str, str], float], Awaitable[HttpAnswer]]
"""Posts JSON to a URL within so many seconds; raises OSError, with a text that may be shown, without an answer, and
more exactly ConnectionError if nothing was sent."""


class TokenEndpoint:
    """Exchanges a refresh token for newer tokens.

    :param post: sends the request.
    :param url_for: where the tokens of a login are refreshed.
    :param client_id: the OAuth client of logins that do not name theirs.
    :param timeout: seconds for the exchange.
    """

    def __init__(
        self,
        post: PostJson,
        url_for: Callable[[ManagedTokens], str],
        client_id: str,
        timeout: float = REFRESH_TIMEOUT,
    ) -> None:
        self.timeout = timeout
        self._post = post
        self._url_for = url_for
        self._client_id = client_id

    async def refresh(self, tokens: ManagedTokens, reason: RefreshReason) -> ManagedTokens:
        """Newer tokens of the same account; what the answer leaves out keeps its old value.

        :raises RefreshRejected: only a new login helps.
        :raises RefreshUnavailable: it may work another time.
        """
        body = {
            "client_id": tokens.provenance.client_id if tokens.provenance else self._client_id,
            "grant_type": "refresh_token",
            "refresh_reason": reason,
            "refresh_token": tokens.refresh_token.get_secret_value(),
        }
        try:
            answer = await self._post(self._url_for(tokens), body, self.timeout)
        except OSError as error:
            maybe_spent = not isinstance(error, ConnectionError)
            raise RefreshUnavailable(str(error), maybe_spent=maybe_spent) from None
        if answer.status == 200:
            return _newer(tokens, answer.document)
        raise _failure(answer)


def _newer(tokens: ManagedTokens, document: Any) -> ManagedTokens:
    import dataclasses  # noqa: PLC0415

    if not isinstance(document, dict):
        raise _unusable()
    changes: dict[str, Any] = {"last_refresh": datetime.now(UTC)}
    for name in ("id_token", "access_token", "refresh_token"):
        value = document.get(name)
        if isinstance(value, str) and value:
            changes[name] = SecretStr(value)
        elif value is not None:
            raise _unusable()
    if "id_token" in changes:
        try:
            changes["claims"] = parse_claims(changes["id_token"])
        except InvalidToken:
            # The login works without it; only its display would suffer.
            log.warning("the refreshed ID token cannot be read; the previous one is kept")
            del changes["id_token"]
    return dataclasses.replace(tokens, **changes)


def _unusable() -> RefreshUnavailable:
    # It said 200, so the refresh token is spent as far as anybody can tell.
    return RefreshUnavailable("OAuth token response is invalid", maybe_spent=True)


def _failure(answer: HttpAnswer) -> RefreshRejected | RefreshUnavailable:
    code = _error_code(answer.document)
    if code in _REJECTIONS:
        return RefreshRejected(_REJECTIONS[code], code)
    if answer.status == 401 or (answer.status == 400 and code == "invalid_grant"):
        return RefreshRejected(f"{_FAILED}. {_SIGN_IN_AGAIN}", code)
    return RefreshUnavailable(f"Failed to refresh token: {answer.status} {answer.reason}".rstrip())


def _error_code(document: Any) -> str | None:
    """The code, wherever the issuer put it: ``error.code``, ``error`` or ``code``; in any case."""
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    candidates = [error.get("code") if isinstance(error, dict) else error, document.get("code")]
    return next((candidate.lower() for candidate in candidates if isinstance(candidate, str)), None)
