"""What a callback says: a code, a refusal of the issuer, or that it is not for this login (wire.md section 7).

The same for a callback that a browser delivers and for one that a person pastes. Pure; what follows is ``browser``'s.
"""

import hmac
from collections.abc import Iterable
from typing import Final

from pydantic import SecretStr

from app_server.auth.errors import LoginFailed
from app_server.auth.login.oauth import showable

CALLBACK_PATH: Final = "/auth/callback"

PREFIX: Final = "Login server error: "
"""Before every failure of a browser login but a time-out."""

NOT_ENTITLED: Final = "missing_codex_entitlement"
"""In the description of an ``access_denied``: the workspace does not have the product."""


class WrongState(Exception):
    """The callback is not one of this login: its state is missing or another one."""


def authorization_code(query: Iterable[tuple[str, str]], state: SecretStr) -> SecretStr | None:
    """The code that a callback brings, or None when it brings none.

    The state is looked at first, and in constant time; of a repeated parameter the first counts.

    :param query: decoded pairs.
    :param state: that of the login.
    :raises WrongState: nothing else has been looked at.
    :raises LoginFailed: the issuer says that there will be no code.
    """
    values: dict[str, str] = {}
    for name, value in query:
        values.setdefault(name, value)
    if not hmac.compare_digest(_octets(values.get("state", "")), _octets(state.get_secret_value())):
        raise WrongState
    if "error" in values:
        raise _refusal(values["error"], values.get("error_description", ""), state)
    code = values.get("code", "").strip()
    return SecretStr(code) if code else None


def missing_code() -> LoginFailed:
    """The failure of a login whose callback brings neither a code nor an error."""
    return LoginFailed(
        f"{PREFIX}Missing authorization code. Sign-in could not be completed.", "missing_authorization_code"
    )


def _refusal(error: str, description: str, state: SecretStr) -> LoginFailed:
    if error == "access_denied" and NOT_ENTITLED in description.lower():
        return LoginFailed(
            f"{PREFIX}Codex is not enabled for your workspace. "
            "Contact your workspace administrator to request access to Codex.",
            error,
            headline="You do not have access to Codex",
        )
    reason = description if description.strip() else error
    return LoginFailed(f"{PREFIX}Sign-in failed: {showable(reason, state)}", showable(error, state))


def _octets(text: str) -> bytes:
    return text.encode(errors="surrogatepass")
