"""Signing in at the fake issuer: browser, refresh, revocation, device codes, personal access tokens."""

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import orjson
import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.state import Settings, challenge_of
from app_server.fake_openai.tokens import AUTH_CLAIM, CLIENT_ID, PROFILE_CLAIM, Account
from tests.unit.fake_openai.conftest import Clock

VERIFIER = "v" * 86
REDIRECT = "http://127.0.0.1:1455/auth/callback"
AUTHORIZE = {
    "response_type": "code",
    "client_id": CLIENT_ID,
    "redirect_uri": REDIRECT,
    "code_challenge": challenge_of(VERIFIER),
    "code_challenge_method": "S256",
    "state": "st&te",
    "scope": "openid",
}
EXCHANGE = {
    "grant_type": "authorization_code",
    "client_id": CLIENT_ID,
    "redirect_uri": REDIRECT,
    "code_verifier": VERIFIER,
}
ID_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:id_token"
TO_API_KEY = {
    "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
    "client_id": CLIENT_ID,
    "requested_token": "openai-api-key",
    "subject_token_type": ID_TOKEN_TYPE,
}


def claims(token: str) -> dict[str, Any]:
    header, payload, signature = token.split(".")
    assert all((header, payload, signature))
    decoded: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return decoded


async def authorize(client: httpx2.AsyncClient, **changes: str) -> dict[str, list[str]]:
    """The parameters that the browser brings to the callback."""
    answer = await client.get("/oauth/authorize", params=AUTHORIZE | changes)
    assert answer.status_code == 302, answer.text
    location = answer.headers["location"]
    assert location.startswith(REDIRECT + "?")
    return parse_qs(urlsplit(location).query)


async def refresh(client: httpx2.AsyncClient, token: str) -> httpx2.Response:
    body = {"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_reason": "forced", "refresh_token": token}
    return await client.post("/oauth/token", json=body)


async def usage(client: httpx2.AsyncClient, token: str) -> int:
    answer = await client.get("/backend-api/wham/usage", headers={"authorization": f"Bearer {token}"})
    return answer.status_code


def code_of(answer: httpx2.Response) -> str:
    code: str = answer.json()["error"]["code"]
    return code


# -- browser


async def test_a_browser_login_ends_in_tokens_that_the_backend_accepts(
    fake: FakeOpenAI, client: httpx2.AsyncClient
) -> None:
    callback = await authorize(client)
    assert callback["state"] == ["st&te"]
    answer = await client.post("/oauth/token", data={**EXCHANGE, "code": callback["code"][0]})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert await usage(client, tokens["access_token"]) == 200
    assert (await refresh(client, tokens["refresh_token"])).status_code == 200
    assert claims(tokens["id_token"])["aud"] == [CLIENT_ID]


async def test_tokens_carry_the_claims_of_the_account_and_are_all_different(
    fake: FakeOpenAI, client: httpx2.AsyncClient, clock: Clock
) -> None:
    first, second = fake.mint(expires_in=60), fake.mint(expires_in=60)
    for token in (first.id_token, first.access_token):
        found = claims(token)
        assert found["email"] == "user@example.com"
        assert found["iat"] == clock.now
        assert found[AUTH_CLAIM] | {"organizations": []} == {
            "chatgpt_account_id": "acct-1",
            "chatgpt_plan_type": "plus",
            "chatgpt_user_id": "user-1",
            "user_id": "user-1",
            "organization_id": "org-1",
            "completed_platform_onboarding": True,
            "is_org_owner": True,
            "organizations": [],
        }
    assert claims(first.access_token)["exp"] == first.expires_at == clock.now + 60
    assert claims(first.access_token)[PROFILE_CLAIM]["email"] == "user@example.com"
    assert len({first.id_token, first.access_token, second.id_token, second.access_token}) == 4
    assert first.refresh_token != second.refresh_token


async def test_minted_claims_can_be_replaced_and_left_out(fake: FakeOpenAI) -> None:
    tokens = fake.mint(claims={"email": None, "extra": 1})
    assert "email" not in claims(tokens.access_token)
    assert claims(tokens.id_token)["extra"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"code_verifier": "x" * 86}, "code_verifier does not match"),
        ({"code_verifier": challenge_of(VERIFIER)}, "code_verifier does not match"),
        ({"redirect_uri": "http://127.0.0.1:1457/auth/callback"}, "redirect_uri differs"),
        ({"client_id": "app_other"}, "another client"),
        ({"code": "ac_made_up"}, "unknown or was already used"),
        ({"code_verifier": ""}, "code_verifier is missing"),
    ],
)
async def test_a_code_is_refused_to_who_cannot_prove_to_have_asked_for_it(
    client: httpx2.AsyncClient, change: dict[str, str], message: str
) -> None:
    code = (await authorize(client))["code"][0]
    answer = await client.post("/oauth/token", data={**EXCHANGE, "code": code} | change)
    assert answer.status_code == 400
    assert message in answer.json()["error_description"]


async def test_a_code_is_good_once_and_for_ten_minutes(client: httpx2.AsyncClient, clock: Clock) -> None:
    code = (await authorize(client))["code"][0]
    statuses = [(await client.post("/oauth/token", data={**EXCHANGE, "code": code})).status_code for _ in range(2)]
    assert statuses == [200, 400]
    late = (await authorize(client))["code"][0]
    clock.now += 601
    answer = await client.post("/oauth/token", data={**EXCHANGE, "code": late})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "https://evil.example/auth/callback"},
        {"redirect_uri": "http://127.0.0.1.evil.example/"},
        {"redirect_uri": ""},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"response_type": "token"},
        {"state": ""},
    ],
)
async def test_a_bad_authorization_request_is_never_redirected(
    client: httpx2.AsyncClient, change: dict[str, str]
) -> None:
    answer = await client.get("/oauth/authorize", params=AUTHORIZE | change)
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_authorization_can_be_refused(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.refuse_authorization("access_denied", "missing_codex_entitlement", times=1)
    refused = await authorize(client)
    assert refused == {
        "error": ["access_denied"],
        "error_description": ["missing_codex_entitlement"],
        "state": ["st&te"],
    }
    assert "code" in await authorize(client)


async def test_the_workspace_asked_for_signs_in_if_there_is_such_an_account(
    fake: FakeOpenAI, client: httpx2.AsyncClient
) -> None:
    fake.add_account(Account(account_id="acct-2", plan_type="pro"))
    for allowed, expected in (("x,acct-2", "acct-2"), ("x", "acct-1")):
        code = (await authorize(client, allowed_workspace_id=allowed))["code"][0]
        tokens = (await client.post("/oauth/token", data={**EXCHANGE, "code": code})).json()
        assert claims(tokens["id_token"])[AUTH_CLAIM]["chatgpt_account_id"] == expected


async def test_an_id_token_can_be_exchanged_for_an_api_key(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    answer = await client.post("/oauth/token", data={**TO_API_KEY, "subject_token": fake.mint().id_token})
    assert answer.json()["access_token"].startswith("sk-")


@pytest.mark.parametrize(
    "change", [{"subject_token": "eyJ.e30.x"}, {"requested_token": "other"}, {"subject_token_type": "other"}]
)
async def test_a_strange_token_exchange_is_refused(
    fake: FakeOpenAI, client: httpx2.AsyncClient, change: dict[str, str]
) -> None:
    fields = {**TO_API_KEY, "subject_token": fake.mint().id_token} | change
    answer = await client.post("/oauth/token", data=fields)
    assert answer.status_code in (400, 401)
    assert "access_token" not in answer.json()


async def test_a_person_who_is_not_onboarded_gets_no_api_key(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.add_account(Account(completed_platform_onboarding=False))
    answer = await client.post("/oauth/token", data={**TO_API_KEY, "subject_token": fake.mint().id_token})
    assert answer.status_code == 401


async def test_an_unknown_grant_type_and_an_unreadable_body_are_400(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/oauth/token", data={"grant_type": "password"})
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")
    assert (await client.post("/oauth/token", content=b"\xff")).status_code == 400
    assert (await client.post("/oauth/token", json=["refresh_token"])).status_code == 400


# -- refresh


async def test_a_refresh_token_is_spent_on_the_next_one_and_cannot_be_used_again(
    fake: FakeOpenAI, client: httpx2.AsyncClient
) -> None:
    first = fake.mint()
    second = (await refresh(client, first.refresh_token)).json()
    assert await usage(client, second["access_token"]) == 200
    reused = await refresh(client, first.refresh_token)
    assert (reused.status_code, code_of(reused)) == (401, "refresh_token_reused")
    third = await refresh(client, second["refresh_token"])
    assert third.status_code == 200
    assert await usage(client, first.access_token) == 200  # rotation does not end earlier access tokens


async def test_reuse_ends_the_whole_sign_in_when_so_configured(client: httpx2.AsyncClient, fake: FakeOpenAI) -> None:
    fake.configure(revoke_family_on_reuse=True)
    first = fake.mint()
    second = (await refresh(client, first.refresh_token)).json()
    assert code_of(await refresh(client, first.refresh_token)) == "refresh_token_reused"
    assert code_of(await refresh(client, second["refresh_token"])) == "refresh_token_invalidated"
    assert await usage(client, second["access_token"]) == 401


async def test_each_way_for_a_refresh_token_to_be_bad_has_its_code(
    fake: FakeOpenAI, client: httpx2.AsyncClient
) -> None:
    expired, revoked = fake.mint(), fake.mint()
    fake.expire(expired.refresh_token)
    fake.revoke(revoked.refresh_token)
    assert code_of(await refresh(client, expired.refresh_token)) == "refresh_token_expired"
    assert code_of(await refresh(client, revoked.refresh_token)) == "refresh_token_invalidated"
    assert code_of(await refresh(client, "rt.made-up")) == "invalid_grant"
    assert (await client.post("/oauth/token", json={"grant_type": "refresh_token"})).status_code == 400


async def test_a_refresh_brings_the_accounts_plan_of_today(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    tokens = fake.mint()
    fake.add_account(Account(plan_type="pro"))
    refreshed = (await refresh(client, tokens.refresh_token)).json()
    assert claims(refreshed["access_token"])[AUTH_CLAIM]["chatgpt_plan_type"] == "pro"


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
async def test_revoking_a_token_ends_its_sign_in_and_no_other(
    fake: FakeOpenAI, client: httpx2.AsyncClient, kind: str
) -> None:
    mine, other = fake.mint(), fake.mint()
    body = {"token": getattr(mine, kind), "token_type_hint": kind, "client_id": CLIENT_ID}
    assert (await client.post("/oauth/revoke", json=body)).status_code == 200
    assert await usage(client, mine.access_token) == 401
    assert await usage(client, other.access_token) == 200


async def test_revoking_an_unknown_token_succeeds_and_none_is_an_error(client: httpx2.AsyncClient) -> None:
    assert (await client.post("/oauth/revoke", json={"token": "made up"})).status_code == 200
    assert (await client.post("/oauth/revoke", json={})).status_code == 400


# -- device


async def start_device(client: httpx2.AsyncClient) -> dict[str, Any]:
    answer = await client.post("/api/accounts/deviceauth/usercode", json={"client_id": CLIENT_ID})
    device: dict[str, Any] = answer.json()
    return device


async def poll(client: httpx2.AsyncClient, device: dict[str, Any]) -> httpx2.Response:
    body = {name: device[name] for name in ("device_auth_id", "user_code")}
    return await client.post("/api/accounts/deviceauth/token", json=body)


async def test_an_approved_device_code_yields_tokens_once(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    device = await start_device(client)
    assert device["interval"] == "5"
    assert (await poll(client, device)).status_code == 403
    fake.approve_device(device["user_code"].lower())
    answer = (await poll(client, device)).json()
    assert answer["code_challenge"] == challenge_of(answer["code_verifier"])
    fields = EXCHANGE | {
        "code": answer["authorization_code"],
        "code_verifier": answer["code_verifier"],
        "redirect_uri": f"{fake.base_url}/deviceauth/callback",
    }
    tokens = (await client.post("/oauth/token", data=fields)).json()
    assert await usage(client, tokens["access_token"]) == 200
    assert (await poll(client, device)).status_code == 400


async def test_a_denied_expired_or_unknown_device_code_ends_the_polling(
    fake: FakeOpenAI, client: httpx2.AsyncClient, clock: Clock
) -> None:
    denied, expired = await start_device(client), await start_device(client)
    fake.deny_device(denied["user_code"])
    assert code_of(await poll(client, denied)) == "access_denied"
    clock.now += 901
    assert code_of(await poll(client, expired)) == "expired_token"
    assert code_of(await poll(client, {**expired, "user_code": "XXXX-XXXXX"})) == "deviceauth_unknown"


@pytest.mark.parametrize(("interval", "expected"), [(None, "absent"), (2, 2), ("0", "0")])
async def test_the_polling_interval_comes_as_configured(
    fake: FakeOpenAI, client: httpx2.AsyncClient, interval: str | int | None, expected: str | int
) -> None:
    fake.configure(device_interval=interval)
    assert (await start_device(client)).get("interval", "absent") == expected


async def test_a_person_decides_on_the_device_page(client: httpx2.AsyncClient) -> None:
    approved, denied = await start_device(client), await start_device(client)
    page = await client.get("/codex/device", params={"user_code": '"><script>'})
    assert '"><script>' not in page.text
    fields = {"user_code": approved["user_code"], "action": "approve"}
    assert (await client.post("/codex/device", data=fields)).status_code == 200
    assert (await client.post("/codex/device", data=fields)).status_code == 404  # decided already
    await client.post("/codex/device", data={"user_code": denied["user_code"], "action": "deny"})
    assert (await poll(client, approved)).status_code == 200
    assert (await poll(client, denied)).status_code == 400


# -- personal access tokens


async def test_whoami_tells_whose_personal_access_token_it_is(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    token = fake.mint_personal()

    async def whoami(bearer: str) -> httpx2.Response:
        return await client.get("/v1/user-auth-credential/whoami", headers={"authorization": f"Bearer {bearer}"})

    assert (await whoami(token)).json() == {
        "email": "user@example.com",
        "chatgpt_user_id": "user-1",
        "chatgpt_account_id": "acct-1",
        "chatgpt_plan_type": "plus",
        "chatgpt_account_is_fedramp": False,
    }
    assert await usage(client, token) == 200
    assert (await whoami("at-made-up")).status_code == 401
    assert (await whoami(fake.mint().access_token)).status_code == 401
    fake.expire(token)
    assert (await whoami(token)).status_code == 401


def test_settings_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValueError, match="acept_any_token"):
        Settings.model_validate({"acept_any_token": True})
