"""The token of the environment: ``CODEX_ACCESS_TOKEN`` (wire.md sections 1, 3, 5 and 6)."""

from pathlib import Path

import anyio

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import (
    LIMITS,
    LOGIN,
    NO_STATUS,
    NOBODY,
    REFRESH,
    SUCCEEDED,
    UPDATED,
    Start,
    asked,
    log_in_with_tokens,
    managed_login,
    store,
    stored,
    token_in_force,
)

OF_THE_ENVIRONMENT: Json = {"authMethod": "personalAccessToken", "authToken": None, "requiresOpenaiAuth": True}


async def warning(server: ServerProcess) -> Json:
    return await server.notification("configWarning")


async def test_whoami_says_whose_it_is(fake: FakeOpenAI, start: Start) -> None:
    token = fake.mint_personal()

    async with start(env={"CODEX_ACCESS_TOKEN": token}) as server:
        read = await server.result("account/read", {})
        assert (read["account"]["email"], read["userId"]) == ("user@example.com", "user-1")

        (question,) = fake.requests.of("whoami")
        assert question.path == "/v1/user-auth-credential/whoami"
        assert question.bearer == token
        # As a stored ChatGPT login: once the workspace's backend is known.
        assert await server.notification(UPDATED) == {"authMode": "personalAccessToken", "planType": "plus"}


async def test_it_is_announced_by_its_name_and_without_its_value(fake: FakeOpenAI, start: Start) -> None:
    token = fake.mint_personal()

    async with start(env={"CODEX_ACCESS_TOKEN": token}) as server:
        told = await warning(server)
        assert "CODEX_ACCESS_TOKEN" in told["summary"]
        assert "CODEX_ACCESS_TOKEN" in told["details"]
        assert token not in str(told)
        assert token not in server.log.read_text()


async def test_it_outranks_a_stored_login_and_a_key_but_not_the_tokens_of_the_parent(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    store(home, managed_login(fake.mint()))

    async with start(env={"CODEX_ACCESS_TOKEN": fake.mint_personal()}) as server:
        assert await server.result("getAuthStatus", {"includeToken": True}) == OF_THE_ENVIRONMENT
        await server.notification(UPDATED)

        await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-test"})
        assert await server.notification("account/login/completed") == SUCCEEDED
        assert await server.notification(UPDATED) == {"authMode": "personalAccessToken", "planType": "plus"}
        assert await server.result("getAuthStatus", {"includeToken": True}) == OF_THE_ENVIRONMENT
        # It is there for the day on which the variable is gone.
        assert stored(home) == {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-test"}

        tokens = fake.mint()
        await log_in_with_tokens(server, tokens)
        assert await token_in_force(server) == tokens.access_token


async def test_requests_carry_it_and_nobody_is_asked_to_refresh_it(fake: FakeOpenAI, start: Start) -> None:
    token = fake.mint_personal()

    async with start(env={"CODEX_ACCESS_TOKEN": token}) as server:
        assert (await server.result(LIMITS))["ordinaryUsageAllowed"] is True
        (request,) = fake.requests.of("usage")
        assert (request.bearer, request.headers.get("chatgpt-account-id")) == (token, "acct-1")

        fake.expire(token)
        error = await server.error(LIMITS)
        assert error["code"] == -32603
        assert " failed: 401 Unauthorized; " in error["message"]
        assert REFRESH not in [message["method"] for message in await server.barrier()]
        assert await server.result("getAuthStatus", {}) == OF_THE_ENVIRONMENT


async def test_a_token_that_is_refused_or_cannot_be_checked_logs_nobody_in(fake: FakeOpenAI, start: Start) -> None:
    good = fake.mint_personal()
    unreachable = {"CODEX_AUTHAPI_BASE_URL": "http://127.0.0.1:9"}
    for token, fault, elsewhere in (
        ("at-of-another-issuer", None, {}),
        (good, {"status": 500}, {}),
        (good, {"malformed": True}, {}),
        (good, {"json": {"email": "who@example.com"}}, {}),
        (good, {"json": []}, {}),
        (good, None, unreachable),
    ):
        if fault is not None:
            fake.fault("whoami", times=None, **fault)
        async with start(env={"CODEX_ACCESS_TOKEN": token, **elsewhere}) as server:
            assert await server.result("account/read", {}) == NOBODY, fault
            assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS, fault
        fake.clear_faults()


async def test_a_check_that_hangs_delays_neither_the_handshake_nor_the_rest_for_long(
    fake: FakeOpenAI, start: Start
) -> None:
    # In the reference initialize takes 10 s.
    fake.fault("whoami", hang=True, times=None)

    async with start("app_server.upstream_timeout=0.7", env={"CODEX_ACCESS_TOKEN": fake.mint_personal()}) as server:
        await asked(fake, "whoami")
        with anyio.fail_after(8):
            assert await server.result("account/read", {}) == NOBODY
        await log_in_with_tokens(server, fake.mint())


async def test_anything_else_in_the_variable_is_ignored_and_said_to_be(start: Start) -> None:
    secret = "eyJhbGciOiJub25lIn0.e30.c2VjcmV0"

    async with start(env={"CODEX_ACCESS_TOKEN": secret}) as server:
        told = await warning(server)
        assert "CODEX_ACCESS_TOKEN" in told["summary"]
        assert "ignored" in told["summary"]
        assert secret not in str(told)
        assert await server.result("account/read", {}) == NOBODY
        assert await server.barrier() == []


async def test_a_token_that_the_configuration_does_not_allow_is_ignored(fake: FakeOpenAI, start: Start) -> None:
    for setting in ('forced_login_method="api"', 'forced_chatgpt_workspace_id="acct-2"'):
        async with start(setting, env={"CODEX_ACCESS_TOKEN": fake.mint_personal()}) as server:
            assert await server.result("account/read", {}) == NOBODY, setting
            assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS, setting
