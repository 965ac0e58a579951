"""A server is killed while it refreshes, over and over (``SOAK_KILLS`` times, by default 200; ``make soak``).

Each time the next server is either logged in or says exactly what is lost; which of the two is no matter of luck:
it is lost if and only if the issuer had spent what the file still holds.
"""

import os
import random
import stat
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.upstream import NOBODY, UPDATED, Start, managed_login, server_with, store, stored
from tests.wire.refresh.support import FAILED, INTERRUPTED, USAGE, presented

KILLS = int(os.environ.get("SOAK_KILLS", "200"))
SEED = int(os.environ.get("SOAK_SEED", "4711"))

AT_ISSUER = 0.02
"""Seconds that the issuer takes at most before its answer comes."""


@dataclass
class Tally:
    """What became of the login, by the moment of the death.

    :param untouched: before the token was presented.
    :param saved: after the new tokens were in the file.
    :param lost: in between.
    """

    untouched: int = 0
    saved: int = 0
    lost: int = 0


@pytest.mark.soak
async def test_a_server_that_is_killed_while_it_refreshes_leaves_a_login_or_the_truth(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 - to be repeatable, not secret
    home = tmp_path / "home"
    tally = Tally()
    async with FakeOpenAI.running() as fake:
        start = partial(server_with, fake, home)
        store(home, managed_login(fake.mint()))
        seconds = 1.2 * await seconds_of_a_refresh(fake, start)
        for _ in range(KILLS):
            fake.requests.clear()
            before = stored(home)["tokens"]
            fake.fault("token", when="after", delay=AT_ISSUER * chance.random(), times=None)
            await die_while_refreshing(fake, start, before["access_token"], seconds * chance.random())
            fake.clear_faults()
            await look_at_what_is_left(fake, home, start, before["refresh_token"], tally)
    print(f"\n{KILLS} kills within {seconds * 1000:.0f} ms: {tally}")  # noqa: T201 - the outcome is a figure
    assert KILLS < 50 or min(tally.untouched, tally.saved, tally.lost) > 0


async def seconds_of_a_refresh(fake: FakeOpenAI, start: Start) -> float:
    """How long it takes here from the 401 until the new token is used; the first one, which takes longer, aside."""
    async with start() as server:
        await server.notification(UPDATED)
        for _ in range(2):
            fake.requests.clear()
            fake.expire(stored(server.home)["tokens"]["access_token"])
            fake.fault("token", when="after", delay=AT_ISSUER / 2)
            await server.result(USAGE["method"], USAGE["params"])
    refused, accepted = fake.requests.of("usage")
    return accepted.at - refused.at


async def die_while_refreshing(fake: FakeOpenAI, start: Start, access_token: str, moment: float) -> None:
    """A request meets a 401, and so many seconds after that the server dies."""
    async with start() as server:
        await server.notification(UPDATED)
        fake.expire(access_token)
        await server.send(USAGE)
        await fake.requests.wait_for("usage")
        await anyio.sleep(moment)
        server.process.kill()
        await server.exit_status()


async def look_at_what_is_left(fake: FakeOpenAI, home: Path, start: Start, before: str, tally: Tally) -> None:
    """Start again, use the login, and hold what is said against what the issuer knows."""
    file = home / "auth.json"
    assert stat.S_IMODE(file.stat().st_mode) in (0o600, 0o644)  # the latter is how the test has stored it
    was_saved = stored(home)["tokens"]["refresh_token"] != before
    async with start() as server:
        answer = await server.request(USAGE["method"], USAGE["params"])
        times = presented(fake).count(before)
        if "result" in answer:
            assert times == 1
            tally.saved += was_saved
            tally.untouched += not was_saved
            assert (await server.result("account/read", {}))["account"]["type"] == "chatgpt"
            return
        # Presented once by the one that died, and once more, because only the issuer knows.
        assert answer["error"]["message"] == FAILED + INTERRUPTED
        warning = await server.notification("configWarning")
        assert "interrupted" in warning["summary"]
    assert (times, was_saved) == (2, False)
    tally.lost += 1
    async with start() as server:
        assert await server.result("account/read", {}) == NOBODY
        assert await server.barrier() == []
    assert presented(fake).count(before) == 2
    store(home, managed_login(fake.mint()))
