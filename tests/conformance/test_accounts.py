"""Logins without a person, and what is said of them (wire.md sections 3 to 6 and 9)."""

from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account
from tests.conformance.conftest import Differs
from tests.conformance.support import common, refused, told
from tests.support.server import Json, ServerProcess
from tests.support.upstream import (
    COMPLETED,
    LOGIN,
    NO_STATUS,
    NOBODY,
    PROVIDER,
    SUCCEEDED,
    UPDATED,
    Start,
    asked,
    log_in_with_tokens,
    managed_login,
    store,
    stored,
    tokens_login,
)

KEY: Json = {"type": "apiKey", "apiKey": "sk-1"}
WITH_TOKEN: Json = {"includeToken": True}
ACTIVE = (
    "External auth is active. Use account/login/start (chatgptAuthTokens) to update it or account/logout to clear it."
)


def announced(mode: str | None, plan: str | None = None) -> tuple[str, Json]:
    return UPDATED, {"authMode": mode, "planType": plan}


async def test_nobody_is_logged_in_at_first(server: ServerProcess) -> None:
    assert await server.result("account/read", {}) == NOBODY
    assert await server.result("getAuthStatus", WITH_TOKEN) == NO_STATUS


async def test_a_login_with_a_key_is_answered_then_completed_then_announced(server: ServerProcess) -> None:
    await server.send({"id": "k", "method": LOGIN, "params": KEY})
    answer, *said = common(await server.barrier())
    assert answer == {"id": "k", "result": {"type": "apiKey"}}
    assert told(said) == [(COMPLETED, SUCCEEDED), announced("apikey")]
    assert await server.result("account/read", {}) == {**NOBODY, "account": {"type": "apiKey"}}
    status = {"authMethod": "apikey", "authToken": "sk-1", "requiresOpenaiAuth": True}
    assert await server.result("getAuthStatus", WITH_TOKEN) == status
    assert await server.result("getAuthStatus", {}) == {**status, "authToken": None}
    assert stored(server.home) == {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-1"}
    assert (server.home / "auth.json").stat().st_mode & 0o777 == 0o600


async def test_a_stored_key_is_known_from_the_start_and_not_announced(start: Start) -> None:
    async with start() as server:
        await server.result(LOGIN, KEY)
    async with start() as server:
        assert (await server.result("account/read", {}))["account"] == {"type": "apiKey"}
        assert told(await server.barrier()) == []


async def test_an_empty_key(server: ServerProcess, differs: Differs) -> None:
    answer = await server.request(LOGIN, {"type": "apiKey", "apiKey": ""})
    account = (await server.result("account/read", {}))["account"]
    method = (await server.result("getAuthStatus", {}))["authMethod"]
    differs("empty-key", {"refused": "error" in answer, "account": account, "authMethod": method})


async def test_a_logout_is_answered_then_announced_also_when_nobody_was_logged_in(server: ServerProcess) -> None:
    for _ in range(2):
        await server.send({"id": "out", "method": "account/logout"})
        answer, *said = common(await server.barrier())
        assert answer == {"id": "out", "result": {}}
        assert told(said) == [announced(None)]
        assert not (server.home / "auth.json").exists()
        await server.result(LOGIN, KEY)
        await server.barrier()


async def test_a_managed_logout_revokes_the_refresh_token(start: Start, fake: FakeOpenAI) -> None:
    async with start() as server:
        tokens = fake.mint()
        store(server.home, managed_login(tokens))
    async with start() as server:
        await server.notification(UPDATED)
        await server.result("account/logout")
        (revoked,) = await asked(fake, "revoke")
        assert revoked.json == {
            "token": tokens.refresh_token,
            "token_type_hint": "refresh_token",
            "client_id": "client-of-the-tests",
        }
        assert (await server.result("account/read", {}))["account"] is None


async def test_a_stored_sign_in_is_known_from_the_start_and_announced_once(
    start: Start, fake: FakeOpenAI, home: Any
) -> None:
    tokens = fake.mint()
    store(home, managed_login(tokens))
    async with start() as server:
        assert await server.notification(UPDATED) == {"authMode": "chatgpt", "planType": "plus"}
        assert await server.result("account/read", {}) == {
            "account": {"type": "chatgpt", "email": "user@example.com", "planType": "plus", "workspaceName": "Acme"},
            "userId": "user-1",
            "requiresOpenaiAuth": True,
            "workspaceRouting": {
                "chatgptAccountId": "acct-1",
                "backendOrigin": "https://chatgpt.com",
                "accountRoutingOverride": "NO_CONSTRAINT",
            },
        }
        assert await server.result("getAuthStatus", WITH_TOKEN) == {
            "authMethod": "chatgpt",
            "authToken": tokens.access_token,
            "requiresOpenaiAuth": True,
        }
        assert told(await server.barrier()) == []


async def test_tokens_of_the_parent_are_answered_then_completed_then_announced(
    server: ServerProcess, fake: FakeOpenAI
) -> None:
    tokens = fake.mint()
    await server.send({"id": "t", "method": LOGIN, "params": tokens_login(tokens)})
    assert await server.answer("t") == {"id": "t", "result": {"type": "chatgptAuthTokens"}}
    assert await server.notification(COMPLETED) == SUCCEEDED
    assert await server.notification(UPDATED) == {"authMode": "chatgptAuthTokens", "planType": "plus"}
    account = (await server.result("account/read", {}))["account"]
    assert account == {"type": "chatgpt", "email": "user@example.com", "planType": "plus", "workspaceName": "Acme"}
    status = await server.result("getAuthStatus", WITH_TOKEN)
    assert (status["authMethod"], status["authToken"]) == ("chatgptAuthTokens", tokens.access_token)
    assert not (server.home / "auth.json").exists()


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ("no token", "invalid ID token format"),
        ("a..c", "invalid ID token format"),
        ("a.b.c", "Invalid input length: 1"),
        ("a.Zm9v.c", "expected ident at line 1 column 2"),
    ],
)
async def test_a_token_that_is_none_is_refused_with_the_reason(server: ServerProcess, token: str, text: str) -> None:
    params = {"type": "chatgptAuthTokens", "accessToken": token, "chatgptAccountId": "acct-1"}
    assert await server.error(LOGIN, params) == {"code": -32603, "message": f"failed to set external auth: {text}"}


async def test_a_plan_that_is_given_counts_more_than_the_claim(server: ServerProcess, fake: FakeOpenAI) -> None:
    for given, plan in (("pro", "pro"), ("zzz", "unknown"), (None, "plus")):
        await server.result(LOGIN, tokens_login(fake.mint(), chatgptPlanType=given))
        assert (await server.notification(UPDATED))["planType"] == plan


async def test_an_empty_account_id_ends_the_login(server: ServerProcess, fake: FakeOpenAI) -> None:
    await server.result(LOGIN, {**tokens_login(fake.mint()), "chatgptAccountId": ""})
    completed = await server.notification(COMPLETED)
    error = "workspace routing requires a ChatGPT account id"
    assert completed == {**SUCCEEDED, "success": False, "error": error}


async def test_other_logins_are_refused_while_the_parent_owns_the_tokens(
    server: ServerProcess, fake: FakeOpenAI
) -> None:
    await log_in_with_tokens(server, fake.mint())
    for params in (KEY, {"type": "chatgpt"}, {"type": "chatgptDeviceCode"}):
        assert await server.error(LOGIN, params) == refused(ACTIVE)
    fake.add_account(Account(account_id="acct-2", plan_type="pro"))
    await server.result(LOGIN, tokens_login(fake.mint("acct-2")))
    assert await server.notification(UPDATED) == {"authMode": "chatgptAuthTokens", "planType": "pro"}


async def test_a_provider_without_a_login_needs_nobody(start: Start) -> None:
    async with start(*PROVIDER) as server:
        assert await server.result("account/read", {}) == {**NOBODY, "requiresOpenaiAuth": False}
        assert await server.result("getAuthStatus", {}) == {**NO_STATUS, "requiresOpenaiAuth": False}


async def test_a_login_that_is_forced_refuses_the_others(start: Start, fake: FakeOpenAI) -> None:
    async with start('forced_login_method="chatgpt"') as server:
        assert await server.error(LOGIN, KEY) == refused("API key login is disabled. Use ChatGPT login instead.")
    async with start('forced_login_method="api"') as server:
        disabled = refused("ChatGPT login is disabled. Use API key login instead.")
        assert await server.error(LOGIN, {"type": "chatgpt"}) == disabled
        assert await server.error(LOGIN, {"type": "chatgptDeviceCode"}) == disabled
        external = refused("External ChatGPT auth is disabled. Use API key login instead.")
        assert await server.error(LOGIN, tokens_login(fake.mint())) == external


async def test_a_forced_workspace_refuses_tokens_of_others(start: Start, fake: FakeOpenAI) -> None:
    async with start('forced_chatgpt_workspace_id=["a", "b"]') as server:
        text = 'External auth must use one of workspace(s) ["a", "b"], but received "acct-1".'
        assert await server.error(LOGIN, tokens_login(fake.mint())) == refused(text)


async def test_unreadable_credentials_are_no_login_and_can_be_replaced(start: Start, home: Any) -> None:
    store(home, b"{ nonsense")
    async with start() as server:
        assert await server.result("account/read", {}) == NOBODY
        await server.result(LOGIN, KEY)
        assert stored(home)["OPENAI_API_KEY"] == "sk-1"


async def test_logins_in_memory_leave_no_file(start: Start, home: Any) -> None:
    async with start('cli_auth_credentials_store="ephemeral"') as server:
        await server.result(LOGIN, KEY)
        assert (await server.result("getAuthStatus", WITH_TOKEN))["authToken"] == "sk-1"
        assert not (home / "auth.json").exists()
