"""The parent's own tools: which may be declared, and how they are offered to the model.

Calling them is ``tool_calls``; what the model reads of an answer is ``tool_output``.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from app_server.threads.tool_schema import schema_fault
from protocol.errors import InvalidRequest
from protocol.tools import (
    DynamicToolSpec,
    FunctionDynamicToolSpec,
    NamespaceDynamicToolSpec,
)

RESERVED_NAMESPACES: Final = frozenset(
    {
        "api_tool",
        "browser",
        "computer",
        "container",
        "file_search",
        "functions",
        "image_gen",
        "multi_tool_use",
        "python",
        "submodel_delegator",
        "terminal",
        "tool_search",
        "web",
    }
)
"""Names that the Responses API has for itself."""

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]+")
_MAX_NAMESPACE_DESCRIPTION: Final = 1024
_INCONSISTENT: Final = "Invalid request: dynamic tools must use either canonical or legacy format consistently"
_NO_ARGUMENTS: Final[Mapping[str, Any]] = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One tool of the parent.

    :param namespace: None if it stands alone.
    :param input_schema: JSON Schema of its arguments, as the parent sent it.
    """

    namespace: str | None
    name: str
    description: str
    input_schema: Any
    defer_loading: bool = False


@dataclass(frozen=True, slots=True)
class _Namespace:
    name: str
    description: str
    tools: tuple[ToolSpec, ...]


class DynamicTools:
    """The tools of a thread, checked. Never changes."""

    def __init__(self, entries: Iterable[ToolSpec | _Namespace] = ()) -> None:
        self._entries = tuple(entries)
        self._by_name = {(tool.namespace, tool.name): tool for tool in _each(self._entries)}
        self._for_request = [_entry_for_request(entry) for entry in self._entries]

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._entries)

    def find(self, name: str, namespace: str | None = None) -> ToolSpec | None:
        """The tool that the model calls by this name."""
        return self._by_name.get((namespace, name))

    def for_request(self) -> list[dict[str, Any]]:
        """The tools as the Responses API wants them. Deferred ones too: there is no search that could bring them up."""
        return list(self._for_request)

    def to_stored(self) -> list[dict[str, Any]]:
        """The tools as they were declared, for ``session_meta.dynamic_tools``."""
        return [_entry_stored(entry) for entry in self._entries]

    @classmethod
    def from_stored(cls, raw: Any) -> "DynamicTools":
        """The tools of a stored thread. What cannot be used is left out: the thread can be resumed without it."""
        builder = _Builder()
        for each in raw if isinstance(raw, list) else ():
            try:
                builder.add(DynamicToolSpec.model_validate(each).root)
            except (ValidationError, InvalidRequest):
                continue
        return cls(builder.entries)


def check(specs: Sequence[DynamicToolSpec] | None) -> DynamicTools:
    """The tools that a client declares at ``thread/start``.

    :raises InvalidRequest: one cannot be offered to the model, in the reference's words.
    """
    declared = [spec.root for spec in specs or ()]
    older = any(isinstance(spec, FunctionDynamicToolSpec) and spec.namespace is not None for spec in declared)
    if older and any(isinstance(spec, NamespaceDynamicToolSpec) for spec in declared):
        raise InvalidRequest(_INCONSISTENT)
    builder = _Builder()
    for spec in declared:
        builder.add(spec)
    return DynamicTools(builder.entries)


class _Builder:
    """Takes tools one by one, each of them whole or not at all."""

    def __init__(self) -> None:
        self._entries: list[ToolSpec | _Namespace] = []
        self._alone: set[str] = set()
        self._namespaces: set[str] = set()
        self._older: dict[str, dict[str, ToolSpec]] = {}
        """Tools of namespaces in the older form, which comes tool by tool."""

    @property
    def entries(self) -> list[ToolSpec | _Namespace]:
        """What has been taken, in order."""
        return [
            _Namespace(entry.name, "", tuple(self._older[entry.name].values()))
            if isinstance(entry, _Namespace) and entry.name in self._older
            else entry
            for entry in self._entries
        ]

    def add(self, spec: FunctionDynamicToolSpec | NamespaceDynamicToolSpec) -> None:
        """:raises InvalidRequest: the tool cannot be offered to the model."""
        if isinstance(spec, NamespaceDynamicToolSpec):
            self._add_namespace(spec)
        elif spec.namespace is None:
            self._add_alone(spec)
        else:
            self._add_older(spec, spec.namespace)

    def _add_alone(self, spec: FunctionDynamicToolSpec) -> None:
        _check_name(spec.name, "name", 128)
        if spec.name in self._alone:
            raise InvalidRequest(f"duplicate dynamic tool name: {spec.name}")
        if spec.defer_loading:
            raise InvalidRequest(f"deferred dynamic tool must include a namespace: {spec.name}")
        self._entries.append(_tool(spec, None))
        self._alone.add(spec.name)

    def _add_older(self, spec: FunctionDynamicToolSpec, namespace: str) -> None:
        if namespace not in self._older:
            _check_namespace(namespace)
            if namespace in self._namespaces:
                raise InvalidRequest(f"duplicate dynamic tool namespace: {namespace}")
        tools = self._older.get(namespace, {})
        tool = _tool_in(namespace, spec, tools)
        if not tools:
            self._namespaces.add(namespace)
            self._entries.append(_Namespace(namespace, "", ()))
        self._older.setdefault(namespace, tools)[spec.name] = tool

    def _add_namespace(self, spec: NamespaceDynamicToolSpec) -> None:
        _check_namespace(spec.name)
        if len(spec.description) > _MAX_NAMESPACE_DESCRIPTION:
            raise InvalidRequest(
                f"dynamic tool namespace description must be at most {_MAX_NAMESPACE_DESCRIPTION} characters"
            )
        if not spec.tools:
            raise InvalidRequest(f"dynamic tool namespace must contain at least one tool: {spec.name}")
        if spec.name in self._namespaces:
            raise InvalidRequest(f"duplicate dynamic tool namespace: {spec.name}")
        tools: dict[str, ToolSpec] = {}
        for each in spec.tools:
            if each.namespace is not None:
                raise InvalidRequest(_INCONSISTENT)
            tools[each.name] = _tool_in(spec.name, each, tools)
        self._namespaces.add(spec.name)
        self._entries.append(_Namespace(spec.name, spec.description, tuple(tools.values())))


def _tool_in(namespace: str, spec: FunctionDynamicToolSpec, others: Mapping[str, ToolSpec]) -> ToolSpec:
    _check_name(spec.name, "name", 128)
    if spec.name in others:
        raise InvalidRequest(f"duplicate dynamic tool name in namespace {namespace}: {spec.name}")
    return _tool(spec, namespace)


def _tool(spec: FunctionDynamicToolSpec, namespace: str | None) -> ToolSpec:
    fault = schema_fault(spec.input_schema)
    if fault is not None:
        raise InvalidRequest(f"dynamic tool input schema is not supported for {spec.name}: {fault}")
    return ToolSpec(namespace, spec.name, spec.description, spec.input_schema, bool(spec.defer_loading))


def _check_namespace(name: str) -> None:
    _check_name(name, "namespace", 64)
    if name in RESERVED_NAMESPACES:
        raise InvalidRequest(f"dynamic tool namespace collides with a reserved Responses API namespace: {name}")


def _check_name(name: str, what: str, max_length: int) -> None:
    shown = _escaped(name)
    if not name.strip():
        raise InvalidRequest(f"dynamic tool {what} must not be empty")
    if name.strip() != name:
        raise InvalidRequest(f"dynamic tool {what} has leading/trailing whitespace: {shown}")
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"dynamic tool {what} must match ^[a-zA-Z0-9_-]+$ to match Responses API: {shown}")
    if len(name) > max_length:
        raise InvalidRequest(
            f"dynamic tool {what} must be at most {max_length} characters to match Responses API: {shown}"
        )
    if name == "mcp" or name.startswith("mcp__"):
        raise InvalidRequest(f"dynamic tool {what} is reserved: {shown}")


def _escaped(name: str) -> str:
    """As Rust's ``escape_default`` writes it."""
    return "".join(_escaped_character(character) for character in name)


def _escaped_character(character: str) -> str:
    if character in "\\'\"":
        return f"\\{character}"
    if " " <= character <= "~":
        return character
    return {"\t": "\\t", "\r": "\\r", "\n": "\\n"}.get(character, f"\\u{{{ord(character):x}}}")


def _each(entries: Iterable[ToolSpec | _Namespace]) -> Iterable[ToolSpec]:
    for entry in entries:
        if isinstance(entry, _Namespace):
            yield from entry.tools
        else:
            yield entry


def _entry_for_request(entry: ToolSpec | _Namespace) -> dict[str, Any]:
    if isinstance(entry, _Namespace):
        return {
            "type": "namespace",
            "name": entry.name,
            "description": entry.description or f"Tools in the {entry.name} namespace.",
            "tools": [_entry_for_request(tool) for tool in entry.tools],
        }
    return {
        "type": "function",
        "name": entry.name,
        "description": entry.description,
        "strict": False,
        "parameters": _parameters(entry.input_schema),
    }


def _parameters(schema: Any) -> Any:
    """The schema as the Responses API takes it: one that allows anything is refused there, as is an object without
    ``properties``."""
    if not isinstance(schema, dict) or not schema:
        return dict(_NO_ARGUMENTS)
    if schema.get("type") == "object" and not isinstance(schema.get("properties"), dict):
        return {**schema, "properties": {}}
    return schema


def _entry_stored(entry: ToolSpec | _Namespace) -> dict[str, Any]:
    if isinstance(entry, _Namespace):
        return {
            "type": "namespace",
            "name": entry.name,
            "description": entry.description,
            "tools": [_entry_stored(tool) for tool in entry.tools],
        }
    stored = {
        "type": "function",
        "name": entry.name,
        "description": entry.description,
        "inputSchema": entry.input_schema,
    }
    return {**stored, "deferLoading": True} if entry.defer_loading else stored
