"""Servers whose logins take any port for their callback; other ports can be given as a later override."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.support.upstream import Launch, server_with
from tests.wire.login.support import ANY_PORT


def with_any_port(
    fake: FakeOpenAI, home: Path, *overrides: str, **options: Any
) -> AbstractAsyncContextManager[ServerProcess]:
    """A server whose logins keep off the two ports that everybody else wants, too."""
    return server_with(fake, home, ANY_PORT, *overrides, **options)


@pytest.fixture(scope="session")
def launch() -> Launch:
    return with_any_port
