"""The fake upstream, a home, and commands in it that take the fake for their upstream."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.cli import Commands


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI.running() as fake:
        yield fake


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A CODEX_HOME that nobody has used yet."""
    return tmp_path / "home"


@pytest.fixture
def commands(fake: FakeOpenAI, home: Path) -> Commands:
    return Commands(fake, home)
