"""The fake upstream, a home, and servers in it that take the fake for their upstream."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.support.upstream import Start, server_with


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
async def server(start: Start) -> AsyncIterator[ServerProcess]:
    """A server with nothing out of the ordinary."""
    async with start() as server:
        yield server
