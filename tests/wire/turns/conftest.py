"""Servers with model providers of every kind, and the fake behind them.

The providers ``once``, ``again`` and ``resend`` have a key of their own and differ in their retries (request/stream):
0/0, 0/2 and 1/2. ``silent`` is patient for 0.5 s only, ``login`` and ``login_again`` want this server's login, and
``backend`` is the ChatGPT backend's own path: what an account names for its origin is asked instead, so tests that use
it name one on this machine.
"""

from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.support.upstream import Launch, server_with
from tests.wire.turns.support import KEY, KEY_VARIABLE, provider

ENVIRONMENT = {KEY_VARIABLE: KEY}


def providers(fake: FakeOpenAI) -> list[str]:
    """The overrides for the providers of these tests."""
    base = f"{fake.base_url}/v1"
    logged_in = partial(provider, env_key="none", requires_openai_auth="true")
    return [
        *provider("once", base),
        *provider("again", base, stream=2),
        *provider("resend", base, request=1, stream=2),
        *provider("silent", base, stream_idle_timeout_ms="500"),
        *provider("silent_again", base, request=1, stream=1, stream_idle_timeout_ms="500"),
        *logged_in("login", base),
        *logged_in("login_again", base, stream=2),
        *logged_in("backend", f"{fake.base_url}/backend-api/codex"),
    ]


def with_providers(
    fake: FakeOpenAI, home: Path, *overrides: str, **options: Any
) -> AbstractAsyncContextManager[ServerProcess]:
    """A server with these providers."""
    env = {**ENVIRONMENT, **(options.pop("env", None) or {})}
    return server_with(fake, home, *providers(fake), *overrides, env=env, **options)


@pytest.fixture(scope="session")
def launch() -> Launch:
    return with_providers
