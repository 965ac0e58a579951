"""Which JSON Schemas a tool may have: the shape of a few keywords, as the reference checks it, and no more.

Whether a schema makes sense is for the upstream to say; it alone knows what it supports.
"""

from collections.abc import Iterable
from typing import Any, Final

from protocol.serde_text import invalid_type

_MAX_DEPTH: Final = 64
"""Levels of schemas within schemas that are looked at. A deeper one is passed on as it is."""


class _Fault(Exception):
    pass


def schema_fault(schema: Any) -> str | None:
    """What is wrong with the schema, in the reference's words, or None."""
    try:
        _check(schema, 0)
    except _Fault as fault:
        return str(fault)
    if isinstance(schema, dict) and schema.get("type") == "null":
        return "tool input schema must not be a singleton null type"
    return None


def _check(schema: Any, depth: int) -> None:
    if isinstance(schema, bool) or depth > _MAX_DEPTH:
        return
    if isinstance(schema, list):
        raise _Fault(f"invalid length {len(schema)}, expected struct JsonSchema with 15 elements")
    if not isinstance(schema, dict):
        raise _Fault(_invalid(schema, "struct JsonSchema"))
    for keyword, value in schema.items():
        if value is not None:
            _check_keyword(keyword, value, depth)


def _check_keyword(keyword: str, value: Any, depth: int) -> None:
    match keyword:
        case "$ref":
            _string(value)
        case "required":
            for each in _sequence(value):
                _string(each)
        case "enum":
            _sequence(value)
        case "items" | "properties" | "anyOf" | "oneOf" | "allOf":
            for each in _schemas_within(keyword, value):
                _check(each, depth + 1)
        case "additionalProperties":
            if not isinstance(value, dict | bool):
                raise _Fault("data did not match any variant of untagged enum AdditionalProperties")


def _schemas_within(keyword: str, value: Any) -> Iterable[Any]:
    if keyword == "items":
        return [value]
    if keyword != "properties":
        return _sequence(value)
    if not isinstance(value, dict):
        raise _Fault(_invalid(value, "a map"))
    return value.values()


def _string(value: Any) -> None:
    if not isinstance(value, str):
        raise _Fault(_invalid(value, "a string"))


def _sequence(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _Fault(_invalid(value, "a sequence"))
    return value


def _invalid(value: Any, expected: str) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"invalid type: number, expected {expected}"
    return invalid_type(value, expected)
