"""How a browser login fails, what its page says, and that nothing of it is stored (wire.md section 7).

Logins that somebody ends are in ``test_ended_logins``, time limits in ``test_time_limits``.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account
from tests.support.server import Json, ServerProcess
from tests.support.upstream import NO_STATUS, Start, asked, managed_login, next_messages, store, stored, token_in_force
from tests.unit.auth.login_support import Answer, parameters
from tests.wire.login.support import (
    BROWSER_NOT_COMPLETED,
    NOT_SAVED,
    SUCCESS_PAGE,
    ended,
    exchanges,
    get,
    sign_in,
    start_browser_login,
    until_closed,
)

PREFIX = "Login server error: "
EXCHANGE = f"{PREFIX}Token exchange failed: "
NOT_ENTITLED = (
    f"{PREFIX}Codex is not enabled for your workspace. Contact your workspace administrator to request access to Codex."
)


def assert_page(page: Answer, *texts: str) -> None:
    """The page tells of a failure, with these texts. It is a 200, because browsers replace the pages of errors."""
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert SUCCESS_PAGE not in page.text
    for text in texts:
        assert text in unescape(page.text)


async def assert_nobody_is_logged_in(server: ServerProcess) -> None:
    """Nothing more was said, nobody is logged in, and nothing is stored."""
    assert await server.barrier() == []
    assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS
    assert not (server.home / "auth.json").exists()


# What the browser brings

CALLBACKS: list[tuple[Json, str, list[str]]] = [
    (
        {"error": "server_error", "error_description": "Something <b>broke</b> & fell."},
        f"{PREFIX}Sign-in failed: Something <b>broke</b> & fell.",
        ["Sign-in failed: Something <b>broke</b> & fell.", "server_error"],
    ),
    ({"error": "server_error"}, f"{PREFIX}Sign-in failed: server_error", ["server_error"]),
    ({"error": "server_error", "error_description": " "}, f"{PREFIX}Sign-in failed: server_error", ["server_error"]),
    # It wins over a code.
    ({"code": "a-code", "error": "access_denied"}, f"{PREFIX}Sign-in failed: access_denied", ["access_denied"]),
    (
        {"error": "access_denied", "error_description": "Missing_Codex_Entitlement for you"},
        NOT_ENTITLED,
        ["You do not have access to Codex", "Contact your workspace administrator", "access_denied"],
    ),
    (
        {"error": "other", "error_description": "missing_codex_entitlement"},
        f"{PREFIX}Sign-in failed: missing_codex_entitlement",
        ["missing_codex_entitlement"],
    ),
    (
        {},
        f"{PREFIX}Missing authorization code. Sign-in could not be completed.",
        ["Missing authorization code", "missing_authorization_code"],
    ),
    (
        {"code": ""},
        f"{PREFIX}Missing authorization code. Sign-in could not be completed.",
        ["Missing authorization code", "missing_authorization_code"],
    ),
]


@pytest.mark.parametrize(("members", "error", "texts"), CALLBACKS)
async def test_a_callback_without_a_code_fails_the_login_and_asks_nobody(
    fake: FakeOpenAI, server: ServerProcess, members: Json, error: str, texts: list[str]
) -> None:
    login = await start_browser_login(server)
    page = await get(login.callback(**members))

    assert_page(page, *texts)
    assert "<b>broke" not in page.text
    assert await next_messages(server, 1) == [ended(login, error)]
    await assert_nobody_is_logged_in(server)
    assert list(fake.requests) == []


async def test_what_the_issuer_refuses_reaches_the_user(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.refuse_authorization("access_denied", "The user has said no.")
    login = await start_browser_login(server)

    assert_page(await sign_in(login), "The user has said no.")
    assert await next_messages(server, 1) == [ended(login, f"{PREFIX}Sign-in failed: The user has said no.")]


# What the token endpoint says

TOKENS: Json = {"id_token": "a.b.c", "access_token": "access", "refresh_token": "refresh"}

ENDPOINT: list[tuple[Json, str]] = [
    (
        {"status": 400, "json": {"error": "invalid_grant", "error_description": "That is <no> grant."}},
        "token endpoint returned status 400 Bad Request: That is <no> grant.",
    ),
    (
        {"status": 401, "json": {"error": {"message": "The message.", "code": "the_code"}}},
        "token endpoint returned status 401 Unauthorized: The message.",
    ),
    (
        {"status": 403, "json": {"error": {"code": "the_code"}}},
        "token endpoint returned status 403 Forbidden: the_code",
    ),
    (
        {"status": 422, "json": {"error": "the_code"}},
        "token endpoint returned status 422 Unprocessable Entity: the_code",
    ),
    ({"status": 429, "json": {}}, "token endpoint returned status 429 Too Many Requests: unknown error"),
    # A body that is no error of OAuth is not shown: nobody knows what it quotes (wire.md section 15.27).
    ({"status": 500, "body": "at line 5"}, "token endpoint returned status 500 Internal Server Error: unknown error"),
    ({"status": 503, "malformed": True}, "token endpoint returned status 503 Service Unavailable: unknown error"),
    # It is not followed: that would hand the code to somebody else.
    (
        {"status": 307, "headers": {"location": "/oauth/revoke"}, "json": {}},
        "token endpoint returned status 307 Temporary Redirect: unknown error",
    ),
    ({"json": {}}, "OAuth token response is invalid"),
    ({"json": []}, "OAuth token response is invalid"),
    ({"malformed": True}, "OAuth token response is invalid"),
    ({"json": {**TOKENS, "access_token": ""}}, "OAuth token response is invalid"),
    ({"json": {**TOKENS, "id_token": None}}, "OAuth token response is invalid"),
    ({"drop": True}, "error sending request for url ({issuer}/oauth/token)"),
]


@pytest.mark.parametrize(("fault", "reason"), ENDPOINT)
async def test_a_code_that_cannot_be_exchanged_fails_the_login(
    fake: FakeOpenAI, server: ServerProcess, fault: Json, reason: str
) -> None:
    fake.fault("token", **fault)
    login = await start_browser_login(server)
    page = await sign_in(login)

    error = EXCHANGE + reason.replace("{issuer}", fake.base_url)
    assert_page(page, error.removeprefix(PREFIX), "token_exchange_failed")
    assert await next_messages(server, 1) == [ended(login, error)]
    await assert_nobody_is_logged_in(server)
    assert [request.route for request in fake.requests] == ["authorize", "token"]


async def test_a_code_that_was_given_for_another_challenge_is_worth_nothing(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    # Whoever slips the user a code of their own does not know the verifier (RFC 7636).
    login = await start_browser_login(server)
    challenge = parameters(login.auth_url)["code_challenge"]
    of_somebody_else = replace(login, auth_url=login.auth_url.replace(challenge, "c" * 43))
    page = await sign_in(of_somebody_else)

    reason = "token endpoint returned status 400 Bad Request: The code_verifier does not match the code_challenge."
    assert_page(page, reason)
    assert await next_messages(server, 1) == [ended(login, EXCHANGE + reason)]
    await assert_nobody_is_logged_in(server)


async def test_an_issuer_that_is_not_there_fails_the_login(start: Start) -> None:
    async with start(env={"CODEX_APP_SERVER_LOGIN_ISSUER": "http://127.0.0.1:1"}) as server:
        login = await start_browser_login(server)
        page = await get(login.callback(code="a-code"))

        error = f"{EXCHANGE}error sending request for url (http://127.0.0.1:1/oauth/token)"
        assert_page(page, error.removeprefix(PREFIX))
        assert await next_messages(server, 1) == [ended(login, error)]


# What it is worth here


@pytest.mark.parametrize("id_token", ["no token", "a.b.c", "e30.bm8gSlNPTg.e30"])
async def test_an_id_token_that_cannot_be_read_is_a_login_that_cannot_be_saved(
    fake: FakeOpenAI, server: ServerProcess, id_token: str
) -> None:
    fake.fault("token", json={**TOKENS, "id_token": id_token})
    login = await start_browser_login(server)
    page = await sign_in(login)

    assert_page(page, NOT_SAVED.removeprefix(PREFIX), "persist_failed")
    assert id_token not in page.text
    assert await next_messages(server, 1) == [ended(login, NOT_SAVED)]
    await assert_nobody_is_logged_in(server)


def a_directory_in_its_place(home: Path) -> str:
    (home / "auth.json").mkdir(parents=True)
    return "Is a directory (os error 21)"


def a_file_without_the_permission(home: Path) -> str:
    store(home, {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-kept"}).chmod(0o400)
    return "credential file is read-only"


def a_lock_that_nobody_can_take(home: Path) -> str:
    (home / "auth.lock").mkdir(parents=True)
    return "Is a directory (os error 21)"


@pytest.mark.parametrize(
    "obstacle", [a_directory_in_its_place, a_file_without_the_permission, a_lock_that_nobody_can_take]
)
async def test_a_login_that_cannot_be_saved_is_no_success_and_the_page_says_why(
    fake: FakeOpenAI, home: Path, start: Start, obstacle: Callable[[Path], str]
) -> None:
    why = obstacle(home)
    async with start() as server:
        before = await server.result("getAuthStatus", {"includeToken": True})
        login = await start_browser_login(server)
        page = await sign_in(login)

        assert_page(page, NOT_SAVED.removeprefix(PREFIX), "persist_failed", why)
        assert await next_messages(server, 1) == [ended(login, NOT_SAVED)]
        assert await server.barrier() == []
        assert await server.result("getAuthStatus", {"includeToken": True}) == before


async def test_a_login_that_fails_leaves_the_one_before_as_it_was(fake: FakeOpenAI, home: Path, start: Start) -> None:
    old = managed_login(fake.mint())
    store(home, old)
    async with start() as server:
        await asked(fake, "accounts_check")
        await next_messages(server, 1)
        fake.fault("token", status=500)
        login = await start_browser_login(server)
        await sign_in(login)

        (announcement,) = await next_messages(server, 1)
        assert announcement["params"]["success"] is False
        assert await server.barrier() == []
        assert await token_in_force(server) == old["tokens"]["access_token"]
        await server.close_input()
        assert await server.exit_status() == 0
    assert stored(home) == old
    assert fake.requests.of("revoke") == []


@pytest.mark.parametrize(
    ("account", "error"),
    [
        (Account(account_id="acct-3"), "Login is restricted to workspace id(s) a, b."),
        (
            None,
            "Login is restricted to a specific workspace, but the token did not include an chatgpt_account_id claim.",
        ),
    ],
)
async def test_a_login_of_another_workspace_fails(
    fake: FakeOpenAI, start: Start, account: Account | None, error: str
) -> None:
    if account is not None:
        fake.add_account(account, current=True)
    else:
        tokens = fake.mint(claims={"https://api.openai.com/auth": None})
        fake.fault("token", json=managed_login(tokens)["tokens"])

    async with start('forced_chatgpt_workspace_id=["a", "b"]') as server:
        login = await start_browser_login(server)
        page = await sign_in(login)

        assert_page(page, error, "workspace_restriction")
        assert await next_messages(server, 1) == [ended(login, f"{PREFIX}{error}")]
        await assert_nobody_is_logged_in(server)
    # It gets no API key either.
    assert len(await exchanges(fake)) == 1


# The end of the client


async def test_the_end_of_the_input_ends_the_login_and_the_listener(fake: FakeOpenAI, home: Path, start: Start) -> None:
    async with start() as server:
        login = await start_browser_login(server)
        await server.close_input()

        (announcement,) = await server.rest()
        del announcement["emittedAtMs"]
        assert announcement == ended(login, BROWSER_NOT_COMPLETED)
        assert await server.exit_status() == 0
        await until_closed(login.port)
    assert not (home / "auth.json").exists()


async def test_a_failed_login_can_be_tried_again(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("token", status=500)
    failed = await start_browser_login(server)
    await sign_in(failed)
    await next_messages(server, 1)

    login = await start_browser_login(server)
    assert SUCCESS_PAGE in (await sign_in(login)).text
    announcement, _ = await next_messages(server, 2)
    assert announcement == ended(login)
    assert json.dumps(announcement).count(failed.login_id) == 0
