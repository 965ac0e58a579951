"""The credential of the environment: ``CODEX_ACCESS_TOKEN`` with a personal access token (wire.md section 1).

It is checked once, in the background of the start. Unreachable or refused means that nobody is logged in by it.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from pydantic import SecretStr

from app_server.auth.credentials import PersonalAccessToken, plan_type

WHOAMI_TIMEOUT: Final = 10.0
"""Seconds for the exchange with the authentication API."""

FetchJson = Callable[[str, dict[str, str], float], Awaitable[Any]]
"""GETs a URL with headers within so many seconds and returns the JSON of a 200; raises OSError otherwise."""

log = logging.getLogger(__name__)


async def identify(
    token: SecretStr, authapi_base_url: str, fetch: FetchJson, timeout: float = WHOAMI_TIMEOUT
) -> PersonalAccessToken | None:
    """Ask whose token this is.

    :param timeout: seconds for the exchange.
    :returns: None when the API does not say.
    """
    url = f"{authapi_base_url.rstrip('/')}/v1/user-auth-credential/whoami"
    try:
        document: Any = await fetch(url, {"Authorization": f"Bearer {token.get_secret_value()}"}, timeout)
        return PersonalAccessToken(
            token=token,
            email=document.get("email"),
            user_id=document["chatgpt_user_id"],
            account_id=document["chatgpt_account_id"],
            plan_type=plan_type(document["chatgpt_plan_type"]),
        )
    except (OSError, AttributeError, KeyError, TypeError) as error:
        log.warning("CODEX_ACCESS_TOKEN is not used: %s", type(error).__name__)
        return None
