"""A running fake and an HTTP client for it; a clock that tests move."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from app_server.fake_openai.server import FakeOpenAI


@dataclass
class Clock:
    """Unix seconds that pass when a test says so."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def fake(clock: Clock) -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI.running(clock=clock) as fake:
        yield fake


@pytest.fixture
async def client(fake: FakeOpenAI) -> AsyncIterator[httpx2.AsyncClient]:
    """Talks to the fake; every wait ends after five seconds."""
    # Without verify=False each test would read the system's certificates, for plain HTTP.
    async with httpx2.AsyncClient(base_url=fake.base_url, trust_env=False, verify=False, timeout=5) as client:
        yield client
