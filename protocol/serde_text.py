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

_ESCAPES: Final[Mapping[str, str]] = {
    "\0": "\\0",
    "\t": "\\t",
    "\n": "\\n",
    "\r": "\\r",
    '"': '\\"',
    "\\": "\\\\",
}


def describe(error: ValidationError, value: Any, name: str, *, quote: bool = True) -> str:
    """Tell the finding at which serde would have stopped.

    :param value: the value that was to be decoded.
    :param name: the Rust name of the type it was decoded into.
    :param quote: whether the text may repeat strings and numbers of the value, which can be secrets.
    """
    first = min(error.errors(include_url=False), key=lambda finding: _order(finding, value))
    return _tell(first, name, quote=quote)


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


def invalid_type(value: Any, expected: str, *, quote: bool = True) -> str:
    """The text for a value of the wrong JSON type."""
    kind = _kind(value)
    return f"invalid type: {kind if quote else kind.partition(' ')[0]}, expected {expected}"


def _tell(finding: Any, name: str, *, quote: bool) -> str:  # noqa: PLR0911 - one return a kind of finding
    kind, value, context = finding["type"], finding["input"], finding.get("ctx", {})
    if kind == "missing":
        return missing_field(str(finding["loc"][-1]))
    if kind == "union_tag_not_found":
        return missing_field(context["discriminator"].strip("'"))
    if kind == "union_tag_invalid":
        tag = value[context["discriminator"].strip("'")]
        if not isinstance(tag, str):
            return invalid_type(tag, "variant identifier", quote=quote)
        return unknown_variant(tag if quote else "…", _options(context["expected_tags"]))
    if kind == "literal_error":
        if isinstance(value, str):
            return unknown_variant(value if quote else "…", _options(context["expected"]))
        return invalid_type(value, "string or map", quote=quote)
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"invalid value: {_kind(value) if quote else 'integer'}, expected {_integer_type(context)}"
    if kind == "model_attributes_type":
        return invalid_type(value, f"internally tagged enum {name}", quote=quote)
    if kind == "model_type":
        return invalid_type(value, f"struct {context['class_name']}", quote=quote)
    if kind in _EXPECTED:
        return invalid_type(value, _EXPECTED[kind], quote=quote)
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
            return f'string "{_escape(value)}"'
        case list():
            return "sequence"
        case _:
            return "map"


def _escape(text: str) -> str:
    """As Rust's ``{:?}`` writes a string."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(
        _ESCAPES.get(character) or (character if character.isprintable() else f"\\u{{{ord(character):x}}}")
        for character in text
    )


def _options(quoted: str) -> list[str]:
    """The members of pydantic's ``'a', 'b' or 'c'``."""
    return [part.strip().strip("'") for part in quoted.replace(" or ", ", ").split(", ")]


def _integer_type(context: Mapping[str, Any]) -> str:
    return {0: "u64", -(2**31): "i32", 2**31 - 1: "i32", 2**64 - 1: "u64"}.get(
        context.get("ge", context.get("le")), "i64"
    )


def _order(finding: Any, value: Any) -> tuple[int, ...]:
    """When serde comes to the finding: the place of each member on the way to it among those that were sent; that
    one is missing shows after all of them."""
    location = finding["loc"]
    if isinstance(value, dict) and len(location) > 1 and location[0] == value.get("type"):
        location = location[1:]  # the tag of a union is no member
    order: list[int] = []
    for step in location:
        if isinstance(value, dict) and step in value:
            order.append(list(value).index(step))
            value = value[step]
        elif isinstance(value, list) and isinstance(step, int):
            order.append(step)
            value = value[step]
    if finding["type"] == "missing" and isinstance(value, dict):
        order.append(len(value))
    return tuple(order)
