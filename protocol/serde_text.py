"""What is wrong with a value, in the words of the reference.

Clients match on the texts of Rust's serde (``missing field `x` ``, ``invalid type: …``), so pydantic's findings are
told in them (wire.md section 2). serde stops at its first finding: it reads members in the order in which they were
sent, and looks for missing ones only afterwards.

A finding of pydantic names the place, not the type that was expected there; that is looked up in ``serde_place.py``.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from protocol.serde_place import Finding

NO_VARIANT: Final = "no_variant"
"""Type of an error that a validator of ours raises; its message is the text."""

_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "a string",
    "bool_type": "a boolean",
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


def describe(error: ValidationError, value: Any, model: type[BaseModel] | str, *, quote: bool = True) -> str:
    """Tell the finding at which serde would have stopped.

    :param value: the value that was to be decoded.
    :param model: what it was decoded into; of a type that is not at hand, its name.
    :param quote: whether the text may repeat strings and numbers of the value, which can be secrets.
    """
    from protocol.serde_place import locate  # noqa: PLC0415 - only refusals pay for it

    findings = [locate(finding, value, model) for finding in error.errors(include_url=False)]
    return _tell(min(findings, key=lambda finding: finding.order), quote=quote)


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


def invalid_value(value: Any, expected: str, *, quote: bool = True) -> str:
    """The text for a value of the right JSON type that is none of those that are possible."""
    kind = _kind(value)
    return f"invalid value: {kind if quote else kind.partition(' ')[0]}, expected {expected}"


def _tell(finding: "Finding", *, quote: bool) -> str:  # noqa: PLR0911 - one return a kind of finding
    kind, value, context = finding.kind, finding.value, finding.context
    if finding.alternatives is not None:
        return _no_alternative(finding, quote=quote)
    if kind == "missing":
        return missing_field(finding.member)
    if kind in ("union_tag_not_found", "union_tag_invalid", "model_attributes_type"):
        return _no_tag(finding, quote=quote)
    if kind == "literal_error":
        return _no_variant(value, _options(context["expected"]), quote=quote)
    if kind in ("greater_than_equal", "less_than_equal"):
        return invalid_value(value, finding.integer, quote=quote)
    if kind == "model_type":
        return invalid_type(value, f"struct {context['class_name']}", quote=quote)
    if kind == "int_type":
        return invalid_type(value, finding.integer, quote=quote)
    if kind == "string_too_short":
        return "reasoning_effort must not be empty"  # no other string has to be long
    if kind in _EXPECTED:
        return invalid_type(value, _EXPECTED[kind], quote=quote)
    if kind == NO_VARIANT:
        return finding.message
    return f"data did not match any variant of {finding.name}"


def _no_tag(finding: "Finding", *, quote: bool) -> str:
    """The member that tells the variants of a union apart is missing, or wrong."""
    value = finding.value
    if finding.kind == "model_attributes_type" and value != []:
        return invalid_type(value, f"internally tagged enum {finding.name}", quote=quote)
    tag = finding.context.get("discriminator", "type").strip("'")
    if tag not in value:
        return missing_field(tag)  # serde reads a sequence as the tag and what follows it
    if not isinstance(value[tag], str):
        return invalid_type(value[tag], "variant identifier", quote=quote)
    return unknown_variant(value[tag] if quote else "…", _options(finding.context["expected_tags"]))


def _no_variant(value: Any, names: Sequence[str], *, quote: bool) -> str:
    """A name, or a map with a name as its only key, was expected."""
    if isinstance(value, dict):
        if len(value) != 1:
            return invalid_value(value, "map with a single key")
        value = next(iter(value))
    if isinstance(value, str):
        return unknown_variant(value if quote else "…", names)
    return invalid_type(value, "string or map", quote=quote)


def _no_alternative(finding: "Finding", *, quote: bool) -> str:
    """None of a union's alternatives fits, and the value does not say which of them was meant."""
    value, names = finding.value, finding.alternatives
    if not names:
        return f"data did not match any variant of untagged enum {finding.name}"
    if isinstance(value, str) and names.get(value):
        return "invalid type: unit variant, expected struct variant"
    if isinstance(value, dict) and len(value) == 1 and (name := next(iter(value))) in names:
        return invalid_type(value[name], "struct variant" if names[name] else "unit", quote=quote)
    return _no_variant(value, list(names), quote=quote)


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
