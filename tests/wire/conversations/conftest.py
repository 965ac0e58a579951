"""Servers whose turns go to the fake.

The provider ``once`` is asked once; ``again`` is asked twice more when a stream breaks.
"""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.support.upstream import Launch, server_with
from tests.wire.turns.support import KEY, KEY_VARIABLE, provider


def with_providers(
    fake: FakeOpenAI, home: Path, *overrides: str, **options: Any
) -> AbstractAsyncContextManager[ServerProcess]:
    """A server with these providers."""
    base = f"{fake.base_url}/v1"
    providers = [*provider("once", base), *provider("again", base, stream=2), 'model_provider="once"']
    env = {KEY_VARIABLE: KEY, **(options.pop("env", None) or {})}
    return server_with(fake, home, *providers, 'model="gpt-5.1-codex"', *overrides, env=env, **options)


@pytest.fixture(scope="session")
def launch() -> Launch:
    return with_providers
