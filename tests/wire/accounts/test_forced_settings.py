"""Logins that the configuration allows, and stores that it names (wire.md section 6)."""

from pathlib import Path

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account
from tests.support.server import Json, ServerProcess
from tests.support.upstream import (
    LOGIN,
    NO_STATUS,
    NOBODY,
    Start,
    log_in_with_tokens,
    managed_login,
    store,
    token_in_force,
    tokens_login,
)

KEY: Json = {"type": "apiKey", "apiKey": "sk-test"}
BEDROCK: Json = {"type": "amazonBedrock", "apiKey": "key", "region": "us-east-1"}
BEDROCK_ACCESS_KEYS: Json = {
    "type": "amazonBedrockAccessKeys",
    "accessKeyId": "id",
    "secretAccessKey": "key",
    "region": "us-east-1",
}
BROWSER: Json = {"type": "chatgpt"}
DEVICE: Json = {"type": "chatgptDeviceCode"}


async def refusals(server: ServerProcess, *logins: Json) -> list[str]:
    """The texts with which these logins are refused."""
    errors = [await server.error(LOGIN, login) for login in logins]
    assert {error["code"] for error in errors} == {-32600}
    return [error["message"] for error in errors]


async def test_where_chatgpt_is_forced_nothing_else_is_possible(fake: FakeOpenAI, start: Start) -> None:
    async with start('forced_login_method="chatgpt"') as server:
        assert await refusals(server, KEY, BEDROCK, BEDROCK_ACCESS_KEYS) == [
            "API key login is disabled. Use ChatGPT login instead.",
            "Amazon Bedrock login is disabled. Use ChatGPT login instead.",
            "Amazon Bedrock login is disabled. Use ChatGPT login instead.",
        ]
        assert await server.barrier() == []
        assert not (server.home / "auth.json").exists()

        await log_in_with_tokens(server, fake.mint())


async def test_where_a_key_is_forced_nothing_of_chatgpt_is_possible(fake: FakeOpenAI, start: Start) -> None:
    async with start('forced_login_method="api"') as server:
        assert await refusals(server, BROWSER, DEVICE, tokens_login(fake.mint())) == [
            "ChatGPT login is disabled. Use API key login instead.",
            "ChatGPT login is disabled. Use API key login instead.",
            "External ChatGPT auth is disabled. Use API key login instead.",
        ]
        assert await server.barrier() == []
        assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS

        assert await server.result(LOGIN, KEY) == {"type": "apiKey"}


async def test_tokens_of_the_parent_have_to_be_of_a_forced_workspace(fake: FakeOpenAI, start: Start) -> None:
    fake.add_account(Account(account_id="acct-2"))
    one, other = fake.mint("acct-1"), fake.mint("acct-2")

    async with start('forced_chatgpt_workspace_id=["acct-1", "acct-3"]') as server:
        await log_in_with_tokens(server, one)
        # What counts is the parameter, whatever the claims say.
        refused = [
            tokens_login(other),
            tokens_login(one, chatgptAccountId="acct-2"),
            tokens_login(one, chatgptAccountId=""),
        ]
        assert await refusals(server, *refused) == [
            'External auth must use one of workspace(s) ["acct-1", "acct-3"], but received "acct-2".',
            'External auth must use one of workspace(s) ["acct-1", "acct-3"], but received "acct-2".',
            'External auth must use one of workspace(s) ["acct-1", "acct-3"], but received "".',
        ]
        assert await server.barrier() == []
        assert await token_in_force(server) == one.access_token

        foreign_claims = fake.mint(claims={"https://api.openai.com/auth": {"chatgpt_account_id": "acct-2"}})
        await log_in_with_tokens(server, foreign_claims)
        assert await token_in_force(server) == foreign_claims.access_token


async def test_one_forced_workspace_can_be_a_string_and_restricts_no_keys(fake: FakeOpenAI, start: Start) -> None:
    async with start('forced_chatgpt_workspace_id="acct-2"') as server:
        assert await refusals(server, tokens_login(fake.mint())) == [
            'External auth must use one of workspace(s) ["acct-2"], but received "acct-1".'
        ]
        assert await server.result(LOGIN, KEY) == {"type": "apiKey"}


async def test_a_stored_login_that_is_not_allowed_is_ignored_and_kept(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    managed = managed_login(fake.mint())
    for setting, login in (
        ('forced_login_method="chatgpt"', {"OPENAI_API_KEY": "sk-test"}),
        ('forced_login_method="api"', managed),
        ('forced_chatgpt_workspace_id=["acct-2", "acct-3"]', managed),
    ):
        file = store(home, login)
        before = file.read_bytes()

        async with start(setting) as server:
            assert await server.result("account/read", {}) == NOBODY, setting
            assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS, setting
            assert await server.barrier() == []

        assert file.read_bytes() == before, setting
    assert list(fake.requests) == []


async def test_a_stored_login_that_is_allowed_is_used(fake: FakeOpenAI, home: Path, start: Start) -> None:
    store(home, managed_login(fake.mint()))

    async with start('forced_login_method="chatgpt"', 'forced_chatgpt_workspace_id=["acct-2", "acct-1"]') as server:
        assert (await server.result("account/read", {}))["userId"] == "user-1"


async def test_the_ephemeral_store_neither_reads_nor_touches_the_file(home: Path, start: Start) -> None:
    file = store(home, {"OPENAI_API_KEY": "sk-stored"})
    before = file.read_bytes(), file.stat().st_mtime_ns

    async with start('cli_auth_credentials_store="ephemeral"') as server:
        assert await server.result("account/read", {}) == NOBODY
        await server.result(LOGIN, KEY)
        assert await token_in_force(server) == "sk-test"
        assert await server.result("account/logout") == {}
        assert await server.result("account/read", {}) == NOBODY
        await server.result(LOGIN, KEY)

    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    async with start('cli_auth_credentials_store="ephemeral"') as server:
        assert await server.result("account/read", {}) == NOBODY


async def test_keys_of_the_environment_log_nobody_in(start: Start) -> None:
    async with start(env={"OPENAI_API_KEY": "sk-environment", "CODEX_API_KEY": "sk-environment"}) as server:
        assert await server.result("account/read", {}) == NOBODY
        assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS
        assert await server.barrier() == []
