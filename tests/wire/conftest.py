"""Homes, and servers that have been greeted. The tests here are about the connection itself.

What is said over it about accounts is tested in ``accounts``.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess, running_server


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """As in the tests above; the scope lets a server serve more than one test."""
    return "asyncio"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A CODEX_HOME that nobody has used yet, by its real path."""
    return tmp_path.resolve() / "home"


@pytest.fixture(scope="module")
async def lasting_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """One server for all tests of a module that leave it as they found it; ask for ``server``."""
    async with running_server(tmp_path_factory.mktemp("wire") / "home") as server:
        yield server


@pytest.fixture
async def server(lasting_server: ServerProcess) -> AsyncIterator[ServerProcess]:
    """A server after the handshake, with nobody logged in and nothing unsaid.

    That tests share it is a test of its own: whatever they do to it, it goes on.
    """
    yield lasting_server
    await lasting_server.result("account/logout")
    await lasting_server.barrier()


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    """An upstream."""
    async with FakeOpenAI.running() as fake:
        yield fake
