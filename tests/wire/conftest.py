"""A fake upstream, homes, and servers that take the fake for their upstream.

To start a server takes longer than most of these tests, so those of a module share one, ``server``; a test that ends
its server, or needs another, uses ``own_server`` or ``start``. A folder whose servers are set up in a way of their own
says so in ``launch``, and gets all the rest from here.
"""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.support.upstream import Launch, Start, asked, clear_home, server_with
from tests.wire.turns.support import nothing_more


@pytest.fixture(scope="session")
def launch() -> Launch:
    """How the servers of a folder are started: which overrides and variables they all have."""
    return server_with


@pytest.fixture(scope="module")
async def shared_fake() -> AsyncIterator[FakeOpenAI]:
    """For what a module shares; tests ask for ``fake``."""
    async with FakeOpenAI.running() as fake:
        yield fake


@pytest.fixture
def fake(shared_fake: FakeOpenAI) -> Iterator[FakeOpenAI]:
    """The fake as if it had just been started."""
    shared_fake.reset()
    yield shared_fake
    shared_fake.clear_faults()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A CODEX_HOME that nobody has used yet, by its real path."""
    return tmp_path.resolve() / "home"


@pytest.fixture
def start(launch: Launch, fake: FakeOpenAI, home: Path) -> Start:
    """Starts a server; each call another one, all in the same home."""
    return partial(launch, fake, home)


@pytest.fixture
async def own_server(start: Start) -> AsyncIterator[ServerProcess]:
    """A server of one's own, with nothing out of the ordinary."""
    async with start() as server:
        yield server


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CODEX_HOME of ``shared_server``."""
    return tmp_path_factory.mktemp("shared").resolve() / "home"


@pytest.fixture(scope="module")
async def shared_server(launch: Launch, shared_fake: FakeOpenAI, shared_home: Path) -> AsyncIterator[ServerProcess]:
    """For what a module shares; tests ask for ``server``, which leaves it as it was found."""
    async with launch(shared_fake, shared_home) as server:
        yield server


@pytest.fixture
async def server(shared_server: ServerProcess, fake: FakeOpenAI) -> AsyncIterator[ServerProcess]:
    """The server of the module: nobody is logged in, its home holds no login, and nothing is left to be read.

    That tests share it is a test of its own: whatever they do to it, it goes on. And when a test is over, every turn
    that it began has ended for good.
    """
    status = await shared_server.result("getAuthStatus", {})
    await shared_server.result("account/logout")
    if status["authMethod"] == "chatgpt":
        await asked(fake, "revoke")
    clear_home(shared_server.home)
    await shared_server.barrier()
    fake.requests.clear()
    yield shared_server
    fake.clear_faults()
    nothing_more(await shared_server.barrier())
