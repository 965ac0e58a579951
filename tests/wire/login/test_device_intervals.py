"""How often the issuer is asked about a device code, and what is waited out (wire.md sections 8 and 15.9, issue 3)."""

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json
from tests.wire.login.leaping import LEAPING_BACKEND, EmbeddedServer, embedded_server, time_flying
from tests.wire.login.support import ended

PENDING: Json = {"status": 403}
SLOW_DOWN: Json = {"status": 400, "json": {"error": "slow_down"}}

NIMBLE = 1.0
"""Seconds on that clock that an exchange takes at most."""


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return LEAPING_BACKEND


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    """An issuer that notes on the same clock when it was asked."""
    async with FakeOpenAI.running(clock=anyio.current_time) as fake:
        yield fake


@pytest.fixture
async def server(fake: FakeOpenAI, home: Path) -> AsyncIterator[EmbeddedServer]:
    async with embedded_server(fake, home) as server:
        yield server


async def pauses(fake: FakeOpenAI, server: EmbeddedServer, interval: Json, answers: list[Json]) -> list[float]:
    """The seconds between the questions of a server that is answered like this, and is refused in the end.

    :param interval: the member of the issuer's answer that says how often it wants to be asked, if there is one.
    """
    fake.fault("device_usercode", json={"device_auth_id": "an-id", "user_code": "CODE", **interval})
    for answer in [*answers, {"status": 401}]:
        fake.fault("device_token", **answer)
    login = await server.device_login()
    async with time_flying():
        refusal = ended(login, "device auth failed with status 401 Unauthorized")
        assert await server.messages(1) == [refusal]
    questions = [request.at for request in fake.requests.of("device_token")]
    assert len(questions) == len(answers) + 1
    return [later - earlier for earlier, later in pairwise(questions)]


def assert_about(pauses: list[float], *seconds: float) -> None:
    """They are as long as that, and no longer than an exchange takes besides."""
    assert len(pauses) == len(seconds)
    assert all(least <= pause < least + NIMBLE for pause, least in zip(pauses, seconds, strict=True)), pauses


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [
        ({}, 5),
        ({"interval": None}, 5),
        ({"interval": "soon"}, 5),
        ({"interval": True}, 5),
        ({"interval": "7"}, 7),
        ({"interval": " 7 "}, 7),
        ({"interval": 7}, 7),
        ({"interval": 2.5}, 2.5),
        # There is no tight loop (wire.md section 15.9).
        ({"interval": "0"}, 1),
        ({"interval": 0}, 1),
        ({"interval": -3}, 5),
    ],
)
async def test_the_interval_is_that_of_the_issuer_or_five_seconds_and_never_less_than_one(
    fake: FakeOpenAI, server: EmbeddedServer, interval: Json, seconds: float
) -> None:
    assert_about(await pauses(fake, server, interval, [PENDING, PENDING]), seconds, seconds)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 404},
        {"status": 403, "malformed": True},
        {"status": 429},
        {"status": 500},
        {"status": 503, "malformed": True},
        {"status": 400, "json": {"error": "authorization_pending"}},
        {"status": 400, "json": {"error": {"code": "authorization_pending"}}},
        {"drop": True},
    ],
)
async def test_what_may_pass_is_waited_out(fake: FakeOpenAI, server: EmbeddedServer, answer: Json) -> None:
    # In the reference 429, 5xx and a network that fails for a moment end the login.
    assert_about(await pauses(fake, server, {"interval": 3}, [PENDING, answer, PENDING]), 3, 3, 3)


async def test_slow_down_adds_five_seconds_each_time_and_for_good(fake: FakeOpenAI, server: EmbeddedServer) -> None:
    answers = [SLOW_DOWN, PENDING, {"status": 429, "json": {"code": "slow_down"}}, PENDING]
    assert_about(await pauses(fake, server, {"interval": 3}, answers), 8, 8, 13, 13)


async def test_the_issuer_can_ask_for_more_time_once(fake: FakeOpenAI, server: EmbeddedServer) -> None:
    answers: list[Json] = [
        {"retry_after": 20},
        {"status": 503, "headers": {"retry-after": "10"}},
        {"retry_after": 1},
        PENDING,
    ]
    assert_about(await pauses(fake, server, {"interval": 3}, answers), 20, 10, 3, 3)
