"""JSON text to Python values and back, for everything that JSON allows.

orjson does the work. It refuses two things that are well-formed JSON all the same: lone surrogate escapes, and
nesting beyond 1,024 levels. A request that holds one of them must still be answered (wire.md section 15.22), so
those texts take a slower way round, through the standard library.
"""

import re
from typing import Any, Final, NoReturn

import orjson

MAX_DEPTH: Final = 512
"""Levels of nesting kept by the slow way; a value below them is read as null. No method has a use for them."""

_TOKEN: Final = rb'"(?:[^"\\]|\\.)*"|[\[{](?:\s*\[)*|[\]}]'


def loads(text: bytes) -> Any:
    """Decode one JSON text.

    :raises ValueError: not JSON (RFC 8259), or not UTF-8.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        if b"\\u" not in text and text.count(b"[") + text.count(b"{") < MAX_DEPTH:
            raise
        return _loads_slowly(text)


def dumps(value: Any) -> bytes:
    """Encode plain values as compact UTF-8 JSON; lone surrogates come out as the escapes they came in as."""
    try:
        return orjson.dumps(value)
    except TypeError:
        import json  # noqa: PLC0415 - only odd input pays for it

        return json.dumps(value, separators=(",", ":")).encode()


def _loads_slowly(text: bytes) -> Any:
    import json  # noqa: PLC0415 - only odd input pays for it

    try:
        return json.loads(_prune(text).decode(), parse_constant=_refuse_constant)
    except RecursionError as error:  # pragma: no cover - MAX_DEPTH keeps well clear of the interpreter's limit
        raise ValueError("nested too deeply") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _prune(text: bytes) -> bytes:
    """Replace whatever is nested deeper than MAX_DEPTH by null, without recursion."""
    kept: list[bytes] = []
    depth = start = 0
    for token in re.finditer(_TOKEN, text, re.DOTALL):
        first = token.group()[:1]
        if first in b"[{":
            opened = token.group().count(b"[") + (first == b"{")
            if depth <= MAX_DEPTH < depth + opened:
                kept += (text[start : token.start()], b"[" * (MAX_DEPTH - depth), b"null")
            depth += opened
        elif first in b"]}":
            depth -= 1
            if depth == MAX_DEPTH:
                start = token.end()
    if depth > MAX_DEPTH:
        raise ValueError("unexpected end of data")
    kept.append(text[start:])
    return b"".join(kept)
