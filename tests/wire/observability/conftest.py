"""What a server can be watched by. The servers have the providers of ``tests.wire.turns``."""

import pytest

from tests.support.upstream import Launch
from tests.wire.turns.conftest import with_providers

SECRET = "canary0123456789canary"
"""Part of the query of each request to the provider ``once``."""


@pytest.fixture(scope="session")
def launch() -> Launch:
    return with_providers
