"""Another process logs in, logs out or changes the account in the same home (wire.md sections 3 and 11).

The reference notices only while it is logged out, and says nothing. Here it is noticed before the next request.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account, TokenSet
from tests.support.server import Json, ServerProcess
from tests.support.upstream import (
    NO_STATUS,
    NOBODY,
    UPDATED,
    Start,
    managed_login,
    store,
    token_in_force,
    updated,
    without_times,
)
from tests.wire.refresh.support import SIGNED_OUT, USAGE, bearers, presented, reason, use, why_not

KEY: Json = {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-elsewhere"}


@pytest.fixture
def other(fake: FakeOpenAI) -> TokenSet:
    """Tokens of another account of the same person."""
    fake.add_account(Account(account_id="acct-2", plan_type="pro", workspace_name="Other"))
    return fake.mint("acct-2")


async def test_newer_tokens_of_the_same_account_are_adopted_in_silence(
    fake: FakeOpenAI, home: Path, login: TokenSet, server: ServerProcess
) -> None:
    newer = fake.mint()
    store(home, managed_login(newer))

    await use(server)

    assert bearers(fake) == [newer.access_token]
    assert presented(fake) == []
    assert await server.barrier() == []


async def test_another_account_is_adopted_and_announced(
    fake: FakeOpenAI, home: Path, server: ServerProcess, other: TokenSet
) -> None:
    store(home, managed_login(other))

    await use(server)

    (request,) = fake.requests.of("usage")
    assert (request.bearer, request.headers.get("chatgpt-account-id")) == (other.access_token, "acct-2")
    assert await server.notification(UPDATED) == {"authMode": "chatgpt", "planType": "pro"}
    read = await server.result("account/read", {})
    assert (read["account"]["workspaceName"], read["workspaceRouting"]["chatgptAccountId"]) == ("Other", "acct-2")
    assert await server.barrier() == []


async def test_a_login_that_was_removed_is_gone_and_that_is_announced(
    fake: FakeOpenAI, home: Path, login: TokenSet, server: ServerProcess
) -> None:
    (home / "auth.json").unlink()

    assert await server.error(USAGE["method"]) == {
        "code": -32600,
        "message": "codex account authentication required to read rate limits",
    }
    assert await server.notification(UPDATED) == {"authMode": None, "planType": None}
    assert await server.result("account/read", {}) == NOBODY
    assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS
    assert await server.barrier() == []
    assert list(fake.requests.of("usage")) == []


async def test_every_question_notices_and_every_kind_of_login_is_noticed(
    fake: FakeOpenAI, home: Path, login: TokenSet, server: ServerProcess, other: TokenSet
) -> None:
    file = home / "auth.json"
    questions: tuple[tuple[str, Json], ...] = (
        ("account/read", {}),
        ("account/read", {"refreshToken": True}),
        ("getAuthStatus", {}),
    )
    for method, params in questions:
        for change, announced in (
            (lambda: store(home, KEY), updated("apikey")),
            (lambda: store(home, managed_login(other)), updated("chatgpt", "pro")),
            (file.unlink, updated(None)),
            (lambda: store(home, managed_login(login)), updated("chatgpt", "plus")),
        ):
            change()
            await server.result(method, params)
            said = without_times(await server.barrier())
            assert said == [announced], (method, params)
    assert await token_in_force(server) == login.access_token
    assert presented(fake) == []


async def test_a_file_that_is_not_understood_ends_no_login(home: Path, login: TokenSet, server: ServerProcess) -> None:
    # Somebody may be in the middle of writing it.
    for content in (b'{"auth_mode": "chat', b"\xff", b"[]"):
        store(home, content)
        await use(server)
        assert await token_in_force(server) == login.access_token
    assert await server.barrier() == []


async def test_a_request_that_met_a_401_is_not_continued_as_somebody_else(
    fake: FakeOpenAI, home: Path, login: TokenSet, server: ServerProcess, other: TokenSet
) -> None:
    file = home / "auth.json"
    changes: list[tuple[Callable[[], object], Json]] = [
        (lambda: store(home, managed_login(other)), updated("chatgpt", "pro")),
        (lambda: store(home, KEY), updated("apikey")),
        (file.unlink, updated(None)),
    ]
    for number, (change, announced) in enumerate(changes, 1):
        current = fake.mint("acct-1")
        store(home, managed_login(current))
        await server.result("account/read", {})
        await server.barrier()
        fake.expire(current.access_token)
        fake.fault("usage", hang=True, times=1)
        await server.send({**USAGE, "id": number})
        await fake.requests.wait_for("usage", count=number)
        change()

        fake.release()

        assert reason(await server.answer(number)) == SIGNED_OUT
        assert without_times(await server.barrier()) == [announced]
    assert presented(fake) == []
    assert len(bearers(fake)) == 3


async def test_the_issuer_is_not_asked_about_a_login_that_is_removed_while_another_refresh_is_waited_for(
    fake: FakeOpenAI, home: Path, login: TokenSet, start: Start
) -> None:
    async with start() as refreshing, start() as waiting:
        for server in (refreshing, waiting):
            await server.notification(UPDATED)
        fake.expire(login.access_token)
        fake.fault("token", hang=True, when="after")
        await refreshing.send(USAGE)
        await fake.requests.wait_for("token")
        await waiting.send(USAGE)
        await fake.requests.wait_for("usage", count=2)

        (home / "auth.json").unlink()
        refreshing.process.kill()

        assert reason(await waiting.answer(1)) == SIGNED_OUT
        assert await waiting.notification(UPDATED) == {"authMode": None, "planType": None}
        assert len(presented(fake)) == 1


async def test_a_login_without_an_account_can_never_be_refreshed(fake: FakeOpenAI, home: Path, start: Start) -> None:
    tokens = fake.mint()
    login = managed_login(tokens)
    del login["tokens"]["account_id"]
    store(home, login)

    async with start() as server:
        await use(server)
        fake.expire(tokens.access_token)

        assert await why_not(server) == SIGNED_OUT
        read = await server.result("account/read", {"refreshToken": True})
        assert (read["account"]["type"], read["workspaceRouting"]) == ("chatgpt", None)
        assert presented(fake) == []
