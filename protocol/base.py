"""The base of every wire model: camelCase members, unknown members ignored, values never coerced.

What a model looks like on the wire is decided here once. Declarations of methods live in ``method.py``.
"""

from typing import Annotated, Any, ClassVar, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, RootModel, SecretStr, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticSerializationError

from protocol.json_codec import dumps

T = TypeVar("T")

EXPERIMENTAL: Final = "x-experimental"
"""Key of a field's ``json_schema_extra`` that makes the field experimental."""

WireSecret = Annotated[
    SecretStr,
    PlainSerializer(SecretStr.get_secret_value, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string"}),
]
"""A string whose repr hides it and which is written out only into the JSON of the message that carries it."""

Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1), WithJsonSchema({"type": "integer", "format": "int64"})]
Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1), WithJsonSchema({"type": "integer", "format": "int32"})]
UInt = Annotated[int, Field(ge=0, le=2**64 - 1), WithJsonSchema({"type": "integer", "format": "uint", "minimum": 0})]
UInt32 = Annotated[
    int, Field(ge=0, le=2**32 - 1), WithJsonSchema({"type": "integer", "format": "uint32", "minimum": 0})
]
UInt64 = Annotated[
    int, Field(ge=0, le=2**64 - 1), WithJsonSchema({"type": "integer", "format": "uint64", "minimum": 0})
]


def experimental_field(default: Any = None, **arguments: Any) -> Any:
    """A field that only clients with the ``experimentalApi`` capability may send (wire.md section 2)."""
    return Field(default=default, json_schema_extra={EXPERIMENTAL: True}, **arguments)


def _to_json(value: BaseModel) -> bytes:
    serializer = type(value).__pydantic_serializer__
    try:
        return serializer.to_json(value, by_alias=True)
    except PydanticSerializationError:
        # A lone surrogate, which has no UTF-8: from a client's escape, or from a path that is not UTF-8.
        return dumps(serializer.to_python(value, mode="json", by_alias=True))


class WireModel(BaseModel):
    """An immutable value of the wire.

    Strict, because the reference never coerces ``"5"`` to ``5``; built on first use, because a server that is
    never asked for threads should not pay for their validators at start-up.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        strict=True,
        frozen=True,
        defer_build=True,
        hide_input_in_errors=True,
    )

    experimental_variant: ClassVar[str | None] = None
    """Name of this variant of a tagged union when using the variant needs ``experimentalApi``."""

    experimental_fields: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.experimental_fields = frozenset(
            name
            for name, field in cls.model_fields.items()
            if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get(EXPERIMENTAL)
        )

    def to_json(self) -> bytes:
        """This value as compact UTF-8 JSON with the member names of the wire."""
        return _to_json(self)


class WireUnion(RootModel[T], Generic[T]):
    """A named union of wire models, told apart by a tag: ``.root`` is the variant."""

    model_config = ConfigDict(strict=True, frozen=True, defer_build=True, hide_input_in_errors=True)

    def to_json(self) -> bytes:
        """This value as compact UTF-8 JSON with the member names of the wire."""
        return _to_json(self)


WireValue = WireModel | WireUnion[Any]
