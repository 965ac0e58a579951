"""A server under test with the fake upstream behind it, and the tokens and stored logins that go between the two.

How a server is started and spoken to is ``server``'s business; what the fake can do, ``app_server.fake_openai``'s.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import anyio

from app_server.fake_openai.recorder import RecordedRequest
from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import TokenSet
from tests.support.server import DEADLINE, Json, ServerProcess, running_server

LOGIN = "account/login/start"
LIMITS = "account/rateLimits/read"
REFRESH = "account/chatgptAuthTokens/refresh"
COMPLETED = "account/login/completed"
UPDATED = "account/updated"

NOBODY: Json = {"account": None, "userId": None, "requiresOpenaiAuth": True, "workspaceRouting": None}
"""What ``account/read`` says when nobody is logged in."""

NO_STATUS: Json = {"authMethod": None, "authToken": None, "requiresOpenaiAuth": True}
"""What ``getAuthStatus`` says when nobody is logged in."""

SUCCEEDED: Json = {"loginId": None, "success": True, "error": None, "onboardingEntrypoint": None}
"""The params of ``account/login/completed`` for a login without an id that went well."""


PROVIDER = (
    'model_provider="mine"',
    'model_providers.mine.name="Mine"',
    'model_providers.mine.base_url="http://127.0.0.1:9/v1"',
)
"""Overrides for a model provider that has nothing to do with OpenAI's login."""


class Launch(Protocol):
    """Starts a server in a home, with this fake for its upstream; its arguments are ``key=value`` for ``-c``."""

    def __call__(
        self, fake: FakeOpenAI, home: Path, *overrides: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> AbstractAsyncContextManager[ServerProcess]: ...


class Start(Protocol):
    """Starts a server in the home of a test; its arguments are ``key=value`` for ``-c``."""

    def __call__(
        self, *overrides: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> AbstractAsyncContextManager[ServerProcess]: ...


@asynccontextmanager
async def server_with(
    fake: FakeOpenAI,
    home: Path,
    *overrides: str,
    env: Mapping[str, str] | None = None,
    initialize: bool = True,
    forked: bool = True,
    **options: Any,
) -> AsyncIterator[ServerProcess]:
    """A server that takes the fake for its upstream.

    :param overrides: further ``key=value`` for ``-c``; they win over those that lead to the fake.
    :param forked: spare it the imports, for tests that are not about the start.
    :param options: those of ``running_server``.
    """
    arguments = [word for override in [*fake.config_overrides(), *overrides] for word in ("-c", override)]
    environment = {"NO_PROXY": "127.0.0.1", **fake.environment(), **(env or {})}
    async with running_server(
        home, *arguments, env=environment, initialize=initialize, forked=forked, **options
    ) as server:
        yield server


async def asked(fake: FakeOpenAI, route: str, count: int = 1) -> list[RecordedRequest]:
    """Wait until the fake has been asked this so many times."""
    return await fake.requests.wait_for(route, count=count, timeout=DEADLINE)


# Tokens that the parent owns


def tokens_login(tokens: TokenSet, **members: Any) -> Json:
    """The params of a login with these tokens."""
    return {
        "type": "chatgptAuthTokens",
        "accessToken": tokens.access_token,
        "chatgptAccountId": tokens.account.account_id,
        **members,
    }


async def log_in_with_tokens(server: ServerProcess, tokens: TokenSet, **members: Any) -> None:
    """Log in, and wait until that is announced."""
    await server.result(LOGIN, tokens_login(tokens, **members))
    assert await server.notification(COMPLETED) == SUCCEEDED
    await server.notification(UPDATED)


def fresh(tokens: TokenSet, **members: Any) -> Json:
    """What a parent that was asked for fresh tokens answers with these."""
    return {"accessToken": tokens.access_token, "chatgptAccountId": tokens.account.account_id, **members}


async def token_in_force(server: ServerProcess) -> str | None:
    """The token that requests go out with now."""
    status = await server.result("getAuthStatus", {"includeToken": True})
    return status["authToken"]  # type: ignore[no-any-return]


async def token_comes_into_force(server: ServerProcess, token: str | None) -> None:
    """Wait until the server has noticed what another program has stored."""
    with anyio.fail_after(DEADLINE):
        while await token_in_force(server) != token:  # noqa: ASYNC110 - no event tells of it
            await anyio.sleep(0.01)


# Stored logins


def managed_login(tokens: TokenSet, **members: Any) -> Json:
    """The auth.json of a sign-in, as the reference writes it."""
    return {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {
            "id_token": tokens.id_token,
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "account_id": tokens.account.account_id,
        },
        "last_refresh": "2026-01-01T00:00:00.000000000Z",
        **members,
    }


def store(home: Path, login: Json | bytes) -> Path:
    """Put an auth.json in place, as another program would have left it."""
    home.mkdir(parents=True, exist_ok=True)
    file, other = home / "auth.json", home / "auth.json.of-another-program"
    other.write_bytes(login if isinstance(login, bytes) else json.dumps(login).encode())
    return other.replace(file)


def stored(home: Path) -> Json:
    """What the auth.json says."""
    return json.loads((home / "auth.json").read_bytes())  # type: ignore[no-any-return]


def files(home: Path, pattern: str = "**/*") -> list[Path]:
    """The files in a home, by a glob pattern."""
    return [path for path in home.glob(pattern) if path.is_file()]


def clear_home(home: Path) -> None:
    """Remove whatever has to do with a login, but for the locks, which are never removed."""
    for path in (*home.glob("auth.json*"), *home.glob(".auth-*")):
        if path.suffix != ".lock":
            path.unlink()


def link_login(home: Path, target: Path) -> None:
    """Make auth.json a symbolic link."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "auth.json").symlink_to(target)


# What was said


def without_times(messages: Sequence[Json]) -> list[Json]:
    """The messages without what differs from run to run; that each notification has its time is checked."""
    for message in messages:
        is_notification = "method" in message and "id" not in message
        assert isinstance(message.get("emittedAtMs"), int) is is_notification, message
    return [{name: value for name, value in message.items() if name != "emittedAtMs"} for message in messages]


async def next_messages(server: ServerProcess, count: int) -> list[Json]:
    """So many messages in the order in which they came, without their times."""
    return without_times([await server.message() for _ in range(count)])


def completed(error: str | None = None) -> Json:
    """The notification that a login without an id has ended."""
    return {"method": COMPLETED, "params": {**SUCCEEDED, "success": error is None, "error": error}}


def updated(mode: str | None, plan: str | None = None) -> Json:
    """The notification of who is logged in."""
    return {"method": UPDATED, "params": {"authMode": mode, "planType": plan}}
