"""A home, and the settings that name it."""

from pathlib import Path

import pytest

from app_server.config import Settings


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home)
