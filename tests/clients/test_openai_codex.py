"""The official Python SDK, as it is published, holds its conversations with this server: its synchronous form.

What it does stands in ``programs/openai_codex_sync``.
"""

import sysconfig
from pathlib import Path
from typing import Final

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.clients.support import Client, bearers, pause_after_first_delta, told

pytestmark = pytest.mark.clients

PROGRAMS: Final = "tests.clients.programs.openai_codex_sync"

REFUSED: Final = "The model does not like this."

UNKNOWN_THREAD: Final = "01a1fdc1-0000-7000-8000-000000000000"


async def test_it_logs_in_with_a_key_runs_a_turn_and_logs_out(client: Client, fake: FakeOpenAI) -> None:
    fake.script(
        text="Good morning",
        usage={
            "input_tokens": 11,
            "input_tokens_details": {"cached_tokens": 3},
            "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 2},
        },
    )
    seen = await client("login_and_run", key="sk-of-the-user")
    assert "(codex_python_sdk; 0.163.0)" in seen.pop("version")
    assert seen == {
        "before": [None, True],
        "account": "apiKey",
        "result": ["completed", None, "Good morning"],
        "items": ["userMessage", "agentMessage"],
        "usage": [3, 18],
        "timed": True,
        "after": None,
    }
    assert bearers(fake) == ["sk-of-the-user"]
    assert told(fake) == [("user", "Hello")]


async def test_it_starts_the_installed_command_by_its_path(client: Client) -> None:
    codex_bin = Path(sysconfig.get_path("scripts"), "app-server")
    assert await client("start_with_codex_bin", codex_bin=str(codex_bin)) == "Hello"


async def test_it_streams_a_turn_and_knows_every_notification(client: Client, fake: FakeOpenAI) -> None:
    fake.script(reasoning="Thinking", text="One two three", deltas=3)
    assert await client("stream") == {
        "methods": [
            "turn/started",
            *("item/started", "item/completed"),
            *(
                "item/started",
                "item/reasoning/summaryPartAdded",
                *["item/reasoning/summaryTextDelta"] * 3,
                "item/completed",
            ),
            *("item/started", *["item/agentMessage/delta"] * 3, "item/completed"),
            "thread/tokenUsage/updated",
            "turn/completed",
        ],
        "unknown": [],
        "text": "One two three",
        "spoken": ["One two three"],
    }


async def test_it_interrupts_a_turn_whose_beginning_is_kept(client: Client, fake: FakeOpenAI) -> None:
    pause_after_first_delta(fake)
    assert await client("interrupt") == {
        "ended": ["interrupted", None],
        "late": [
            ["InvalidRequestError", "no active turn to interrupt"],
            ["InvalidRequestError", "no active turn to steer"],
        ],
        "next": "Second",
        "turns": [
            ["interrupted", ["userMessage: First", "agentMessage: One "]],
            ["completed", ["userMessage: Second", "agentMessage: Second"]],
        ],
    }


async def test_it_steers_a_turn(client: Client, fake: FakeOpenAI) -> None:
    pause_after_first_delta(fake)
    assert await client("steer") == {
        "same": True,
        "ended": "completed",
        "spoken": ["One ", "Second"],
        "turns": [
            [
                "completed",
                ["userMessage: First", "agentMessage: One ", "userMessage: Second", "agentMessage: Second"],
            ]
        ],
    }
    assert told(fake) == [("user", "First"), ("assistant", "One "), ("user", "Second")]


async def test_a_second_turn_joins_the_one_that_runs(client: Client, fake: FakeOpenAI) -> None:
    pause_after_first_delta(fake)
    assert await client("join") == {
        "same": True,
        "first": ["completed", ["One ", "Second"]],
        "second": ["completed", "Second"],
        "turns": 1,
    }
    assert told(fake) == [("user", "First"), ("assistant", "One "), ("user", "Second")]


async def test_messages_of_others_come_as_outputs_of_tools(client: Client, fake: FakeOpenAI) -> None:
    mail = {"name": "mail", "namespace": "post", "output": "You have mail."}
    weather = {"name": "weather", "namespace": None, "output": [{"type": "input_text", "text": "It is raining."}]}
    assert await client("deliver", url="https://example.test/x.png") == {
        "results": [
            ["completed", "The tool said: You have mail."],
            ["completed", "The tool said: It is raining."],
            ["completed", "What is new?"],
        ],
        "items": [["functionCallOutput", "agentMessage"]] * 2 + [["userMessage", "agentMessage"]],
        "read": [mail, weather],
        "preview": "What is new?",
        "refused": [
            "InvalidRequestError",
            "remote image URLs are not supported; use an inline data URL instead",
        ],
    }
    sent = [item for item in fake.requests.of("responses")[-1].json["input"] if item["type"] == "function_call_output"]
    assert [{name: item.get(name) for name in mail} for item in sent] == [mail, weather]


async def test_it_names_lists_reads_forks_and_archives_threads(client: Client, fake: FakeOpenAI) -> None:
    assert await client("keep_threads") == {
        "pages": [[True], [True]],
        "last_page": True,
        "read": ["The first", "Hello", 1],
        "fork": [True, True, "After the fork", 2],
        "archived": [True, True],
        "unarchived": True,
        "found": True,
    }
    assert told(fake) == [("user", "Hello"), ("assistant", "Hello"), ("user", "After the fork")]


async def test_it_lists_the_models(client: Client) -> None:
    models = await client("list_models")
    assert [default for _, default, _ in models].count(True) == 1
    assert {hidden for _, _, hidden in models} == {False, True}


async def test_it_resumes_a_thread_in_a_new_process(client: Client, fake: FakeOpenAI) -> None:
    assert await client("resume", unknown=UNKNOWN_THREAD) == {
        "unknown": ["InvalidRequestError", f"no rollout found for thread id {UNKNOWN_THREAD}"],
        "result": "Second",
        "turns": [
            ["completed", ["userMessage: First", "agentMessage: First"]],
            ["completed", ["userMessage: Second", "agentMessage: Second"]],
        ],
    }
    assert told(fake) == [("user", "First"), ("assistant", "First"), ("user", "Second")]


async def test_a_turn_that_fails_is_an_error_with_the_reason(client: Client, fake: FakeOpenAI) -> None:
    fake.fault("responses", times=2, status=400, json={"error": {"message": REFUSED}})
    failed = await client("fail")
    assert REFUSED in failed["raised"]
    assert failed == {
        "raised": failed["raised"],
        "ended": ["failed", failed["raised"]],
        "errors": [[failed["raised"], False]],
        "next": "Again",
    }
