"""``codex-app-server-client``, as it is published, holds its conversations with this server. It knows nothing of the
official SDK, replaces the environment, and ends its server by a signal.

What it does stands in ``programs/codex_app_server_client``.
"""

from typing import Final

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.clients.support import Client, bearers, pause_after_first_delta, told, tool_outputs

pytestmark = pytest.mark.clients

PROGRAMS: Final = "tests.clients.programs.codex_app_server_client"


async def test_it_runs_and_streams_turns(client: Client, fake: FakeOpenAI) -> None:
    fake.script(text="One two three", deltas=3, usage={"input_tokens": 11, "output_tokens": 7})
    seen = await client("run_and_stream")
    assert seen == {
        "account": True,
        "result": ["completed", "One two three", 18],
        "methods": seen["methods"],
        "streamed": "Second",
        "last": "TurnCompletedEvent",
    }
    assert seen["methods"].count("item/agentMessage/delta") == 3
    assert seen["methods"].count("turn/started") == 1
    assert seen["methods"][-1] == "turn/completed"
    assert bearers(fake) == ["sk-1", "sk-1"]


async def test_it_interrupts_a_turn_at_an_event(client: Client, fake: FakeOpenAI) -> None:
    pause_after_first_delta(fake)
    assert await client("interrupt") == {"stopped": "interrupted", "next": "Second"}


async def test_its_tool_is_called_and_the_model_is_told(client: Client, fake: FakeOpenAI) -> None:
    fake.script(tool_calls=[{"name": "lookup", "call_id": "call-x", "arguments": {"q": "x"}}])
    assert await client("call_tool") == {
        "answer": "The tool said: forty-two",
        "asked": [["item/tool/call", "lookup", {"q": "x"}]],
    }
    assert tool_outputs(fake) == {"call-x": "forty-two"}


async def test_it_names_reads_forks_lists_and_archives_threads(client: Client) -> None:
    assert await client("keep_threads") == {
        "read": ["The first", 1],
        "fork": True,
        "listed": [True, "The first"],
        "archived": True,
        "models": True,
    }


async def test_it_resumes_a_thread_in_a_new_process_without_asyncio(client: Client, fake: FakeOpenAI) -> None:
    assert await client("resume") == {"before": "First", "after": "Second", "listed": True}
    assert told(fake) == [("user", "First"), ("assistant", "First"), ("user", "Second")]
