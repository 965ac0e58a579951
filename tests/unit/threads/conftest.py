"""The client that the threads of these tests have."""

import pytest

from tests.unit.threads.support import Client


@pytest.fixture
def client() -> Client:
    return Client()
