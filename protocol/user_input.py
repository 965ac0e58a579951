"""What the user puts into a turn."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from protocol.base import UInt, WireModel, WireUnion
from protocol.serde_text import NO_VARIANT


class ByteRange(WireModel):
    """A range of bytes of a text in UTF-8."""

    start: UInt
    end: UInt


class TextElement(WireModel):
    """A part of a text that the client renders in its own way."""

    byte_range: ByteRange
    placeholder: str | None = None
    """What the client shows in its place."""


ImageDetail = Literal["auto", "low", "high", "original"]
"""How closely the model looks at an image."""


class TextUserInput(WireModel):
    """A text."""

    type: Literal["text"] = "text"
    text: str
    text_elements: list[TextElement] = Field(default_factory=list, alias="text_elements")


class ImageUserInput(WireModel):
    """An image by URL, a `data:` URL mostly, or by the id of a file that the upstream has."""

    type: Literal["image"] = "image"
    url: str | None = None
    file_id: str | None = None
    detail: ImageDetail | None = None

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if self.url is None and self.file_id is None:
            raise PydanticCustomError(NO_VARIANT, "data did not match any variant of untagged enum ImageReference")
        return self

    @model_serializer(mode="wrap")
    def _without_the_other(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        # Clients tell the two apart by the member that is there.
        return {name: value for name, value in written.items() if value is not None or name == "detail"}


class LocalImageUserInput(WireModel):
    """An image file, which this server reads and sends as a `data:` URL."""

    type: Literal["localImage"] = "localImage"
    path: str
    detail: ImageDetail | None = None


class SkillUserInput(WireModel):
    """A skill that the user has named: its file is handed to the model."""

    type: Literal["skill"] = "skill"
    name: str
    path: str


class MentionUserInput(WireModel):
    """Something that the user has pointed at."""

    type: Literal["mention"] = "mention"
    name: str
    path: str


class UserInput(
    WireUnion[
        Annotated[
            TextUserInput | ImageUserInput | LocalImageUserInput | SkillUserInput | MentionUserInput,
            Field(discriminator="type"),
        ]
    ]
):
    """A piece of the user's input."""
