"""A server with model providers of every kind, and the fake behind them.

To start a server takes longer than most of these tests, so those of a module share one, ``server``; what is said when
a test has ended must not be about its turns. A test that ends its server, or needs another, uses ``start``.

The providers ``once``, ``again`` and ``resend`` have a key of their own and differ in their retries (request/stream):
0/0, 0/2 and 1/2. ``silent`` is patient for 0.5 s only, ``login`` and ``login_again`` want this server's login, and
``backend`` is the ChatGPT backend's own path: what an account names for its origin is asked instead, so tests that use
it name one on this machine.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.support.upstream import Start, server_with
from tests.wire.turns.support import KEY, KEY_VARIABLE, nothing_more, provider

ENVIRONMENT = {KEY_VARIABLE: KEY}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for what a module shares."""
    return "asyncio"


def providers(fake: FakeOpenAI) -> list[str]:
    """The overrides for the providers of these tests."""
    base = f"{fake.base_url}/v1"
    logged_in = partial(provider, env_key="none", requires_openai_auth="true")
    return [
        *provider("once", base),
        *provider("again", base, stream=2),
        *provider("resend", base, request=1, stream=2),
        *provider("silent", base, stream_idle_timeout_ms="500"),
        *provider("silent_again", base, request=1, stream=1, stream_idle_timeout_ms="500"),
        *logged_in("login", base),
        *logged_in("login_again", base, stream=2),
        *logged_in("backend", f"{fake.base_url}/backend-api/codex"),
    ]


def with_providers(
    fake: FakeOpenAI, home: Path, *overrides: str, **options: Any
) -> AbstractAsyncContextManager[ServerProcess]:
    """A server with these providers."""
    env = {**ENVIRONMENT, **(options.pop("env", None) or {})}
    return server_with(fake, home, *providers(fake), *overrides, env=env, **options)


@pytest.fixture(scope="module")
async def shared_fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI.running() as fake:
        yield fake


@pytest.fixture
def fake(shared_fake: FakeOpenAI) -> Iterator[FakeOpenAI]:
    """The fake as if it had just been started."""
    shared_fake.reset()
    yield shared_fake
    shared_fake.clear_faults()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A CODEX_HOME that nobody has used yet."""
    return tmp_path / "home"


@pytest.fixture
def start(fake: FakeOpenAI, home: Path) -> Start:
    return partial(with_providers, fake, home)


@pytest.fixture(scope="module")
async def shared_server(
    shared_fake: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServerProcess]:
    home = tmp_path_factory.mktemp("shared") / "home"
    async with with_providers(shared_fake, home) as server:
        yield server


@pytest.fixture
async def server(fake: FakeOpenAI, shared_server: ServerProcess) -> AsyncIterator[ServerProcess]:
    """A server with nobody logged in; when the test is over, every turn that it began has ended for good."""
    yield shared_server
    fake.clear_faults()
    await shared_server.result("account/logout")
    nothing_more(await shared_server.barrier())


@pytest.fixture
async def own_server(start: Start) -> AsyncIterator[ServerProcess]:
    """The same, for a test that ends it."""
    async with start() as server:
        yield server
