"""A login with a one-time code that the user enters on any device (RFC 8628 in OpenAI's shape, wire.md section 8).

How often the issuer is asked, what its answers mean, and when to give up. The code that it gives in the end is
exchanged by ``oauth``.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple
from uuid import uuid4

import anyio
from pydantic import SecretStr

from app_server.auth.credentials import ManagedTokens
from app_server.auth.errors import (
    CredentialsNotSaved,
    DeviceCodeNotEnabled,
    DeviceCodeUnavailable,
    LoginFailed,
    LoginNotAllowed,
)
from app_server.auth.login.oauth import Answer, ExchangeFailed, OAuthClient, document, status_text
from app_server.auth.tokens import InvalidToken

LOGIN_TIMEOUT: Final = 900.0
"""Seconds for the user to enter the code."""

REQUEST_TIMEOUT: Final = 30.0
"""Seconds for one exchange with the issuer."""

DEFAULT_INTERVAL: Final = 5.0
"""Seconds between two questions, where the issuer does not say (RFC 8628 section 3.2)."""

MIN_INTERVAL: Final = 1.0
"""Seconds between two questions, whatever the issuer says."""

SLOW_DOWN: Final = 5.0
"""Seconds to add each time that the issuer asks for fewer questions (RFC 8628 section 3.5)."""

Commit = Callable[[ManagedTokens], Awaitable[None]]
"""Saves the tokens and puts them in force, or raises CredentialsNotSaved."""

Sleep = Callable[[float], Awaitable[None]]
"""Lets so many seconds pass."""

log = logging.getLogger(__name__)


class _Approval(NamedTuple):
    code: SecretStr
    verifier: SecretStr


class DeviceCodeLogin:
    """One login with a device code; made by :meth:`start`, carried out by :meth:`run`."""

    def __init__(
        self,
        oauth: OAuthClient,
        *,
        user_code: str,
        device_auth_id: SecretStr,
        interval: float,
        timeout: float,
        sleep: Sleep,
    ) -> None:
        self.login_id: Final = str(uuid4())
        """What the client calls this login."""
        self.verification_url: Final = f"{oauth.issuer}/codex/device"
        """Where the user enters the code."""
        self.user_code: Final = user_code
        """What the user enters there."""
        self._oauth = oauth
        self._device_auth_id = device_auth_id
        self._interval = interval
        self._deadline = anyio.current_time() + timeout
        self._sleep = sleep

    @classmethod
    async def start(
        cls,
        oauth: OAuthClient,
        *,
        timeout: float = LOGIN_TIMEOUT,
        min_interval: float = MIN_INTERVAL,
        sleep: Sleep = anyio.sleep,
    ) -> "DeviceCodeLogin":
        """Ask the issuer for a code.

        :param timeout: seconds for the user to enter it.
        :param min_interval: seconds between two questions, whatever the issuer says.
        :param sleep: waits between two questions.
        :raises DeviceCodeNotEnabled: the issuer does not offer this.
        :raises DeviceCodeUnavailable: the issuer could not be asked, or gave none.
        """
        url = f"{oauth.issuer}/api/accounts/deviceauth/usercode"
        try:
            answer = await oauth.send("POST", url, json={"client_id": oauth.client_id}, timeout=REQUEST_TIMEOUT)
        except OSError as error:
            raise DeviceCodeUnavailable(str(error)) from None
        if answer.status_code == 404:
            raise DeviceCodeNotEnabled
        if not _is_success(answer):
            raise DeviceCodeUnavailable(f"device code request failed with status {status_text(answer.status_code)}")
        members = document(answer)
        device_auth_id, user_code = members.get("device_auth_id"), members.get("user_code", members.get("usercode"))
        if not (isinstance(device_auth_id, str) and isinstance(user_code, str) and device_auth_id and user_code):
            raise DeviceCodeUnavailable("device code response is invalid")
        return cls(
            oauth,
            user_code=user_code,
            device_auth_id=SecretStr(device_auth_id),
            interval=max(_seconds(members.get("interval"), DEFAULT_INTERVAL), min_interval),
            timeout=timeout,
            sleep=sleep,
        )

    async def aclose(self) -> None:
        """Let go of everything: this login holds nothing between two questions."""

    async def run(self, commit: Commit) -> None:
        """Wait for the user, exchange the code that the issuer then gives, and commit the tokens; once per login.

        Nothing is awaited between the return of ``commit`` and that of this; see ``browser``.

        :raises LoginFailed: the login has ended without credentials; the text is complete.
        """
        approval = await self._approval()
        redirect_uri = f"{self._oauth.issuer}/deviceauth/callback"
        try:
            tokens = await self._oauth.sign_in(approval.code, redirect_uri, approval.verifier, with_api_key=False)
            await commit(tokens)
        except ExchangeFailed as error:
            raise LoginFailed(f"device code exchange failed: {error.reason}") from None
        except InvalidToken as error:
            raise LoginFailed(error.reason) from None
        except (LoginNotAllowed, CredentialsNotSaved) as error:
            raise LoginFailed(error.message) from error

    async def _approval(self) -> _Approval:
        body = {"device_auth_id": self._device_auth_id.get_secret_value(), "user_code": self.user_code}
        url = f"{self._oauth.issuer}/api/accounts/deviceauth/token"
        with anyio.CancelScope(deadline=self._deadline):
            while True:
                wait = self._interval
                try:
                    answer = await self._oauth.send("POST", url, json=body, timeout=REQUEST_TIMEOUT)
                except OSError as error:
                    log.info("the issuer could not be asked about the device code, and will be again: %s", error)
                else:
                    if _is_success(answer):
                        return _read_approval(answer)
                    wait = self._until_next_question(answer)
                await self._sleep(wait)
        raise LoginFailed("device auth timed out after 15 minutes")

    def _until_next_question(self, answer: Answer) -> float:
        """Seconds to wait after an answer that is no approval.

        :raises LoginFailed: there will be none.
        """
        status, code = answer.status_code, _error_code(answer)
        if code == "slow_down":
            self._interval += SLOW_DOWN
        if code == "slow_down" or status == 429 or status >= 500:
            log.info("the issuer answered with status %d about the device code, and will be asked again", status)
            return max(self._interval, _retry_after(answer.headers))
        if status not in (403, 404) and code != "authorization_pending":
            raise LoginFailed(f"device auth failed with status {status_text(status)}")
        return self._interval


def _is_success(answer: Answer) -> bool:
    return 200 <= answer.status_code < 300


def _read_approval(answer: Answer) -> _Approval:
    members = document(answer)
    code, verifier = members.get("authorization_code"), members.get("code_verifier")
    if not isinstance(code, str) or not isinstance(verifier, str):
        raise LoginFailed("error decoding response body")
    return _Approval(SecretStr(code), SecretStr(verifier))


def _error_code(answer: Answer) -> str | None:
    """The code, wherever the issuer put it: ``error.code``, ``error`` or ``code``."""
    members = document(answer)
    error = members.get("error")
    candidates = (error.get("code") if isinstance(error, dict) else error, members.get("code"))
    return next((candidate for candidate in candidates if isinstance(candidate, str)), None)


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds of a ``Retry-After`` in either of its forms (RFC 9110 section 10.2.3); 0 where there is none."""
    value = headers.get("retry-after", "")
    seconds = _seconds(value, math.nan)
    if not math.isnan(seconds):
        return seconds
    try:
        return max((parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds(), 0)
    except (ValueError, TypeError):  # no date, or one without a time zone
        return 0


def _seconds(value: Any, default: float) -> float:
    """A number of seconds, as JSON number or as text with spaces around it; the default where it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return default
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return default
    return seconds if math.isfinite(seconds) and seconds >= 0 else default
