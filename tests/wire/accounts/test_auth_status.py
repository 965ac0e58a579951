"""``getAuthStatus``, the older question, which can hand out the token (wire.md section 3)."""

from pathlib import Path

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import LOGIN, NO_STATUS, PROVIDER, REFRESH, Start, log_in_with_tokens, managed_login, store

WITH_TOKEN: Json = {"includeToken": True}


async def test_nobody_is_logged_in_in_a_new_home(server: ServerProcess) -> None:
    assert await server.result("getAuthStatus", WITH_TOKEN) == NO_STATUS


async def test_a_key_is_handed_out(server: ServerProcess) -> None:
    await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-test"})

    status = await server.result("getAuthStatus", WITH_TOKEN)
    assert status == {"authMethod": "apikey", "authToken": "sk-test", "requiresOpenaiAuth": True}


async def test_the_access_token_of_a_stored_chatgpt_login_is_handed_out(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    tokens = fake.mint()
    store(home, managed_login(tokens))

    async with start() as server:
        status = await server.result("getAuthStatus", WITH_TOKEN)
        assert status == {"authMethod": "chatgpt", "authToken": tokens.access_token, "requiresOpenaiAuth": True}


async def test_a_token_of_the_parent_is_handed_out(fake: FakeOpenAI, server: ServerProcess) -> None:
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)

    status = await server.result("getAuthStatus", WITH_TOKEN)
    expected = {"authMethod": "chatgptAuthTokens", "authToken": tokens.access_token, "requiresOpenaiAuth": True}
    assert status == expected


async def test_a_token_of_the_environment_is_withheld(fake: FakeOpenAI, start: Start) -> None:
    async with start(env={"CODEX_ACCESS_TOKEN": fake.mint_personal()}) as server:
        status = await server.result("getAuthStatus", WITH_TOKEN)
        assert status == {"authMethod": "personalAccessToken", "authToken": None, "requiresOpenaiAuth": True}


async def test_without_being_asked_for_no_token_is_handed_out(server: ServerProcess) -> None:
    await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-test"})

    without = {"authMethod": "apikey", "authToken": None, "requiresOpenaiAuth": True}
    for params in ({}, {"includeToken": False}, {"includeToken": None}):
        assert await server.result("getAuthStatus", params) == without, params


async def test_a_provider_without_openai_login_has_no_status(home: Path, start: Start) -> None:
    store(home, {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-test"})

    async with start(*PROVIDER) as server:
        assert await server.result("getAuthStatus", WITH_TOKEN) == {**NO_STATUS, "requiresOpenaiAuth": False}


async def test_there_is_nothing_to_refresh_about_a_key_or_about_tokens_of_the_parent(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    refresh = {**WITH_TOKEN, "refreshToken": True}
    assert await server.result("getAuthStatus", refresh) == NO_STATUS
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)
    assert (await server.result("getAuthStatus", refresh))["authToken"] == tokens.access_token
    await server.result("account/logout")
    await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-test"})
    assert (await server.result("getAuthStatus", refresh))["authToken"] == "sk-test"

    assert not [message for message in await server.barrier() if message["method"] == REFRESH]
    assert not fake.requests.of("token")
