"""Boils a bundle of JSON Schema definitions down to facts that two generators of the same wire must agree on.

``reference_facts.json`` was made with it from what the reference writes; ``test_export_facts.py`` applies it to what
we write. Descriptions, titles and the grouping into named types are no facts. To renew after an upgrade of the
reference (``codex app-server generate-json-schema --out STABLE``, and with ``--experimental --out DIR``):

    PYTHONPATH=. python tests/unit/protocol/schema_facts.py DIR STABLE

This keeps what stands under ``onlyInTypeScript``, which was written by hand: the reference has no JSON Schema of it.
"""

import json
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

FACTS_FILE: Final = Path(__file__).with_name("reference_facts.json")
MESSAGES: Final = ("ClientRequest", "ClientNotification", "ServerRequest", "ServerNotification")
EXPERIMENTAL: Final = "x-experimental"

Schema = Mapping[str, Any]
Facts = dict[str, Any]


class Bundle:
    """The definitions of a bundle; namespaces within it are flattened.

    :param stable: the bundle without experimental members; what it has not is experimental. Without it, what is
        marked as experimental is.
    :param inline: names of types that count as if they were written in the place where they are used.
    """

    def __init__(self, definitions: Schema, stable: Schema | None = None, inline: Collection[str] = ()) -> None:
        self._definitions: dict[str, Schema] = {**definitions, **definitions.get("v2", {})}
        self._stable = None if stable is None else Bundle(stable)
        self._inline = inline

    def names(self) -> set[str]:
        """The types that are comparable by name: not a union's variants, and none that is inline."""
        variants = {
            _name(option)
            for name, schema in self._definitions.items()
            if self._tagged(name) is not None
            for option in _options(schema)
            if "$ref" in option
        }
        return {name for name in self._definitions if self.facts(name) is not None} - variants - set(self._inline)

    def facts(self, name: str) -> Facts | None:
        """The facts of an object, of each variant of a union by its tag, or of an enumeration; None if it is none."""
        schema = self._definitions.get(name, {})
        if name in MESSAGES:
            return None
        if schema.get("type") == "object" and not _options(schema):
            return self._object_facts(schema, self._stable._definitions.get(name) if self._stable else None)
        if values := self._values(schema):
            return {"values": values}
        tagged = self._tagged(name)
        if tagged is None:
            return None
        stable = (self._stable._tagged(name) if self._stable else None) or {}
        return {tag: variant and self._object_facts(variant, stable.get(tag)) for tag, variant in tagged.items()}

    def methods(self) -> dict[str, dict[str, Facts]]:
        """Kind of message -> method -> facts."""
        stable = self._stable.methods() if self._stable else None
        return {
            message: {
                method: {
                    "params": self._type(variant["properties"].get("params", True)),
                    "required": sorted(variant["required"]),
                    "experimental": method not in stable[message] if stable else bool(variant.get(EXPERIMENTAL)),
                }
                for variant in self._definitions[message]["oneOf"]
                for method in variant["properties"]["method"]["enum"]
            }
            for message in MESSAGES
        }

    def _tagged(self, name: str) -> dict[str, Schema] | None:
        """The variants of a union: by their tag, else by their only member; and plain strings by themselves.

        None if it is no such union.
        """
        variants: dict[str, Schema] = {}
        union = self._definitions.get(name, {})
        for alternative in map(self._resolved, _options(union)):
            # What stands beside the alternatives belongs to each of them.
            properties = union.get("properties", {}) | alternative.get("properties", {})
            option = {**alternative, "properties": properties} if properties else alternative
            if "enum" in option:
                variants |= {value: {} for value in option["enum"]}
            elif tag := _tag(properties):
                variants[tag] = option
            elif len(properties) == 1:
                variants[next(iter(properties))] = option
            elif option != {"type": ["string", "object"]}:  # room for what the future brings
                return None
        return variants or None

    def _object_facts(self, schema: Schema, stable: Schema | None) -> Facts:
        properties = dict(sorted(schema.get("properties", {}).items()))
        facts: Facts = {
            "properties": {name: self._type(member) for name, member in properties.items()},
            "required": sorted(schema.get("required", [])),
            "nullable": [name for name, member in properties.items() if _without_null(member)[1]],
            "enums": {name: values for name, member in properties.items() if (values := self._values(member))},
            "defaults": {name: value for name, member in properties.items() if (value := _default(member)) is not None},
            "experimental": [
                name for name, member in properties.items() if self._is_experimental(name, member, stable)
            ],
        }
        return {key: fact for key, fact in facts.items() if fact} | ({"open": True} if _is_open(schema) else {})

    def _is_experimental(self, name: str, member: Any, stable: Schema | None) -> bool:
        if self._stable is None:
            return isinstance(member, dict) and bool(member.get(EXPERIMENTAL))
        return stable is not None and name not in stable.get("properties", {})

    def _type(self, schema: Any) -> str:  # noqa: PLR0911 # one for each kind
        """A word for what a value is, whatever names a generator gives to enumerations and the like."""
        schema, _ = _without_null(schema)
        resolved = self._resolved(schema)
        if self._values(resolved) and resolved.get("type") != "array":
            return "enum"
        if resolved.get("type") == "array":
            return f"array of {self._type(resolved.get('items', True))}"
        if "properties" in resolved:
            return self._object_word(schema, resolved)
        if isinstance(resolved.get("additionalProperties"), dict | bool):
            return f"map of {self._type(resolved['additionalProperties'])}"
        options = _options(resolved)
        if any(self._resolved(option).get("type") == "object" for option in options):
            return _name(schema)
        if options:
            return " | ".join(self._type(option) for option in options)
        word = resolved.get("type", "any")
        return ":".join(filter(None, (word if isinstance(word, str) else " | ".join(word), resolved.get("format"))))

    def _object_word(self, schema: Schema, resolved: Schema) -> str:
        name = _name(schema)
        if name and name not in self._inline:
            return name
        required = resolved.get("required", [])
        words = (
            f"{member}{'' if member in required else '?'}: {self._type(inner)}{' | null' * _without_null(inner)[1]}"
            for member, inner in sorted(resolved["properties"].items())
        )
        return f"{{{', '.join(words)}}}"

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


def _options(schema: Schema) -> list[Any]:
    return schema.get("oneOf") or schema.get("anyOf") or []


def _tag(properties: Schema) -> str | None:
    """The value of the member that can have only one."""
    for member in properties.values():
        if isinstance(member, dict) and len(values := member.get("enum", ())) == 1:
            return str(values[0])
    return None


def _name(schema: Schema) -> str:
    """The name of the type that a schema refers to; empty for one that has no name."""
    if "allOf" in schema:
        return _name(schema["allOf"][0])
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _default(schema: Any) -> Any:
    return schema.get("default") if isinstance(schema, dict) else None


def _is_open(schema: Schema) -> bool:
    """Whether an object with known members may have others that mean something."""
    return bool(schema.get("properties")) and bool(schema.get("additionalProperties"))


def _without_null(schema: Any) -> tuple[Any, bool]:
    """What remains of a schema without null, and whether null was in it."""
    if isinstance(schema, bool):
        return schema, False
    if isinstance(schema.get("type"), list) and "null" in schema["type"]:
        remaining = [name for name in schema["type"] if name != "null"]
        return {**schema, "type": remaining[0] if len(remaining) == 1 else remaining}, True
    if {"type": "null"} in schema.get("anyOf", []):
        options = [option for option in schema["anyOf"] if option != {"type": "null"}]
        if len(options) > 1:
            return {"anyOf": options}, True
        return _without_null(options[0])[0], True
    return schema, False


def _definitions(directory: str) -> Schema:
    text = Path(directory, "codex_app_server_protocol.schemas.json").read_text(encoding="utf-8")
    definitions: Schema = json.loads(text)["definitions"]
    return definitions


def _renew(experimental: str, stable: str) -> None:
    from protocol.export.declarations import CATALOGUE, read_surface

    surface = read_surface(CATALOGUE, experimental=True)
    bundle = Bundle(_definitions(experimental), _definitions(stable))
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
    _renew(*sys.argv[1:])
