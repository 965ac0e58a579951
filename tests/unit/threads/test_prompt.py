"""What a request says besides the history."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app_server.threads.prompt import DEFAULT_INSTRUCTIONS, PLAN_MODE, context_items, request_body
from app_server.threads.response_items import message
from protocol.turn import CollaborationMode
from tests.unit.threads.support import THREAD, settings

TOOL = {"type": "function", "name": "lookup"}


def mode(kind: str, developer: str | None = None) -> CollaborationMode:
    given = {"mode": kind, "settings": {"model": "m", "developer_instructions": developer}}
    return CollaborationMode.model_validate(given)


def body(tmp_path: Path, config: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    made = replace(settings(tmp_path, **(config or {})), **changes)
    return request_body(made, [message("user", "Hi")], (), THREAD)


def texts(tmp_path: Path, **changes: Any) -> list[tuple[str, list[str]]]:
    items = context_items(replace(settings(tmp_path), **changes))
    return [(item["role"], [part["text"] for part in item["content"]]) for item in items]


def test_a_plain_request_says_no_more_than_it_has_to(tmp_path: Path) -> None:
    made = body(tmp_path)
    assert made.pop("input")[0]["content"][0]["text"] == "Hi"
    assert made == {
        "model": "test-model",
        "instructions": DEFAULT_INSTRUCTIONS,
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": THREAD,
    }


def test_tools_may_be_called_in_parallel(tmp_path: Path) -> None:
    made = request_body(settings(tmp_path), [], [TOOL], THREAD)
    assert (made["tools"], made["tool_choice"], made["parallel_tool_calls"]) == ([TOOL], "auto", True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"effort": "high"}, {"effort": "high"}),
        ({"summary": "detailed"}, {"summary": "detailed"}),
        ({"effort": "high", "summary": "none"}, {"effort": "high"}),
        ({"summary": "none"}, None),
    ],
)
def test_how_hard_to_think_is_said_only_where_somebody_cares(tmp_path: Path, changes: Any, said: Any) -> None:
    assert body(tmp_path, **changes).get("reasoning") == said


def test_a_schema_and_the_verbosity_go_together(tmp_path: Path) -> None:
    schema = {"type": "object"}
    made = request_body(settings(tmp_path, model_verbosity="low"), [], (), THREAD, schema)
    assert made["text"] == {
        "verbosity": "low",
        "format": {"type": "json_schema", "name": "codex_output_schema", "strict": True, "schema": schema},
    }


def test_a_service_tier_and_other_instructions_are_passed_on(tmp_path: Path) -> None:
    made = body(tmp_path, service_tier="priority", base_instructions="Be terse.")
    assert (made["service_tier"], made["instructions"]) == ("priority", "Be terse.")


def test_the_model_is_told_where_and_when_it_is(tmp_path: Path) -> None:
    [(role, [text])] = texts(tmp_path)
    assert role == "user"
    assert f"<cwd>{tmp_path}</cwd>" in text
    assert "<current_date>20" in text


def test_the_words_of_the_developer_come_first_as_the_developers(tmp_path: Path) -> None:
    told = texts(tmp_path, developer_instructions="Order", mode=mode("plan", "More"))
    assert told[0] == ("developer", ["Order", "More"])
    assert [role for role, _ in told] == ["developer", "user"]


@pytest.mark.parametrize(
    ("given", "said"),
    [(mode("plan"), [PLAN_MODE]), (mode("plan", "Own"), ["Own"]), (mode("default", "Own"), ["Own"])],
)
def test_plan_mode_is_explained_unless_the_client_does(tmp_path: Path, given: CollaborationMode, said: Any) -> None:
    assert texts(tmp_path, mode=given)[0] == ("developer", said)


def test_the_default_mode_needs_no_word(tmp_path: Path) -> None:
    assert [role for role, _ in texts(tmp_path, mode=mode("default"))] == ["user"]
