"""The official Python SDK, as it is published, holds its conversations with this server: its asynchronous form.

What it does stands in ``programs/openai_codex_async``.
"""

from typing import Final

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.clients.support import Client, pause_after_first_delta, told

pytestmark = pytest.mark.clients

PROGRAMS: Final = "tests.clients.programs.openai_codex_async"


async def test_threads_run_at_once(client: Client) -> None:
    assert await client("threads_at_once") == [f"Hello {n}" for n in range(4)]


async def test_it_interrupts_a_turn_and_steers_the_next(client: Client, fake: FakeOpenAI) -> None:
    pause_after_first_delta(fake)
    pause_after_first_delta(fake)
    assert await client("interrupt_and_steer") == {
        "ended": ["interrupted", "completed"],
        "texts": ["One ", "One Second"],
    }
    assert told(fake)[-1] == ("user", "Second")


async def test_it_keeps_threads_and_resumes_one_in_a_new_process(client: Client, fake: FakeOpenAI) -> None:
    assert await client("keep_threads") == {
        "account": "apiKey",
        "fork": ["After the fork", True],
        "archived": True,
        "unarchived": True,
        "models": True,
        "resumed": ["Second", "The first", ["completed", "completed"]],
        "nobody": None,
    }
    assert told(fake) == [("user", "First"), ("assistant", "First"), ("user", "Second")]


async def test_a_turn_that_fails_is_an_error_with_the_reason(client: Client, fake: FakeOpenAI) -> None:
    fake.script(error={"code": "invalid_prompt", "message": "Not this one."})
    assert await client("fail") == {"raised": "Not this one.", "next": "Again"}
