"""The fake as issuer and upstream, and a server with a stored ChatGPT login that it has announced."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import TokenSet
from tests.support.server import ServerProcess
from tests.support.upstream import UPDATED, Start, managed_login, server_with, store


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI.running() as fake:
        yield fake


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A CODEX_HOME that nobody has used yet."""
    return tmp_path / "home"


@pytest.fixture
def start(fake: FakeOpenAI, home: Path) -> Start:
    return partial(server_with, fake, home)


@pytest.fixture
def login(fake: FakeOpenAI, home: Path) -> TokenSet:
    """The tokens that are stored when the server starts; good for an hour."""
    tokens = fake.mint()
    store(home, managed_login(tokens))
    return tokens


@pytest.fixture
async def server(login: TokenSet, start: Start) -> AsyncIterator[ServerProcess]:
    """A server with that login, whose workspace is known, so that it has nothing to do by itself any more."""
    async with start() as server:
        await server.notification(UPDATED)
        yield server
