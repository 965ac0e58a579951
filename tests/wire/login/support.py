"""Interactive logins as the client and the user's browser see them.

The browser is a socket. What it can do stands in ``tests.unit.auth.login_support``; here everything has a deadline, and
a login is known by what the server has answered, and by nothing else.
"""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import anyio

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import DEADLINE, Json, ServerProcess
from tests.support.upstream import COMPLETED, LOGIN, asked
from tests.unit.auth import login_support
from tests.unit.auth.login_support import Answer, parameters

BROWSER: Final[Json] = {"type": "chatgpt"}
DEVICE: Final[Json] = {"type": "chatgptDeviceCode"}

CANCEL: Final = "account/login/cancel"
COMPLETE: Final = "account/login/complete"

CLIENT_ID: Final = "app_EMoamEEZ73f0CkXaXp7hrann"

CANCELLED: Final = "Login server error: Login cancelled"
NOT_COMPLETED: Final = "Login was not completed"
BROWSER_NOT_COMPLETED: Final = "Login server error: Login was not completed"
NOT_SAVED: Final = "Login server error: Sign-in completed but credentials could not be saved locally."

SUCCESS_PAGE: Final = "You are signed in"

ANY_PORT: Final = "app_server.login_callback_ports=[0]"
"""The override that keeps logins off the two ports that everybody else wants, too."""


@dataclass(frozen=True, slots=True)
class BrowserLogin:
    """What the client was answered."""

    login_id: str
    auth_url: str

    @property
    def state(self) -> str:
        return parameters(self.auth_url)["state"]

    @property
    def redirect_uri(self) -> str:
        return parameters(self.auth_url)["redirect_uri"]

    @property
    def port(self) -> int:
        return urlsplit(self.redirect_uri).port or 0

    def url(self, path: str) -> str:
        """A URL of the login's own server."""
        return f"http://127.0.0.1:{self.port}{path}"

    def callback(self, **members: str) -> str:
        """A callback with the right state and these parameters."""
        return f"{self.redirect_uri}?{urlencode({'state': self.state, **members})}"


@dataclass(frozen=True, slots=True)
class DeviceLogin:
    """What the client was answered."""

    login_id: str
    verification_url: str
    user_code: str


async def start_browser_login(server: ServerProcess, **members: Any) -> BrowserLogin:
    """Begin a login; further members of the request can be given."""
    result = await server.result(LOGIN, {**BROWSER, **members})
    return BrowserLogin(result["loginId"], result["authUrl"])


async def start_device_login(server: ServerProcess) -> DeviceLogin:
    """Get a code."""
    result = await server.result(LOGIN, DEVICE)
    return DeviceLogin(result["loginId"], result["verificationUrl"], result["userCode"])


def ended(login: BrowserLogin | DeviceLogin, error: str | None = None) -> Json:
    """The announcement that a login has ended; without an error it succeeded."""
    params = {"loginId": login.login_id, "success": error is None, "error": error, "onboardingEntrypoint": None}
    return {"method": COMPLETED, "params": params}


# The browser


async def get(url: str, headers: dict[str, str] | None = None, *, method: str = "GET") -> Answer:
    """One request on a connection of its own."""
    with anyio.fail_after(DEADLINE):
        return await login_support.get(url, headers, method=method)


async def authorize(login: BrowserLogin) -> str:
    """The user signs in; the URL that the browser is sent back to."""
    with anyio.fail_after(DEADLINE):
        return await login_support.authorize(login.auth_url)


async def sign_in(login: BrowserLogin) -> Answer:
    """The user signs in, and the browser goes where it is sent: the page there."""
    return await get(await authorize(login))


async def is_listening(port: int, address: str = "127.0.0.1") -> bool:
    """Whether somebody accepts connections there."""
    try:
        async with await anyio.connect_tcp(address, port):
            return True
    except OSError:
        return False


async def until_closed(port: int) -> None:
    """Wait until nobody listens there."""
    with anyio.fail_after(DEADLINE):
        while await is_listening(port):  # noqa: ASYNC110 - nobody tells a stranger
            await anyio.sleep(0.01)


# The issuer


async def exchanges(fake: FakeOpenAI, count: int = 1) -> list[dict[str, Any]]:
    """Wait until the token endpoint has been asked so many times; the forms it was asked with, oldest first."""
    return [request.fields() for request in await asked(fake, "token", count)]
