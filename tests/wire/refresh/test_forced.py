"""A refresh that the client asks for, and whom it is asked of (wire.md sections 1, 3 and 11)."""

from pathlib import Path

import anyio

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import TokenSet
from tests.support.server import Json, ServerProcess
from tests.support.upstream import (
    LOGIN,
    NOBODY,
    UPDATED,
    Start,
    managed_login,
    next_messages,
    store,
    stored,
    token_in_force,
    updated,
)
from tests.wire.refresh.support import presented, reasons, use, withheld

FORCED: Json = {"refreshToken": True, "includeToken": True}


async def test_account_read_refreshes_first_and_tells_who_it_is_then(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    fake.add_account(fake.state.current.model_copy(update={"plan_type": "pro"}))

    read = await server.result("account/read", {"refreshToken": True})

    assert read["account"]["planType"] == "pro"
    assert reasons(fake) == ["forced"]
    assert presented(fake) == [login.refresh_token]
    assert await token_in_force(server) == stored(server.home)["tokens"]["access_token"] != login.access_token
    assert await server.barrier() == []


async def test_get_auth_status_refreshes_first_and_gives_the_new_token(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    status = await server.result("getAuthStatus", FORCED)

    assert status["authMethod"] == "chatgpt"
    assert status["authToken"] == stored(server.home)["tokens"]["access_token"] != login.access_token
    assert reasons(fake) == ["forced"]


async def test_requests_for_it_at_the_same_time_cost_one_refresh(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    fake.fault("token", hang=True)
    await server.send(*({"id": number, "method": "getAuthStatus", "params": FORCED} for number in range(10)))
    await fake.requests.wait_for("token")
    fake.release()

    tokens = {(await server.answer(number))["result"]["authToken"] for number in range(10)}
    assert len(tokens) == 1
    assert presented(fake) == [login.refresh_token]


async def test_each_later_request_for_it_refreshes_again(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    await server.result("account/read", {"refreshToken": True})
    rotated = stored(server.home)["tokens"]["refresh_token"]
    await server.result("account/read", {"refreshToken": True})

    assert presented(fake) == [login.refresh_token, rotated]


async def test_a_failure_is_no_error_and_the_login_is_told_as_it_is(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    for failure in ({"status": 500}, {"drop": True}, {"malformed": True}):
        fake.fault("token", **failure)
        assert (await server.result("account/read", {"refreshToken": True}))["account"]["type"] == "chatgpt"
    fake.fault("token", status=500)
    assert (await server.result("getAuthStatus", FORCED))["authToken"] == login.access_token
    assert await server.barrier() == []


async def test_a_refusal_is_no_error_either_but_the_login_is_gone(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    fake.expire(login.refresh_token)
    await server.send({"id": 1, "method": "account/read", "params": {"refreshToken": True}})

    assert sorted(await next_messages(server, 2), key=str) == [{"id": 1, "result": NOBODY}, updated(None)]
    assert await server.result("getAuthStatus", FORCED) == withheld()
    assert presented(fake) == [login.refresh_token]


async def test_what_another_process_has_saved_meanwhile_is_only_read(
    fake: FakeOpenAI, home: Path, login: TokenSet, server: ServerProcess
) -> None:
    for method in ("account/read", "getAuthStatus"):
        newer = fake.mint()
        store(home, managed_login(newer))

        await server.result(method, FORCED)

        assert await token_in_force(server) == newer.access_token
        assert presented(fake) == []


async def test_a_token_endpoint_that_hangs_holds_nobody_else_up(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    # In the reference it mutes every account request (wire.md section 15.23).
    fake.fault("token", hang=True)
    await server.send({"id": 1, "method": "account/read", "params": {"refreshToken": True}})
    await fake.requests.wait_for("token")

    with anyio.fail_after(5):
        assert await token_in_force(server) == login.access_token
        assert (await server.result("account/read", {}))["account"]["type"] == "chatgpt"
        await use(server)
    fake.release()
    assert (await server.answer(1))["result"]["account"]["type"] == "chatgpt"


async def test_a_token_endpoint_that_hangs_holds_up_neither_logout_nor_login(
    fake: FakeOpenAI, home: Path, login: TokenSet, server: ServerProcess
) -> None:
    key: Json = {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-test"}
    for number, (method, params, left) in enumerate(
        (("account/logout", None, None), (LOGIN, {"type": "apiKey", "apiKey": "sk-test"}, key)), 1
    ):
        store(home, managed_login(fake.mint()))
        await server.result("account/read", {})
        fake.fault("token", hang=True)
        await server.send({"id": 1, "method": "getAuthStatus", "params": FORCED})
        await fake.requests.wait_for("token", count=number)

        with anyio.fail_after(5):
            await server.result(method, params)
            await server.answer(1)
        fake.release()

        # What was under way is never saved over it.
        assert await token_in_force(server) == (left and left["OPENAI_API_KEY"])
        assert (stored(home) if (home / "auth.json").exists() else None) == left


async def test_a_login_is_refreshed_by_the_issuer_that_it_came_from(fake: FakeOpenAI, home: Path, start: Start) -> None:
    elsewhere = {"CODEX_APP_SERVER_LOGIN_ISSUER": "http://127.0.0.1:9", "CODEX_REFRESH_TOKEN_URL_OVERRIDE": ""}
    login = managed_login(fake.mint())
    login["tokens"]["oauth_provenance"] = {"issuer": f"{fake.base_url}/", "client_id": "app_other"}
    store(home, login)

    async with start(env=elsewhere) as server:
        await server.notification(UPDATED)
        assert (await server.result("getAuthStatus", FORCED))["authToken"] != login["tokens"]["access_token"]

    (request,) = fake.requests.of("token")
    assert request.path == "/oauth/token"
    assert request.fields()["client_id"] == "app_other"


async def test_a_login_that_does_not_name_its_issuer_is_one_of_the_configured_issuer(
    fake: FakeOpenAI, login: TokenSet, start: Start
) -> None:
    environment = {"CODEX_REFRESH_TOKEN_URL_OVERRIDE": "", "CODEX_APP_SERVER_LOGIN_CLIENT_ID": "app_mine"}

    async with start(env=environment) as server:
        await server.notification(UPDATED)
        assert (await server.result("getAuthStatus", FORCED))["authToken"] != login.access_token

    (request,) = fake.requests.of("token")
    assert request.fields()["client_id"] == "app_mine"


async def test_an_endpoint_that_the_environment_names_is_asked_whatever_the_issuer(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    login = managed_login(fake.mint())
    login["tokens"]["oauth_provenance"] = {"issuer": "http://127.0.0.1:9", "client_id": "app_other"}
    store(home, login)

    async with start() as server:
        await server.notification(UPDATED)
        assert (await server.result("getAuthStatus", FORCED))["authToken"] != login["tokens"]["access_token"]

    assert len(fake.requests.of("token")) == 1
