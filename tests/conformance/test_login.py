"""Logins of a person: browser, device code, and what ends them (wire.md sections 7 and 8)."""

import json
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.conformance.conftest import Differs
from tests.conformance.support import common, told
from tests.support.server import DEADLINE, Json, ServerProcess
from tests.support.upstream import COMPLETED, LOGIN, NO_STATUS, SUCCEEDED, UPDATED, stored

CANCEL = "account/login/cancel"
DEVICE: Json = {"type": "chatgptDeviceCode"}
BROWSER: Json = {"type": "chatgpt"}
NOT_COMPLETED = "Login was not completed"


def failed(login_id: str, error: str) -> Json:
    return {**SUCCEEDED, "loginId": login_id, "success": False, "error": error}


@pytest.fixture
def device(fake: FakeOpenAI) -> FakeOpenAI:
    """Device codes are polled once a second."""
    fake.configure(device_interval="1")
    return fake


async def test_a_login_that_is_not_pending_cannot_be_cancelled(server: ServerProcess) -> None:
    for login_id in ("3f0c2a52-9e4e-4be7-8a3b-5f1f2d3c4b5a", "{3F0C2A52-9E4E-4BE7-8A3B-5F1F2D3C4B5A}"):
        assert await server.result(CANCEL, {"loginId": login_id}) == {"status": "notFound"}


async def test_a_device_login_completes_when_the_person_agrees(server: ServerProcess, device: FakeOpenAI) -> None:
    begun = await server.result(LOGIN, DEVICE)
    assert set(begun) == {"type", "loginId", "verificationUrl", "userCode"}
    assert (begun["type"], begun["verificationUrl"]) == ("chatgptDeviceCode", f"{device.base_url}/codex/device")
    device.approve_device(begun["userCode"])
    assert await server.notification(COMPLETED) == {**SUCCEEDED, "loginId": begun["loginId"]}
    assert await server.notification(UPDATED) == {"authMode": "chatgpt", "planType": "plus"}
    login = stored(server.home)
    assert (login["auth_mode"], login["OPENAI_API_KEY"], login["tokens"]["account_id"]) == ("chatgpt", None, "acct-1")
    assert (server.home / "auth.json").stat().st_mode & 0o777 == 0o600


async def test_a_device_login_can_be_cancelled(server: ServerProcess, device: FakeOpenAI) -> None:
    begun = await server.result(LOGIN, DEVICE)
    assert await server.result(CANCEL, {"loginId": begun["loginId"]}) == {"status": "canceled"}
    assert await server.notification(COMPLETED) == failed(begun["loginId"], NOT_COMPLETED)
    assert await server.result(CANCEL, {"loginId": begun["loginId"]}) == {"status": "notFound"}


async def test_a_login_of_another_kind_ends_one_that_is_pending_before_it_is_answered(
    server: ServerProcess, device: FakeOpenAI
) -> None:
    begun = await server.result(LOGIN, DEVICE)
    await server.send({"id": "k", "method": LOGIN, "params": {"type": "apiKey", "apiKey": "sk-1"}})
    ended, answer, *said = common(await server.barrier())
    assert ended["params"] == failed(begun["loginId"], NOT_COMPLETED)
    assert answer["id"] == "k"
    assert [method for method, _ in told(said)] == [COMPLETED, UPDATED]


async def test_a_logout_ends_a_login_that_is_pending_before_it_is_answered(
    server: ServerProcess, device: FakeOpenAI
) -> None:
    begun = await server.result(LOGIN, DEVICE)
    await server.send({"id": "out", "method": "account/logout"})
    ended, answer, said = common(await server.barrier())
    assert ended["params"] == failed(begun["loginId"], NOT_COMPLETED)
    assert answer == {"id": "out", "result": {}}
    assert said["params"] == {"authMode": None, "planType": None}


async def test_a_denied_device_login_fails(server: ServerProcess, device: FakeOpenAI) -> None:
    begun = await server.result(LOGIN, DEVICE)
    device.fault("device_token", status=400, json={"error": "denied"})
    ended = await server.notification(COMPLETED)
    assert ended == failed(begun["loginId"], "device auth failed with status 400 Bad Request")
    assert told(await server.barrier()) == []


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (
            404,
            -32600,
            "device code login is not enabled for this Codex server. Use the browser login or verify the server URL.",
        ),
        (
            500,
            -32603,
            "failed to request device code: device code request failed with status 500 Internal Server Error",
        ),
    ],
)
async def test_a_device_code_that_cannot_be_had_is_an_error(
    server: ServerProcess, fake: FakeOpenAI, status: int, code: int, text: str
) -> None:
    fake.fault("device_usercode", status=status)
    assert await server.error(LOGIN, DEVICE) == {"code": code, "message": text}


# The browser


async def visit(url: str, *, follow: bool = False) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.get(url, timeout=DEADLINE, follow_redirects=follow)


async def callback(url: str) -> str:
    """Where the issuer sends the browser, when the person agrees."""
    answer = await visit(url)
    return answer.headers["location"]


async def test_the_url_for_the_browser_has_all_that_the_issuer_wants(server: ServerProcess, fake: FakeOpenAI) -> None:
    begun = await server.result(LOGIN, BROWSER)
    assert (set(begun), begun["type"]) == ({"type", "loginId", "authUrl"}, "chatgpt")
    url = urlsplit(begun["authUrl"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{fake.base_url}/oauth/authorize"
    query = parse_qsl(url.query)
    assert [name for name, _ in query] == [
        "response_type",
        "client_id",
        "redirect_uri",
        "code_challenge",
        "code_challenge_method",
        "state",
        "scope",
        "id_token_add_organizations",
        "codex_cli_simplified_flow",
        "originator",
    ]
    given = dict(query)
    assert (given["client_id"], given["originator"], given["code_challenge_method"]) == (
        "client-of-the-tests",
        "test",
        "S256",
    )
    assert given["scope"] == "openid profile email offline_access api.connectors.read api.connectors.invoke"
    assert len(given["state"]) == 43
    assert await server.result(CANCEL, {"loginId": begun["loginId"]}) == {"status": "canceled"}
    assert await server.notification(COMPLETED) == failed(begun["loginId"], f"Login server error: {NOT_COMPLETED}")


async def test_a_browser_login_completes_when_the_last_page_is_seen(server: ServerProcess) -> None:
    begun = await server.result(LOGIN, BROWSER)
    page = await visit(await callback(begun["authUrl"]), follow=True)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert await server.notification(COMPLETED) == {**SUCCEEDED, "loginId": begun["loginId"]}
    assert await server.notification(UPDATED) == {"authMode": "chatgpt", "planType": "plus"}
    login = stored(server.home)
    assert {"auth_mode", "OPENAI_API_KEY", "tokens", "last_refresh"} <= set(login)
    tokens = login["tokens"]
    assert {"id_token", "access_token", "refresh_token", "account_id", "oauth_provenance"} <= set(tokens)


async def test_a_browser_that_does_not_load_the_page_it_is_sent_to(server: ServerProcess, differs: Differs) -> None:
    begun = await server.result(LOGIN, BROWSER)
    answer = await visit(await callback(begun["authUrl"]))
    differs("answer-to-callback", answer.status_code)
    differs("token-in-url", "id_token=" in answer.headers.get("location", ""))
    await server.result(CANCEL, {"loginId": begun["loginId"]})
    differs("last-page-not-loaded", (await server.notification(COMPLETED))["success"])


async def test_a_success_page_that_nobody_was_sent_to(server: ServerProcess, differs: Differs) -> None:
    begun = await server.result(LOGIN, BROWSER)
    redirect = urlsplit(dict(parse_qsl(urlsplit(begun["authUrl"]).query))["redirect_uri"])
    await visit(f"http://{redirect.netloc}/success")
    await server.result("getAuthStatus", {})
    await server.result(CANCEL, {"loginId": begun["loginId"]})
    completed = await server.notification(COMPLETED)
    differs("forged-success", {**completed, "loginId": None})


async def test_a_callback_with_a_wrong_state_is_refused_and_the_login_goes_on(server: ServerProcess) -> None:
    begun = await server.result(LOGIN, BROWSER)
    target = await callback(begun["authUrl"])
    base = target.partition("?")[0]
    for query in ("", "?code=x", "?code=x&state=wrong", "?error=access_denied&state=wrong"):
        answer = await visit(base + query)
        assert (answer.status_code, answer.text) == (400, "State mismatch")
    assert (await visit(base.replace("/auth/callback", "/elsewhere"))).status_code == 404
    assert told(await server.barrier()) == []
    await visit(target, follow=True)
    assert (await server.notification(COMPLETED))["success"]


async def test_a_person_who_declines_ends_the_login(server: ServerProcess) -> None:
    begun = await server.result(LOGIN, BROWSER)
    target = await callback(begun["authUrl"])
    state = dict(parse_qsl(urlsplit(target).query))["state"]
    page = await visit(f"{target.partition('?')[0]}?state={state}&error=access_denied&error_description=No+thanks")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    ended = await server.notification(COMPLETED)
    assert ended == failed(begun["loginId"], "Login server error: Sign-in failed: No thanks")
    assert await server.result("getAuthStatus", {}) == NO_STATUS


async def test_a_code_that_is_refused_ends_the_login(server: ServerProcess, fake: FakeOpenAI) -> None:
    begun = await server.result(LOGIN, BROWSER)
    body = json.dumps({"error": "invalid_grant", "error_description": "Used up."})
    fake.fault("token", status=400, body=body)
    await visit(await callback(begun["authUrl"]))
    text = "Login server error: Token exchange failed: token endpoint returned status 400 Bad Request: Used up."
    assert await server.notification(COMPLETED) == failed(begun["loginId"], text)
