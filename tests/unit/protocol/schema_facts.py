"""Boils a bundle of JSON Schema definitions down to facts that two generators of the same wire must agree on.

``reference_facts.json`` was made with it from what the reference writes; ``test_export_facts.py`` applies it to what
we write. Descriptions, titles and the grouping into named types are no facts. To renew after an upgrade of the
reference (``codex app-server generate-json-schema --experimental --out DIR``):

    PYTHONPATH=. python tests/unit/protocol/schema_facts.py DIR/codex_app_server_protocol.schemas.json

This keeps what stands under ``onlyInTypeScript``, which was written by hand: the reference has no JSON Schema of it.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

FACTS_FILE: Final = Path(__file__).with_name("reference_facts.json")
MESSAGES: Final = ("ClientRequest", "ClientNotification", "ServerRequest", "ServerNotification")
EXPERIMENTAL: Final = "x-experimental"

Schema = Mapping[str, Any]


class Bundle:
    """The definitions of a bundle; namespaces within it are flattened."""

    def __init__(self, definitions: Schema) -> None:
        self._definitions: dict[str, Schema] = {**definitions, **definitions.get("v2", {})}

    def names(self) -> set[str]:
        """The types that are comparable by name: objects and unions, but not a union's variants."""
        variants = {
            _name(option)
            for schema in self._definitions.values()
            for option in schema.get("oneOf", [])
            if "$ref" in option
        }
        return {name for name in self._definitions if name not in variants and self.facts(name) is not None}

    def facts(self, name: str) -> dict[str, Any] | None:
        """The facts of a type that is an object, or those of each variant by its tag; None if it is neither."""
        schema = self._definitions.get(name, {})
        if name in MESSAGES:
            return None
        if "oneOf" not in schema:
            return self._object_facts(schema) if schema.get("type") == "object" else None
        variants = [self._resolved(option) for option in schema["oneOf"]]
        if not all("type" in variant.get("properties", {}) for variant in variants):
            return None
        return {variant["properties"]["type"]["enum"][0]: self._object_facts(variant) for variant in variants}

    def methods(self) -> dict[str, dict[str, Any]]:
        """Kind of message -> method -> facts."""
        return {
            message: {
                variant["properties"]["method"]["enum"][0]: {
                    "params": self._type(variant["properties"].get("params", True)),
                    "required": sorted(variant["required"]),
                }
                for variant in self._definitions[message]["oneOf"]
            }
            for message in MESSAGES
        }

    def _object_facts(self, schema: Schema) -> dict[str, Any]:
        properties = {
            name: member
            for name, member in sorted(schema.get("properties", {}).items())
            if not (isinstance(member, dict) and member.get(EXPERIMENTAL))
        }
        return {
            "properties": {name: self._type(member) for name, member in properties.items()},
            "required": sorted(schema.get("required", [])),
            "nullable": [name for name, member in properties.items() if _without_null(member)[1]],
            "enums": {name: values for name, member in properties.items() if (values := self._values(member))},
        }

    def _type(self, schema: Any) -> str:
        """A word for what a value is, whatever names a generator gives to enumerations and the like."""
        schema, _ = _without_null(schema)
        resolved = self._resolved(schema)
        if self._values(resolved) and resolved.get("type") != "array":
            return "enum"
        if resolved.get("type") == "array":
            return f"array of {self._type(resolved.get('items', True))}"
        if isinstance(resolved.get("additionalProperties"), dict | bool):
            return f"map of {self._type(resolved['additionalProperties'])}"
        if "anyOf" in resolved:
            return " | ".join(self._type(option) for option in resolved["anyOf"])
        if "oneOf" in resolved or "properties" in resolved:
            return _name(schema)
        return ":".join(filter(None, (resolved.get("type", "any"), resolved.get("format"))))

    def _values(self, schema: Any) -> list[str]:
        """The values of an enumeration, or of an array of them; empty if it is neither."""
        resolved = self._resolved(_without_null(schema)[0])
        if resolved.get("type") == "array":
            return self._values(resolved.get("items", True))
        # A generator may give each value a branch of its own, to describe it.
        branches = resolved.get("oneOf", [resolved])
        return [value for branch in branches for value in branch["enum"]] if all("enum" in b for b in branches) else []

    def _resolved(self, schema: Any) -> Schema:
        """A schema behind its references."""
        if isinstance(schema, bool):
            return {}
        if "allOf" in schema:
            return self._resolved(schema["allOf"][0])
        if "$ref" in schema:
            return self._resolved(self._definitions[_name(schema)])
        return schema  # type: ignore[no-any-return]


def _name(schema: Schema) -> str:
    """The name of the type that a schema refers to; ``object`` for one that has no name."""
    if "allOf" in schema:
        return _name(schema["allOf"][0])
    return str(schema.get("$ref", "object")).rpartition("/")[2]


def _without_null(schema: Any) -> tuple[Any, bool]:
    """What remains of a schema without null, and whether null was in it."""
    if isinstance(schema, bool):
        return schema, False
    if isinstance(schema.get("type"), list) and "null" in schema["type"]:
        (remaining,) = (name for name in schema["type"] if name != "null")
        return {**schema, "type": remaining}, True
    if {"type": "null"} in schema.get("anyOf", []):
        options = [option for option in schema["anyOf"] if option != {"type": "null"}]
        return (options[0] if len(options) == 1 else {"anyOf": options}), True
    return schema, False


def _renew(reference: Path) -> None:
    from protocol.export.declarations import CATALOGUE, read_surface

    surface = read_surface(CATALOGUE, experimental=True)
    bundle = Bundle(json.loads(reference.read_text(encoding="utf-8"))["definitions"])
    known = json.loads(FACTS_FILE.read_text(encoding="utf-8")) if FACTS_FILE.exists() else {}
    sections = {
        "types": {name: facts for name in surface.types if (facts := bundle.facts(name)) is not None},
        **{
            message: {m.method: methods[m.method] for m in surface.select(message) if m.method in methods}
            for message, methods in bundle.methods().items()
        },
        "onlyInTypeScript": known.get("onlyInTypeScript", {}),
    }
    FACTS_FILE.write_text(_one_line_each(sections), encoding="utf-8", newline="\n")


def _one_line_each(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """JSON in which a difference of one type is a difference of one line."""
    blocks = [
        f"{json.dumps(title)}: {{\n"
        + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in section.items())
        + "\n}"
        for title, section in sections.items()
    ]
    return "{\n" + ",\n".join(blocks) + "\n}\n"


if __name__ == "__main__":
    _renew(Path(sys.argv[1]))
