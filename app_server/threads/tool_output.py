"""What the model reads of the answer of a parent's tool: texts within a limit, images, or why it is refused."""

from typing import Any, Final

from app_server.threads.images import REMOTE_IMAGE, image_part, is_remote
from app_server.threads.truncation import BYTES_PER_TOKEN, tokens_in, truncate_middle
from protocol.items import (
    DynamicToolCallOutputContentItem,
    InputAudioDynamicToolCallOutputContentItem,
    InputImageDynamicToolCallOutputContentItem,
    InputTextDynamicToolCallOutputContentItem,
)
from protocol.tools import DynamicToolCallResponse

MAX_OUTPUT_BYTES: Final = 12_000
"""Bytes of text that one call may give to the model, unless told otherwise: 3,000 tokens, as in the reference."""

AUDIO_OMITTED: Final = "audio content omitted because you do not support audio input"
"""What the model reads in place of a sound."""


def output_for_model(
    response: DynamicToolCallResponse, max_bytes: int = MAX_OUTPUT_BYTES
) -> tuple[str | list[dict[str, Any]], list[DynamicToolCallOutputContentItem], bool]:
    """What the model reads of a tool's answer, what the item shows of it, and whether it counts as a success.

    A single text goes as it is, anything else as a list of parts. Texts beyond the limit, all of them together, are
    cut in the middle; the item keeps them whole. ``success`` itself is not told to the model: the text has to say it.

    :param max_bytes: of text, in UTF-8.
    """
    items = [item.root for item in response.content_items]
    refusal = next(filter(None, map(_refusal, items)), None)
    if refusal is not None:
        told = InputTextDynamicToolCallOutputContentItem(text=refusal)
        return refusal, [DynamicToolCallOutputContentItem(told)], False
    if len(items) == 1 and isinstance(items[0], InputTextDynamicToolCallOutputContentItem):
        output: str | list[dict[str, Any]] = truncate_middle(items[0].text, max_bytes)
    else:
        output = limit_texts(list(filter(None, map(_part, items))), max_bytes)
    return output, response.content_items, response.success


_Content = (
    InputTextDynamicToolCallOutputContentItem
    | InputImageDynamicToolCallOutputContentItem
    | InputAudioDynamicToolCallOutputContentItem
)


def _refusal(item: _Content) -> str | None:
    if isinstance(item, InputImageDynamicToolCallOutputContentItem) and is_remote(item.image_url):
        return REMOTE_IMAGE
    if isinstance(item, InputAudioDynamicToolCallOutputContentItem) and item.audio_url[:5].lower() != "data:":
        return "audio URLs must use an inline data URL"
    return None


def _part(item: _Content) -> dict[str, Any] | None:
    match item:
        case InputTextDynamicToolCallOutputContentItem(text=text):
            return {"type": "input_text", "text": text} if text else None
        case InputImageDynamicToolCallOutputContentItem(image_url=url):
            return image_part(url)
        case _:
            return {"type": "input_text", "text": AUDIO_OMITTED}


def limit_texts(parts: list[dict[str, Any]], max_bytes: int = MAX_OUTPUT_BYTES) -> list[dict[str, Any]]:
    """The parts, with the texts beyond the limit, all of them together, cut in the middle or left out."""
    kept: list[dict[str, Any]] = []
    left = max_bytes // BYTES_PER_TOKEN
    omitted = 0
    for part in parts:
        if part["type"] != "input_text":
            kept.append(part)
        elif left:
            text = part["text"]
            kept.append({**part, "text": truncate_middle(text, left * BYTES_PER_TOKEN)})
            left = max(0, left - tokens_in(text))
        else:
            omitted += 1
    if omitted:
        kept.append({"type": "input_text", "text": f"[omitted {omitted} text items ...]"})
    return kept
