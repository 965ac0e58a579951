"""A browser login that goes well, from its request to its announcement (wire.md section 7).

What can go wrong is in ``test_browser_failures``; which requests are no callback, in ``test_callback_server``.
"""

import hashlib
import re
import stat
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import anyio
import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account, encode_segment
from tests.support.locks import login_held_up
from tests.support.server import ServerProcess
from tests.support.upstream import (
    COMPLETED,
    LOGIN,
    UPDATED,
    Start,
    asked,
    log_in_with_tokens,
    managed_login,
    next_messages,
    stored,
    token_in_force,
    updated,
)
from tests.unit.auth.login_support import Answer, parameters
from tests.wire.login.support import (
    BROWSER,
    CLIENT_ID,
    DEVICE,
    SUCCESS_PAGE,
    authorize,
    ended,
    exchanges,
    get,
    sign_in,
    start_browser_login,
)

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


# The start


async def test_the_answer_has_an_id_and_a_url_and_nothing_goes_upstream(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    result = await server.result(LOGIN, BROWSER)

    assert result == {"type": "chatgpt", "loginId": result["loginId"], "authUrl": result["authUrl"]}
    assert str(UUID(result["loginId"])) == result["loginId"]
    assert UUID(result["loginId"]).version == 4
    assert await server.barrier() == []
    assert list(fake.requests) == []


async def test_the_url_has_the_parameters_of_the_reference_in_its_order_and_encoding(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    login = await start_browser_login(server)

    own = parameters(login.auth_url)
    assert login.auth_url == (
        f"{fake.base_url}/oauth/authorize?response_type=code"
        f"&client_id={CLIENT_ID}"
        f"&redirect_uri=http%3A%2F%2F127.0.0.1%3A{login.port}%2Fauth%2Fcallback"
        f"&code_challenge={own['code_challenge']}"
        "&code_challenge_method=S256"
        f"&state={own['state']}"
        "&scope=openid+profile+email+offline_access+api.connectors.read+api.connectors.invoke"
        "&id_token_add_organizations=true"
        "&codex_cli_simplified_flow=true"
        "&originator=test"
    )
    assert login.port > 0
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", own["state"])
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", own["code_challenge"])


async def test_every_login_has_its_own_id_state_and_challenge(server: ServerProcess) -> None:
    one, other = await start_browser_login(server), await start_browser_login(server)

    assert one.login_id != other.login_id
    assert one.state != other.state
    assert parameters(one.auth_url)["code_challenge"] != parameters(other.auth_url)["code_challenge"]


async def test_forced_workspaces_come_last_in_the_url(fake: FakeOpenAI, start: Start) -> None:
    async with start('forced_chatgpt_workspace_id=["b", "a"]') as server:
        login = await start_browser_login(server)

    query = parse_qsl(urlsplit(login.auth_url).query)
    assert query[-2:] == [("originator", "test"), ("allowed_workspace_id", "b,a")]
    assert login.auth_url.endswith("&allowed_workspace_id=b%2Ca")


async def test_the_client_and_the_issuer_can_be_others(fake: FakeOpenAI, start: Start) -> None:
    env = {"CODEX_APP_SERVER_LOGIN_CLIENT_ID": "app_other", "CODEX_APP_SERVER_LOGIN_ISSUER": f"{fake.base_url}/"}

    async with start(env=env, initialize=False) as server:
        await server.result("initialize", {"clientInfo": {"name": "my editor/2", "version": "1"}})
        login = await start_browser_login(server)
        assert login.auth_url.startswith(f"{fake.base_url}/oauth/authorize?response_type=code&client_id=app_other&")
        assert login.auth_url.endswith("&originator=my+editor%2F2")

        assert SUCCESS_PAGE in (await sign_in(login)).text
        await server.notification(UPDATED)
    (exchange, _) = await exchanges(fake, 2)
    assert exchange["client_id"] == "app_other"
    assert stored(server.home)["tokens"]["oauth_provenance"] == {"issuer": fake.base_url, "client_id": "app_other"}


@pytest.mark.parametrize("login", [BROWSER, DEVICE])
async def test_it_is_refused_while_tokens_of_the_parent_are_in_force(
    fake: FakeOpenAI, server: ServerProcess, login: dict[str, str]
) -> None:
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)

    assert await server.error(LOGIN, login) == {
        "code": -32600,
        "message": "External auth is active. Use account/login/start (chatgptAuthTokens) to update it or "
        "account/logout to clear it.",
    }
    assert await server.barrier() == []
    assert await token_in_force(server) == tokens.access_token


@pytest.mark.parametrize("login", [BROWSER, DEVICE])
async def test_it_is_refused_where_a_key_is_forced(fake: FakeOpenAI, start: Start, login: dict[str, str]) -> None:
    async with start('forced_login_method="api"') as server:
        assert await server.error(LOGIN, login) == {
            "code": -32600,
            "message": "ChatGPT login is disabled. Use API key login instead.",
        }
        assert await server.barrier() == []
    assert list(fake.requests) == []


# Success


async def test_the_login_is_announced_then_the_account_and_both_are_in_force(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    login = await start_browser_login(server)
    page = await sign_in(login)

    assert SUCCESS_PAGE in page.text
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]
    assert await server.barrier() == []
    account = await server.result("account/read", {})
    assert account["account"]["email"] == "user@example.com"
    assert await token_in_force(server) == stored(server.home)["tokens"]["access_token"]


async def test_nothing_of_the_login_is_in_any_url_that_the_browser_sees(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    # The reference redirects to /success with the ID token in the query (wire.md section 15.17).
    login = await start_browser_login(server)
    page = await sign_in(login)

    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["content-security-policy"].startswith("default-src 'none'; ")
    assert "location" not in page.headers
    await server.notification(COMPLETED)
    tokens = stored(server.home)["tokens"]
    for secret in (tokens["id_token"], tokens["access_token"], tokens["refresh_token"], login.state):
        assert secret not in page.text


async def test_the_code_is_exchanged_with_the_verifier_and_then_a_key_is_asked_for(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    login = await start_browser_login(server)
    url = await authorize(login)
    await get(url)

    exchange, key = await exchanges(fake, 2)
    assert exchange == {
        "grant_type": "authorization_code",
        "client_id": CLIENT_ID,
        "code": parameters(url)["code"],
        "redirect_uri": login.redirect_uri,
        "code_verifier": exchange["code_verifier"],
    }
    assert re.fullmatch(r"[A-Za-z0-9_-]{86}", exchange["code_verifier"])
    challenge = encode_segment(hashlib.sha256(exchange["code_verifier"].encode()).digest())
    assert challenge == parameters(login.auth_url)["code_challenge"]
    assert key == {
        "grant_type": TOKEN_EXCHANGE,
        "client_id": CLIENT_ID,
        "requested_token": "openai-api-key",
        "subject_token": stored(server.home)["tokens"]["id_token"],
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
    }
    assert {request.headers.get("content-type") for request in fake.requests.of("token")} == {
        "application/x-www-form-urlencoded"
    }


async def test_the_login_is_stored_as_the_reference_stores_it(fake: FakeOpenAI, server: ServerProcess) -> None:
    tokens = fake.mint()
    fake.fault("token", contains="authorization_code", json=managed_login(tokens)["tokens"])
    fake.fault("token", contains="token-exchange", json={"access_token": "sk-exchanged"})
    login = await start_browser_login(server)
    await sign_in(login)
    await server.notification(COMPLETED)

    login_of_the_file = stored(server.home)
    owner = login_of_the_file["tokens"]["login_owner_id"]
    last_refresh = login_of_the_file["last_refresh"]
    assert login_of_the_file == {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": "sk-exchanged",
        "tokens": {
            "id_token": tokens.id_token,
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "account_id": "acct-1",
            "oauth_provenance": {"issuer": fake.base_url, "client_id": CLIENT_ID},
            "login_owner_id": owner,
        },
        "last_refresh": last_refresh,
    }
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", owner)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", last_refresh)
    at = datetime.fromisoformat(f"{last_refresh[:26]}+00:00")
    assert abs((datetime.now(UTC) - at).total_seconds()) < 60
    assert stat.S_IMODE((server.home / "auth.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("fault", [{"status": 500}, {"drop": True}, {"malformed": True}, {"json": {}}])
async def test_without_a_key_the_login_is_complete_all_the_same(
    fake: FakeOpenAI, server: ServerProcess, fault: dict[str, object]
) -> None:
    fake.fault("token", contains="token-exchange", **fault)
    login = await start_browser_login(server)

    assert SUCCESS_PAGE in (await sign_in(login)).text
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]
    assert stored(server.home)["OPENAI_API_KEY"] is None


# What waits for what


async def test_the_page_comes_when_the_login_is_saved_and_not_before(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    async with start() as server:
        login = await start_browser_login(server)
        url = await authorize(login)
        pages: list[Answer] = []

        async def follow() -> None:
            pages.append(await get(url))

        async with anyio.create_task_group() as browser:
            with login_held_up(home):
                browser.start_soon(follow)
                await exchanges(fake, 2)
                assert await server.barrier() == []
                assert pages == []
                assert not (home / "auth.json").exists()

        assert SUCCESS_PAGE in pages[0].text
        assert stored(home)["auth_mode"] == "chatgpt"
        assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]


async def test_the_login_completes_although_the_browser_does_not_wait_for_its_page(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    # The reference waits until the browser has loaded a second page (wire.md section 15.6).
    fake.fault("token", hang=True, contains="authorization_code")
    login = await start_browser_login(server)
    url = await authorize(login)
    async with await anyio.connect_tcp("127.0.0.1", login.port) as stream:
        target = url.removeprefix(f"http://127.0.0.1:{login.port}")
        await stream.send(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{login.port}\r\n\r\n".encode())
        await exchanges(fake)
    fake.release()

    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]


async def test_the_page_does_not_wait_for_the_backend_but_the_announcement_does(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("accounts_check", hang=True)
    login = await start_browser_login(server)

    assert SUCCESS_PAGE in (await sign_in(login)).text
    await asked(fake, "accounts_check")
    assert await server.barrier() == []
    fake.release()
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]


async def test_a_backend_that_is_not_known_fails_the_login_although_it_is_stored(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    # As in the reference (wire.md section 12).
    fake.fault("accounts_check", status=500)
    login = await start_browser_login(server)
    await sign_in(login)

    assert await next_messages(server, 1) == [ended(login, "workspace routing discovery failed")]
    assert await server.barrier() == []
    assert await token_in_force(server) == stored(server.home)["tokens"]["access_token"]


# Who is shown what, and which login it becomes


@pytest.mark.parametrize(
    ("members", "brand"),
    [
        ({}, "codex"),
        ({"appBrand": None}, "codex"),
        ({"appBrand": "codex"}, "codex"),
        ({"appBrand": "chatgpt"}, "chatgpt"),
    ],
)
async def test_the_success_page_can_be_that_of_chatgpt(
    server: ServerProcess, members: dict[str, str | None], brand: str
) -> None:
    login = await start_browser_login(server, useHostedLoginSuccessPage=True, **members)
    answer = await sign_in(login)

    assert answer.status == 302
    assert answer.headers["location"] == f"https://chatgpt.com/codex/open-app?source=login&app_brand={brand}"
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]


async def test_a_failure_is_told_on_our_own_page_even_then(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.refuse_authorization("server_error")
    login = await start_browser_login(server, useHostedLoginSuccessPage=True, codexStreamlinedLogin=True)
    answer = await sign_in(login)

    assert answer.status == 200
    assert "Sign-in failed: server_error" in answer.text


async def test_a_login_of_a_forced_workspace_passes(fake: FakeOpenAI, start: Start) -> None:
    fake.add_account(Account(account_id="acct-2", plan_type="team"))

    async with start('forced_chatgpt_workspace_id=["acct-2", "acct-3"]') as server:
        login = await start_browser_login(server)
        await sign_in(login)

        assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "team")]
        assert stored(server.home)["tokens"]["account_id"] == "acct-2"


async def test_the_next_process_finds_the_login(fake: FakeOpenAI, home: Path, start: Start) -> None:
    async with start() as server:
        login = await start_browser_login(server)
        await sign_in(login)
        await server.notification(COMPLETED)
        token = await token_in_force(server)

    async with start() as server:
        assert await server.notification(UPDATED) == {"authMode": "chatgpt", "planType": "plus"}
        assert await token_in_force(server) == token
