"""A callback that is pasted, because the browser is on another machine: the same checks, another way in."""

from collections.abc import AsyncIterator

import pytest

from app_server.auth.errors import InvalidCallback
from tests.unit.auth.login_support import (
    Logins,
    authorize,
    callback,
    get,
    is_listening,
    logins,
    parameters,
    until_closed,
)


@pytest.fixture
async def issuer() -> AsyncIterator[Logins]:
    async with logins() as issuer:
        yield issuer


@pytest.mark.parametrize("around", ["{}", "  {}\n", "<{}>", '"{}"'])
async def test_a_pasted_callback_completes_the_login(issuer: Logins, around: str) -> None:
    login = await issuer.browser()
    running = issuer.carry_out(login)
    await login.complete(around.format(await authorize(login.auth_url)))
    assert await running.result() is None
    assert len(running.committed) == 1
    await until_closed(login)


async def test_a_callback_that_was_broken_into_lines_is_put_together(issuer: Logins) -> None:
    login = await issuer.browser()
    running = issuer.carry_out(login)
    url = await authorize(login.auth_url)
    await login.complete(f"{url[:60]}\n{url[60:]}")
    assert await running.result() is None


async def test_the_name_under_which_the_browser_knew_this_machine_makes_no_difference(issuer: Logins) -> None:
    login = await issuer.browser()
    running = issuer.carry_out(login)
    await login.complete((await authorize(login.auth_url)).replace("127.0.0.1", "localhost"))
    assert await running.result() is None


@pytest.mark.parametrize(
    ("pasted", "text"),
    [
        ("", "This is not a callback URL. It has to begin with {redirect_uri}?"),
        ("hello", "This is not a callback URL. It has to begin with {redirect_uri}?"),
        ("{auth_url}", "This is not a callback URL. It has to begin with {redirect_uri}?"),
        (
            "{redirect_uri}/more?state={state}&code=c",
            "This is not a callback URL. It has to begin with {redirect_uri}?",
        ),
        (
            "ftp://127.0.0.1/auth/callback?state={state}&code=c",
            "This is not a callback URL. It has to begin with {redirect_uri}?",
        ),
        ("http://[x/auth/callback", "The callback URL cannot be read."),
        ("{redirect_uri}", "State mismatch: this callback URL is not one of this login."),
        ("{redirect_uri}?code=c", "State mismatch: this callback URL is not one of this login."),
        ("{redirect_uri}?state=wrong&code=c", "State mismatch: this callback URL is not one of this login."),
        ("{redirect_uri}?state={state}", "Missing authorization code: the callback URL is not complete."),
        ("{redirect_uri}?state={state}&code=", "Missing authorization code: the callback URL is not complete."),
    ],
)
async def test_anything_else_is_refused_and_the_login_goes_on(issuer: Logins, pasted: str, text: str) -> None:
    login = await issuer.browser()
    running = issuer.carry_out(login)
    own = {**parameters(login.auth_url), "auth_url": login.auth_url}
    with pytest.raises(InvalidCallback) as refusal:
        await login.complete(pasted.format_map(own))
    assert refusal.value.message == text.format_map(own)
    assert own["state"] not in refusal.value.message
    assert len(issuer.fake.requests) == 0
    await login.complete(await authorize(login.auth_url))
    assert await running.result() is None


async def test_a_pasted_refusal_of_the_issuer_ends_the_login(issuer: Logins) -> None:
    login = await issuer.browser()
    running = issuer.carry_out(login)
    await login.complete(callback(login, error="access_denied", error_description="No."))
    assert await running.result() == "Login server error: Sign-in failed: No."


async def test_a_code_that_was_pasted_and_opened_is_spent_once(issuer: Logins) -> None:
    login = await issuer.browser()
    running = issuer.carry_out(login)
    url = await authorize(login.auth_url)
    await login.complete(url)
    await login.complete(url)
    assert "You are signed in" in (await get(url)).text
    assert await running.result() is None
    assert len(running.committed) == 1
    assert len([r for r in issuer.fake.requests.of("token") if b"authorization_code" in r.body]) == 1


async def test_pkce_ties_a_pasted_code_to_this_login(issuer: Logins) -> None:
    login, other = await issuer.browser(), await issuer.browser()
    running = issuer.carry_out(login)
    foreign_code = parameters(await authorize(other.auth_url))["code"]
    await login.complete(callback(login, code=foreign_code))
    failure = await running.result()
    assert failure is not None
    assert failure.startswith("Login server error: Token exchange failed: token endpoint returned status 400")
    assert running.committed == []
    await other.aclose()


async def test_a_login_that_has_ended_takes_no_callback(issuer: Logins) -> None:
    login = await issuer.browser()
    running = issuer.carry_out(login)
    url = await authorize(login.auth_url)
    await login.complete(url)
    assert await running.result() is None
    with pytest.raises(InvalidCallback, match="ended"):
        await login.complete(url)


async def test_a_login_can_do_without_a_port(issuer: Logins) -> None:
    login = await issuer.browser(listen=False, ports=(1455, 1457))
    assert parameters(login.auth_url)["redirect_uri"] == "http://127.0.0.1:1455/auth/callback"
    running = issuer.carry_out(login)
    await login.complete(await authorize(login.auth_url))
    assert await running.result() is None
    assert len(running.committed) == 1


async def test_a_login_without_a_port_can_be_cancelled(issuer: Logins) -> None:
    login = await issuer.browser(listen=False, ports=(1455,))
    running = issuer.carry_out(login)
    await running.cancel()
    assert running.cancelled
    assert not await is_listening(login)
