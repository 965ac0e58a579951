"""Writes a surface as JSON Schema, draft 07, in the layout of the reference's ``generate-json-schema``.

One file per kind of message and per params or result, each complete in itself; ``app_server_protocol.schemas.json``
holds every definition at once, and ``methods.json`` lists the methods with what JSON Schema has no words for.
"""

import json
from typing import Any, Final

from protocol.base import EXPERIMENTAL
from protocol.export import messages
from protocol.export.shapes import (
    NO_DEFAULT,
    Anything,
    ArrayOf,
    Enumeration,
    MapOf,
    Member,
    Method,
    NamedType,
    Nullable,
    OneOf,
    Reference,
    Scalar,
    Shape,
    Struct,
    Surface,
    Unit,
    documentation,
)
from protocol.export.tree import GENERATED
from protocol.method import ParamsPresence

Schema = dict[str, Any]

_NULL: Final[Schema] = {"type": "null"}

_FOLDERS: Final = {"initialize": "v1/", "getAuthStatus": ""}
"""Where the reference puts the methods that are older than the rest."""


def json_files(surface: Surface) -> dict[str, str]:
    """All files: path -> text."""
    contents: dict[str, Schema] = {
        f"{folder}{named.name}.json": _document(surface, named) for named, folder in _roots(surface)
    }
    contents["app_server_protocol.schemas.json"] = {
        **_head("AppServerProtocol"),
        "description": "Every type of the wire.",
        "definitions": {name: _definition(named) for name, named in surface.types.items()},
    }
    contents["methods.json"] = {"$comment": GENERATED, "methods": [_entry(method) for method in surface.methods]}
    return {path: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for path, content in contents.items()}


def _roots(surface: Surface) -> list[tuple[NamedType, str]]:
    """The types that get a file of their own, and the folder of it."""
    roots = [
        (named, "")
        for named in surface.types.values()
        if named.module == messages.MODULE or named.name == "RequestId" or named.name.startswith("JSONRPC")
    ]
    for method in surface.methods:
        # What the client must answer stands with the messages: it is all that a client has to implement.
        folder = "" if method.message == "ServerRequest" else _FOLDERS.get(method.method, "v2/")
        if method.params and method.presence is ParamsPresence.OPTIONAL:
            shape = messages.params_shape(method)
            roots.append((NamedType(f"Nullable{method.params}", messages.MODULE, shape), folder))
        elif method.params:
            roots.append((surface.types[method.params], folder))
        if method.result:
            roots.append((surface.types[method.result], folder))
    return roots


def _head(title: str) -> Schema:
    return {"$schema": "http://json-schema.org/draft-07/schema#", "$comment": GENERATED, "title": title}


def _document(surface: Surface, named: NamedType) -> Schema:
    """A type with all the definitions that it needs."""
    document = _head(named.name) | _definition(named)
    reached = sorted(surface.reached_from([named.shape]))
    if reached:
        document["definitions"] = {name: _definition(surface.types[name]) for name in reached}
    return document


def _definition(named: NamedType) -> Schema:
    return _annotated(named, _schema(named.shape))


def _annotated(item: NamedType | Member | Struct, schema: Schema) -> Schema:
    """Put what is said of an item before what its values are."""
    said: Schema = {}
    if isinstance(item, Struct) and item.title:
        said["title"] = item.title
    if description := documentation(item):
        said["description"] = description
    if item.experimental:
        said[EXPERIMENTAL] = True
    if isinstance(item, Member) and item.default is not NO_DEFAULT:
        said["default"] = item.default
    if said and "$ref" in schema:
        # Draft 07 ignores whatever stands beside a $ref.
        schema = {"allOf": [schema]}
    return said | schema


def _schema(shape: Shape) -> Schema:  # noqa: PLR0911 # one for each shape
    match shape:
        case Anything():
            return {}
        case Scalar(schema):
            return dict(schema)
        case Enumeration(values):
            return {"type": "string", "enum": list(values)}
        case Reference(name):
            return {"$ref": f"#/definitions/{name}"}
        case ArrayOf(item):
            return {"type": "array", "items": _schema(item)}
        case MapOf(value):
            return {"type": "object", "additionalProperties": _schema(value)}
        case Nullable(value):
            return _nullable(_schema(value))
        case OneOf(options, tag):
            return {"anyOf" if tag is None else "oneOf": [_option(option) for option in options]}
        case Struct(members, is_open):
            return _struct(members) | ({"additionalProperties": True} if is_open else {})
        case Unit():
            return {"type": ["object", "null"], "maxProperties": 0}


def _option(shape: Shape) -> Schema:
    schema = _schema(shape)
    return _annotated(shape, schema) if isinstance(shape, Struct) else schema


def _nullable(schema: Schema) -> Schema:
    if not schema:
        return schema
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [schema, _NULL]}


def _struct(members: tuple[Member, ...]) -> Schema:
    schema: Schema = {"type": "object"}
    if members:
        schema["properties"] = {member.name: _annotated(member, _schema(member.shape)) for member in members}
    if required := [member.name for member in members if member.required]:
        schema["required"] = required
    return schema


def _entry(method: Method) -> dict[str, Any]:
    return {
        "method": method.method,
        "kind": "request" if method.is_request else "notification",
        "direction": "clientToServer" if method.from_client else "serverToClient",
        "description": method.description,
        "params": method.params,
        "paramsPresence": method.presence and method.presence.value,
        "result": method.result,
        "scope": method.scope and method.scope.value,
        "experimental": method.experimental,
        "errorCodes": list(method.error_codes),
    }
