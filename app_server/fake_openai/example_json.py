"""The smallest JSON value that fits a simple JSON Schema, for structured output without a model.

Understood are const, enum, default, $ref within the document, anyOf, oneOf, allOf of objects, types, required,
minItems, prefixItems, minLength, maxLength and the numeric limits. Not: pattern, format, not, uniqueItems.
"""

import math
from typing import Any, Final

_MAX_DEPTH: Final = 32
_MAX_ITEMS: Final = 100
_MAX_LENGTH: Final = 100_000
_MAX_VALUES: Final = 10_000
_DEEP: Final = 3
"""From this depth on, null is taken where it may be: schemas that refer to themselves have an end there."""


def example(schema: Any, text: str) -> Any:
    """A value for this schema.

    :param text: what its texts say, where their length allows it.
    """
    return _Examples(schema, text).of(schema, 0)


class _Examples:
    def __init__(self, root: Any, text: str) -> None:
        self._root = root
        self._text = text
        self._left = _MAX_VALUES

    def of(self, schema: Any, depth: int) -> Any:  # noqa: PLR0911 - one return for each keyword reads best
        self._left -= 1
        if not isinstance(schema, dict) or depth > _MAX_DEPTH or self._left < 0:
            return self._text if schema is True else None
        if isinstance(schema.get("$ref"), str):
            return self.of(self._referred(schema["$ref"]), depth + 1)
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return schema["enum"][0]
        if "default" in schema:
            return schema["default"]
        for keyword in ("anyOf", "oneOf"):
            if isinstance(schema.get(keyword), list) and schema[keyword]:
                choices = schema[keyword]
                null = {"type": "null"}
                return self.of(null if depth >= _DEEP and null in choices else choices[0], depth + 1)
        if isinstance(schema.get("allOf"), list) and schema["allOf"]:
            return self._all_of(schema, depth)
        return self._typed(schema, depth)

    def _typed(self, schema: dict[str, Any], depth: int) -> Any:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = kind[0] if kind else None
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
        match kind:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "string":
                return self._string(schema)
            case "integer" | "number":
                return _number(schema, whole=kind == "integer")
            case "boolean":
                return True
            case _:
                return None

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        known, required = schema.get("properties"), schema.get("required")
        known = known if isinstance(known, dict) else {}
        names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        return {name: self.of(known.get(name, True), depth + 1) for name in names}

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        first = schema.get("prefixItems")
        first = first if isinstance(first, list) else []
        count = min(_count(schema, "minItems", 0), _MAX_ITEMS)
        places = [*first, *[schema.get("items", True)] * (count - len(first))]
        return [self.of(place, depth + 1) for place in places[:count]]

    def _string(self, schema: dict[str, Any]) -> str:
        text = self._text[: _count(schema, "maxLength", _MAX_LENGTH)]
        return text.ljust(min(_count(schema, "minLength", 0), _MAX_LENGTH), ".")

    def _all_of(self, schema: dict[str, Any], depth: int) -> Any:
        rest = {name: value for name, value in schema.items() if name != "allOf"}
        values = [self.of(part, depth + 1) for part in [*schema["allOf"], *([rest] if "properties" in rest else [])]]
        merged: dict[str, Any] = {}
        for value in values:
            if not isinstance(value, dict):
                return value
            merged |= value
        return merged

    def _referred(self, reference: str) -> Any:
        """What a JSON Pointer in a fragment leads to (RFC 6901); None when it leads nowhere."""
        place = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            place = place.get(name) if isinstance(place, dict) else None
        return place


def _count(schema: dict[str, Any], keyword: str, default: int) -> int:
    value = schema.get(keyword)
    return value if isinstance(value, int) and value >= 0 else default


def _number(schema: dict[str, Any], *, whole: bool) -> float:
    """Zero, or the number within the limits that is nearest to it."""
    bottom, top = -math.inf, math.inf
    for keyword in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        limit = schema.get(keyword)
        if not isinstance(limit, int | float):
            continue
        inward = 0.5 if keyword.startswith("exclusive") else 0.0
        if keyword.lower().endswith("minimum"):
            bottom = max(bottom, math.ceil(limit + inward) if whole else limit + inward)
        else:
            top = min(top, math.floor(limit - inward) if whole else limit - inward)
    return max(bottom, min(0, top))
