"""What a server can be watched by. Most tests share one, with the providers of ``tests.wire.turns``."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.wire.turns.conftest import with_providers

SECRET = "canary0123456789canary"
"""Part of the query of each request to the provider ``once``."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for what a module shares."""
    return "asyncio"


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


@pytest.fixture(scope="module")
async def shared_server(
    shared_fake: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServerProcess]:
    async with with_providers(shared_fake, tmp_path_factory.mktemp("shared") / "home") as server:
        yield server


@pytest.fixture
async def server(fake: FakeOpenAI, shared_server: ServerProcess) -> AsyncIterator[ServerProcess]:
    """A server with nobody logged in."""
    yield shared_server
    await shared_server.result("account/logout")
    await shared_server.barrier()
