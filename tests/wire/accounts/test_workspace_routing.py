"""Which backend serves a workspace, and what happens when that cannot be found out (wire.md section 12)."""

from typing import Any

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account
from tests.support.server import Json, ServerProcess
from tests.support.upstream import (
    LOGIN,
    REFRESH,
    Start,
    asked,
    completed,
    fresh,
    log_in_with_tokens,
    next_messages,
    token_in_force,
    tokens_login,
)

ENTRY: Json = {
    "id": "acct-1",
    "name": "Acme",
    "workspace_backend_origin": "https://backend.example",
    "account_routing_override": "us",
}


def accounts(**members: Any) -> Json:
    """The answer of accounts/check for one account; None leaves a member out, "null" makes it null."""
    entry = {name: value for name, value in {**ENTRY, **members}.items() if value is not None}
    return {"json": {"accounts": [{name: None if value == "null" else value for name, value in entry.items()}]}}


async def routing_of(server: ServerProcess) -> Json:
    return (await server.result("account/read", {}))["workspaceRouting"]  # type: ignore[no-any-return]


async def test_the_lookup_carries_the_token_and_the_account(fake: FakeOpenAI, server: ServerProcess) -> None:
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)

    (lookup,) = fake.requests.of("accounts_check")
    assert (lookup.method, lookup.path) == ("GET", "/backend-api/wham/accounts/check")
    assert lookup.bearer == tokens.access_token
    assert lookup.headers.get("chatgpt-account-id") == "acct-1"


async def test_without_backend_api_in_the_base_url_there_is_another_path(fake: FakeOpenAI, start: Start) -> None:
    async with start(f'chatgpt_base_url="{fake.base_url}/"') as server:
        await log_in_with_tokens(server, fake.mint())

    assert [lookup.path for lookup in fake.requests.of("accounts_check")] == ["/api/codex/accounts/check"]


async def test_it_is_made_once_for_each_token(fake: FakeOpenAI, server: ServerProcess) -> None:
    await log_in_with_tokens(server, fake.mint())
    for _ in range(3):
        await server.result("account/read", {})
    assert len(fake.requests.of("accounts_check")) == 1

    await log_in_with_tokens(server, fake.mint())
    await server.result("account/read", {})
    assert len(fake.requests.of("accounts_check")) == 2


async def test_any_number_of_readers_share_it_and_the_requests_behind_them_go_on(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("accounts_check", hang=True)
    await server.result(LOGIN, tokens_login(fake.mint()))
    await server.send(*({"id": number, "method": "account/read", "params": {}} for number in range(20)))
    await asked(fake, "accounts_check")
    # In the reference these wait in a queue behind the login.
    assert await server.barrier() == []

    fake.release()
    for number in range(20):
        assert (await server.answer(number))["result"]["workspaceRouting"]["chatgptAccountId"] == "acct-1"
    assert len(fake.requests.of("accounts_check")) == 1


async def test_an_origin_comes_in_its_canonical_form(fake: FakeOpenAI, server: ServerProcess) -> None:
    for origin, canonical in (
        ("https://backend.example", "https://backend.example"),
        ("https://BACKEND.example:443/", "https://backend.example"),
        ("https://backend.example:8443", "https://backend.example:8443"),
        ("https://[::1]:8443", "https://[::1]:8443"),
    ):
        fake.fault("accounts_check", **accounts(workspace_backend_origin=origin))
        await log_in_with_tokens(server, fake.mint())

        assert await routing_of(server) == {
            "chatgptAccountId": "acct-1",
            "backendOrigin": canonical,
            "accountRoutingOverride": "us",
        }


async def test_an_override_is_passed_on(fake: FakeOpenAI, server: ServerProcess) -> None:
    for override in ("NO_CONSTRAINT", "us", "us_cr"):
        fake.fault("accounts_check", **accounts(account_routing_override=override))
        await log_in_with_tokens(server, fake.mint())

        assert (await routing_of(server))["accountRoutingOverride"] == override


async def test_the_entry_of_the_selected_workspace_counts(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.add_account(Account(account_id="acct-2", workspace_name="Beta", backend_origin="https://beta.example"))
    await log_in_with_tokens(server, fake.mint(), chatgptAccountId="acct-2")

    assert (await routing_of(server))["backendOrigin"] == "https://beta.example"


FAILURES: list[tuple[Json, str]] = [
    ({"status": 500}, "workspace routing discovery failed"),
    ({"status": 403}, "workspace routing discovery failed"),
    ({"status": 302, "headers": {"location": "http://127.0.0.1:9/"}}, "workspace routing discovery failed"),
    ({"drop": True}, "workspace routing discovery failed"),
    ({"malformed": True}, "workspace routing discovery failed"),
    ({"json": []}, "workspace routing discovery failed"),
    ({"json": {"accounts": {"acct-1": ENTRY}}}, "workspace routing discovery failed"),
    ({"json": {"accounts": ["acct-1"]}}, "workspace routing discovery failed"),
    ({"json": {}}, "selected workspace missing from routing discovery"),
    ({"json": {"accounts": []}}, "selected workspace missing from routing discovery"),
    (accounts(id="acct-9"), "selected workspace missing from routing discovery"),
    (accounts(workspace_backend_origin=None), "workspace routing discovery missing backend origin"),
    (accounts(workspace_backend_origin="null"), "workspace routing discovery missing backend origin"),
    (accounts(workspace_backend_origin=""), "invalid workspace backend URL"),
    (accounts(workspace_backend_origin="backend.example"), "invalid workspace backend URL"),
    (accounts(workspace_backend_origin="https://x.example/path"), "workspace routing discovery must return an origin"),
    (accounts(workspace_backend_origin="https://x.example?q"), "workspace routing discovery must return an origin"),
    (
        accounts(workspace_backend_origin="http://x.example"),
        "workspace backend must use an HTTPS origin without credentials",
    ),
    (
        accounts(workspace_backend_origin="https://user:secret@x.example"),
        "workspace backend must use an HTTPS origin without credentials",
    ),
    (
        # That is the origin of chatgpt_base_url, and the fake speaks plain HTTP.
        accounts(workspace_backend_origin="NO_CONSTRAINT"),
        "workspace backend must use an HTTPS origin without credentials",
    ),
    (accounts(account_routing_override=None), "workspace routing discovery has invalid account routing override"),
    (accounts(account_routing_override="null"), "workspace routing discovery has invalid account routing override"),
    (accounts(account_routing_override="eu"), "workspace routing discovery has invalid account routing override"),
]


async def test_what_goes_wrong_fails_the_login_and_the_reading_but_the_tokens_stay(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    for fault, text in FAILURES:
        fake.fault("accounts_check", times=2, **fault)
        tokens = fake.mint()
        await server.send({"id": 1, "method": LOGIN, "params": tokens_login(tokens)})

        assert await next_messages(server, 2) == [
            {"id": 1, "result": {"type": "chatgptAuthTokens"}},
            completed(text),
        ], fault
        assert await server.barrier() == [], fault
        assert await server.error("account/read", {}) == {"code": -32603, "message": text}, fault
        assert await token_in_force(server) == tokens.access_token

        # A failure is not remembered.
        fake.clear_faults()
        assert (await routing_of(server))["chatgptAccountId"] == "acct-1", fault


async def test_a_lookup_that_hangs_times_out(fake: FakeOpenAI, start: Start) -> None:
    fake.fault("accounts_check", hang=True, times=2)

    async with start("app_server.upstream_timeout=0.7") as server:
        await server.result(LOGIN, tokens_login(fake.mint()))

        timed_out = "workspace routing discovery timed out"
        assert await next_messages(server, 1) == [completed(timed_out)]
        assert await server.error("account/read", {}) == {"code": -32603, "message": timed_out}
        assert (await routing_of(server))["chatgptAccountId"] == "acct-1"


async def test_fresh_tokens_that_are_not_accepted_either_are_unauthorized(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("accounts_check", status=401, times=2)
    await server.result(LOGIN, tokens_login(fake.mint()))
    request = await server.server_request(REFRESH)
    await server.send({"id": request["id"], "result": fresh(fake.mint())})

    assert await next_messages(server, 1) == [completed("workspace routing discovery unauthorized (401)")]
    assert await server.barrier() == []
