"""Logins that take too long: ten minutes in a browser, fifteen with a device code, less for every single exchange
(wire.md sections 7, 8, 15.8 and 15.28).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.upstream import LOGIN, asked, stored, updated
from tests.unit.auth import login_support
from tests.unit.auth.login_support import Answer
from tests.wire.login.leaping import LEAPING_BACKEND, EmbeddedServer, embedded_server, leap
from tests.wire.login.support import DEVICE, SUCCESS_PAGE, authorize, ended, exchanges, get, is_listening, until_closed


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return LEAPING_BACKEND


@pytest.fixture
async def server(fake: FakeOpenAI, home: Path) -> AsyncIterator[EmbeddedServer]:
    async with embedded_server(fake, home) as server:
        yield server


@asynccontextmanager
async def browsing(url: str) -> AsyncIterator[list[Answer]]:
    """A browser that goes to this URL, whatever time passes; what it is shown in the end."""
    pages: list[Answer] = []

    async def go() -> None:
        pages.append(await login_support.get(url))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(go)
        yield pages


# In a browser


async def test_a_browser_login_takes_ten_minutes_at_most(server: EmbeddedServer, home: Path) -> None:
    login = await server.browser_login()
    await leap(590)
    await server.says_nothing()
    assert await is_listening(login.port)

    await leap(10.1)
    assert await server.messages(1) == [ended(login, "Login timed out")]
    await until_closed(login.port)
    await server.says_nothing()
    assert not (home / "auth.json").exists()


async def test_an_exchange_that_hangs_does_not_outlast_the_login(fake: FakeOpenAI, server: EmbeddedServer) -> None:
    fake.fault("token", hang=True)
    login = await server.browser_login()
    url = await authorize(login)
    await leap(590)
    async with browsing(url) as pages:
        await exchanges(fake)
        await leap(10.1)
        assert await server.messages(1) == [ended(login, "Login timed out")]
    assert "Login timed out" in pages[0].text
    fake.release()
    await server.says_nothing()


async def test_an_exchange_of_a_code_takes_half_a_minute_at_most(fake: FakeOpenAI, server: EmbeddedServer) -> None:
    # In the reference it takes as long as it likes, and cancelling it is never announced (wire.md section 15.8).
    fake.fault("token", hang=True)
    login = await server.browser_login()
    async with browsing(await authorize(login)) as pages:
        await exchanges(fake)
        await leap(25)
        await server.says_nothing()
        assert pages == []
        await leap(5.1)
        reason = f"Token exchange failed: error sending request for url ({fake.base_url}/oauth/token)"
        assert await server.messages(1) == [ended(login, f"Login server error: {reason}")]
    assert reason in pages[0].text


async def test_an_exchange_for_a_key_takes_ten_seconds_at_most_and_is_done_without(
    fake: FakeOpenAI, server: EmbeddedServer, home: Path
) -> None:
    fake.fault("token", hang=True, contains="token-exchange")
    login = await server.browser_login()
    async with browsing(await authorize(login)) as pages:
        await exchanges(fake, 2)
        await leap(10.1)
        assert await server.messages(2) == [ended(login), updated("chatgpt", "plus")]
    assert SUCCESS_PAGE in pages[0].text
    assert stored(home)["OPENAI_API_KEY"] is None


async def test_the_page_can_be_loaded_again_for_three_seconds(server: EmbeddedServer) -> None:
    login = await server.browser_login()
    url = await authorize(login)
    await get(url)
    assert await server.messages(2) == [ended(login), updated("chatgpt", "plus")]

    await leap(1.5)
    assert SUCCESS_PAGE in (await get(url)).text
    await leap(1.6)
    with anyio.fail_after(5):
        await until_closed(login.port)


# With a device code


@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 503}, {"hang": True}])
async def test_a_device_login_takes_fifteen_minutes_at_most(
    fake: FakeOpenAI, server: EmbeddedServer, home: Path, fault: dict[str, Any]
) -> None:
    fake.fault("device_token", times=None, **fault)
    login = await server.device_login()
    await asked(fake, "device_token")
    await leap(890)
    await server.says_nothing()

    await leap(10.1)
    assert await server.messages(1) == [ended(login, "device auth timed out after 15 minutes")]
    assert not (home / "auth.json").exists()


async def test_a_question_takes_half_a_minute_at_most_and_is_asked_again(
    fake: FakeOpenAI, server: EmbeddedServer
) -> None:
    fake.fault("device_token", hang=True)
    login = await server.device_login()
    await asked(fake, "device_token")
    await leap(25)
    await server.says_nothing()
    assert len(fake.requests.of("device_token")) == 1
    await leap(5.1)
    await anyio.wait_all_tasks_blocked()
    fake.approve_device(login.user_code)
    await leap(5)

    assert await server.messages(2) == [ended(login), updated("chatgpt", "plus")]


async def test_a_code_is_waited_for_half_a_minute_at_most(fake: FakeOpenAI, server: EmbeddedServer) -> None:
    fake.fault("device_usercode", hang=True)
    await server.send(2, LOGIN, DEVICE)
    await asked(fake, "device_usercode")
    await leap(25)
    await server.says_nothing()

    await leap(5.1)
    url = f"{fake.base_url}/api/accounts/deviceauth/usercode"
    message = f"failed to request device code: error sending request for url ({url})"
    assert await server.messages(1) == [{"id": 2, "error": {"code": -32603, "message": message}}]


async def test_the_exchange_of_an_approval_takes_half_a_minute_at_most(
    fake: FakeOpenAI, server: EmbeddedServer
) -> None:
    fake.fault("device_token", hang=True)
    fake.fault("token", hang=True)
    login = await server.device_login()
    await asked(fake, "device_token")
    fake.approve_device(login.user_code)
    fake.release()
    await exchanges(fake)

    await leap(30.1)
    reason = f"error sending request for url ({fake.base_url}/oauth/token)"
    assert await server.messages(1) == [ended(login, f"device code exchange failed: {reason}")]
