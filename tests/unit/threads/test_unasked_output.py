"""What a tool delivers unasked: what the model reads of it, what the item shows, and what is refused."""

import base64
from typing import Any

import pytest

from app_server.threads.unasked_output import UnaskedOutput, prepare
from protocol.errors import MAX_INPUT_CHARACTERS, InputTooLarge, InvalidRequest
from protocol.turn import TurnToolOutput

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"x" * 60).decode()


async def delivered(output: Any, **more: Any) -> UnaskedOutput:
    return await prepare(TurnToolOutput.model_validate({"name": "mail", "output": output, **more}))


def text(words: str) -> dict[str, Any]:
    return {"type": "input_text", "text": words}


def image(**members: Any) -> dict[str, Any]:
    return {"type": "input_image", **members}


@pytest.mark.parametrize("words", ["You have mail", ""])
async def test_a_text_goes_to_the_model_as_it_is(words: str) -> None:
    given = await delivered(words, namespace="post", retain=True)
    assert (given.name, given.namespace, given.told, given.output.root) == ("mail", "post", words, words)


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ([], []),
        ([text("T")], [text("T")]),
        ([text("")], []),
        ([image(image_url=PNG)], [image(image_url=PNG, detail="high")]),
        ([image(image_url=PNG, detail="low")], [image(image_url=PNG, detail="low")]),
        ([image(image_url=PNG, file_id="file_1")], [image(image_url=PNG, detail="high")]),
        ([image(file_id="file_1")], [image(file_id="file_1", detail="high")]),
        (
            [image(image_url="data:image/png;base64,AAAA")],
            [text("image content omitted because it could not be processed")],
        ),
        (
            [{"type": "input_audio", "audio_url": "data:audio/wav;base64,AAAA"}],
            [text("audio content omitted because you do not support audio input")],
        ),
        (
            [{"type": "encrypted_content", "encrypted_content": "AAAA"}],
            [{"type": "encrypted_content", "encrypted_content": "AAAA"}],
        ),
    ],
)
async def test_pieces_are_told_one_by_one(items: list[Any], told: list[Any]) -> None:
    assert (await delivered(items)).told == told


async def test_the_item_shows_the_pieces_as_they_came() -> None:
    items = [text(""), image(image_url="data:x"), image(file_id="f", detail="original")]
    given = await delivered([*items, image(image_url="data:y", file_id="f")])
    assert given.output.model_dump() == [*items, image(image_url="data:y")]


async def test_long_texts_are_cut_for_the_model_and_whole_in_the_item() -> None:
    given = await delivered("a" * 20_000)
    assert len(given.told) < 12_100
    assert "tokens truncated" in given.told
    assert given.output.root == "a" * 20_000
    several = await delivered([text("a" * 20_000), text("b")])
    assert several.told[1:] == [text("[omitted 1 text items ...]")]


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("pieces", [False, True])
async def test_the_texts_are_bounded_like_those_of_an_input(over: int, pieces: bool) -> None:
    size = MAX_INPUT_CHARACTERS + over
    output = [text("x" * (size - 1)), text("x")] if pieces else "x" * size
    if not over:
        await delivered(output)
        return
    with pytest.raises(InputTooLarge) as refused:
        await delivered(output)
    assert refused.value.data["actual_chars"] == size


@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        ({"name": ""}, "`toolOutput.name` must not be empty"),
        (
            {"output": [image(image_url="HTTPS://example.test/x.png")]},
            "remote image URLs are not supported; use an inline data URL instead",
        ),
        (
            {"output": [{"type": "input_audio", "file_id": "file_1"}]},
            "Uploaded audio files must be submitted as turn input.",
        ),
    ],
)
async def test_what_cannot_be_used_is_refused(wish: Any, problem: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await delivered(**{"output": "x", **wish})
    assert refused.value.message == problem
