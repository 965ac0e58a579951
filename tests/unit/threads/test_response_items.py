"""Items of the Responses API: how they are made, sent again, and read."""

import pytest

from app_server.threads.response_items import Item, call_output, message, part_texts, text_of, to_send_again


def call(call_id: str, kind: str) -> Item:
    return {"type": kind, "id": "fc_1", "call_id": call_id, "name": "x", "arguments": "{}"}


def test_a_message_has_an_id_and_its_texts_in_order() -> None:
    made = message("developer", "A", "B")
    assert made["id"].startswith("msg_")
    assert (made["role"], [part["text"] for part in made["content"]]) == ("developer", ["A", "B"])
    assert message("user", "A")["id"] != message("user", "A")["id"]


@pytest.mark.parametrize(
    ("kind", "output", "prefix"),
    [
        ("function_call", "function_call_output", "fco_"),
        ("custom_tool_call", "custom_tool_call_output", "ctco_"),
    ],
)
def test_the_output_of_a_call_is_of_its_kind(kind: str, output: str, prefix: str) -> None:
    made = call_output(call("call_1", kind), "RES")
    assert (made["type"], made["call_id"], made["output"], made["id"][: len(prefix)]) == (
        output,
        "call_1",
        "RES",
        prefix,
    )


@pytest.mark.parametrize(
    ("item", "again"),
    [
        ({"type": "message", "id": "msg_1", "status": "completed"}, {"type": "message", "id": "msg_1"}),
        ({"type": "message", "id": "m1"}, {"type": "message"}),
        ({"type": "message", "id": None}, {"type": "message"}),
        ({"type": "message", "id": 5}, {"type": "message"}),
        ({"type": "reasoning", "id": "rs_1", "x": 1}, {"type": "reasoning", "id": "rs_1", "x": 1}),
        ({"type": "reasoning", "id": "msg_1"}, {"type": "reasoning"}),
        ({"type": "novelty", "id": "any"}, {"type": "novelty", "id": "any"}),
    ],
)
def test_an_item_is_sent_again_without_its_status_and_without_an_id_of_another_kind(item: Item, again: Item) -> None:
    before = dict(item)
    assert to_send_again(item) == again
    assert item == before


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        ([{"type": "output_text", "text": "A"}, {"type": "refusal", "refusal": "B"}], "AB"),
        ([{"type": "refusal", "text": "no"}, {"text": None}, {"text": 5}, None, "x"], ""),
        (None, ""),
        (5, ""),
        ({"text": "x"}, ""),
    ],
)
def test_the_text_of_a_message_is_all_that_can_be_read(content: object, text: str) -> None:
    assert text_of({"type": "message", "content": content}) == text


def test_the_parts_of_an_item_have_a_text_each_and_a_text_is_no_list_of_parts() -> None:
    assert part_texts([{"text": "A"}, {"type": "input_image"}, {"text": "B"}]) == ["A", "B"]
    assert part_texts("AB") == []
