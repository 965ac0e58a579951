"""Notifications of the server: what they look like, and how to be spared them (wire.md section 2)."""

import json
import time
from pathlib import Path

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess, run_to_end, running_server
from tests.support.upstream import COMPLETED, LIMITS, LOGIN, REFRESH, UPDATED, log_in_with_tokens, server_with

API_KEY = {"type": "apiKey", "apiKey": "sk-notified"}


async def methods_after_a_login(server: ServerProcess) -> list[str]:
    """Which notifications come of a login and a logout."""
    await server.result(LOGIN, API_KEY)
    await server.result("account/logout")
    return [message["method"] for message in await server.barrier() if "method" in message]


def handshake(*opt_out: str) -> bytes:
    params = {"clientInfo": {"name": "x", "version": "1"}, "capabilities": {"optOutNotificationMethods": opt_out}}
    return json.dumps({"id": 1, "method": "initialize", "params": params}).encode() + b"\n"


async def test_every_notification_says_when_it_was_sent_beside_its_params(home: Path) -> None:
    before = time.time_ns() // 1_000_000
    async with running_server(home, "-c", "forced_login_method=sometimes", forked=True) as server:
        await server.result(LOGIN, API_KEY)
        await server.result("account/logout")
        said = await server.barrier()
    after = time.time_ns() // 1_000_000
    notifications: list[Json] = [message for message in said if "method" in message]
    assert {message["method"] for message in notifications} == {"configWarning", COMPLETED, UPDATED}
    for message in notifications:
        assert list(message) == ["method", "params", "emittedAtMs"]
        assert type(message["emittedAtMs"]) is int
        assert before <= message["emittedAtMs"] <= after
        assert "emittedAtMs" not in message["params"]


async def test_answers_and_requests_do_not_say_when_they_were_sent(home: Path, fake: FakeOpenAI) -> None:
    async with server_with(fake, home) as server:
        await log_in_with_tokens(server, fake.mint())
        fake.fault("usage", status=401)
        await server.send({"id": "limits", "method": LIMITS, "params": {"excludeResetCreditDetails": True}})
        question = await server.server_request(REFRESH)
        assert set(question) == {"method", "id", "params"}
        assert question["id"] == 0
        await server.send({"id": 0, "error": {"code": 1, "message": "no"}})
        assert set(await server.answer("limits")) == {"id", "error"}


async def test_a_client_is_spared_what_it_opts_out_of_and_nothing_else(home: Path) -> None:
    async with running_server(home, initialize=False, forked=True) as server:
        await server.send(handshake(UPDATED))
        await server.answer(1)
        assert await methods_after_a_login(server) == [COMPLETED]


async def test_names_to_opt_out_of_are_exact_and_may_be_unknown(home: Path) -> None:
    async with running_server(home, initialize=False, forked=True) as server:
        await server.send(
            handshake("account/", "account/*", "Account/Updated", "account/updated ", "nonsense", "", "*")
        )
        assert "result" in await server.answer(1)
        assert await methods_after_a_login(server) == [COMPLETED, UPDATED, UPDATED]


async def test_a_client_can_opt_out_of_everything_and_still_gets_answers_and_questions(
    home: Path, fake: FakeOpenAI
) -> None:
    async with server_with(fake, home, initialize=False) as server:
        params = json.loads(handshake(COMPLETED, UPDATED, "configWarning", REFRESH))["params"]
        params["capabilities"]["experimentalApi"] = True
        await server.result("initialize", params)
        tokens = fake.mint()
        login = {
            "type": "chatgptAuthTokens",
            "accessToken": tokens.access_token,
            "chatgptAccountId": tokens.account.account_id,
        }
        await server.result(LOGIN, login)
        await server.result("account/read", {})
        assert await server.barrier() == []
        fake.fault("usage", status=401)
        await server.send({"id": "limits", "method": LIMITS, "params": {"excludeResetCreditDetails": True}})
        assert (await server.server_request(REFRESH))["id"] == 0


async def test_nothing_is_said_before_the_handshake(home: Path) -> None:
    source = b'{"id":0,"method":"account/read","params":{}}\n' * 3
    ended = await run_to_end(home, source, "-c", "forced_login_method=sometimes")
    assert [message["error"]["message"] for message in ended.messages] == ["Not initialized"] * 3
