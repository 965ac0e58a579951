"""``account/diagnose``: what stands in the way of a login, asked of a server that runs."""

import sys
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json
from tests.support.upstream import Start, log_in_with_tokens, managed_login, store

DIAGNOSE = "account/diagnose"


def statuses(report: Json) -> dict[str, str]:
    """By name; the last of each."""
    return {finding["name"]: finding["status"] for finding in report["findings"]}


async def test_it_needs_the_experimental_capability(start: Start) -> None:
    async with start(initialize=False) as server:
        await server.initialize(experimentalApi=False)
        error = await server.error(DIAGNOSE)
        assert error == {"code": -32600, "message": "account/diagnose requires experimentalApi capability"}


async def test_params_may_be_left_out_and_the_upstreams_are_asked(fake: FakeOpenAI, start: Start) -> None:
    async with start("app_server.login_callback_ports=0") as server:
        for params in (..., None, {}, {"checkUpstream": None}, {"checkUpstream": True}):
            fake.requests.clear()
            report = await server.result(DIAGNOSE, params)
            assert set(statuses(report).values()) == {"ok"}
            assert {"issuer", "backend"} <= statuses(report).keys()
            assert len(fake.requests) == 2
        assert report["login"] is None
        assert report["callbackPorts"] == []
        assert report["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))


async def test_the_upstreams_are_left_alone_on_request(fake: FakeOpenAI, start: Start) -> None:
    async with start() as server:
        report = await server.result(DIAGNOSE, {"checkUpstream": False})
        assert not {"issuer", "backend"} & statuses(report).keys()
        assert len(fake.requests) == 0
        error = await server.error(DIAGNOSE, {"checkUpstream": "no"})
        assert error["code"] == -32600


async def test_the_login_in_force_is_described_wherever_it_comes_from(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    tokens = fake.mint()
    store(home, managed_login(tokens))
    async with start("app_server.login_callback_ports=0") as server:
        login = (await server.result(DIAGNOSE, {"checkUpstream": False}))["login"]
        assert login == {
            "authMode": "chatgpt",
            "source": "store",
            "email": "user@example.com",
            "planType": "plus",
            "accountId": "acct-1",
            "expiresAt": tokens.expires_at,
            "renewable": True,
            "usable": True,
        }
        await log_in_with_tokens(server, fake.mint())
        login = (await server.result(DIAGNOSE, {"checkUpstream": False}))["login"]
        assert (login["authMode"], login["source"], login["renewable"]) == ("chatgptAuthTokens", "client", False)
    assert not [secret for secret in (tokens.access_token, tokens.refresh_token) if secret in server.log.read_text()]


async def test_a_login_that_the_issuer_has_refused_is_of_no_use(fake: FakeOpenAI, home: Path, start: Start) -> None:
    tokens = fake.mint()
    store(home, managed_login(tokens))
    async with start() as server:
        fake.revoke(tokens.refresh_token)
        await server.result("account/read", {"refreshToken": True})
        report = await server.result(DIAGNOSE, {"checkUpstream": False})
    assert report["login"]["usable"] is False
    assert statuses(report)["refresh"] == "warning"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who holds a port")
async def test_the_port_of_a_pending_login_is_held_by_this_server(start: Start) -> None:
    async with start("app_server.login_callback_ports=0") as server:
        begun = await server.result("account/login/start", {"type": "chatgpt"})
        port = int(begun["authUrl"].partition("127.0.0.1%3A")[2].partition("%2F")[0])
        async with start(f"app_server.login_callback_ports={port}") as other:
            report = await other.result(DIAGNOSE, {"checkUpstream": False})
        assert statuses(report)["callbackPorts"] == "error"
        (held,) = report["callbackPorts"]
        assert held["state"] == "held"
        assert held["holder"]["pid"] == server.process.pid
        # Nobody was disturbed: the login goes on.
        assert await server.result("account/login/cancel", {"loginId": begun["loginId"]}) == {"status": "canceled"}
