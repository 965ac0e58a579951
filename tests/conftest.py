"""What every test can use. Fixtures of one area live beside that area's tests."""

import gc
import os
import ssl

import pytest

# Else each process that a test starts would compile anew all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The system's certificates are looked up when one is needed; else every HTTP client reads all of them, which takes
# longer than most tests.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = ssl.get_default_verify_paths().openssl_capath


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The tests run on asyncio, as the server does; those that share something share an event loop as well."""
    return "asyncio"


def pytest_collection_finish() -> None:
    """What has been collected stays; else each collection of garbage would look through all of it again."""
    gc.freeze()
