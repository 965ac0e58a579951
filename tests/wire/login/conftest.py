"""The fake as issuer and upstream, and servers whose logins take any port for their callback.

Tests about what is said once a server runs share the one of their module; others have their own.
"""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.support.upstream import Start, asked, clear_home, server_with
from tests.wire.login.support import ANY_PORT


@pytest.fixture(scope="module")
async def running_fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI.running() as fake:
        yield fake


@pytest.fixture
def fake(running_fake: FakeOpenAI) -> FakeOpenAI:
    """The issuer, which has been asked nothing yet."""
    running_fake.reset()
    return running_fake


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A CODEX_HOME that nobody has used yet."""
    return tmp_path / "home"


@pytest.fixture
def start(fake: FakeOpenAI, home: Path) -> Start:
    """Starts a server in that home; other ports can be given as a later override."""
    return partial(server_with, fake, home, ANY_PORT)


@pytest.fixture
async def own_server(start: Start) -> AsyncIterator[ServerProcess]:
    """A server of one's own, with nothing out of the ordinary."""
    async with start() as server:
        yield server


@pytest.fixture(scope="module")
async def running_server(
    running_fake: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServerProcess]:
    async with server_with(running_fake, tmp_path_factory.mktemp("shared") / "home", ANY_PORT) as server:
        yield server


@pytest.fixture
async def server(running_server: ServerProcess, fake: FakeOpenAI) -> ServerProcess:
    """The server of the module: nobody is logged in or about to be, and nothing is left to be read."""
    status = await running_server.result("getAuthStatus", {})
    await running_server.result("account/logout")
    if status["authMethod"] == "chatgpt":
        await asked(fake, "revoke")
    clear_home(running_server.home)
    await running_server.barrier()
    fake.requests.clear()
    return running_server
