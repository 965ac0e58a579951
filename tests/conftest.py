"""What every test can use. Fixtures of one area live beside that area's tests."""

import os

import pytest

# Else each process that a test starts would compile anew all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture
def anyio_backend() -> str:
    """The tests run on asyncio, as the server does."""
    return "asyncio"
