"""``account/login/complete``: the user pastes the URL that their browser has ended on, on a machine that cannot reach
this one (issue 3). The same checks as for a callback that comes by itself; a mistake is an error, the login goes on.
"""

import socket
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.support.upstream import Start, asked, next_messages, stored, updated
from tests.wire.login.support import (
    CANCEL,
    COMPLETE,
    SUCCESS_PAGE,
    BrowserLogin,
    authorize,
    ended,
    exchanges,
    get,
    start_browser_login,
    start_device_login,
    until_closed,
)


@pytest.fixture
async def login(server: ServerProcess) -> BrowserLogin:
    """A login that waits for its callback."""
    return await start_browser_login(server)


async def test_it_is_experimental(start: Start) -> None:
    async with start(initialize=False) as server:
        await server.initialize(experimentalApi=False)
        login = await start_browser_login(server)
        url = await authorize(login)

        assert await server.error(COMPLETE, {"loginId": login.login_id, "callbackUrl": url}) == {
            "code": -32600,
            "message": "account/login/complete requires experimentalApi capability",
        }
        assert SUCCESS_PAGE in (await get(url)).text


async def test_a_pasted_callback_completes_the_login(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin
) -> None:
    url = await authorize(login)
    await server.send({"id": 1, "method": COMPLETE, "params": {"loginId": login.login_id, "callbackUrl": url}})

    assert await next_messages(server, 3) == [{"id": 1, "result": {}}, ended(login), updated("chatgpt", "plus")]
    await until_closed(login.port)
    assert await server.barrier() == []
    assert stored(server.home)["auth_mode"] == "chatgpt"
    assert (await exchanges(fake, 2))[0]["redirect_uri"] == login.redirect_uri


async def test_a_login_whose_callback_will_be_pasted_needs_no_port(home: Path, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        async with start(f"app_server.login_callback_ports=[{port}]") as server:
            login = await start_browser_login(server, pasteCallback=True)
            url = await authorize(login)
            await server.result(COMPLETE, {"loginId": login.login_id, "callbackUrl": url})

            assert (await server.notification("account/login/completed"))["success"] is True
            assert stored(home)["auth_mode"] == "chatgpt"


@pytest.mark.parametrize("around", ["  {}\n", "<{}>", '"{}"', "{}#", "{}&extra=1"])
async def test_it_may_be_pasted_with_what_was_around_it(
    server: ServerProcess, login: BrowserLogin, around: str
) -> None:
    url = around.format(await authorize(login))

    assert await server.result(COMPLETE, {"loginId": login.login_id.upper(), "callbackUrl": url}) == {}
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]


@pytest.mark.parametrize(
    ("pasted", "message"),
    [
        ("", "This is not a callback URL. It has to begin with {redirect}?"),
        ("hello", "This is not a callback URL. It has to begin with {redirect}?"),
        ("/auth/callback?code=c&state={state}", "This is not a callback URL. It has to begin with {redirect}?"),
        ("{issuer}/oauth/authorize?state={state}", "This is not a callback URL. It has to begin with {redirect}?"),
        ("ftp://127.0.0.1/auth/callback?state={state}", "This is not a callback URL. It has to begin with {redirect}?"),
        ("http://[/auth/callback?code=c&state={state}", "The callback URL cannot be read."),
        ("{redirect}?code=c", "State mismatch: this callback URL is not one of this login."),
        ("{redirect}?code=c&state=wrong", "State mismatch: this callback URL is not one of this login."),
        ("{redirect}?code=c&state={state}x", "State mismatch: this callback URL is not one of this login."),
        ("{redirect}?error=no&state=wrong", "State mismatch: this callback URL is not one of this login."),
        ("{redirect}?state={state}", "Missing authorization code: the callback URL is not complete."),
        ("{redirect}?state={state}&code=", "Missing authorization code: the callback URL is not complete."),
    ],
)
async def test_anything_else_is_an_error_and_the_login_goes_on(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin, pasted: str, message: str
) -> None:
    words = {"redirect": login.redirect_uri, "state": login.state, "issuer": fake.base_url}

    error = await server.error(COMPLETE, {"loginId": login.login_id, "callbackUrl": pasted.format(**words)})

    assert error == {"code": -32600, "message": message.format(**words)}
    assert await server.barrier() == []
    assert list(fake.requests) == []
    url = await authorize(login)
    assert await server.result(COMPLETE, {"loginId": login.login_id, "callbackUrl": url}) == {}
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]


async def test_a_refusal_of_the_issuer_can_be_pasted_too(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin
) -> None:
    fake.refuse_authorization("access_denied", "The user has said no.")
    url = await authorize(login)

    assert await server.result(COMPLETE, {"loginId": login.login_id, "callbackUrl": url}) == {}
    error = "Login server error: Sign-in failed: The user has said no."
    assert await next_messages(server, 1) == [ended(login, error)]
    assert await server.barrier() == []


async def test_the_login_has_to_be_the_one_that_is_pending(server: ServerProcess, login: BrowserLogin) -> None:
    url = await authorize(login)
    none = {"code": -32600, "message": "There is no browser login with this id."}

    assert await server.error(COMPLETE, {"loginId": str(uuid4()), "callbackUrl": url}) == none
    other = await start_browser_login(server)
    assert await server.error(COMPLETE, {"loginId": login.login_id, "callbackUrl": url}) == none
    error = await server.error(COMPLETE, {"loginId": other.login_id, "callbackUrl": url})
    assert error["message"].startswith("State mismatch: ")
    await server.result(CANCEL, {"loginId": other.login_id})
    assert await server.error(COMPLETE, {"loginId": other.login_id, "callbackUrl": url}) == none


async def test_it_is_for_browser_logins_only(server: ServerProcess, login: BrowserLogin) -> None:
    url = await authorize(login)
    device = await start_device_login(server)

    error = await server.error(COMPLETE, {"loginId": device.login_id, "callbackUrl": url})

    assert error == {"code": -32600, "message": "There is no browser login with this id."}


async def test_what_is_missing_or_no_id_is_named(server: ServerProcess, login: BrowserLogin) -> None:
    for params, message in (
        ({}, "Invalid request: missing field `loginId`"),
        ({"loginId": login.login_id}, "Invalid request: missing field `callbackUrl`"),
        ({"loginId": "x", "callbackUrl": ""}, "invalid login id: x"),
    ):
        assert await server.error(COMPLETE, params) == {"code": -32600, "message": message}


async def test_a_code_that_is_pasted_and_opened_is_spent_once(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin
) -> None:
    fake.fault("token", hang=True, contains="authorization_code")
    url = await authorize(login)
    pages: list[str] = []

    async def follow() -> None:
        pages.append((await get(url)).text)

    async with anyio.create_task_group() as browser:
        browser.start_soon(follow)
        await exchanges(fake)
        assert await server.result(COMPLETE, {"loginId": login.login_id, "callbackUrl": url}) == {}
        fake.release()

    assert SUCCESS_PAGE in pages[0]
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]
    grants = [exchange["grant_type"] for exchange in await exchanges(fake, 2)]
    assert grants.count("authorization_code") == 1


async def test_pasted_twice_it_changes_nothing(fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin) -> None:
    fake.fault("accounts_check", hang=True)
    url = await authorize(login)
    await server.result(COMPLETE, {"loginId": login.login_id, "callbackUrl": url})
    await asked(fake, "accounts_check")

    error = await server.error(COMPLETE, {"loginId": login.login_id, "callbackUrl": url})

    assert error == {"code": -32600, "message": "This login has ended."}
    fake.release()
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]


async def test_a_pasted_code_that_is_worth_nothing_fails_the_login(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin
) -> None:
    pasted = login.callback(code="made-up")

    assert await server.result(COMPLETE, {"loginId": login.login_id, "callbackUrl": pasted}) == {}
    (announcement,) = await next_messages(server, 1)
    reason = "token endpoint returned status 400 Bad Request: The authorization code is unknown or was already used."
    assert announcement == ended(login, f"Login server error: Token exchange failed: {reason}")
