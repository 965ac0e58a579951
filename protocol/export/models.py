"""Reads wire models into named types, from their annotations.

Not from pydantic's own JSON Schema: what is checked in must not change with the version of pydantic, and the
reference's meaning of *required* is not pydantic's. Declarations of methods are read in ``declarations.py``.
"""

import sys
from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import WithJsonSchema
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from protocol.base import WireModel, WireUnion, WireValue
from protocol.export.docstrings import ModuleDocs
from protocol.export.envelope import ID
from protocol.export.shapes import (
    NO_DEFAULT,
    Anything,
    ArrayOf,
    Enumeration,
    MapOf,
    Member,
    NamedType,
    Nullable,
    OneOf,
    Reference,
    Scalar,
    Shape,
    Struct,
)
from protocol.jsonrpc import RequestId

_SCALARS: Final = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null"}


class ModelReader:
    """Collects in ``types`` the models it is shown, and all that they refer to.

    :param experimental: include experimental members.
    """

    def __init__(self, *, experimental: bool) -> None:
        self._experimental = experimental
        self._homes: dict[str, str] = {}
        self._docs: dict[str, ModuleDocs] = {}
        self.types: dict[str, NamedType] = {}

    def read(self, model: type[WireValue]) -> str:
        """Read a model unless that has happened; returns its name.

        :raises TypeError: two types have the same name, or a member's type is none that the exporters know.
        """
        name = model.__name__
        if self._enter(name, model.__module__):
            self.types[name] = NamedType(
                name,
                model.__module__,
                self._struct(model) if issubclass(model, WireModel) else self._root(model),
                self._docs_of(model.__module__).classes.get(name, ""),
                experimental=issubclass(model, WireModel) and model.experimental_variant is not None,
            )
        return name

    def describe(self, value: object) -> str:
        """The text below the assignment of ``value`` in one of the modules that were read; empty if there is none."""
        for module, docs in self._docs.items():
            for name, text in docs.assigned.items():
                if text and getattr(sys.modules[module], name, None) is value:
                    return text
        return ""

    def _enter(self, name: str, module: str) -> bool:
        """Whether a name is new. It is entered before its members are read: they may refer back to it."""
        if name not in self._homes:
            self._homes[name] = module
            return True
        if self._homes[name] != module:
            raise TypeError(f"two types of the wire are named {name}: in {self._homes[name]} and in {module}")
        return False

    def _docs_of(self, module: str) -> ModuleDocs:
        if module not in self._docs:
            self._docs[module] = ModuleDocs(sys.modules[module])
        return self._docs[module]

    def _root(self, model: type[WireUnion[Any]]) -> Shape:
        field = model.model_fields["root"]
        return self._shape(Annotated[field.annotation, field], model)

    def _struct(self, model: type[WireModel]) -> Struct:
        # Older pydantic gives the fields of a deferred model their wire names only now.
        model.model_rebuild()
        hints = get_type_hints(model, include_extras=True)
        return Struct(
            tuple(
                self._member(model, name, field, self._shape(hints[name], _declarer(model, name)))
                for name, field in model.model_fields.items()
                if self._experimental or name not in model.experimental_fields
            ),
            is_open=model.model_config.get("extra") == "allow",
        )

    def _member(self, model: type[WireModel], name: str, field: FieldInfo, shape: Shape) -> Member:
        # A tag has a default so that our own code need not repeat it; who reads the wire cannot do without it.
        is_tag = isinstance(shape, Enumeration) and len(shape.values) == 1
        required = field.is_required() or is_tag
        return Member(
            field.serialization_alias or name,
            shape,
            required,
            NO_DEFAULT if required else _default(field),
            self._attribute_text(model, name),
            name in model.experimental_fields,
        )

    def _attribute_text(self, model: type[WireModel], name: str) -> str:
        for ancestor in model.__mro__[: model.__mro__.index(WireModel)]:
            text = self._docs_of(ancestor.__module__).attributes.get(ancestor.__name__, {}).get(name)
            if text is not None:
                return text
        return ""

    def _shape(self, hint: Any, model: type) -> Shape:  # noqa: PLR0911 # one for each kind
        """The shape of an annotation that stands in ``model``."""
        origin, arguments = get_origin(hint), get_args(hint)
        if hint is Any:
            return Anything()
        if hint == RequestId:
            # The envelope declares it: ids are read and written without models.
            return ID.shape
        if origin is Annotated:
            return self._annotated(arguments[0], arguments[1:], model)
        if origin in (Union, UnionType):
            return self._union(arguments, model)
        if origin is Literal:
            return self._enumeration(hint, model)
        if origin is list:
            return ArrayOf(self._shape(arguments[0], model))
        if origin is dict and arguments[0] is str:
            return MapOf(self._shape(arguments[1], model))
        if isinstance(hint, type) and issubclass(hint, WireModel | WireUnion):
            return Reference(self.read(hint))
        if hint in _SCALARS:
            return Scalar({"type": _SCALARS[hint]})
        raise TypeError(f"{model.__name__}: the exporters know no wire type for {hint!r}")

    def _annotated(self, hint: Any, extras: Sequence[Any], model: type) -> Shape:
        tag = None
        for extra in extras:
            if isinstance(extra, WithJsonSchema) and extra.json_schema is not None:
                return Scalar(extra.json_schema)
            if isinstance(extra, FieldInfo) and isinstance(extra.discriminator, str):
                tag = extra.discriminator
        if tag is not None:
            return self._union(get_args(hint), model, tag)
        return self._shape(hint, model)

    def _union(self, hints: Sequence[Any], model: type, tag: str | None = None) -> Shape:
        shapes = tuple(self._shape(hint, model) for hint in hints if hint is not NoneType)
        shape = shapes[0] if len(shapes) == 1 else OneOf(shapes, tag)
        return Nullable(shape) if NoneType in hints else shape

    def _enumeration(self, hint: Any, model: type) -> Shape:
        """A literal: a named type if the module has a name for it (``PlanType = Literal[…]``), else inline."""
        values = get_args(hint)
        if not all(isinstance(value, str) for value in values):
            raise TypeError(f"{model.__name__}: the exporters know literals of strings only, not {hint!r}")
        shape = Enumeration(values)
        for name, value in vars(sys.modules[model.__module__]).items():
            if get_origin(value) is Literal and get_args(value) == values:
                home = self._home(name, model.__module__)
                if self._enter(name, home):
                    self.types[name] = NamedType(name, home, shape, self._docs_of(home).assigned.get(name, ""))
                return Reference(name)
        return shape

    def _home(self, name: str, module: str) -> str:
        """The module that assigns a name which ``module`` has, perhaps through imports."""
        docs = self._docs_of(module)
        return module if name in docs.assigned else self._home(name, docs.imported[name])


def _declarer(model: type[WireModel], name: str) -> type:
    """The class that a member comes from: its module has the names of the types that the annotation uses."""
    return next(ancestor for ancestor in model.__mro__ if name in vars(ancestor).get("__annotations__", {}))


def _default(field: FieldInfo) -> Any:
    default = to_jsonable_python(field.get_default(call_default_factory=True, validated_data={}), by_alias=True)
    return NO_DEFAULT if default is None else default
