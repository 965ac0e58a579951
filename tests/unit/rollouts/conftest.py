"""Stores of threads, closed after each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app_server.rollouts.store import ThreadStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ThreadStore]:
    """The threads below ``tmp_path``."""
    store = ThreadStore(tmp_path)
    yield store
    await store.aclose()
