"""What the model reads of a tool's answer, and what the item shows of it."""

import base64
from typing import Any

import pytest

from app_server.threads.tool_output import output_for_model
from protocol.tools import DynamicToolCallResponse

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"x" * 60).decode()
REMOTE = "remote image URLs are not supported; use an inline data URL instead"


def answer(*items: dict[str, Any], success: bool = True) -> DynamicToolCallResponse:
    return DynamicToolCallResponse.model_validate({"contentItems": list(items), "success": success})


def said(text: str) -> dict[str, Any]:
    return {"type": "inputText", "text": text}


def image(url: str) -> dict[str, Any]:
    return {"type": "inputImage", "imageUrl": url}


def audio(url: str) -> dict[str, Any]:
    return {"type": "inputAudio", "audioUrl": url}


def part(text: str) -> dict[str, Any]:
    return {"type": "input_text", "text": text}


@pytest.mark.parametrize("text", ["RES", ""])
def test_a_single_text_goes_to_the_model_as_it_is(text: str) -> None:
    response = answer(said(text))
    assert output_for_model(response) == (text, response.content_items, True)


def test_a_failure_is_told_by_its_text_alone() -> None:
    output, _, success = output_for_model(answer(said("BAD"), success=False))
    assert (output, success) == ("BAD", False)


@pytest.mark.parametrize(
    ("items", "output"),
    [
        ([], []),
        ([said("T1"), said("T2")], [part("T1"), part("T2")]),
        ([said("a"), said("")], [part("a")]),
        ([image(PNG)], [{"type": "input_image", "image_url": PNG, "detail": "high"}]),
        ([image("zzz")], [{"type": "input_image", "image_url": "zzz", "detail": "high"}]),
        (
            [image("data:image/png;base64,AAAA")],
            [part("image content omitted because it could not be processed")],
        ),
        (
            [said("a"), audio("data:audio/wav;base64,AAAA")],
            [part("a"), part("audio content omitted because you do not support audio input")],
        ),
    ],
)
def test_anything_else_goes_as_a_list_of_parts(items: list[dict[str, Any]], output: list[dict[str, Any]]) -> None:
    response = answer(*items)
    assert output_for_model(response) == (output, response.content_items, True)


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ([image("http://x")], REMOTE),
        ([said("a"), image("HTTPS://x")], REMOTE),
        ([audio("http://x")], "audio URLs must use an inline data URL"),
    ],
)
def test_what_would_have_to_be_fetched_makes_the_call_fail(items: list[dict[str, Any]], told: str) -> None:
    output, content, success = output_for_model(answer(*items))
    assert (output, success) == (told, False)
    assert [item.root.model_dump() for item in content] == [{"type": "inputText", "text": told}]


def test_a_huge_text_is_cut_for_the_model_and_kept_in_the_item() -> None:
    output, content, _ = output_for_model(answer(said("a" * 200_000)))
    assert output == f"{'a' * 6000}…47000 tokens truncated…{'a' * 6000}"
    assert len(content[0].root.model_dump()["text"]) == 200_000


def test_several_texts_share_the_limit_and_images_do_not_count() -> None:
    items = [said("a" * 5), image(PNG), said("c" * 30_000), said("d"), said("e")]
    output, _, _ = output_for_model(answer(*items))
    assert output == [
        part("aaaaa"),
        {"type": "input_image", "image_url": PNG, "detail": "high"},
        part(f"{'c' * 5996}…4502 tokens truncated…{'c' * 5996}"),
        part("[omitted 2 text items ...]"),
    ]


def test_the_limit_can_be_set() -> None:
    assert output_for_model(answer(said("abcdefgh")), max_bytes=4)[0] == "ab…1 tokens truncated…gh"
