"""The one way out, and the client at the end of it."""

import pytest

from app_server.outgoing import Outgoing
from tests.unit.outgoing.support import Client


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def outgoing(client: Client) -> Outgoing:
    return Outgoing(client)
