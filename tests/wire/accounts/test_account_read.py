"""``account/read``: one answer for each kind of login (wire.md section 3)."""

from pathlib import Path

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import (
    LOGIN,
    NOBODY,
    PROVIDER,
    REFRESH,
    Start,
    log_in_with_tokens,
    managed_login,
    store,
    tokens_login,
)

PLUS_OF_ACME: Json = {
    "account": {"type": "chatgpt", "email": "user@example.com", "planType": "plus", "workspaceName": "Acme"},
    "userId": "user-1",
    "requiresOpenaiAuth": True,
    "workspaceRouting": {
        "chatgptAccountId": "acct-1",
        "backendOrigin": "https://chatgpt.com",
        "accountRoutingOverride": "NO_CONSTRAINT",
    },
}
"""The fake's first account, whoever owns its tokens."""


async def test_nobody_is_logged_in_in_a_new_home(server: ServerProcess) -> None:
    assert await server.result("account/read", {}) == NOBODY


async def test_an_api_key_has_a_type_and_nothing_else(server: ServerProcess) -> None:
    await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-test"})

    assert await server.result("account/read", {}) == {**NOBODY, "account": {"type": "apiKey"}}


async def test_a_stored_chatgpt_login_has_an_owner_a_plan_and_a_workspace(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    store(home, managed_login(fake.mint()))

    async with start() as server:
        assert await server.result("account/read", {}) == PLUS_OF_ACME


async def test_tokens_of_the_parent_look_like_any_chatgpt_login(fake: FakeOpenAI, server: ServerProcess) -> None:
    await server.result(LOGIN, tokens_login(fake.mint()))

    assert await server.result("account/read", {}) == PLUS_OF_ACME


async def test_a_token_of_the_environment_looks_like_any_chatgpt_login(fake: FakeOpenAI, start: Start) -> None:
    async with start(env={"CODEX_ACCESS_TOKEN": fake.mint_personal()}) as server:
        assert await server.result("account/read", {}) == PLUS_OF_ACME


async def test_the_workspace_routing_needs_no_experimental_api(fake: FakeOpenAI, home: Path, start: Start) -> None:
    store(home, managed_login(fake.mint()))

    async with start(initialize=False) as server:
        await server.initialize(experimentalApi=False)

        assert await server.result("account/read", {}) == PLUS_OF_ACME


async def test_a_provider_without_openai_login_has_no_account(fake: FakeOpenAI, home: Path, start: Start) -> None:
    store(home, {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-test"})

    async with start(*PROVIDER) as server:
        nobody = {**NOBODY, "requiresOpenaiAuth": False}
        assert await server.result("account/read", {}) == nobody

        await log_in_with_tokens(server, fake.mint())
        assert await server.result("account/read", {}) == nobody


async def test_a_provider_that_wants_the_openai_login_has_an_account(home: Path, start: Start) -> None:
    store(home, {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-test"})

    async with start(*PROVIDER, "model_providers.mine.requires_openai_auth=true") as server:
        assert await server.result("account/read", {}) == {**NOBODY, "account": {"type": "apiKey"}}


PROFILE = "https://api.openai.com/profile"
AUTH = "https://api.openai.com/auth"


CLAIMS_AND_OWNERS: list[tuple[Json, Json]] = [
    ({"email": "claim@example.com", PROFILE: {"email": "profile@example.com"}}, {"email": "claim@example.com"}),
    ({"email": None, PROFILE: {"email": "profile@example.com"}}, {"email": "profile@example.com"}),
    ({"email": None, PROFILE: None}, {"email": None}),
    ({AUTH: {"chatgpt_plan_type": "pro"}}, {"planType": "pro"}),
    ({AUTH: {"chatgpt_plan_type": "a plan of tomorrow"}}, {"planType": "unknown"}),
    ({AUTH: {}}, {"planType": "unknown"}),
]


async def test_the_owner_is_read_from_the_claims(fake: FakeOpenAI, server: ServerProcess) -> None:
    for claims, owner in CLAIMS_AND_OWNERS:
        await log_in_with_tokens(server, fake.mint(claims=claims))

        account = (await server.result("account/read", {}))["account"]
        assert {name: account[name] for name in owner} == owner, claims


async def test_a_workspace_without_a_name_has_none(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.add_account(fake.state.current.model_copy(update={"workspace_name": None}))
    await log_in_with_tokens(server, fake.mint())

    account = (await server.result("account/read", {}))["account"]
    assert account == {**PLUS_OF_ACME["account"], "workspaceName": None}


async def test_there_is_nothing_to_refresh_about_a_key_or_about_tokens_of_the_parent(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    assert await server.result("account/read", {"refreshToken": True}) == NOBODY
    await log_in_with_tokens(server, fake.mint())
    assert await server.result("account/read", {"refreshToken": True}) == PLUS_OF_ACME
    await server.result("account/logout")
    await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-test"})
    assert (await server.result("account/read", {"refreshToken": True}))["account"] == {"type": "apiKey"}

    assert not [message for message in await server.barrier() if message["method"] == REFRESH]
    assert not fake.requests.of("token")
