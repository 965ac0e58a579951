"""What needs the ``experimentalApi`` capability (wire.md section 2)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess, running_server
from tests.support.upstream import LOGIN, server_with, tokens_login

REQUIRED: Json = {
    "code": -32600,
    "message": "account/login/start.chatgptAuthTokens requires experimentalApi capability",
}


@pytest.fixture(params=[..., {"experimentalApi": False}], ids=["not a word", "explicitly"])
async def stable(request: pytest.FixtureRequest, home: Path) -> AsyncIterator[ServerProcess]:
    """A server whose client has not asked for experimental methods, one way or the other."""
    params: dict[str, Any] = {"clientInfo": {"name": "x", "version": "1"}}
    if request.param is not ...:
        params["capabilities"] = request.param
    async with running_server(home, initialize=False, forked=True) as server:
        await server.result("initialize", params)
        yield server


async def test_without_the_capability_experimental_variants_are_refused_and_not_carried_out(
    stable: ServerProcess,
) -> None:
    login = {"type": "chatgptAuthTokens", "accessToken": "x.y.z", "chatgptAccountId": "acct-1"}
    assert await stable.error(LOGIN, login) == REQUIRED
    assert (await stable.result("getAuthStatus", {}))["authMethod"] is None
    assert await stable.result(LOGIN, {"type": "apiKey", "apiKey": "sk-stable"}) == {"type": "apiKey"}
    # Not experimental, in spite of appearances: the reference sends it to everybody.
    assert "workspaceRouting" in await stable.result("account/read", {})


async def test_what_is_wrong_with_params_wins_over_the_capability(home: Path) -> None:
    async with running_server(home, initialize=False, forked=True) as server:
        await server.result("initialize", {"clientInfo": {"name": "x", "version": "1"}})
        error = await server.error(LOGIN, {"type": "chatgptAuthTokens", "chatgptAccountId": "acct-1"})
        assert error == {"code": -32600, "message": "Invalid request: missing field `accessToken`"}


async def test_before_the_handshake_nothing_is_said_about_capabilities(home: Path) -> None:
    async with running_server(home, initialize=False, forked=True) as server:
        login = {"type": "chatgptAuthTokens", "accessToken": "x.y.z", "chatgptAccountId": "acct-1"}
        assert (await server.error(LOGIN, login))["message"] == "Not initialized"


async def test_with_the_capability_they_are_carried_out(home: Path, fake: FakeOpenAI) -> None:
    async with server_with(fake, home) as server:
        assert await server.result(LOGIN, tokens_login(fake.mint())) == {"type": "chatgptAuthTokens"}
        assert (await server.result("account/read", {}))["account"]["type"] == "chatgpt"
