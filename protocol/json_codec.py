"""JSON text to Python values and back, for everything that JSON allows.

orjson does the work. It refuses three things that are well-formed JSON all the same: lone surrogate escapes, nesting
beyond 1,024 levels, and numbers beyond the range of a double. A request that holds one of them must still be answered
(wire.md section 15.22), so those texts take a slower way round, through the standard library.
"""

import re
from typing import Any, Final, NoReturn

import orjson

MAX_DEPTH: Final = 512
"""Levels of nesting kept by the slow way; a value below them is read as null. No method has a use for them."""

_WHITE_SPACE: Final = b" \t\r\n"

# A string (or what is left of one), a run of opening brackets, a run of closing ones. Possessive quantifiers keep the
# search linear and let a string of any length pass without a stack of places to come back to.
_TOKEN: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{](?:[ \t\r\n]*+\[)*+|[\]}](?:[ \t\r\n]*+[\]}])*+'

_HUGE_NUMBER: Final = rb"\d{200}|[eE]\+?\d{3}"
"""Found in every text that has a number beyond a double, and in few others."""


def loads(text: bytes) -> Any:
    """Decode one JSON text. Integers beyond 64 bits are read as floats, and those beyond a double as infinity.

    :raises ValueError: not JSON (RFC 8259), or not UTF-8.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if not _may_be_beyond_orjson(text):
            raise
    return _loads_slowly(text)


def dumps(value: Any) -> bytes:
    """Encode plain values as compact UTF-8 JSON; lone surrogates come out as the escapes they came in as."""
    try:
        return orjson.dumps(value)
    except TypeError:
        import json  # noqa: PLC0415 - only odd input pays for it

        # json writes NaN and the infinities, which are no JSON; read back, they are null, as orjson has them.
        finite = json.loads(json.dumps(value), parse_constant=lambda _: None)
        return json.dumps(finite, separators=(",", ":")).encode()


def _may_be_beyond_orjson(text: bytes) -> bool:
    return b"\\u" in text or _may_be_deep(text) or re.search(_HUGE_NUMBER, text) is not None


def _may_be_deep(text: bytes) -> bool:
    return text.count(b"[") + text.count(b"{") > MAX_DEPTH


def _loads_slowly(text: bytes) -> Any:
    import json  # noqa: PLC0415 - only odd input pays for it

    try:
        kept = _prune(text) if _may_be_deep(text) else text
        return json.loads(kept.decode(), parse_int=_parse_integer, parse_constant=_refuse_constant)
    except RecursionError as error:  # pragma: no cover - MAX_DEPTH keeps well clear of the interpreter's limit
        raise ValueError("nested too deeply") from error


def _parse_integer(digits: str) -> int | float:
    # As orjson reads it. int() would refuse more than 4,300 digits.
    if len(digits) <= len("-9223372036854775808"):
        value = int(digits)
        if -(2**63) <= value < 2**64:
            return value
    return float(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _prune(text: bytes) -> bytes:
    """Replace whatever is nested deeper than MAX_DEPTH by null, without recursion."""
    kept: list[bytes] = []
    depth = start = 0
    for token in re.finditer(_TOKEN, text, re.DOTALL):
        if text[token.start()] == ord('"'):
            continue
        brackets = token.group().translate(None, _WHITE_SPACE)
        if brackets[0] in b"[{":
            if depth <= MAX_DEPTH < depth + len(brackets):
                kept += (text[start : token.start()], brackets[: MAX_DEPTH - depth], b"null")
            depth += len(brackets)
        else:
            if depth - len(brackets) <= MAX_DEPTH < depth:
                kept.append(brackets[depth - MAX_DEPTH :])
                start = token.end()
            depth -= len(brackets)
    if depth > MAX_DEPTH:
        raise ValueError("unexpected end of data")
    kept.append(text[start:])
    return b"".join(kept)
