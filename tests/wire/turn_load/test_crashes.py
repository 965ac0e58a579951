"""A server that is killed in the middle of turns leaves threads that can be resumed, with every turn of which the end
was told complete (issue 4, section 3). A longer run is in ``tests.soak.test_turn_soak``."""

import random

from app_server.fake_openai.server import FakeOpenAI
from tests.wire.turn_load.conftest import Start
from tests.wire.turn_load.crashes import Crashes

KILLS = 3


async def test_after_a_kill_every_thread_goes_on_and_nothing_that_was_said_is_lost(
    fake: FakeOpenAI, start: Start
) -> None:
    crashes = Crashes(fake, start, random.Random(4711))  # noqa: S311 - to be repeatable, not secret

    await crashes.run(KILLS)

    assert crashes.in_the_middle > 0
