"""Writes a surface as TypeScript: types only, nothing that runs, accepted by ``tsc --strict``.

One file per module of ``protocol``, ``jsonrpc.ts`` for the envelope, ``methods.ts`` for whole messages and the maps
from a method to its types, and ``index.ts``, which exports all of them.

What only the server sends is written as it comes: every member is there, if only as null, and any JSON is a
``JsonValue``, which can be looked into. What a client sends may be left out, and any JSON is ``unknown``, because an
interface of the client's own is no ``JsonValue`` to the compiler.
"""

import json
import re
import textwrap
from collections.abc import Iterable
from typing import Final

from pydantic.alias_generators import to_camel

from protocol.export import envelope, messages
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
    references,
)
from protocol.export.tree import GENERATED
from protocol.method import ParamsPresence

_WIDTH: Final = 120
_HEADER: Final = f"// {GENERATED}\n"
_INDEX: Final = """\
// The one file to import from. What there is of each method stands in four maps: `ClientRequestMap` and
// `ServerRequestMap` (params and result), `ServerNotificationMap` and `ClientNotificationMap` (params). Whole messages
// are the unions `ClientRequest`, `ServerRequest`, `ServerNotification` and `ClientNotification`, in which `method` is
// the discriminator; in most other unions it is `type`. For example:
//
//   function call<M extends keyof ClientRequestMap>(
//     method: M, params: ClientRequestMap[M]["params"],
//   ): Promise<ClientRequestMap[M]["result"]>
//
// What the server sends is there, if only as null, and any JSON in it is a `JsonValue`. A client may leave out what has
// a `?`; where it may send any JSON, the type is `unknown`.
"""
_REFERENCE_NAMESPACE: Final = """\
/** The name by which clients of `codex app-server` reach most of these types; all of them are here, too. */
export type * as v2 from "./index.js";
"""
_PRIMITIVES: Final = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
_NO_MEMBERS: Final = "Record<string, never>"
_JSON: Final = "JsonValue"
_JSON_DECLARATION: Final = f"""\
/** Any JSON. */
export type {_JSON} = string | number | boolean | null | Array<{_JSON}> | {{ [name in string]?: {_JSON} }};
"""


def typescript_files(surface: Surface) -> dict[str, str]:
    """All files: path -> text."""
    modules: dict[str, list[NamedType]] = {}
    for named in surface.types.values():
        modules.setdefault(_module(named), []).append(named)
    server_only = surface.sent_by_server_only()
    files = {}
    for module, types in sorted(modules.items()):
        blocks = [_declaration(named, from_server=named.name in server_only) for named in types]
        used = {name for named in types for name in references(named.shape)}
        if module == messages.MODULE:
            blocks += _maps(surface)
            used |= {name for method in surface.methods for name in (method.params, method.result) if name}
        if module == envelope.MODULE:
            blocks.append(_JSON_DECLARATION)
        elif any(re.search(rf"\b{_JSON}\b", block) for block in blocks):
            used.add(_JSON)
        files[f"{module}.ts"] = "\n".join([_HEADER, *_imports(surface, module, used), *blocks])
    exports = "".join(f'export type * from "./{module}.js";\n' for module in sorted(modules))
    return files | {"index.ts": f"{_HEADER}\n{_INDEX}\n{exports}\n{_REFERENCE_NAMESPACE}"}


def _module(named: NamedType) -> str:
    return to_camel(named.module.rpartition(".")[2])


def _imports(surface: Surface, module: str, used: Iterable[str]) -> list[str]:
    """The block of imports, or nothing."""
    by_module: dict[str, list[str]] = {}
    for name in sorted(used):
        home = envelope.MODULE if name == _JSON else _module(surface.types[name])
        by_module.setdefault(home, []).append(name)
    lines = []
    for source, names in sorted(by_module.items()):
        line = f'import type {{ {", ".join(names)} }} from "./{source}.js";\n'
        if len(line) > _WIDTH:
            line = "".join(["import type {\n", *(f"  {name},\n" for name in names), f'}} from "./{source}.js";\n'])
        if source != module:
            lines.append(line)
    return ["".join(lines)] if lines else []


def _declaration(named: NamedType, *, from_server: bool) -> str:
    """``export type …``.

    :param from_server: only the server sends this type.
    """
    shape = named.shape
    head = f"{_comment(documentation(named))}export type {named.name} ="
    if isinstance(shape, Struct) and shape.members:
        members = "".join(_member_lines(member, from_server=from_server) for member in shape.members)
        others = f"  [name: string]: {_type(Anything(), from_server=from_server)};\n" if shape.is_open else ""
        return f"{head} {{\n{members}{others}}};\n"
    alternatives = _alternatives(shape, from_server=from_server)
    line = f"{head} {' | '.join(alternatives)};\n"
    if len(alternatives) == 1 or (len(line.splitlines()[-1]) <= _WIDTH and not _holds_structs(shape)):
        return line
    lines = "".join(f"\n  | {alternative}" for alternative in alternatives)
    return f"{head}{lines};\n"


def _holds_structs(shape: Shape) -> bool:
    return isinstance(shape, OneOf) and any(isinstance(option, Struct) for option in shape.options)


def _alternatives(shape: Shape, *, from_server: bool) -> list[str]:
    match shape:
        case OneOf(options):
            return [_type(option, from_server=from_server) for option in options]
        case Enumeration(values):
            return [json.dumps(value) for value in values]
        case _:
            return [_type(shape, from_server=from_server)]


def _type(shape: Shape, *, from_server: bool = False) -> str:  # noqa: PLR0911 # one for each shape
    match shape:
        case Anything() | Nullable(Anything()):
            return _JSON if from_server else "unknown"
        case Scalar(schema):
            return _PRIMITIVES[schema["type"]]
        case Enumeration() | OneOf():
            return " | ".join(_alternatives(shape, from_server=from_server))
        case Reference(name):
            return name
        case ArrayOf(item):
            return f"Array<{_type(item, from_server=from_server)}>"
        case MapOf(Anything()) if not from_server:
            return "Record<string, unknown>"
        case MapOf(value):
            # Partial: whoever looks a name up must expect that it is not there.
            return f"Partial<Record<string, {_type(value, from_server=from_server)}>>"
        case Nullable(value):
            return f"{_type(value, from_server=from_server)} | null"
        case Unit():
            return f"{_NO_MEMBERS} | null"
        case Struct(members):
            inner = "; ".join(_member(member, from_server=from_server) for member in members)
            return f"{{ {inner} }}" if members else _NO_MEMBERS


def _member(member: Member, *, from_server: bool) -> str:
    name = member.name if re.fullmatch(r"[A-Za-z_$][\w$]*", member.name) else json.dumps(member.name)
    optional = "" if member.required or from_server else "?"
    return f"{name}{optional}: {_type(member.shape, from_server=from_server)}"


def _member_lines(member: Member, *, from_server: bool) -> str:
    text = documentation(member)
    if member.default is not NO_DEFAULT and not from_server:
        text = f"{text} Default: `{json.dumps(member.default)}`.".lstrip()
    return f"{_comment(text, '  ')}  {_member(member, from_server=from_server)};\n"


def _comment(text: str, indent: str = "") -> str:
    """A doc comment, or nothing when there is nothing to say."""
    if not text:
        return ""
    text = text.replace("*/", "*\\/")
    line = f"{indent}/** {text} */\n"
    if "\n" not in text and len(line) <= _WIDTH:
        return line
    width = _WIDTH - len(indent) - len(" * ")
    paragraphs = (
        textwrap.wrap(part, width, break_long_words=False, break_on_hyphens=False) for part in text.split("\n\n")
    )
    lines = [line for paragraph in paragraphs for line in (*paragraph, "")][:-1]
    return "".join([f"{indent}/**\n", *(f"{indent} * {line}".rstrip() + "\n" for line in lines), f"{indent} */\n"])


def _maps(surface: Surface) -> list[str]:
    """For each kind of message, a type that maps a method to its params and its result."""
    return [
        _map(message, description, methods)
        for message, description in messages.MESSAGES.items()
        if (methods := surface.select(message))
    ]


def _map(message: str, description: str, methods: Iterable[Method]) -> str:
    entries = "".join(
        f"{_comment(documentation(method), '  ')}  {json.dumps(method.method)}: {_signature(method)};\n"
        for method in methods
    )
    return f"{_comment(description + ' By method: what it carries.')}export type {message}Map = {{\n{entries}}};\n"


def _signature(method: Method) -> str:
    optional = "" if method.presence is ParamsPresence.REQUIRED else "?"
    params = "undefined" if method.presence is None else _type(messages.params_shape(method))
    result = f"; result: {method.result}" if method.result else ""
    return f"{{ params{optional}: {params}{result} }}"
