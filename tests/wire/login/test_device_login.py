"""Logging in with a code that the user enters on any device (wire.md sections 8 and 15.9).

How long is waited between two questions, and what is waited out, stands in ``test_device_intervals``; the 15 minutes in
``test_time_limits``.
"""

from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account
from tests.support.locks import login_held_up
from tests.support.server import Json, ServerProcess
from tests.support.upstream import (
    LOGIN,
    NO_STATUS,
    UPDATED,
    Start,
    asked,
    completed,
    managed_login,
    next_messages,
    store,
    stored,
    token_in_force,
    tokens_login,
    updated,
    without_times,
)
from tests.wire.login.support import (
    BROWSER,
    CANCEL,
    CLIENT_ID,
    DEVICE,
    NOT_COMPLETED,
    DeviceLogin,
    ended,
    exchanges,
    start_device_login,
)

NOT_ENABLED = "device code login is not enabled for this Codex server. Use the browser login or verify the server URL."


async def waiting_login(fake: FakeOpenAI, server: ServerProcess) -> DeviceLogin:
    """A login whose first question to the issuer has been asked, and is answered when the fake is released."""
    fake.fault("device_token", hang=True)
    login = await start_device_login(server)
    await asked(fake, "device_token")
    return login


async def approved_login(fake: FakeOpenAI, server: ServerProcess) -> DeviceLogin:
    """A login that the user has approved before the issuer was asked for the first time."""
    login = await waiting_login(fake, server)
    fake.approve_device(login.user_code)
    fake.release()
    return login


async def assert_nobody_is_logged_in(server: ServerProcess) -> None:
    """Nothing more was said, nobody is logged in, and nothing is stored."""
    assert await server.barrier() == []
    assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS
    assert not (server.home / "auth.json").exists()


# The start


async def test_the_answer_says_what_to_enter_and_where(fake: FakeOpenAI, server: ServerProcess) -> None:
    result = await server.result(LOGIN, DEVICE)

    assert result == {
        "type": "chatgptDeviceCode",
        "loginId": result["loginId"],
        "verificationUrl": f"{fake.base_url}/codex/device",
        "userCode": result["userCode"],
    }
    assert UUID(result["loginId"]).version == 4
    (request,) = fake.requests.of("device_usercode")
    assert (request.method, request.path) == ("POST", "/api/accounts/deviceauth/usercode")
    assert request.fields() == {"client_id": CLIENT_ID}


async def test_the_older_name_of_the_code_will_do(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("device_usercode", json={"device_auth_id": "an-id", "usercode": "OLD-NAME"})

    login = await start_device_login(server)

    (question, *_) = await asked(fake, "device_token")
    assert login.user_code == "OLD-NAME"
    assert question.fields() == {"device_auth_id": "an-id", "user_code": "OLD-NAME"}


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        ({"status": 404}, -32600, NOT_ENABLED),
        (
            {"status": 500},
            -32603,
            "failed to request device code: device code request failed with status 500 Internal Server Error",
        ),
        (
            {"status": 429},
            -32603,
            "failed to request device code: device code request failed with status 429 Too Many Requests",
        ),
        ({"malformed": True}, -32603, "failed to request device code: device code response is invalid"),
        ({"json": []}, -32603, "failed to request device code: device code response is invalid"),
        ({"json": {"user_code": "A"}}, -32603, "failed to request device code: device code response is invalid"),
        (
            {"json": {"user_code": "A", "device_auth_id": 1}},
            -32603,
            "failed to request device code: device code response is invalid",
        ),
        (
            {"drop": True},
            -32603,
            "failed to request device code: error sending request for url ({issuer}/api/accounts/deviceauth/usercode)",
        ),
    ],
)
async def test_without_a_code_the_answer_is_an_error_and_there_is_nothing_to_announce(
    fake: FakeOpenAI, server: ServerProcess, fault: Json, code: int, message: str
) -> None:
    fake.fault("device_usercode", **fault)

    error = await server.error(LOGIN, DEVICE)

    assert error == {"code": code, "message": message.format(issuer=fake.base_url)}
    assert await server.barrier() == []
    assert fake.requests.of("device_token") == []
    assert (await start_device_login(server)).user_code


async def test_account_requests_do_not_wait_for_the_code(fake: FakeOpenAI, server: ServerProcess) -> None:
    # In the reference they do (wire.md section 2).
    fake.fault("device_usercode", hang=True)
    await server.send({"id": 1, "method": LOGIN, "params": DEVICE})
    await asked(fake, "device_usercode")

    assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS
    assert await server.barrier() == []
    fake.release()
    assert (await server.answer(1))["result"]["type"] == "chatgptDeviceCode"


async def test_a_login_that_is_replaced_before_it_has_a_code_is_answered_at_once(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("device_usercode", hang=True)
    await server.send({"id": 1, "method": LOGIN, "params": DEVICE})
    await asked(fake, "device_usercode")
    await server.send({"id": 2, "method": "account/logout"})

    assert (await server.answer(1))["error"] == {"code": -32600, "message": NOT_COMPLETED}
    assert await server.answer(2) == {"id": 2, "result": {}}
    fake.release()
    assert without_times(await server.barrier()) == [updated(None)]


# Success


async def test_an_approved_login_is_announced_and_stored_without_a_key(fake: FakeOpenAI, server: ServerProcess) -> None:
    login = await approved_login(fake, server)

    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]
    assert await server.barrier() == []
    assert await token_in_force(server) == stored(server.home)["tokens"]["access_token"]
    assert stored(server.home)["auth_mode"] == "chatgpt"
    assert stored(server.home)["OPENAI_API_KEY"] is None
    assert stored(server.home)["tokens"]["oauth_provenance"] == {"issuer": fake.base_url, "client_id": CLIENT_ID}
    (exchange,) = await exchanges(fake)
    assert exchange == {
        "grant_type": "authorization_code",
        "client_id": CLIENT_ID,
        "code": exchange["code"],
        "redirect_uri": f"{fake.base_url}/deviceauth/callback",
        "code_verifier": exchange["code_verifier"],
    }


async def test_a_login_is_approved_in_the_end_although_the_network_fails_for_a_moment(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.configure(device_interval=1)
    fake.fault("device_token", drop=True)
    login = await start_device_login(server)
    await asked(fake, "device_token")
    fake.approve_device(login.user_code)

    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]
    first, second = fake.requests.of("device_token")
    assert second.at - first.at > 0.95


async def test_the_announcement_waits_for_the_backend(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("accounts_check", hang=True)
    login = await approved_login(fake, server)
    await asked(fake, "accounts_check")
    assert await server.barrier() == []

    fake.release()
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]


async def test_the_tokens_of_the_login_before_are_revoked(fake: FakeOpenAI, home: Path, start: Start) -> None:
    old = fake.mint()
    store(home, managed_login(old))
    async with start() as server:
        await server.notification(UPDATED)
        await approved_login(fake, server)
        await next_messages(server, 2)

        (revocation,) = await asked(fake, "revoke")
        assert revocation.fields()["token"] == old.refresh_token


# Failure


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"status": 400}, "device auth failed with status 400 Bad Request"),
        ({"status": 400, "json": {"error": "expired_token"}}, "device auth failed with status 400 Bad Request"),
        ({"status": 401}, "device auth failed with status 401 Unauthorized"),
        ({"status": 410, "malformed": True}, "device auth failed with status 410 Gone"),
        ({"malformed": True}, "error decoding response body"),
        ({"json": {"authorization_code": "code-1"}}, "error decoding response body"),
        ({"json": {"authorization_code": 1, "code_verifier": "v"}}, "error decoding response body"),
    ],
)
async def test_an_answer_that_leads_nowhere_ends_the_login(
    fake: FakeOpenAI, server: ServerProcess, fault: Json, error: str
) -> None:
    fake.fault("device_token", **fault)
    login = await start_device_login(server)

    assert await next_messages(server, 1) == [ended(login, error)]
    await assert_nobody_is_logged_in(server)
    assert len(fake.requests.of("device_token")) == 1


async def test_a_login_that_the_user_denies_ends(fake: FakeOpenAI, server: ServerProcess) -> None:
    login = await waiting_login(fake, server)
    fake.deny_device(login.user_code)
    fake.release()

    assert await next_messages(server, 1) == [ended(login, "device auth failed with status 400 Bad Request")]
    await assert_nobody_is_logged_in(server)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (
            {"status": 400, "json": {"error_description": "bad"}},
            "device code exchange failed: token endpoint returned status 400 Bad Request: bad",
        ),
        ({"json": {}}, "device code exchange failed: OAuth token response is invalid"),
        ({"drop": True}, "device code exchange failed: error sending request for url ({issuer}/oauth/token)"),
        (
            {"json": {"id_token": "none", "access_token": "a", "refresh_token": "r"}},
            "invalid ID token format",
        ),
    ],
)
async def test_a_code_that_cannot_be_exchanged_ends_the_login(
    fake: FakeOpenAI, server: ServerProcess, fault: Json, error: str
) -> None:
    fake.fault("token", **fault)
    login = await approved_login(fake, server)

    assert await next_messages(server, 1) == [ended(login, error.replace("{issuer}", fake.base_url))]
    await assert_nobody_is_logged_in(server)


async def test_a_login_of_another_workspace_ends(fake: FakeOpenAI, start: Start) -> None:
    fake.add_account(Account(account_id="acct-3"), current=True)

    async with start('forced_chatgpt_workspace_id="a"') as server:
        login = await approved_login(fake, server)

        assert await next_messages(server, 1) == [ended(login, "Login is restricted to workspace id(s) a.")]
        await assert_nobody_is_logged_in(server)


async def test_a_login_that_cannot_be_saved_says_why(fake: FakeOpenAI, home: Path, start: Start) -> None:
    (home / "auth.json").mkdir(parents=True)

    async with start() as server:
        login = await approved_login(fake, server)

        error = "failed to save the login: Is a directory (os error 21)"
        assert await next_messages(server, 1) == [ended(login, error)]
        assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS


async def test_a_backend_that_is_not_known_fails_the_login_although_it_is_stored(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("accounts_check", status=500)
    login = await approved_login(fake, server)

    assert await next_messages(server, 1) == [ended(login, "workspace routing discovery failed")]
    assert await token_in_force(server) == stored(server.home)["tokens"]["access_token"]


# Cancelled and replaced


async def test_cancelling_is_immediate(fake: FakeOpenAI, server: ServerProcess) -> None:
    # The issuer says that it wants to be asked once in an hour.
    fake.configure(device_interval=3600)
    login = await start_device_login(server)
    await asked(fake, "device_token")
    await server.send({"id": 1, "method": CANCEL, "params": {"loginId": login.login_id}})

    assert await next_messages(server, 2) == [ended(login, NOT_COMPLETED), {"id": 1, "result": {"status": "canceled"}}]
    assert await server.result(CANCEL, {"loginId": login.login_id}) == {"status": "notFound"}
    await assert_nobody_is_logged_in(server)


@pytest.mark.parametrize(
    "then",
    [
        {"method": LOGIN, "params": BROWSER},
        {"method": LOGIN, "params": DEVICE},
        {"method": LOGIN, "params": {"type": "apiKey", "apiKey": "sk-new"}},
        {"method": "account/logout"},
    ],
)
async def test_whatever_replaces_it_is_preceded_by_its_failure(
    fake: FakeOpenAI, server: ServerProcess, then: dict[str, Any]
) -> None:
    login = await start_device_login(server)
    await server.send({"id": 1, **then})

    failure, answer = await next_messages(server, 2)
    assert failure == ended(login, NOT_COMPLETED)
    assert "result" in answer


async def test_tokens_of_the_parent_replace_it(fake: FakeOpenAI, server: ServerProcess) -> None:
    login = await start_device_login(server)
    await server.send({"id": 1, "method": LOGIN, "params": tokens_login(fake.mint())})

    assert await next_messages(server, 4) == [
        ended(login, NOT_COMPLETED),
        {"id": 1, "result": {"type": "chatgptAuthTokens"}},
        completed(),
        updated("chatgptAuthTokens", "plus"),
    ]


async def test_the_end_of_the_input_ends_it(fake: FakeOpenAI, home: Path, own_server: ServerProcess) -> None:
    login = await waiting_login(fake, own_server)
    await own_server.close_input()

    assert without_times(await own_server.rest()) == [ended(login, NOT_COMPLETED)]
    assert await own_server.exit_status() == 0
    assert not (home / "auth.json").exists()


@pytest.mark.parametrize("end", ["cancel", "logout"])
@pytest.mark.parametrize("stage", ["device_token", "token", "save"])
async def test_ended_however_far_it_is_it_saves_nothing(
    fake: FakeOpenAI, server: ServerProcess, stage: str, end: str
) -> None:
    if stage == "token":
        fake.fault("token", hang=True)
    with login_held_up(server.home) if stage == "save" else nullcontext():
        if stage == "device_token":
            login = await waiting_login(fake, server)
            fake.approve_device(login.user_code)
        else:
            login = await approved_login(fake, server)
            await exchanges(fake)
            await server.barrier()
        if end == "cancel":
            assert await server.result(CANCEL, {"loginId": login.login_id}) == {"status": "canceled"}
        else:
            await server.send({"id": 1, "method": "account/logout"})
        assert await next_messages(server, 1) == [ended(login, NOT_COMPLETED)]

    fake.release()
    if end == "logout":
        assert await next_messages(server, 2) == [{"id": 1, "result": {}}, updated(None)]
    await assert_nobody_is_logged_in(server)
    assert fake.requests.of("accounts_check") == []
