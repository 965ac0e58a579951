"""The pages at the end of a sign-in, in a real browser: what can be read, seen and heard, and that nothing complains.

Deselected unless asked for (``make test-browser``), because it takes Chromium. Pictures are left in the directory of
each test.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.browser.devtools import Browser, Page, chromium
from tests.support.server import ServerProcess
from tests.support.upstream import next_messages, server_with, updated
from tests.wire.login.support import ANY_PORT, CANCEL, BrowserLogin, ended, start_browser_login

pytestmark = pytest.mark.chromium

SUCCESS = "You are signed in"
LONG_TEXT = "Something went <b>wrong</b> & " + "verylongword" * 30
ENOUGH_CONTRAST = 4.5
"""WCAG 2.2, success criterion 1.4.3."""

COLOURS = """(() => {
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return [...document.querySelectorAll("h1, p, dt, dd, svg")].map(element =>
    [element.tagName, getComputedStyle(element).color, ground(element)]);
})()"""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """One for all tests; each has a tab of its own."""
    async with chromium(tmp_path_factory.mktemp("browser") / "profile") as browser:
        yield browser


@pytest.fixture
async def page(browser: Browser) -> Page:
    return await browser.new_page()


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI.running() as fake:
        yield fake


@pytest.fixture
async def server(fake: FakeOpenAI, tmp_path: Path) -> AsyncIterator[ServerProcess]:
    async with server_with(fake, tmp_path / "home", ANY_PORT) as server:
        yield server


async def take_pictures(page: Page, directory: Path) -> None:
    """Light and dark, wide and narrow."""
    for name, width, height in (("wide", 1280, 800), ("narrow", 320, 720)):
        await page.resize(width, height)
        for scheme in ("light", "dark"):
            await page.prefer(scheme)
            await page.screenshot(directory / f"{name}-{scheme}.png")
    await page.prefer("light")


async def assert_well_made(page: Page, title: str) -> None:
    """Everybody can read it, it asks nobody for anything, and the browser has nothing to complain of."""
    assert page.complaints == []
    assert await page.evaluate("document.title") == title
    assert await page.evaluate("document.documentElement.lang") == "en"
    assert await page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)") == []
    assert await page.evaluate("document.compatMode") == "CSS1Compat"
    roles = await page.roles()
    assert [name for role, name in roles if role == "heading"] == [title]
    assert [role for role, _ in roles].count("main") == 1
    assert "image" not in [role for role, _ in roles]  # the sign is there to be seen only
    for scheme in ("light", "dark"):
        await page.prefer(scheme)
        for element, text, ground in await page.evaluate(COLOURS):
            least = 3 if element == "svg" else ENOUGH_CONTRAST  # criterion 1.4.11
            assert contrast(text, ground) >= least, (scheme, element, text, ground)
    for width in (1280, 320):
        await page.resize(width, 720)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.prefer("light")


def contrast(one: str, other: str) -> float:
    """The ratio of two colours (WCAG 2.2)."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Of a colour as the browser computes it, such as ``rgb(1, 2, 3)``."""
    channels = [int(channel) / 255 for channel in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


async def address(page: Page) -> str:
    """What stands in the address bar."""
    return str(await page.evaluate("location.href"))


# The pages


async def test_the_success_page(server: ServerProcess, page: Page, tmp_path: Path) -> None:
    login = await start_browser_login(server)
    await page.open(login.auth_url)

    assert (await address(page)).startswith(f"{login.redirect_uri}?code=")
    text = await page.text()
    assert text.startswith(SUCCESS)
    assert "You can close this page and return to the application." in text
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]
    await take_pictures(page, tmp_path)
    await assert_well_made(page, SUCCESS)


async def test_the_page_of_a_refusal(fake: FakeOpenAI, server: ServerProcess, page: Page, tmp_path: Path) -> None:
    fake.refuse_authorization("access_denied", LONG_TEXT)
    login = await start_browser_login(server)
    await page.open(login.auth_url)

    text = await page.text()
    assert text.startswith("Sign-in could not be completed")
    assert LONG_TEXT in text
    assert "access_denied" in text
    assert await page.evaluate("document.querySelector('b')") is None
    assert await next_messages(server, 1) == [ended(login, f"Login server error: Sign-in failed: {LONG_TEXT}")]
    await take_pictures(page, tmp_path)
    await assert_well_made(page, "Sign-in could not be completed")


async def test_the_page_of_a_workspace_without_the_product(
    fake: FakeOpenAI, server: ServerProcess, page: Page, tmp_path: Path
) -> None:
    fake.refuse_authorization("access_denied", "missing_codex_entitlement")
    await page.open((await start_browser_login(server)).auth_url)

    assert "Contact your workspace administrator" in await page.text()
    await take_pictures(page, tmp_path)
    await assert_well_made(page, "You do not have access to Codex")


@pytest.mark.parametrize("fault", [{"status": 500}, {"drop": True}, {"json": {}}])
async def test_the_page_of_a_code_that_came_to_nothing(
    fake: FakeOpenAI, server: ServerProcess, page: Page, tmp_path: Path, fault: dict[str, Any]
) -> None:
    fake.fault("token", **fault)
    await page.open((await start_browser_login(server)).auth_url)

    assert "Token exchange failed: " in await page.text()
    assert "token_exchange_failed" in await page.text()
    await take_pictures(page, tmp_path)
    await assert_well_made(page, "Sign-in could not be completed")


async def test_the_page_of_a_login_that_could_not_be_saved(server: ServerProcess, page: Page, tmp_path: Path) -> None:
    (server.home / "auth.json").mkdir(parents=True)
    await page.open((await start_browser_login(server)).auth_url)

    text = await page.text()
    assert "credentials could not be saved locally" in text
    assert "Is a directory" in text
    await take_pictures(page, tmp_path)
    await assert_well_made(page, "Sign-in could not be completed")


# What browsers do


async def test_a_page_that_is_loaded_again_says_the_same_and_changes_nothing(
    fake: FakeOpenAI, server: ServerProcess, page: Page
) -> None:
    login = await start_browser_login(server)
    await page.open(login.auth_url)
    text = await page.text()
    await page.reload()

    assert await page.text() == text
    assert text.startswith(SUCCESS)
    assert page.complaints == []
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]
    assert await server.barrier() == []
    grants = [request.fields()["grant_type"] for request in fake.requests.of("token")]
    assert grants.count("authorization_code") == 1


async def test_the_policy_is_in_force(server: ServerProcess, page: Page) -> None:
    # That it is never violated would say nothing if it were not there.
    await page.open((await start_browser_login(server)).auth_url)
    await page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=/picture><p style=color:red>')")

    assert "Content Security Policy" in await page.complaint() or "ContentSecurityPolicyIssue" in await page.complaint()
    assert await page.evaluate("getComputedStyle(document.body.lastElementChild).color") != "rgb(255, 0, 0)"


FETCH = "fetch('{url}', {{mode: 'no-cors'}}).catch(() => null)"
PICTURE = "new Promise(done => {{ const it = new Image(); it.onload = it.onerror = done; it.src = '{url}'; }})"
FRAME = """new Promise(done => {{
  const it = document.createElement('iframe'); it.onload = done; it.src = '{url}'; document.body.append(it);
}})"""


@pytest.mark.parametrize("attempt", [FETCH, PICTURE, FRAME], ids=["fetch", "picture", "frame"])
async def test_another_page_can_neither_cancel_nor_complete_a_login(
    fake: FakeOpenAI, server: ServerProcess, page: Page, attempt: str
) -> None:
    login = await start_browser_login(server)
    await page.open(f"{fake.base_url}/codex/device")
    for path in ("/cancel", "/success", "/auth/callback?code=a&state=b"):
        await page.evaluate(f"({attempt.format(url=login.url(path))}).then(() => 1)")
    assert await server.barrier() == []

    await go_on(server, page, login)


async def test_nor_can_a_link_that_the_user_follows(server: ServerProcess, page: Page) -> None:
    login = await start_browser_login(server)
    await page.open(login.url("/cancel"))

    assert await page.text() == "Forbidden"
    await go_on(server, page, login)


async def go_on(server: ServerProcess, page: Page, login: BrowserLogin) -> None:
    """The login can be completed."""
    await page.open(login.auth_url)
    assert (await page.text()).startswith(SUCCESS)
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]
    assert await server.result(CANCEL, {"loginId": login.login_id}) == {"status": "notFound"}
