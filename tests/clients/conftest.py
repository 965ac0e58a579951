"""Clients that others have published, driven against this server; what they need, and where it comes from.

They are pinned in ``pyproject.toml`` (dependency group ``clients``) and installed by ``make test-clients``, without
what they depend on: the official one wants a binary that nothing here uses. Where they are missing the tests fail.
"""

import tomllib
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.clients.support import Client, ClientProcess, client_process


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for what a module shares."""
    return "asyncio"


@pytest.fixture(scope="module", autouse=True)
def published_clients() -> None:
    """Both are there, in the versions that are pinned."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    pinned = dict(pin.split("==") for pin in project["dependency-groups"]["clients"])
    missing = [
        f"{name}=={wanted} (here: {_installed(name)})" for name, wanted in pinned.items() if _installed(name) != wanted
    ]
    if missing:
        pytest.fail(
            f"Published clients are missing: {', '.join(missing)}. `make test-clients` installs them.",
            pytrace=False,
        )


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


@pytest.fixture(scope="module")
async def process(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ClientProcess]:
    """The process of the client whose programs the module names in ``PROGRAMS``."""
    log = tmp_path_factory.mktemp("client") / "stderr"
    async with client_process(request.module.PROGRAMS, log) as process:
        yield process


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    """An upstream."""
    async with FakeOpenAI.running() as fake:
        yield fake


@pytest.fixture
def client(process: ClientProcess, fake: FakeOpenAI, tmp_path: Path) -> Client:
    """The client, in a home that nobody has used yet."""
    return Client(process, fake, tmp_path.resolve() / "home")
