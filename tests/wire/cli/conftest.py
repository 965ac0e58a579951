"""Commands in the home of a test that take the fake for their upstream."""

from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.cli import Commands


@pytest.fixture
def commands(fake: FakeOpenAI, home: Path) -> Commands:
    return Commands(fake, home)
