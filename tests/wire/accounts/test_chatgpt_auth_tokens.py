"""Logging in with tokens that the parent owns (wire.md section 9)."""

import base64
from pathlib import Path

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account
from tests.support.server import Json, ServerProcess
from tests.support.upstream import (
    COMPLETED,
    LOGIN,
    NO_STATUS,
    NOBODY,
    UPDATED,
    Start,
    asked,
    completed,
    files,
    log_in_with_tokens,
    managed_login,
    next_messages,
    store,
    stored,
    token_in_force,
    tokens_login,
    updated,
)

AUTH = "https://api.openai.com/auth"


async def test_the_answer_comes_first_then_the_login_then_the_account(fake: FakeOpenAI, server: ServerProcess) -> None:
    await server.send({"id": 1, "method": LOGIN, "params": tokens_login(fake.mint())})

    assert await next_messages(server, 3) == [
        {"id": 1, "result": {"type": "chatgptAuthTokens"}},
        completed(),
        updated("chatgptAuthTokens", "plus"),
    ]
    assert await server.barrier() == []


async def test_the_answer_does_not_wait_for_the_workspace_but_the_announcement_does(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("accounts_check", hang=True)
    await server.result(LOGIN, tokens_login(fake.mint()))
    await asked(fake, "accounts_check")
    assert await server.barrier() == []

    fake.release()
    assert await next_messages(server, 2) == [completed(), updated("chatgptAuthTokens", "plus")]


async def test_nothing_is_written_and_nothing_is_left_for_the_next_process(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    tokens = fake.mint()
    async with start() as server:
        await log_in_with_tokens(server, tokens)
        await server.close_input()
        assert await server.exit_status() == 0
    for file in files(home):
        assert tokens.access_token.encode() not in file.read_bytes(), file

    async with start() as server:
        assert await server.result("account/read", {}) == NOBODY


async def test_they_outrank_a_stored_login_and_leave_it_where_it_is(fake: FakeOpenAI, home: Path, start: Start) -> None:
    login = managed_login(fake.mint())
    store(home, login)

    async with start() as server:
        await server.notification(UPDATED)
        tokens = fake.mint()
        await log_in_with_tokens(server, tokens)
        assert await token_in_force(server) == tokens.access_token

    assert stored(home) == login
    async with start() as server:
        assert await token_in_force(server) == login["tokens"]["access_token"]


def segment(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


NO_TOKENS = [
    ("", "invalid ID token format"),
    ("sk-test", "invalid ID token format"),
    ("one.two", "invalid ID token format"),
    ("one..three", "invalid ID token format"),
    (".two.three", "invalid ID token format"),
    ("one.two.", "invalid ID token format"),
    ("a.b.c", "Invalid input length: 1"),
    (f"a.{segment('not JSON')}.c", "expected ident at line 1 column 2"),
]


async def test_what_is_no_token_is_refused_and_what_was_in_force_stays(fake: FakeOpenAI, server: ServerProcess) -> None:
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)

    for text, reason in NO_TOKENS:
        error = await server.error(LOGIN, tokens_login(tokens, accessToken=text))
        assert error == {"code": -32603, "message": f"failed to set external auth: {reason}"}, text
    assert await server.barrier() == []
    assert await token_in_force(server) == tokens.access_token


async def test_neither_signature_nor_expiry_nor_any_claim_is_asked_for(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.configure(accept_any_token=True)
    for token in (
        fake.mint(expires_in=-1_000_000).access_token,
        f"{segment('{}')}.{segment('{}')}.x",
        f"x.{segment('{}')}.x",
    ):
        await server.result(LOGIN, tokens_login(fake.mint(), accessToken=token))

        assert (await server.notification(COMPLETED))["success"] is True, token
        assert await token_in_force(server) == token


PLANS: list[tuple[Json, Json, str]] = [
    ({}, {}, "plus"),
    ({}, {"chatgptPlanType": None}, "plus"),
    ({}, {"chatgptPlanType": "pro"}, "pro"),
    ({}, {"chatgptPlanType": "PRO"}, "pro"),  # seen in the reference
    ({}, {"chatgptPlanType": "a plan of tomorrow"}, "unknown"),
    ({AUTH: {"chatgpt_plan_type": "a plan of tomorrow"}}, {}, "unknown"),
    ({AUTH: {}}, {}, "unknown"),
    ({AUTH: {}}, {"chatgptPlanType": "team"}, "team"),
    ({AUTH: None}, {}, "unknown"),
]


async def test_a_plan_that_the_parent_names_comes_before_the_one_of_the_claims(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    for claims, members, plan in PLANS:
        await server.result(LOGIN, tokens_login(fake.mint(claims=claims), **members))

        assert (await server.notification(COMPLETED))["success"] is True
        announced = await server.notification(UPDATED)
        assert announced == {"authMode": "chatgptAuthTokens", "planType": plan}, (claims, members)
        assert (await server.result("account/read", {}))["account"]["planType"] == plan, (claims, members)


async def test_the_account_is_the_one_of_the_parameter_whatever_the_claims_say(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.add_account(Account(account_id="acct-2", workspace_name="Beta"))
    await log_in_with_tokens(server, fake.mint("acct-1"), chatgptAccountId="acct-2")

    read = await server.result("account/read", {})
    assert read["workspaceRouting"]["chatgptAccountId"] == "acct-2"
    assert read["account"]["workspaceName"] == "Beta"
    (lookup,) = fake.requests.of("accounts_check")
    assert lookup.headers.get("chatgpt-account-id") == "acct-2"


async def test_an_empty_account_is_accepted_and_its_login_fails(fake: FakeOpenAI, server: ServerProcess) -> None:
    tokens = fake.mint()
    await server.send({"id": 1, "method": LOGIN, "params": tokens_login(tokens, chatgptAccountId="")})

    no_account = "workspace routing requires a ChatGPT account id"
    assert await next_messages(server, 2) == [
        {"id": 1, "result": {"type": "chatgptAuthTokens"}},
        completed(no_account),
    ]
    assert await server.barrier() == []
    assert await token_in_force(server) == tokens.access_token
    assert await server.error("account/read", {}) == {"code": -32603, "message": no_account}


async def test_every_other_login_has_to_wait_until_they_are_gone(fake: FakeOpenAI, server: ServerProcess) -> None:
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)

    active = (
        "External auth is active. Use account/login/start (chatgptAuthTokens) to update it or "
        "account/logout to clear it."
    )
    for login in (
        {"type": "apiKey", "apiKey": "sk-test"},
        {"type": "chatgpt"},
        {"type": "chatgptDeviceCode"},
    ):
        assert await server.error(LOGIN, login) == {"code": -32600, "message": active}, login
    no_login = {"loginId": "d94fd3d3-3a3c-4a13-b3b2-a4a35f6ae1b1"}
    assert await server.result("account/login/cancel", no_login) == {"status": "notFound"}
    assert await server.barrier() == []
    assert await token_in_force(server) == tokens.access_token
    assert not (server.home / "auth.json").exists()


async def test_newer_tokens_of_any_account_take_their_place(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.add_account(Account(account_id="acct-2", user_id="user-2", email="second@example.com"))
    await log_in_with_tokens(server, fake.mint("acct-1"))
    await log_in_with_tokens(server, fake.mint("acct-2"))

    read = await server.result("account/read", {})
    assert (read["userId"], read["account"]["email"]) == ("user-2", "second@example.com")


async def test_a_login_that_still_waits_for_its_workspace_fails_before_the_next_one_is_answered(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("accounts_check", hang=True)
    await server.result(LOGIN, tokens_login(fake.mint()))
    await asked(fake, "accounts_check")
    tokens = fake.mint()
    await server.send({"id": 1, "method": LOGIN, "params": tokens_login(tokens)})

    assert await next_messages(server, 4) == [
        completed("Login was not completed"),
        {"id": 1, "result": {"type": "chatgptAuthTokens"}},
        completed(),
        updated("chatgptAuthTokens", "plus"),
    ]
    fake.release()
    assert await server.barrier() == []
    assert await token_in_force(server) == tokens.access_token


async def test_they_need_the_experimental_api(fake: FakeOpenAI, start: Start) -> None:
    async with start(initialize=False) as server:
        await server.initialize(experimentalApi=False)

        assert await server.error(LOGIN, tokens_login(fake.mint())) == {
            "code": -32600,
            "message": "account/login/start.chatgptAuthTokens requires experimentalApi capability",
        }
        assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS


async def test_the_older_shape_names_account_and_plan_in_its_id_token(fake: FakeOpenAI, server: ServerProcess) -> None:
    # The reference does not know this shape any more; clients that were written for older versions send it.
    fake.add_account(Account(account_id="acct-2", plan_type="team", email="second@example.com"))
    tokens = fake.mint("acct-2")
    older = {"type": "chatgptAuthTokens", "accessToken": fake.mint().access_token, "idToken": tokens.id_token}
    await server.result(LOGIN, older)

    assert (await server.notification(COMPLETED))["success"] is True
    assert await server.notification(UPDATED) == {"authMode": "chatgptAuthTokens", "planType": "team"}
    read = await server.result("account/read", {})
    assert read["account"]["email"] == "second@example.com"
    assert read["workspaceRouting"]["chatgptAccountId"] == "acct-2"

    await server.result(LOGIN, {**older, "chatgptAccountId": "acct-1", "chatgptPlanType": "pro"})
    assert (await server.notification(COMPLETED))["success"] is True
    assert await server.notification(UPDATED) == {"authMode": "chatgptAuthTokens", "planType": "pro"}
    assert (await server.result("account/read", {}))["workspaceRouting"]["chatgptAccountId"] == "acct-1"


async def test_tokens_show_up_in_no_log(fake: FakeOpenAI, own_server: ServerProcess) -> None:
    tokens = fake.mint()
    await own_server.send({"method": LOGIN, "params": tokens_login(tokens)})
    await log_in_with_tokens(own_server, tokens)
    header, claims, _ = tokens.access_token.split(".")
    await own_server.error(LOGIN, tokens_login(tokens, accessToken=f"{header}.{claims}."))
    await own_server.close_input()

    assert await own_server.exit_status() == 0
    assert claims[:60] not in own_server.log.read_text()
