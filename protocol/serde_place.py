"""The place of a finding of pydantic: where in the value, when serde would come to it, and what was expected there.

Loaded with the first value that is refused. How it is told is known in ``serde_text.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, WithJsonSchema

_INTEGERS: Final[Mapping[str, str]] = {
    "int32": "i32",
    "int64": "i64",
    "uint": "usize",
    "uint16": "u16",
    "uint32": "u32",
    "uint64": "u64",
}
"""JSON Schema's ``format`` of an integer -> its name in Rust."""

_NEVER: Final = 2**63
"""The place of a finding that serde never comes to."""


@dataclass(slots=True)
class Finding:
    """One of pydantic's findings, and what was expected in its place."""

    kind: str
    message: str
    member: str
    value: Any
    context: Mapping[str, Any]
    name: str
    """The named type that the value was to become."""
    order: tuple[int, ...] = ()
    """When serde comes to it: the place of each member on the way to it among those that were sent; that one is
    missing shows after all of them."""
    integer: str = "i64"
    """The Rust type of the number that was expected, if one was."""
    alternatives: Mapping[str, bool] | None = None
    """Those of a union without a tag, when the value does not say which of them was meant: name -> whether it is a
    struct. Empty when they have no names."""


def locate(found: Any, value: Any, model: type[BaseModel] | str) -> Finding:
    """Follow a finding's location through the value and through the types that were expected.

    :param found: as ``ValidationError.errors`` tells it.
    """
    location = found["loc"]
    name = model if isinstance(model, str) else model.__name__
    member = str(location[-1]) if location else ""
    finding = Finding(found["type"], found["msg"], member, found["input"], found.get("ctx", {}), name)
    hint: Any = None if isinstance(model, str) else model
    order: list[int] = []
    for position, step in enumerate(location):
        hint = _bare(hint)
        if _is_union(hint):
            meant = _meant(hint, value)
            if meant is None:
                finding.name, finding.value, finding.alternatives = hint.__name__, value, _names(hint)
                break
            if step not in (_tag(hint, meant), meant.__name__):
                order.append(_NEVER)  # pydantic tries every alternative, serde only the one that was meant
                break
            hint = meant
            continue  # the name of an alternative is no member
        if hint is None and position < len(location) - 1 and isinstance(value, dict) and step == value.get("type"):
            continue  # a tag, most likely
        hint = _inner(hint, step)
        if isinstance(value, dict) and step in value:
            order.append(list(value).index(step))
            value = value[step]
        elif isinstance(value, list) and isinstance(step, int):
            order.append(step)
            value = value[step]
    else:
        finding.integer = _integer(hint, finding.context)
        if _is_union(bare := _bare(hint)):
            finding.name = bare.__name__
        if finding.kind == "missing" and isinstance(value, dict):
            order.append(len(value))
    finding.order = tuple(order)
    return finding


def _bare(hint: Any) -> Any:
    """An annotation without null and without what is said beside it."""
    while True:
        if get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        elif get_origin(hint) in (Union, UnionType):
            others = [one for one in get_args(hint) if one is not NoneType]
            if len(others) != 1:
                return hint
            hint = others[0]
        else:
            return hint


def _is_union(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, RootModel)


def _alternatives(union: type[RootModel[Any]]) -> tuple[Any, ...]:
    return get_args(union.model_fields["root"].annotation)


def _names(union: type[RootModel[Any]]) -> dict[str, bool]:
    """The names of a union's alternatives -> whether they are structs; none if one of them has no name."""
    names: dict[str, bool] = {}
    for alternative in _alternatives(union):
        if get_origin(alternative) is Literal:
            names |= dict.fromkeys(get_args(alternative), False)
        elif member := _only_member(alternative):
            names[member] = True
        else:
            return {}
    return names


def _meant(union: type[RootModel[Any]], value: Any) -> type[BaseModel] | None:
    """The alternative that a value was to become: its tag says it, or its only member; None if neither does."""
    discriminator = union.model_fields["root"].discriminator
    alternatives: tuple[Any, ...] = _alternatives(union) if isinstance(value, dict) else ()
    for alternative in alternatives:
        if tag := _tag(union, alternative):
            # A tag that is not there has been put there by a validator, which prefers the first alternative.
            if value.get(discriminator, tag) == tag:
                return alternative  # type: ignore[no-any-return]
        elif list(value) == [member := _only_member(alternative)] and isinstance(value[member], dict):
            return alternative  # type: ignore[no-any-return]
    return None


def _tag(union: type[RootModel[Any]], alternative: Any) -> Any:
    """What stands in the member that tells the alternatives of a union apart; None where there is no such member."""
    discriminator = union.model_fields["root"].discriminator
    return get_args(alternative.model_fields[discriminator].annotation)[0] if isinstance(discriminator, str) else None


def _only_member(model: Any) -> str | None:
    """The wire name of a model's member when it has one only, as the variants of a union without a tag do."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)) or len(model.model_fields) != 1:
        return None
    ((name, field),) = model.model_fields.items()
    return field.alias or name


def _inner(hint: Any, step: Any) -> Any:
    """The annotation of a member or element; None where nothing is known of it."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        for name, field in hint.model_fields.items():
            if step == (field.alias or name):
                return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        return None
    arguments = get_args(hint)
    return arguments[-1] if get_origin(hint) in (list, dict) else None


def _integer(hint: Any, context: Mapping[str, Any]) -> str:
    for part in (hint, *get_args(hint)):
        for note in getattr(part, "__metadata__", ()):
            if isinstance(note, WithJsonSchema) and note.json_schema is not None:
                return _INTEGERS.get(note.json_schema.get("format", ""), "i64")
    # Of a type that is not at hand, its limits are known at most.
    limit = context.get("ge", context.get("le"))
    return {0: "u64", -(2**31): "i32", 2**31 - 1: "i32", 2**32 - 1: "u32", 2**64 - 1: "u64"}.get(limit, "i64")
