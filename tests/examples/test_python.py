"""The examples in Python do what they say."""

import sys

import anyio
import httpx2
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.examples.conftest import DEADLINE, EXAMPLES, Offline

pytestmark = pytest.mark.examples

PYTHON = EXAMPLES / "python"


async def test_the_parent_that_owns_the_tokens_gives_fresh_ones_and_the_conversation_goes_on(offline: Offline) -> None:
    assert (await offline.run(sys.executable, str(PYTHON / "parent_with_tokens.py"))).splitlines() == [
        "Logged in: user@example.com, plus",
        "Hello, model [completed]",
        "(fresh tokens, because: unauthorized)",
        "And once more [completed]",
    ]
    assert await offline.asked("responses") == 3


async def test_the_parent_with_a_browser_shows_an_address_and_goes_on_when_the_user_has_been_there(
    offline: Offline,
) -> None:
    with anyio.fail_after(DEADLINE):
        async with await offline.start(sys.executable, str(PYTHON / "parent_with_browser.py")) as parent:
            assert parent.stdout is not None
            output = BufferedByteReceiveStream(parent.stdout)
            assert await output.receive_until(b"\n", 1000) == b"Open this in your browser:"
            address = (await output.receive_until(b"\n", 4000)).decode()
            async with httpx2.AsyncClient(trust_env=False, follow_redirects=True) as browser:
                assert (await browser.get(address)).status_code == 200
            assert await output.receive_until(b"\n", 1000) == b"Logged in: user@example.com, plus"
            assert await output.receive_until(b"\n", 1000) == b"Hello, model"
            assert await parent.wait() == 0


async def test_a_login_that_the_user_declines_ends_the_parent_with_a_reason(offline: Offline) -> None:
    async with httpx2.AsyncClient(trust_env=False, follow_redirects=True) as browser:
        await browser.post(f"{offline.url}/__fake__/authorize", json={"error": "access_denied"})
        with anyio.fail_after(DEADLINE):
            async with await offline.start(sys.executable, str(PYTHON / "parent_with_browser.py")) as parent:
                assert parent.stdout is not None
                output = BufferedByteReceiveStream(parent.stdout)
                await output.receive_until(b"\n", 1000)
                await browser.get((await output.receive_until(b"\n", 4000)).decode())
                assert await parent.wait() == 1


async def test_the_notebook_lends_the_model_its_tool(offline: Offline) -> None:
    assert await offline.run(sys.executable, str(PYTHON / "notebook_with_tool.py")) == "The tool said: 16\n"
    assert await offline.asked("responses") == 2
