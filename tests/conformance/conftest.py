"""Each test twice: against this server and against the reference, with the same fake behind them.

``server`` is shared by the tests of a module; a test that ends its server, or needs another, uses ``start``. Where the
two differ, the test asks ``differs``, which knows what has been declared in ``differences``.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.conformance.differences import DIFFERENCES
from tests.conformance.peers import PEERS, Peer
from tests.support.server import ServerProcess
from tests.support.upstream import Start, clear_home

HERE = Path(__file__).parent

Differs = Callable[[str, Any], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need the reference."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.conformance)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for what a module shares."""
    return "asyncio"


@pytest.fixture(scope="module", params=["reference", "ours"])
def peer(request: pytest.FixtureRequest) -> Peer:
    """The server that the test is about."""
    return PEERS[request.param]()


@pytest.fixture
def differs(peer: Peer) -> Differs:
    """Checks that what is seen is what was declared of this server under a name."""

    def check(name: str, seen: Any) -> None:
        assert seen == DIFFERENCES[name].expected_of(peer.name), f"{peer.name} differs otherwise than declared: {name}"

    return check


@pytest.fixture(scope="module")
async def shared_fake() -> AsyncIterator[FakeOpenAI]:
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
    """A CODEX_HOME that nobody has used yet."""
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def start(peer: Peer, fake: FakeOpenAI, home: Path) -> Start:
    """Starts a server; each call another one, all in the same home."""
    return partial(peer.start, fake, home)


@pytest.fixture(scope="module")
async def shared_server(
    peer: Peer, shared_fake: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServerProcess]:
    async with peer.start(shared_fake, tmp_path_factory.mktemp("shared") / "home") as server:
        yield server


@pytest.fixture
async def server(fake: FakeOpenAI, shared_server: ServerProcess) -> AsyncIterator[ServerProcess]:
    """The server of the module: nobody is logged in, and nothing is left to be read."""
    await shared_server.result("account/logout")
    clear_home(shared_server.home)
    await shared_server.barrier()
    fake.requests.clear()
    yield shared_server
    fake.clear_faults()
    await shared_server.barrier()


@pytest.fixture
async def own_server(start: Start) -> AsyncIterator[ServerProcess]:
    """A server in a home of its own, for a test that ends it."""
    async with start() as server:
        yield server
