"""What is wrong with a value, in the words of the reference.

Clients match on the texts of Rust's serde (``missing field `x` ``, ``invalid type: …``), so pydantic's findings are
told in them (wire.md section 2). serde stops at its first finding: it reads members in the order in which they were
sent, and looks for missing ones only afterwards.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "a string",
    "bool_type": "a boolean",
    "int_type": "i64",
    "float_type": "f64",
    "list_type": "a sequence",
    "dict_type": "a map",
}


def describe(error: ValidationError, value: Any, name: str) -> str:
    """Tell the finding at which serde would have stopped.

    :param value: the value that was to be decoded.
    :param name: the Rust name of the type it was decoded into.
    """
    findings = error.errors(include_url=False)
    wrong = [finding for finding in findings if finding["type"] != "missing"]
    if not wrong:
        return missing_field(str(findings[0]["loc"][-1]))
    first = min(wrong, key=lambda finding: _position(finding["loc"], value))
    return _tell(first, name)


def missing_field(name: str) -> str:
    """The text for a member that is required and absent."""
    return f"missing field `{name}`"


def unknown_variant(value: str, variants: Sequence[str]) -> str:
    """The text for a name that is none of ``variants``."""
    quoted = [f"`{variant}`" for variant in variants]
    if len(quoted) == 1:
        expected = quoted[0]
    elif len(quoted) == 2:
        expected = " or ".join(quoted)
    else:
        expected = "one of " + ", ".join(quoted)
    return f"unknown variant `{value}`, expected {expected}"


def invalid_type(value: Any, expected: str) -> str:
    """The text for a value of the wrong JSON type."""
    return f"invalid type: {_kind(value)}, expected {expected}"


def _tell(finding: Any, name: str) -> str:  # noqa: PLR0911 - one return a kind of finding
    kind, value, context = finding["type"], finding["input"], finding.get("ctx", {})
    if kind == "union_tag_not_found":
        return missing_field(context["discriminator"].strip("'"))
    if kind == "union_tag_invalid":
        tag = value[context["discriminator"].strip("'")]
        if not isinstance(tag, str):
            return invalid_type(tag, "variant identifier")
        return unknown_variant(tag, _options(context["expected_tags"]))
    if kind == "literal_error":
        if isinstance(value, str):
            return unknown_variant(value, _options(context["expected"]))
        return invalid_type(value, "string or map")
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"invalid value: {_kind(value)}, expected {_integer_type(context)}"
    if kind == "model_attributes_type":
        return invalid_type(value, f"internally tagged enum {name}")
    if kind == "model_type":
        return invalid_type(value, f"struct {context['class_name']}")
    if kind in _EXPECTED:
        return invalid_type(value, _EXPECTED[kind])
    return f"data did not match any variant of {name}"


def _kind(value: Any) -> str:  # noqa: PLR0911 - one return a JSON type
    match value:
        case None:
            return "null"
        case bool():
            return f"boolean `{str(value).lower()}`"
        case int():
            return f"integer `{value}`"
        case float():
            return f"floating point `{value}`"
        case str():
            return "string " + '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case list():
            return "sequence"
        case _:
            return "map"


def _options(quoted: str) -> list[str]:
    """The members of pydantic's ``'a', 'b' or 'c'``."""
    return [part.strip().strip("'") for part in quoted.replace(" or ", ", ").split(", ")]


def _integer_type(context: Mapping[str, Any]) -> str:
    return {0: "u64", -(2**31): "i32", 2**31 - 1: "i32", 2**64 - 1: "u64"}.get(
        context.get("ge", context.get("le")), "i64"
    )


def _position(location: tuple[int | str, ...], value: Any) -> int:
    """Where among the sent members the finding lies; the tag of a union counts as no member."""
    if isinstance(value, dict):
        members = list(value)
        for step in location[:2]:
            if step in value:
                return members.index(step)
    return 0
