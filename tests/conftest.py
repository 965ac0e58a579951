"""What every test can use. Fixtures of one area live beside that area's tests."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The tests run on asyncio, as the server does."""
    return "asyncio"
