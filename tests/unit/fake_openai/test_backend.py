"""The fake backend: who is let in, and the shapes that the reference was seen to accept."""

import httpx2
import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account
from tests.unit.fake_openai.conftest import Clock

CHATGPT_PATHS = [
    f"{base}/{path}"
    for base in ("/backend-api/wham", "/api/codex")
    for path in ("usage", "rate-limit-reset-credits", "accounts/check", "settings/user")
]
API_PATHS = ["/v1/models", "/backend-api/codex/models", "/models"]


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", CHATGPT_PATHS + API_PATHS)
async def test_tokens_of_the_fake_are_let_in_everywhere(
    fake: FakeOpenAI, client: httpx2.AsyncClient, path: str
) -> None:
    for token in (fake.mint().access_token, fake.mint_personal()):
        assert (await client.get(path, headers=bearer(token))).status_code == 200


@pytest.mark.parametrize("path", CHATGPT_PATHS + API_PATHS)
async def test_unknown_expired_and_missing_tokens_are_401(
    fake: FakeOpenAI, client: httpx2.AsyncClient, clock: Clock, path: str
) -> None:
    by_time, on_purpose, personal = fake.mint(expires_in=60), fake.mint(), fake.mint_personal()
    fake.expire(on_purpose.access_token)
    fake.expire(personal)
    clock.now += 60
    tokens = [by_time.access_token, on_purpose.access_token, personal, "eyJ.e30.c2ln", "at-made-up"]
    answers = [await client.get(path, headers=bearer(token)) for token in tokens]
    answers.append(await client.get(path))
    answers.append(await client.get(path, headers={"authorization": "Basic dTpw"}))
    for answer in answers:
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "token_expired"


async def test_api_keys_are_for_the_api_only_and_can_be_expired(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    for path in API_PATHS:
        assert (await client.get(path, headers=bearer("any text"))).status_code == 200
    for path in CHATGPT_PATHS:
        assert (await client.get(path, headers=bearer("any text"))).status_code == 401
    fake.expire("any text")
    for path in API_PATHS:
        assert (await client.get(path, headers=bearer("any text"))).status_code == 401


async def test_any_token_is_let_in_when_so_configured_unless_expired_on_purpose(
    fake: FakeOpenAI, client: httpx2.AsyncClient
) -> None:
    fake.configure(accept_any_token=True)
    old = fake.mint(expires_in=-1).access_token
    for path in CHATGPT_PATHS:
        assert (await client.get(path, headers=bearer("whatever"))).status_code == 200
        assert (await client.get(path, headers=bearer(old))).status_code == 200
    fake.expire("whatever")
    assert (await client.get(CHATGPT_PATHS[0], headers=bearer("whatever"))).status_code == 401


async def test_usage_is_that_of_the_tokens_account_or_the_selected_one(
    fake: FakeOpenAI, client: httpx2.AsyncClient, clock: Clock
) -> None:
    fake.add_account(Account(account_id="acct-2", plan_type="pro"))
    fake.add_account(Account(account_id="acct-3", user_id="someone-else"))
    headers = bearer(fake.mint().access_token)
    usage = (await client.get("/backend-api/wham/usage", headers=headers)).json()
    assert (usage["account_id"], usage["user_id"], usage["plan_type"]) == ("acct-1", "user-1", "plus")
    window = usage["rate_limit"]["primary_window"]
    assert (window["used_percent"], window["limit_window_seconds"]) == (12, 18_000)
    assert window["reset_at"] == clock.now + window["reset_after_seconds"]
    for selected, expected in (("acct-2", "acct-2"), ("acct-3", "acct-1")):
        answer = await client.get("/api/codex/usage", headers={**headers, "ChatGPT-Account-ID": selected})
        assert answer.json()["account_id"] == expected


async def test_accounts_check_lists_the_workspaces_of_the_person(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.add_account(Account(account_id="acct-2", workspace_name=None, backend_origin="NO_CONSTRAINT"))
    fake.add_account(Account(account_id="acct-3", user_id="someone-else"))
    answer = await client.get("/backend-api/wham/accounts/check", headers=bearer(fake.mint().access_token))
    assert answer.json() == {
        "accounts": [
            {
                "id": "acct-1",
                "name": "Acme",
                "workspace_backend_origin": "https://chatgpt.com",
                "account_routing_override": "NO_CONSTRAINT",
            },
            {
                "id": "acct-2",
                "name": None,
                "workspace_backend_origin": "NO_CONSTRAINT",
                "account_routing_override": "NO_CONSTRAINT",
            },
        ]
    }


async def test_models_come_in_the_public_shape_and_in_the_references(client: httpx2.AsyncClient) -> None:
    models = (await client.get("/v1/models", params={"client_version": "0.169.0"}, headers=bearer("sk"))).json()
    assert [model["id"] for model in models["data"]] == [model["slug"] for model in models["models"]]
    assert models["models"][0]["supported_reasoning_levels"][0] == {"effort": "low", "description": "Echoes"}


async def test_reset_credits_are_one_that_is_available(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    path = "/backend-api/wham/rate-limit-reset-credits"
    answer = (await client.get(path, headers=bearer(fake.mint().access_token))).json()
    assert (answer["available_count"], answer["credits"][0]["status"]) == (1, "available")


async def test_unknown_paths_are_404_and_wrong_methods_405(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    token = bearer(fake.mint().access_token)
    assert (await client.get("/nowhere", headers=token)).json()["error"]["code"] == "not_found"
    answer = await client.post("/backend-api/wham/usage", headers=token)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert (await client.head("/backend-api/wham/usage", headers=token)).status_code == 200
