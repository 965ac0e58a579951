"""Servers with a stored ChatGPT login.

Those that share a server give it a new login in its home, which it has adopted, and knows the workspace of, when the
test begins.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import TokenSet
from tests.support.server import ServerProcess
from tests.support.upstream import UPDATED, Start, managed_login, server_with, store


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path, shared_home: Path) -> Path:
    """The CODEX_HOME of the shared server, for tests that use that; else one that nobody has used yet."""
    return shared_home if "server" in request.fixturenames else tmp_path / "home"


@pytest.fixture
def login(fake: FakeOpenAI, home: Path) -> TokenSet:
    """The tokens that are stored when the test begins; good for an hour."""
    tokens = fake.mint()
    store(home, managed_login(tokens))
    return tokens


@pytest.fixture(scope="module")
async def shared_server(shared_fake: FakeOpenAI, shared_home: Path) -> AsyncIterator[ServerProcess]:
    store(shared_home, managed_login(shared_fake.mint()))
    async with server_with(shared_fake, shared_home) as server:
        await server.notification(UPDATED)
        yield server


@pytest.fixture
async def server(fake: FakeOpenAI, login: TokenSet, shared_server: ServerProcess) -> ServerProcess:
    """A server with that login, and with nothing to do by itself any more."""
    await shared_server.result("account/read", {})
    await shared_server.barrier()
    fake.requests.clear()
    return shared_server


@pytest.fixture
async def own_server(login: TokenSet, start: Start) -> AsyncIterator[ServerProcess]:
    """The same, for a test that ends it."""
    async with start() as server:
        await server.notification(UPDATED)
        yield server
