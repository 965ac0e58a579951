"""``app-server demo``: the main job, offline, as a conversation that a person can follow.

It starts the fake upstream and the real server (a subprocess, over real pipes), acts as the parent application that
owns the tokens, and checks every step. Anything unexpected ends it with a non-zero exit status.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import anyio
import orjson
from pydantic import SecretStr

from app_server.client import Client, ServerError, ServerGone, spawn
from app_server.fake_openai.server import FakeOpenAI
from protocol.account import (
    ACCOUNT_READ,
    ACCOUNT_UPDATED,
    LOGIN_COMPLETED,
    LOGIN_START,
    LOGOUT,
    REFRESH_AUTH_TOKENS,
    ChatgptAccount,
    ChatgptAuthTokensLogin,
    ChatgptAuthTokensRefreshParams,
    ChatgptAuthTokensRefreshResponse,
    GetAccountParams,
    LoginAccountParams,
)
from protocol.method import Empty
from protocol.rate_limits import RATE_LIMITS_READ, GetAccountRateLimitsParams

DEADLINE = 60
"""Seconds for the whole demonstration."""


class DemoFailed(Exception):
    """Something differed from what the demonstration promises."""


def run() -> int:
    """Run the demonstration; returns the exit status."""
    failures: list[str] = []
    try:
        anyio.run(_demonstrate)
    except* DemoFailed as group:
        failures += [str(failure) for failure in leaves(group)]
    except* (ServerError, ServerGone) as group:
        failures += [f"the server did not answer as promised: {failure}" for failure in leaves(group)]
    except* TimeoutError:
        failures.append(f"not finished within {DEADLINE} s")
    for failure in failures:
        _say(f"\nFAILED: {failure}")
    if not failures:
        _say("\nEverything happened as promised.")
    return 1 if failures else 0


def leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The exceptions of a group and of the groups in it."""
    return [
        leaf
        for error in group.exceptions
        for leaf in (leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]


async def _demonstrate() -> None:
    with anyio.fail_after(DEADLINE), tempfile.TemporaryDirectory() as home:
        async with FakeOpenAI.running() as fake:
            parent = _Parent(fake)
            command = [sys.executable, "-m", "app_server"]
            for override in fake.config_overrides():
                command += ["-c", override]
            _say(f"An offline OpenAI listens at {fake.base_url}; the server is a subprocess; this is its parent.")
            _say("  -> parent to server   <- server to parent\n")
            async with spawn(
                command,
                env={**fake.environment(), "CODEX_HOME": home, "NO_PROXY": "127.0.0.1"},
                handlers={REFRESH_AUTH_TOKENS: parent.refresh},
                trace=_narrate,
            ) as client:
                await _converse(client, fake, parent)
            _check(not (Path(home) / "auth.json").exists(), "the parent's tokens were written to disk")


class _Parent:
    """The application that owns the tokens."""

    def __init__(self, fake: FakeOpenAI) -> None:
        self._fake = fake
        self.tokens = fake.mint()
        self.asked = 0

    async def refresh(self, params: ChatgptAuthTokensRefreshParams) -> ChatgptAuthTokensRefreshResponse:
        """What the server asks when the upstream has answered 401."""
        self.asked += 1
        self.tokens = self._fake.mint()
        return ChatgptAuthTokensRefreshResponse(
            access_token=SecretStr(self.tokens.access_token),
            chatgpt_account_id=params.previous_account_id or self.tokens.account.account_id,
        )


async def _converse(client: Client, fake: FakeOpenAI, parent: _Parent) -> None:
    _step("The handshake")
    hello = await client.initialize("demo", "1.0")
    _check(hello.user_agent.startswith("demo/"), "the user agent does not name the client")

    _step("The parent signs in with tokens that it owns")
    login = ChatgptAuthTokensLogin(
        type="chatgptAuthTokens",
        access_token=SecretStr(parent.tokens.access_token),
        chatgpt_account_id=parent.tokens.account.account_id,
    )
    await client.request(LOGIN_START, LoginAccountParams(login))
    completed = await client.notification(LOGIN_COMPLETED)
    _check(completed.success, f"the login failed: {completed.error}")
    updated = await client.notification(ACCOUNT_UPDATED)
    _check(updated.auth_mode == "chatgptAuthTokens", "account/updated does not name the login")
    account = (await client.request(ACCOUNT_READ, GetAccountParams())).account
    _check(account is not None and isinstance(account.root, ChatgptAccount), "account/read knows of no login")

    _step("An authorised request")
    limits = await client.request(RATE_LIMITS_READ, GetAccountRateLimitsParams())
    _check(limits.rate_limits.primary is not None, "there are no limits")

    _step("The token expires upstream; the next request meets 401, the server asks its parent, and tries again")
    expired = parent.tokens.access_token
    fake.expire(expired)
    await client.request(RATE_LIMITS_READ, GetAccountRateLimitsParams(exclude_reset_credit_details=True))
    _check(parent.asked == 1, f"the parent was asked {parent.asked} times instead of once")
    tried = [request.bearer for request in fake.requests if request.route == "usage"][-2:]
    _check(tried == [expired, parent.tokens.access_token], "the retry did not carry the fresh token")
    _say("     upstream: 401 for the old token, 200 for the new one; the client saw nothing but its answer")

    _step("The parent signs out")
    await client.request(LOGOUT, Empty())
    updated = await client.notification(ACCOUNT_UPDATED)
    _check(updated.auth_mode is None, "account/updated still names a login")
    after = await client.request(ACCOUNT_READ, GetAccountParams())
    _check(after.account is None, "account/read still knows a login")


def _narrate(direction: Literal["sent", "received"], line: bytes) -> None:
    message: dict[str, Any] = orjson.loads(line)
    arrow = "->" if direction == "sent" else "<-"
    if "method" not in message:
        what = f"error {message['error']['message']}" if "error" in message else "result"
        _say(f"  {arrow} answer {message['id']}: {what}{_facts(message.get('result'))}")
    elif "id" in message:
        _say(f"  {arrow} {message['method']} (request {message['id']}){_facts(message.get('params'))}")
    else:
        _say(f"  {arrow} {message['method']}{_facts(message.get('params'))}")


_SHOWN: dict[str, Callable[[Any], str]] = {
    "userAgent": str,
    "type": str,
    "account": lambda account: account["type"] if account else "nobody",
    "authMode": str,
    "planType": str,
    "success": str,
    "reason": str,
    "previousAccountId": str,
    "accessToken": lambda _: "(hidden)",
    "rateLimits": lambda limits: f"{limits['primary']['usedPercent']} % used",
}


def _facts(members: Any) -> str:
    """The telling members of a message, without any secret."""
    if not isinstance(members, dict):
        return ""
    shown = [f"{name}={show(members[name])}" for name, show in _SHOWN.items() if members.get(name) is not None]
    return f"  [{', '.join(shown)}]" if shown else ""


def _step(title: str) -> None:
    _say(f"\n{title}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _check(held: bool, otherwise: str) -> None:
    if not held:
        raise DemoFailed(otherwise)
