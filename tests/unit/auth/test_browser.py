"""A browser login from start to commit, against a real issuer and through real sockets (wire.md section 7)."""

import re
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import anyio
import pytest

from app_server.auth.credentials import ManagedTokens
from app_server.auth.errors import CredentialsNotSaved
from app_server.auth.login.browser import BrowserLogin
from app_server.fake_openai.tokens import Account
from tests.unit.auth.login_support import (
    Logins,
    authorize,
    callback,
    get,
    head,
    is_listening,
    logins,
    parameters,
    read_answer,
    sign_in,
    until_closed,
)
from tests.unit.auth.samples import jwt

NOT_SAVED = "Login server error: Sign-in completed but credentials could not be saved locally."


@pytest.fixture
async def issuer() -> AsyncIterator[Logins]:
    async with logins() as issuer:
        yield issuer


class Gate:
    """A commit that takes until it is let through."""

    def __init__(self) -> None:
        self.reached = anyio.Event()
        self.opened = anyio.Event()

    async def commit(self, _: ManagedTokens) -> None:
        self.reached.set()
        await self.opened.wait()


# The way of a login


async def test_starting_a_login_asks_nothing_of_the_issuer(issuer: Logins) -> None:
    login = await issuer.browser(originator="my client")
    assert UUID(login.login_id).version == 4
    own = parameters(login.auth_url)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/auth/callback", own["redirect_uri"])
    assert own["originator"] == "my client"
    assert await is_listening(login)
    assert len(issuer.fake.requests) == 0
    await login.aclose()


async def test_two_logins_have_nothing_in_common(issuer: Logins) -> None:
    first, second = await issuer.browser(), await issuer.browser()
    assert first.login_id != second.login_id
    for name in ("state", "code_challenge"):
        assert parameters(first.auth_url)[name] != parameters(second.auth_url)[name]
    await first.aclose()
    await second.aclose()


async def test_a_login_is_committed_and_the_browser_is_told_so(issuer: Logins) -> None:
    login = await issuer.browser()
    running = issuer.carry_out(login)
    page = await sign_in(login.auth_url)
    assert await running.result() is None
    (tokens,) = running.committed
    assert tokens.account_id == "acct-1"
    assert tokens.api_key is not None
    assert page.status == 200
    assert "<h1>You are signed in</h1>" in page.text
    assert page.headers["connection"] == "close"


async def test_the_page_waits_for_the_commit_and_the_login_waits_for_no_page(issuer: Logins) -> None:
    gate = Gate()
    login = await issuer.browser()
    running = issuer.carry_out(login, gate.commit)
    url = await authorize(login.auth_url)
    async with await anyio.connect_tcp("127.0.0.1", urlsplit(url).port or 0) as stream:
        await stream.send(head(url))
        await gate.reached.wait()
        with anyio.move_on_after(0.1) as nothing_came:
            await stream.receive()
        assert nothing_came.cancelled_caught
        gate.opened.set()
        assert await running.result() is None  # although nobody has read the page
        assert "You are signed in" in (await read_answer(stream)).text


async def test_a_browser_that_goes_away_does_not_stop_the_login(issuer: Logins) -> None:
    gate = Gate()
    login = await issuer.browser()
    running = issuer.carry_out(login, gate.commit)
    url = await authorize(login.auth_url)
    async with await anyio.connect_tcp("127.0.0.1", urlsplit(url).port or 0) as stream:
        await stream.send(head(url))
        await gate.reached.wait()
    gate.opened.set()
    assert await running.result() is None


@pytest.mark.parametrize("brand", ["codex", "chatgpt"])
async def test_the_hosted_success_page_is_shown_after_the_commit(issuer: Logins, brand: Any) -> None:
    login = await issuer.browser(hosted_success_page=brand)
    running = issuer.carry_out(login)
    answer = await sign_in(login.auth_url)
    assert len(running.committed) == 1
    assert answer.status == 302
    assert answer.headers["location"] == f"https://chatgpt.com/codex/open-app?source=login&app_brand={brand}"


async def test_the_listener_goes_when_its_time_is_over(issuer: Logins) -> None:
    login = await issuer.browser(linger=0.05)
    running = issuer.carry_out(login)
    await sign_in(login.auth_url)
    assert await running.result() is None
    await until_closed(login)


# Callbacks that come twice, together, or wrong


async def test_a_repeated_callback_is_shown_the_success_again_and_changes_nothing(issuer: Logins) -> None:
    login = await issuer.browser()
    running = issuer.carry_out(login)
    url = await authorize(login.auth_url)
    first = await get(url)
    asked = len(issuer.fake.requests)
    for repeated in (url, url, callback(login, code="another"), callback(login, error="access_denied")):
        assert (await get(repeated)).text == first.text
    assert len(issuer.fake.requests) == asked
    assert await running.result() is None
    assert len(running.committed) == 1


async def test_simultaneous_callbacks_spend_the_code_once(issuer: Logins) -> None:
    login = await issuer.browser()
    gate = Gate()
    running = issuer.carry_out(login, gate.commit)
    url = await authorize(login.auth_url)
    pages: list[str] = []

    async def open_page() -> None:
        pages.append((await get(url)).text)

    async with anyio.create_task_group() as tabs:
        for _ in range(5):
            tabs.start_soon(open_page)
        await gate.reached.wait()
        gate.opened.set()
    assert len(set(pages)) == 1
    assert "You are signed in" in pages[0]
    assert len([r for r in issuer.fake.requests.of("token") if b"authorization_code" in r.body]) == 1
    assert len(running.committed) == 1


async def test_a_callback_of_another_login_is_refused_and_the_login_goes_on(issuer: Logins) -> None:
    login = await issuer.browser()
    running = issuer.carry_out(login)
    port = urlsplit(parameters(login.auth_url)["redirect_uri"]).port
    for query in ("", "?code=c", "?state=wrong&code=c", "?state=wrong&error=access_denied"):
        answer = await get(f"http://127.0.0.1:{port}/auth/callback{query}")
        assert (answer.status, answer.text) == (400, "State mismatch")
    assert (await get(f"http://127.0.0.1:{port}/success")).status == 404
    assert len(issuer.fake.requests) == 0
    assert not running.over.is_set()
    await sign_in(login.auth_url)
    assert await running.result() is None


# Failures, each with its page


@pytest.mark.parametrize(
    ("query", "text", "shown"),
    [
        ({"error": "bad"}, "Sign-in failed: bad", "<dd>bad</dd>"),
        ({"error": "b", "error_description": "<i>", "code": "c"}, "Sign-in failed: <i>", "Sign-in failed: &lt;i&gt;"),
        (
            {"error": "access_denied", "error_description": "Missing_codex_entitlement"},
            "Codex is not enabled for your workspace. Contact your workspace administrator to request access to Codex.",
            "<h1>You do not have access to Codex</h1>",
        ),
        ({}, "Missing authorization code. Sign-in could not be completed.", "missing_authorization_code"),
        ({"code": ""}, "Missing authorization code. Sign-in could not be completed.", "missing_authorization_code"),
    ],
)
async def test_a_callback_without_a_code_ends_the_login_and_the_page_says_why(
    issuer: Logins, query: dict[str, str], text: str, shown: str
) -> None:
    login = await issuer.browser()
    running = issuer.carry_out(login)
    page = await get(callback(login, **query))
    assert await running.result() == f"Login server error: {text}"
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert shown in page.text
    assert (await get(callback(login, **query))).text == page.text
    assert len(issuer.fake.requests) == 0
    assert running.committed == []


TOKENS = {"id_token": jwt({}), "access_token": "a", "refresh_token": "r"}


@pytest.mark.parametrize(
    ("effect", "text", "code"),
    [
        (
            {"status": 400, "json": {"error": "invalid_grant", "error_description": "expired"}},
            "Login server error: Token exchange failed: token endpoint returned status 400 Bad Request: expired",
            "token_exchange_failed",
        ),
        (
            {"drop": True},
            "Login server error: Token exchange failed: error sending request for url ({url}/oauth/token)",
            "token_exchange_failed",
        ),
        (
            {"malformed": True},
            "Login server error: Token exchange failed: OAuth token response is invalid",
            "token_exchange_failed",
        ),
        ({"json": {**TOKENS, "id_token": "x"}}, NOT_SAVED, "invalid ID token format"),
    ],
)
async def test_a_code_that_comes_to_nothing_ends_the_login_and_the_page_says_why(
    issuer: Logins, effect: dict[str, Any], text: str, code: str
) -> None:
    issuer.fake.fault("token", **effect)
    login = await issuer.browser()
    running = issuer.carry_out(login)
    page = await sign_in(login.auth_url)
    assert await running.result() == text.format(url=issuer.fake.base_url)
    assert f"<dd>{code}</dd>" in page.text
    assert "Sign-in could not be completed" in page.text
    assert running.committed == []


async def test_a_login_of_another_workspace_ends(issuer: Logins) -> None:
    issuer.fake.add_account(Account(account_id="c"), current=True)
    login = await issuer.browser(workspaces=("a", "b"))
    assert parameters(login.auth_url)["allowed_workspace_id"] == "a,b"
    running = issuer.carry_out(login)
    page = await sign_in(login.auth_url)
    assert await running.result() == "Login server error: Login is restricted to workspace id(s) a, b."
    assert "Login is restricted to workspace id(s) a, b." in page.text
    assert running.committed == []


async def test_tokens_that_cannot_be_saved_are_no_success_and_the_page_says_why(issuer: Logins) -> None:
    async def refuse(_: ManagedTokens) -> None:
        raise CredentialsNotSaved("No space left on device")

    login = await issuer.browser()
    running = issuer.carry_out(login, refuse)
    page = await sign_in(login.auth_url)
    assert await running.result() == NOT_SAVED
    assert "<dd>No space left on device</dd>" in page.text
    assert "You are signed in" not in page.text


async def test_a_commit_with_a_fault_is_shown_as_a_failure_and_passed_on(issuer: Logins) -> None:
    async def fail(_: ManagedTokens) -> None:
        raise ZeroDivisionError

    login = await issuer.browser()
    pages: list[str] = []

    async def open_page() -> None:
        pages.append((await sign_in(login.auth_url)).text)

    async with anyio.create_task_group() as tabs:
        tabs.start_soon(open_page)
        with pytest.raises(ZeroDivisionError):
            await login.run(fail)
    assert "Sign-in could not be completed." in pages[0]
    await login.aclose()


async def test_a_login_that_takes_too_long_times_out(issuer: Logins) -> None:
    login = await issuer.browser(timeout=0.05)
    assert await issuer.carry_out(login).result() == "Login timed out"
    await until_closed(login)


async def test_an_issuer_that_hangs_does_not_outlast_the_login(issuer: Logins) -> None:
    issuer.fake.fault("token", hang=True)
    login = await issuer.browser(timeout=0.3)
    running = issuer.carry_out(login)
    page = await sign_in(login.auth_url)
    assert await running.result() == "Login timed out"
    assert "Login timed out" in page.text


# Another login server wants the port


async def test_another_login_server_gets_the_port_and_the_login_is_cancelled(issuer: Logins) -> None:
    login = await issuer.browser()
    running = issuer.carry_out(login)
    port = urlsplit(parameters(login.auth_url)["redirect_uri"]).port
    other = await issuer.browser(ports=(port,))
    assert await running.result() == "Login server error: Login cancelled"
    running = issuer.carry_out(other)
    await sign_in(other.auth_url)
    assert await running.result() is None


async def test_it_gets_the_port_of_a_login_that_has_ended_too(issuer: Logins) -> None:
    login = await issuer.browser(linger=60)
    running = issuer.carry_out(login)
    await sign_in(login.auth_url)
    assert await running.result() is None
    port = urlsplit(parameters(login.auth_url)["redirect_uri"]).port
    other = await issuer.browser(ports=(port,))
    await other.aclose()


async def test_being_cancelled_while_the_code_is_exchanged_commits_nothing(issuer: Logins) -> None:
    issuer.fake.fault("token", hang=True)
    login = await issuer.browser()
    running = issuer.carry_out(login)
    url = await authorize(login.auth_url)
    async with await anyio.connect_tcp("127.0.0.1", urlsplit(url).port or 0) as stream:
        await stream.send(head(url))
        await issuer.fake.requests.wait_for("token")
        assert (await get(f"http://127.0.0.1:{urlsplit(url).port}/cancel")).text == "Login cancelled"
        assert await running.result() == "Login server error: Login cancelled"
    issuer.fake.release()
    await until_closed(login)
    assert running.committed == []


async def test_a_listener_that_breaks_ends_the_login_and_nothing_else(issuer: Logins) -> None:
    broken = socket.socket()  # it does not listen
    broken.setblocking(False)
    broken.bind(("127.0.0.1", 0))
    options: dict[str, Any] = {"originator": "test", "hosted_success_page": None, "timeout": 10, "linger": 0}
    login = BrowserLogin(issuer.oauth(), issuer.tasks, broken, broken.getsockname()[1], **options)
    running = issuer.carry_out(login)
    assert await running.result() == "Login server error: the callback server failed"
    await login.aclose()
