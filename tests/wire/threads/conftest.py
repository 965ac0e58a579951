"""A server whose turns go to the fake, shared by the tests of a module: to start one takes longer than most of them.
Tests about other processes, other homes or the end of a server start their own, with ``start``.

The provider ``once`` is asked once; threads that nobody wants any more are let go of at once.
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


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for what a module shares."""
    return "asyncio"


def with_provider(
    fake: FakeOpenAI, home: Path, *overrides: str, **options: Any
) -> AbstractAsyncContextManager[ServerProcess]:
    """A server with this provider."""
    env = {KEY_VARIABLE: KEY, **(options.pop("env", None) or {})}
    arguments = [
        *provider("once", f"{fake.base_url}/v1"),
        'model_provider="once"',
        'model="gpt-5.1-codex"',
        "app_server.thread_unload_delay=0",
        *overrides,
    ]
    return server_with(fake, home, *arguments, env=env, **options)


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
    """Starts a server; each call another one, all in the same home."""
    return partial(with_provider, fake, home)


@pytest.fixture(scope="module")
async def shared_server(
    shared_fake: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServerProcess]:
    async with with_provider(shared_fake, tmp_path_factory.mktemp("shared") / "home") as server:
        yield server


@pytest.fixture
async def server(fake: FakeOpenAI, shared_server: ServerProcess) -> AsyncIterator[ServerProcess]:
    """The server of the module; when the test is over, every turn that it began has ended for good."""
    await shared_server.barrier()
    yield shared_server
    fake.clear_faults()
    nothing_more(await shared_server.barrier())


@pytest.fixture
async def own_server(start: Start) -> AsyncIterator[ServerProcess]:
    """A server in a home of its own, for a test that ends it or counts what is there."""
    async with start() as server:
        yield server
