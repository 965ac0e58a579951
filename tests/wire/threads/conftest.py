"""Servers whose turns go to the fake. Tests about other processes, other homes or the end of a server start their own.

The provider ``once`` is asked once; threads that nobody wants any more are let go of at once.
"""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.support.upstream import Launch, server_with
from tests.wire.turns.support import KEY, KEY_VARIABLE, provider


def with_provider(
    fake: FakeOpenAI, home: Path, *overrides: str, **options: Any
) -> AbstractAsyncContextManager[ServerProcess]:
    """A server with this provider."""
    env = {KEY_VARIABLE: KEY, **(options.pop("env", None) or {})}
    arguments = [
        *provider("once", f"{fake.base_url}/v1"),
        'model_provider="once"',
        'model="gpt-5.1-codex"',
        "app_server.thread_unload_delay=0",
        *overrides,
    ]
    return server_with(fake, home, *arguments, env=env, **options)


@pytest.fixture(scope="session")
def launch() -> Launch:
    return with_provider
