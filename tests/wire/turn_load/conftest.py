"""Servers whose turns go to the fake.

The provider ``once`` has a key of its own; ``login`` wants this server's login. Neither asks again when a stream
breaks, so that nothing is repaired that should not have happened.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.upstream import server_with
from tests.wire.turn_load.support import FastServer
from tests.wire.turns.support import KEY, KEY_VARIABLE, provider


@asynccontextmanager
async def load_server(
    fake: FakeOpenAI, home: Path, *overrides: str, forked: bool = False, **options: Any
) -> AsyncIterator[FastServer]:
    """A server with these providers. It logs as little as one in use does.

    :param forked: for tests that are not about what it costs.
    """
    base = f"{fake.base_url}/v1"
    providers = [
        *provider("once", base),
        *provider("again", base, request=1, stream=2),
        *provider("login", base, env_key="none", requires_openai_auth="true"),
        'model_provider="once"',
        'model="gpt-5.1-codex"',
    ]
    env = {KEY_VARIABLE: KEY, "APP_SERVER_LOG": "warning", **(options.pop("env", None) or {})}
    own: dict[str, Any] = {"env": env, "initialize": False, "forked": forked}
    async with server_with(fake, home, *providers, *overrides, **own, **options) as started:
        process = started.process
        assert process.stdin is not None
        server = FastServer(process, home, started.log, (process.stdin, started.output))
        await server.initialize()
        yield server


class Start(Protocol):
    """Starts a server in the home of a test; its arguments are ``key=value`` for ``-c``."""

    def __call__(self, *overrides: str, **options: Any) -> AbstractAsyncContextManager[FastServer]: ...


@pytest.fixture
def start(fake: FakeOpenAI, home: Path) -> Start:
    """Starts such a server in the home of the test."""
    return partial(load_server, fake, home)


@pytest.fixture
async def server(start: Start) -> AsyncIterator[FastServer]:
    """One that nobody has used yet, for tests that are not about what a process costs."""
    async with start(forked=True) as server:
        yield server


@pytest.fixture
async def measured_server(start: Start) -> AsyncIterator[FastServer]:
    """One that nobody has used yet, as its users have it."""
    async with start() as server:
        yield server
