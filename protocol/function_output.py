"""What a tool has delivered, in the words of the Responses API, whose members are in snake_case.

The tools of the parent answer in words of their own: ``DynamicToolCallOutputContentItem``.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from protocol.base import WireModel, WireUnion
from protocol.serde_text import NO_VARIANT
from protocol.user_input import ImageDetail


class InputTextFunctionCallOutputContentItem(WireModel, alias_generator=None):
    """A text."""

    type: Literal["input_text"] = "input_text"
    text: str


class _Referring(WireModel, alias_generator=None):
    """Something that a URL or an id stands for; of the two the URL counts, and the other is not written."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if all(getattr(self, name, None) is None for name in ("image_url", "audio_url", "file_id")):
            raise PydanticCustomError(NO_VARIANT, "data did not match any variant")
        return self

    @model_serializer(mode="wrap")
    def _without_the_other(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written = {name: value for name, value in write(self).items() if value is not None}
        if any(name.endswith("_url") for name in written):
            written.pop("file_id", None)
        return written


class InputImageFunctionCallOutputContentItem(_Referring, alias_generator=None):
    """An image by its `data:` URL, or by the id of a file that the upstream has."""

    type: Literal["input_image"] = "input_image"
    image_url: str | None = None
    file_id: str | None = None
    detail: ImageDetail | None = None


class InputAudioFunctionCallOutputContentItem(_Referring, alias_generator=None):
    """A sound by its `data:` URL. No model takes it: the model is told that it was left out."""

    type: Literal["input_audio"] = "input_audio"
    audio_url: str | None = None
    file_id: str | None = None


class EncryptedContentFunctionCallOutputContentItem(WireModel, alias_generator=None):
    """Something that only the upstream can read."""

    type: Literal["encrypted_content"] = "encrypted_content"
    encrypted_content: str


class FunctionCallOutputContentItem(
    WireUnion[
        Annotated[
            InputTextFunctionCallOutputContentItem
            | InputImageFunctionCallOutputContentItem
            | InputAudioFunctionCallOutputContentItem
            | EncryptedContentFunctionCallOutputContentItem,
            Field(discriminator="type"),
        ]
    ]
):
    """A piece of what a tool has delivered."""


class FunctionCallOutputBody(WireUnion[str | list[FunctionCallOutputContentItem]]):
    """What a tool has delivered: a text, or pieces."""
