"""Programming the fake over HTTP: every endpoint, and what bad input gets."""

import re
from typing import Any

import httpx2
import pytest

from app_server.fake_openai.server import FakeOpenAI

KEY = {"authorization": "Bearer sk-1"}


async def control(client: httpx2.AsyncClient, path: str, body: Any = None) -> Any:
    """The answer of a control request that must succeed."""
    answer = await client.post(f"/__fake__{path}", json={} if body is None else body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def usage(client: httpx2.AsyncClient, token: str) -> int:
    answer = await client.get("/backend-api/wham/usage", headers={"authorization": f"Bearer {token}"})
    return answer.status_code


@pytest.mark.parametrize("path", ["/__fake__", "/__fake__/"])
async def test_it_describes_itself(fake: FakeOpenAI, client: httpx2.AsyncClient, path: str) -> None:
    described = (await client.get(path)).json()
    assert described["base_url"] == fake.base_url
    assert described["environment"] == fake.environment()
    assert described["config_overrides"] == fake.config_overrides()
    assert "usage" in described["routes"]
    assert described["accounts"][0]["account_id"] == "acct-1"
    assert described["settings"]["accept_any_token"] is False


async def test_tokens_are_minted_expired_and_revoked(client: httpx2.AsyncClient) -> None:
    first = await control(client, "/tokens")
    assert first["account_id"] == "acct-1"
    assert await usage(client, first["access_token"]) == 200
    await control(client, "/tokens/expire", {"token": first["access_token"]})
    assert await usage(client, first["access_token"]) == 401
    second = await control(client, "/tokens", {"account_id": "acct-1", "expires_in": 60, "claims": {"email": None}})
    await control(client, "/tokens/revoke", {"token": second["refresh_token"]})
    assert await usage(client, second["access_token"]) == 401
    personal = await control(client, "/tokens", {"kind": "personal"})
    assert personal["access_token"].startswith("at-")
    assert await usage(client, personal["access_token"]) == 200


async def test_faults_are_declared_and_cleared(client: httpx2.AsyncClient) -> None:
    await control(client, "/faults", {"route": "models", "status": 503, "times": None})
    assert (await client.get("/v1/models", headers=KEY)).status_code == 503
    assert (await client.request("DELETE", "/__fake__/faults")).status_code == 200
    assert (await client.get("/v1/models", headers=KEY)).status_code == 200
    await control(client, "/faults", {"route": "models", "json": {"odd": True}})
    assert (await client.get("/v1/models", headers=KEY)).json() == {"odd": True}


async def test_what_hangs_is_released(client: httpx2.AsyncClient) -> None:
    import anyio

    await control(client, "/faults", {"route": "models", "hang": True})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: client.get("/v1/models", headers=KEY))
        await control(client, "/release", {"count": 1, "timeout": 5})
    early = await client.post("/__fake__/release", json={"count": 1, "timeout": 0.01})
    assert early.status_code == 408
    await control(client, "/release")


async def test_answers_are_scripted(client: httpx2.AsyncClient) -> None:
    await control(client, "/script", {"text": "scripted", "events": None})
    answer = await client.post("/v1/responses", json={"input": "x"}, headers=KEY)
    assert answer.json()["output"][0]["content"][0]["text"] == "scripted"


async def test_every_part_of_a_script_goes_over_http(client: httpx2.AsyncClient) -> None:
    script = {
        "reasoning": "Hm.",
        "messages": [{"text": "Wait.", "phase": "commentary"}],
        "tool_calls": [{"name": "lookup", "namespace": "ns", "arguments": {"q": "x"}, "call_id": "call_1"}],
        "usage": {"input_tokens": 10, "output_tokens": 5},
        "status": "incomplete",
        "incomplete_reason": "content_filter",
        "end_turn": False,
        "model": "other",
    }
    await control(client, "/script", script)
    answer = (await client.post("/v1/responses", json={"input": "x"}, headers=KEY)).json()
    assert [item["type"] for item in answer["output"]] == ["reasoning", "message", "function_call"]
    assert (answer["usage"]["total_tokens"], answer["model"], answer["end_turn"]) == (15, "other", False)
    assert answer["incomplete_details"] == {"reason": "content_filter"}


async def test_tokens_of_an_account_expire_now_or_later(client: httpx2.AsyncClient) -> None:
    first = (await control(client, "/tokens"))["access_token"]
    await control(client, "/accounts/expire")
    assert await usage(client, first) == 401
    second = (await control(client, "/tokens"))["access_token"]
    await control(client, "/accounts/expire", {"account_id": "acct-1", "after_requests": 0, "after_events": 2})
    assert await usage(client, second) == 200
    headers = {"authorization": f"Bearer {second}"}
    await client.post("/v1/responses", json={"input": "x", "stream": True}, headers=headers)
    assert await usage(client, second) == 401


async def test_it_explains_itself(client: httpx2.AsyncClient) -> None:
    text = (await client.get("/__fake__/help")).text
    assert "/__fake__/accounts/expire" in text
    schemas = (await client.get("/__fake__/schema")).json()
    assert schemas["script"]["properties"]["deltas"]["description"].startswith("In how many pieces")
    assert schemas["fault"]["properties"]["drop_inside_event"]["description"]
    assert schemas["account"]["properties"]["backend_origin"]["description"]
    assert schemas["settings"]["properties"]["accept_any_token"]["description"]


async def test_every_curl_line_of_the_help_with_a_script_fault_or_expiry_works(client: httpx2.AsyncClient) -> None:
    text = (await client.get("/__fake__/help")).text
    lines = re.findall(r"\$URL/__fake__(/(?:script|faults|accounts|accounts/expire|settings)) -d '([^']*)'", text)
    assert len(lines) > 15
    for path, body in lines:
        answer = await client.post(f"/__fake__{path}", content=body)
        assert answer.status_code == 200, (path, body, answer.text)


async def test_accounts_and_settings_are_changed(client: httpx2.AsyncClient) -> None:
    await control(client, "/accounts", {"account": {"account_id": "acct-2", "plan_type": "pro"}, "current": True})
    assert (await control(client, "/tokens"))["account_id"] == "acct-2"
    assert (await control(client, "/settings", {"accept_any_token": True}))["accept_any_token"] is True
    assert await usage(client, "anything") == 200
    await control(client, "/reset")
    assert await usage(client, "anything") == 401


async def test_authorization_is_refused_on_demand(client: httpx2.AsyncClient) -> None:
    await control(client, "/authorize", {"error": "access_denied", "description": "No.", "times": 1})
    parameters = {
        "response_type": "code",
        "client_id": "c",
        "redirect_uri": "http://localhost:1/x?y=z",
        "code_challenge": "c",
        "code_challenge_method": "S256",
        "state": "s",
    }
    answer = await client.get("/oauth/authorize", params=parameters)
    assert answer.headers["location"] == ("http://localhost:1/x?y=z&error=access_denied&error_description=No.&state=s")


@pytest.mark.parametrize(("action", "status"), [("approve", 200), ("deny", 400)])
async def test_device_codes_are_decided(client: httpx2.AsyncClient, action: str, status: int) -> None:
    device = (await client.post("/api/accounts/deviceauth/usercode", json={"client_id": "c"})).json()
    await control(client, f"/device/{action}", {"user_code": device["user_code"]})
    del device["interval"]
    assert (await client.post("/api/accounts/deviceauth/token", json=device)).status_code == status


async def test_recorded_requests_are_read_and_waited_for(client: httpx2.AsyncClient) -> None:
    await client.post("/v1/responses", json={"input": "x"}, headers=KEY)
    await client.get("/nowhere?a=b")
    await client.post("/nowhere", content=b"\xff")
    everything = (await client.get("/__fake__/requests")).json()["requests"]
    assert [(found["route"], found["path"]) for found in everything] == [
        ("responses", "/v1/responses"),
        ("unknown", "/nowhere"),
        ("unknown", "/nowhere"),
    ]
    assert everything[0]["body"] == {"input": "x"}
    assert everything[0]["headers"]["authorization"] == "Bearer sk-1"
    assert (everything[1]["query"], everything[2]["body"]) == ({"a": "b"}, "\ufffd")
    parameters = {"route": "responses", "count": "1", "timeout": "5"}
    assert len((await client.get("/__fake__/requests", params=parameters)).json()["requests"]) == 1
    late = await client.get("/__fake__/requests", params={**parameters, "count": "2", "timeout": "0.01"})
    assert late.status_code == 408
    assert "2 of responses did not come" in late.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/faults", b"", "Invalid JSON"),
        ("/faults", b"[]", "should be an object"),
        ("/faults", b'{"route": "usage", "status": 1e400}', "status"),
        ("/faults", b'{"route": "usage", "delay": "1"}', "delay: "),
        ("/faults", b'{"route": "usage", "colour": 1, "status": 500}', "colour: Extra inputs are not permitted"),
        ("/faults", b'{"route": "nowhere", "status": 500}', "unknown route 'nowhere'"),
        ("/script", b'{"deltas": 0}', "deltas: "),
        ("/script", b'{"events": [1]}', "events.0: "),
        ("/script", b'{"text": "\\ud800"}', "Invalid JSON"),
        ("/script", b'{"txt": "x"}', "txt: Extra inputs"),
        ("/script", b'{"tool_calls": [{}]}', "tool_calls.0.name: Field required"),
        ("/script", b'{"usage": {"input_tokens": -1}}', "input_tokens"),
        ("/accounts/expire", b'{"account_id": "nobody"}', "unknown account 'nobody'"),
        ("/accounts/expire", b'{"after_event": 1}', "after_event: Extra inputs"),
        ("/accounts/expire", b'{"after_events": -1}', "after_events: "),
        ("/tokens", b'{"account_id": "nobody"}', "unknown account 'nobody'"),
        ("/tokens", b'{"expires_in": 1e99}', "expires_in: "),
        ("/tokens", b'{"kind": "gold"}', "kind: "),
        ("/tokens/expire", b'{"token": ""}', "token: "),
        ("/tokens/expire", b"{}", "token: Field required"),
        ("/tokens/revoke", b'{"tokens": "x"}', "token: Field required"),
        ("/accounts", b'{"account": {"account_id": ""}}', "account.account_id: "),
        ("/settings", b'{"accept_any_token": 1}', "accept_any_token: "),
        ("/settings", b'{"x": 1}', "x: "),
        ("/settings", b"[1]", "not a JSON object"),
        ("/settings", b"{", "JSON"),
        ("/authorize", b'{"error": "x", "times": 0}', "times: "),
        ("/device/approve", b'{"user_code": "XXXX"}', "no device sign-in waits under 'XXXX'"),
        ("/device/approve", b'{"user_code": "XXXX", "account_id": "nobody"}', "unknown account"),
        ("/device/deny", b'{"user_code": 1}', "user_code: "),
    ],
)
async def test_bad_input_is_400_and_says_what_is_wrong(
    client: httpx2.AsyncClient, path: str, body: bytes, message: str
) -> None:
    answer = await client.post(f"/__fake__{path}", content=body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize("query", ["route=nowhere", "count=x", "count=-1", "timeout=nan", "timeout=inf"])
async def test_bad_queries_are_400(client: httpx2.AsyncClient, query: str) -> None:
    answer = await client.get(f"/__fake__/requests?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


async def test_unknown_paths_and_methods_name_the_known_ones(client: httpx2.AsyncClient) -> None:
    unknown = await client.post("/__fake__/fault", json={})
    assert unknown.status_code == 404
    assert "/__fake__/faults" in unknown.json()["error"]["message"]
    wrong = await client.get("/__fake__/faults")
    assert wrong.status_code == 405
    assert "POST and DELETE" in wrong.json()["error"]["message"]


async def test_control_requests_are_not_recorded(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    await control(client, "/tokens")
    assert len(fake.requests) == 0
