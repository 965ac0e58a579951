"""Refreshing before anybody meets a 401: when, why, and that nobody waits for it (wire.md section 11, 15.11)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import TokenSet
from tests.support.server import Json
from tests.support.upstream import NOBODY, UPDATED, Start, managed_login, store, stored, token_in_force
from tests.wire.refresh.support import EXPIRED, bearers, presented, reasons, until_replaced, use, withheld

AT_ONCE = 5.0
"""Seconds for what must not wait for anybody; the token endpoint may take six times as long."""


def ago(**time: float) -> str:
    """A point in the past, as auth.json has it."""
    return f"{datetime.now(UTC) - timedelta(**time):%Y-%m-%dT%H:%M:%S.%f}000Z"


def store_tokens(home: Path, tokens: TokenSet, *, last_refresh: str) -> None:
    store(home, managed_login(tokens, last_refresh=last_refresh))


@pytest.mark.parametrize("expires_in", [295, -3600])
async def test_a_token_that_runs_out_within_five_minutes_is_refreshed_at_the_start(
    fake: FakeOpenAI, home: Path, start: Start, expires_in: int
) -> None:
    tokens = fake.mint(expires_in=expires_in)
    store_tokens(home, tokens, last_refresh=ago(seconds=1))

    async with start() as server:
        newer = await until_replaced(server, tokens.access_token)
        await server.notification(UPDATED)
        await use(server)

        assert bearers(fake) == [newer]
        assert reasons(fake) == ["proactive_expiry"]
        assert presented(fake) == [tokens.refresh_token]
        assert stored(home)["tokens"]["access_token"] == newer
        assert await server.barrier() == []


async def test_a_running_server_refreshes_when_the_five_minutes_begin(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    tokens = fake.mint(expires_in=302)
    store_tokens(home, tokens, last_refresh=ago(days=300))

    async with start():
        (request,) = await fake.requests.wait_for("token")
        assert request.at >= tokens.expires_at - 300
        assert reasons(fake) == ["proactive_expiry"]


async def test_a_token_that_has_more_time_is_never_refreshed_however_old_it_is(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    tokens = fake.mint(expires_in=330)
    store_tokens(home, tokens, last_refresh=ago(days=300))

    async with start() as server:
        await server.notification(UPDATED)
        await use(server)

        assert await token_in_force(server) == tokens.access_token
        assert presented(fake) == []


async def test_a_token_that_does_not_say_when_it_runs_out_is_refreshed_after_eight_days(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    tokens = fake.mint(claims={"exp": None})
    for last_refresh, expected in ((ago(days=7, hours=23), []), (ago(days=8, seconds=1), ["scheduled"])):
        store_tokens(home, tokens, last_refresh=last_refresh)

        async with start() as server:
            if expected:
                await fake.requests.wait_for("token")
            await server.notification(UPDATED)
            await use(server)
            assert reasons(fake) == expected


async def test_a_failure_costs_nothing_as_long_as_the_token_is_good(fake: FakeOpenAI, home: Path, start: Start) -> None:
    tokens = fake.mint(expires_in=200)
    store_tokens(home, tokens, last_refresh=ago(hours=1))
    fake.fault("token", status=500, times=None)

    async with start() as server:
        await fake.requests.wait_for("token")
        await server.notification(UPDATED)
        await use(server)

        assert (await server.result("account/read", {}))["account"]["type"] == "chatgpt"
        assert await token_in_force(server) == tokens.access_token
        # Nor is the issuer asked in a hurry.
        assert presented(fake) == [tokens.refresh_token]
        assert await server.barrier() == []


async def test_a_refusal_is_announced_though_nobody_has_asked(fake: FakeOpenAI, home: Path, start: Start) -> None:
    tokens = fake.mint(expires_in=200)
    store_tokens(home, tokens, last_refresh=ago(hours=1))
    fake.expire(tokens.refresh_token)
    fake.fault("token", hang=True)

    async with start() as server:
        await server.notification(UPDATED)
        await fake.requests.wait_for("token")
        fake.release()

        assert await server.notification(UPDATED) == {"authMode": None, "planType": None}
        assert await server.result("account/read", {}) == NOBODY
        assert await server.result("getAuthStatus", {"includeToken": True}) == withheld()
        assert EXPIRED in server.log.read_text()
        assert presented(fake) == [tokens.refresh_token]


@pytest.mark.parametrize("expires_in", [200, -3600])
async def test_nobody_who_asks_for_the_account_waits_for_a_token_endpoint_that_hangs(
    fake: FakeOpenAI, home: Path, start: Start, expires_in: int
) -> None:
    # In the reference initialize itself takes 40 s with an expired token (wire.md section 15.11).
    tokens = fake.mint(expires_in=expires_in)
    store_tokens(home, tokens, last_refresh=ago(hours=1))
    fake.fault("token", hang=True, times=None)

    async with start(initialize=False) as server:
        with anyio.fail_after(AT_ONCE):
            await server.initialize()
            await fake.requests.wait_for("token")
            account: Json = (await server.result("account/read", {}))["account"]
            assert (account["type"], account["email"], account["planType"]) == ("chatgpt", "user@example.com", "plus")
            assert await token_in_force(server) == tokens.access_token


async def test_an_issuer_of_tokens_that_run_out_at_once_is_not_asked_over_and_over(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    fake.configure(access_token_seconds=60)
    tokens = fake.mint()
    store_tokens(home, tokens, last_refresh=ago(hours=1))

    async with start() as server:
        await until_replaced(server, tokens.access_token)
        with pytest.raises(TimeoutError):
            await fake.requests.wait_for("token", count=2, timeout=0.5)
        await use(server)
