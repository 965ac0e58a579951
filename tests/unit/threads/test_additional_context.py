"""What a client adds before an input, as the model is told it."""

from typing import Any

import pytest

from app_server.threads.additional_context import added_items
from protocol.errors import InvalidRequest
from protocol.turn import AdditionalContextEntry


def entry(value: str, kind: str = "untrusted", name: str | None = None) -> AdditionalContextEntry:
    return AdditionalContextEntry.model_validate({"value": value, "kind": kind, "name": name})


def without_ids(items: Any) -> list[Any]:
    return [{name: value for name, value in item.items() if name != "id"} for item in items]


def test_words_of_the_application_are_the_developers_and_others_are_a_tools() -> None:
    trusted, untrusted = added_items({"b": entry("V"), "a": entry("W", "application")})
    assert (trusted["id"][:4], untrusted["id"][:4]) == ("msg_", "fco_")
    assert without_ids([trusted, untrusted]) == [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "<a>W</a>"}]},
        {"type": "function_call_output", "name": "b", "namespace": "agent", "output": "V"},
    ]


def test_a_tool_has_the_name_that_it_is_given_or_the_key_or_any() -> None:
    items = added_items({"a": entry("1", name="mail"), "b": entry("2"), "": entry("3")})
    assert [item["name"] for item in items] == ["untrusted_content", "mail", "b"]


@pytest.mark.parametrize("kind", ["untrusted", "application"])
def test_a_long_value_loses_its_middle(kind: str) -> None:
    (item,) = added_items({"a": entry("v" * 100_000, kind)})
    assert 4_000 < len(str(item)) < 4_300
    assert "tokens truncated" in str(item)


def test_only_a_tool_has_a_name() -> None:
    with pytest.raises(InvalidRequest, match=r"^additional context name is only supported for untrusted context$"):
        added_items({"a": entry("V", "application", "x")})
