"""What the model has seen: what is kept of it, and what it is asked about later."""

from typing import Any

import pytest

from app_server.threads.history import ABORTED, SUMMARY_PREFIX, History, is_context
from app_server.threads.response_items import CANCELLED, Item, call_output, message

ENVIRONMENT = "<environment_context>\n  <cwd>/here</cwd>\n</environment_context>"


def call(call_id: str, kind: str = "function_call") -> Item:
    return {"type": kind, "id": "fc_1", "call_id": call_id, "name": "x", "arguments": "{}"}


def texts(items: list[Item]) -> list[str]:
    return [item["content"][0]["text"] for item in items]


def test_items_come_in_the_order_in_which_they_were_added_and_can_all_be_replaced() -> None:
    history = History([message("user", "A")])
    history.append(message("user", "B"))
    assert (len(history), texts(list(history))) == (2, ["A", "B"])
    history.replace([message("user", "C")])
    assert texts(list(history)) == ["C"]


def test_a_history_can_be_replaced_by_a_part_of_itself() -> None:
    history = History([message("user", "A"), message("user", "B")])
    history.replace(item for item in history if texts([item]) == ["B"])
    assert texts(list(history)) == ["B"]


def test_only_calls_without_an_output_are_unanswered() -> None:
    history = History([call("a"), call_output(call("a"), "x"), call("b"), call("c", "custom_tool_call")])
    assert [each["call_id"] for each in history.unanswered_calls()] == ["b", "c"]
    for each in history.unanswered_calls():
        history.append(call_output(each, CANCELLED))
    assert history.unanswered_calls() == []


def test_what_the_user_said_is_told_from_what_was_said_for_the_user() -> None:
    history = History(
        [
            message("user", ENVIRONMENT),
            message("user", "Said"),
            message("user", ABORTED),
            message("user", SUMMARY_PREFIX + "so far"),
            message("developer", "Order"),
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Answer"}]},
            call("a"),
            message("user", "Said again"),
        ]
    )
    assert texts(history.user_messages()) == ["Said", "Said again"]


@pytest.mark.parametrize("content", ["text", None, [], ["odd", 5], [{"type": "input_image"}], [{"text": None}]])
def test_content_of_any_shape_is_borne(content: Any) -> None:
    item = {"type": "message", "role": "user", "content": content}
    history = History([item])
    assert history.user_messages() == [item]
    assert not is_context(item)
    assert history.estimated_tokens() >= 0


# What the model was told about its surroundings


def test_the_model_knows_its_surroundings_once_it_was_told() -> None:
    context = [message("developer", "Order"), message("user", ENVIRONMENT)]
    history = History()
    assert not history.has_context(context)
    for item in context:
        history.append(item)
    history.append(message("user", "Hi"))
    assert history.has_context([message("developer", "Order"), message("user", ENVIRONMENT)])


@pytest.mark.parametrize(
    "other",
    [
        [message("developer", "Other"), message("user", ENVIRONMENT)],
        [message("developer", "Order"), message("user", ENVIRONMENT.replace("here", "there"))],
    ],
)
def test_other_surroundings_are_news(other: list[Item]) -> None:
    assert not History([message("developer", "Order"), message("user", ENVIRONMENT)]).has_context(other)


def test_surroundings_that_have_changed_back_are_news_again() -> None:
    here, there = message("user", ENVIRONMENT), message("user", ENVIRONMENT.replace("here", "there"))
    assert not History([here, there]).has_context([here])


def test_a_word_of_the_developer_in_between_changes_nothing_about_the_surroundings() -> None:
    context = [message("developer", "Order"), message("user", ENVIRONMENT)]
    assert History([*context, message("developer", "By the way")]).has_context(context)


def test_a_replaced_history_forgets_its_surroundings() -> None:
    context = [message("user", ENVIRONMENT)]
    history = History(context)
    history.replace([message("user", "Hi")])
    assert not history.has_context(context)


# Its size


def test_four_characters_are_about_a_token_and_an_image_is_not_counted_by_its_bytes() -> None:
    assert 100 <= History([message("user", "x" * 400)]).estimated_tokens() <= 130
    image = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 1_000_000}
    assert History([{"type": "message", "role": "user", "content": [image]}]).estimated_tokens() < 2_000
