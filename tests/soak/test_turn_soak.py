"""Turns under everything that can happen to them, for a minute (``SOAK_SECONDS``), and servers that are killed in the
middle of turns, ``SOAK_TURN_KILLS`` times (``make soak``).

Every turn that was begun ends once, and what is stored is what the client was told.
"""

import os
import random
from functools import partial
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.wire.turn_load.conftest import load_server
from tests.wire.turn_load.crashes import Crashes
from tests.wire.turn_load.disorder import Disorder

SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
KILLS = int(os.environ.get("SOAK_TURN_KILLS", "30"))
SEED = int(os.environ.get("SOAK_SEED", "4711"))


@pytest.mark.soak
async def test_after_each_of_many_kills_every_thread_goes_on(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 - to be repeatable, not secret
    async with FakeOpenAI.running() as fake:
        crashes = Crashes(fake, partial(load_server, fake, tmp_path / "home"), chance)
        await crashes.run(KILLS)
    print(f"\n{KILLS} kills: {crashes.ended} turns had ended, {crashes.in_the_middle} had not")  # noqa: T201 - figures
    assert KILLS < 20 or min(crashes.ended, crashes.in_the_middle) > 0


@pytest.mark.soak
async def test_whatever_happens_every_turn_ends_once_and_is_stored_as_it_was_told(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 - to be repeatable, not secret
    async with FakeOpenAI.running() as fake:
        start = partial(load_server, fake, tmp_path / "home")
        disorder = Disorder(fake, chance)
        async with start("app_server.dynamic_tool_timeout=0.5") as server:
            await disorder.run(server, SECONDS)
        async with start() as server:
            await disorder.check_stored(server)
    print(f"\n{disorder.summary()}")  # noqa: T201 - figures
