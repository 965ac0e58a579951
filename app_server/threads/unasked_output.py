"""What a tool delivers that the model has not called (``toolOutput`` of ``turn/start``), on its way to the model.

The outputs of calls are ``tool_output``'s.
"""

from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from app_server.threads.images import REMOTE_IMAGE, image_part, is_remote, sent_detail
from app_server.threads.tool_output import AUDIO_OMITTED, MAX_OUTPUT_BYTES, limit_texts
from app_server.threads.truncation import truncate_middle
from protocol.errors import MAX_INPUT_CHARACTERS, InputTooLarge, InvalidRequest
from protocol.function_output import (
    EncryptedContentFunctionCallOutputContentItem,
    FunctionCallOutputBody,
    FunctionCallOutputContentItem,
    InputAudioFunctionCallOutputContentItem,
    InputImageFunctionCallOutputContentItem,
    InputTextFunctionCallOutputContentItem,
)
from protocol.turn import TurnToolOutput


@dataclass(frozen=True, slots=True)
class UnaskedOutput:
    """What a tool has delivered.

    :param output: for the ``functionCallOutput`` item: as the client sent it.
    :param told: for the model: texts within the limit of every tool's output.
    """

    name: str
    namespace: str | None
    output: FunctionCallOutputBody
    told: str | list[dict[str, Any]]


async def prepare(given: TurnToolOutput) -> UnaskedOutput:
    """Check it and make of it what the model reads. An image or a sound that cannot be used is told to the model.

    :raises InputTooLarge: the texts have more than a million code points.
    :raises InvalidRequest: no name, an image that would have to be fetched, or a sound that the upstream has.
    """
    if not given.name:
        raise InvalidRequest("`toolOutput.name` must not be empty")
    output = given.output.root
    if isinstance(output, str):
        _check_size(len(output))
        told: str | list[dict[str, Any]] = truncate_middle(output, MAX_OUTPUT_BYTES)
    else:
        _check(output)
        # A long data: URL takes milliseconds to check.
        told = await anyio.to_thread.run_sync(_parts, output, abandon_on_cancel=True)
    return UnaskedOutput(given.name, given.namespace, given.output, told)


def _check(items: list[FunctionCallOutputContentItem]) -> None:
    size = 0
    for item in items:
        match item.root:
            case InputTextFunctionCallOutputContentItem(text=text):
                size += len(text)
            case InputImageFunctionCallOutputContentItem(image_url=str(url)) if is_remote(url):
                raise InvalidRequest(REMOTE_IMAGE)
            case InputAudioFunctionCallOutputContentItem(audio_url=None):
                raise InvalidRequest("Uploaded audio files must be submitted as turn input.")
    _check_size(size)


def _check_size(size: int) -> None:
    if size > MAX_INPUT_CHARACTERS:
        raise InputTooLarge(size)


def _parts(items: list[FunctionCallOutputContentItem]) -> list[dict[str, Any]]:
    return limit_texts([part for item in items if (part := _part(item)) is not None])


def _part(item: FunctionCallOutputContentItem) -> dict[str, Any] | None:
    match item.root:
        case InputTextFunctionCallOutputContentItem(text=text):
            return {"type": "input_text", "text": text} if text else None
        case InputImageFunctionCallOutputContentItem(image_url=str(url), detail=detail):
            return image_part(url, detail)
        case InputImageFunctionCallOutputContentItem(file_id=file_id, detail=detail):
            return {"type": "input_image", "file_id": file_id, "detail": sent_detail(detail)}
        case InputAudioFunctionCallOutputContentItem():
            return {"type": "input_text", "text": AUDIO_OMITTED}
        case EncryptedContentFunctionCallOutputContentItem(encrypted_content=content):
            return {"type": "encrypted_content", "encrypted_content": content}
