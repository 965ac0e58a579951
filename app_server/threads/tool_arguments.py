"""The arguments of a tool call: JSON that a model wrote, so what is wrong with it is told in a way it can act on.

What is made here are the texts, and the limit of nesting; the parser itself is ``protocol.json_codec``.
"""

import re
from typing import Any, Final

from protocol.json_codec import loads

PREFIX: Final = "failed to parse function arguments: "

MAX_DEPTH: Final = 127
"""Levels of nesting, as in serde_json. The parser takes more, but not everything that it takes could be told to the
client; arguments deeper than this are a model that has lost its way anyway."""

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DIGITS: Final = re.compile(r"[0-9]*")
_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f]*')
_HEX: Final = re.compile(r"[0-9a-fA-F]{0,4}")


class InvalidArguments(ValueError):
    """The arguments are no JSON, or nested too deeply."""


def parse_arguments(text: str) -> Any:
    """The arguments of a call.

    :raises InvalidArguments: a ``ValueError`` with the text for the model: what is wrong, and where (line, and column
        in bytes), in the words of serde_json, as the reference has them.
    """
    try:
        value = loads(text.encode(errors="replace"))
    except ValueError:
        raise InvalidArguments(PREFIX + _describe(text)) from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_too_deep(value):
        raise InvalidArguments(PREFIX + _describe(text))
    return value


def _is_too_deep(value: Any) -> bool:
    """Goes through the value level by level: neither recursive, nor as slow as reading the text again."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        within = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        if not within:
            return False
        level = [member for members in within for member in members]
    return True


class _Fault(Exception):
    def __init__(self, what: str, end: int) -> None:
        """``end``: how many characters had been read when it was found."""
        self.what = what
        self.end = end


def _describe(text: str) -> str:
    try:
        _Scanner(text).scan()
    except _Fault as fault:
        what, end = fault.what, fault.end
    else:
        # Something that this scanner lets pass and the parser does not.
        what, end = "expected value", len(text)
    before = text[:end]
    line = before.count("\n") + 1
    column = len(before[before.rfind("\n") + 1 :].encode(errors="surrogatepass"))
    return f"{what} at line {line} column {column}"


class _Scanner:
    """Reads JSON up to its first fault (RFC 8259). Not recursive, so that nesting costs it nothing."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._open: list[str] = []
        """The closing bracket of everything that is open."""

    def scan(self) -> None:
        """:raises _Fault: always, unless the text is JSON."""
        self._value()
        while self._open:
            self._after_value()
        if self._peek():
            raise _Fault("trailing characters", self._at + 1)

    def _peek(self) -> str:
        """The next character that is no white space, or nothing at the end."""
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._text[self._at : self._at + 1]

    def _end(self, what: str) -> _Fault:
        return _Fault(f"EOF while parsing {what}", len(self._text))

    def _after_value(self) -> None:
        closing = self._open[-1]
        found = self._peek()
        if not found:
            raise self._end("an object" if closing == "}" else "a list")
        self._at += 1
        if found == closing:
            self._open.pop()
            return
        if found != ",":
            raise _Fault(f"expected `,` or `{closing}`", self._at)
        following = self._peek()
        if following == closing:
            raise _Fault("trailing comma", self._at + 1)
        if closing == "}":
            self._key(following, "a value")
        self._value()

    def _value(self) -> None:
        """A value up to its end, or, of one with members, up to the first that has an end of its own."""
        while True:
            found = self._peek()
            self._at += 1
            match found:
                case "":
                    raise self._end("a value")
                case "{" | "[":
                    if self._begin("}" if found == "{" else "]"):
                        continue
                case '"':
                    self._string()
                case "-" | "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9":
                    self._number(found)
                case "t" | "f" | "n":
                    self._word({"t": "true", "f": "false", "n": "null"}[found])
                case _:
                    raise _Fault("expected value", self._at)
            return

    def _begin(self, closing: str) -> bool:
        """Whether a value follows in what has been opened."""
        if len(self._open) >= MAX_DEPTH:
            raise _Fault("recursion limit exceeded", self._at)
        found = self._peek()
        if not found:
            raise self._end("an object" if closing == "}" else "a list")
        if found == closing:
            self._at += 1
            return False
        self._open.append(closing)
        if closing == "}":
            self._key(found, "an object")
        return True

    def _key(self, found: str, within: str) -> None:
        if not found:
            raise self._end(within)
        self._at += 1
        if found != '"':
            raise _Fault("key must be a string", self._at)
        self._string()
        colon = self._peek()
        if not colon:
            raise self._end("an object")
        self._at += 1
        if colon != ":":
            raise _Fault("expected `:`", self._at)

    def _string(self) -> None:
        """From behind the quote that begins it."""
        while True:
            self._skip(_PLAIN)
            found = self._text[self._at : self._at + 1]
            self._at += 1
            if not found:
                raise self._end("a string")
            if found == '"':
                return
            if found != "\\":
                raise _Fault("control character (\\u0000-\\u001F) found while parsing a string", self._at)
            self._escape()

    def _escape(self) -> None:
        kind = self._text[self._at : self._at + 1]
        self._at += 1
        if not kind:
            raise self._end("a string")
        if kind == "u":
            if len(self._text) - self._at < 4:
                raise self._end("a string")
            if self._skip(_HEX) < 4:
                raise _Fault("invalid escape", self._at + 1)
        elif kind not in '"\\/bfnrt':
            raise _Fault("invalid escape", self._at)

    def _number(self, first: str) -> None:
        if first == "-":
            first = self._digit()
        if first == "0":
            if self._text[self._at : self._at + 1].isdecimal():
                raise _Fault("invalid number", self._at + 1)
        else:
            self._skip(_DIGITS)
        if self._text.startswith(".", self._at):
            self._at += 1
            self._digit()
            self._skip(_DIGITS)
        if self._text[self._at : self._at + 1] in ("e", "E"):
            self._at += 1
            if self._text[self._at : self._at + 1] in ("+", "-"):
                self._at += 1
            self._digit()
            self._skip(_DIGITS)

    def _digit(self) -> str:
        """At least one digit has to follow."""
        found = self._text[self._at : self._at + 1]
        if not found:
            raise self._end("a value")
        self._at += 1
        if found not in "0123456789":
            raise _Fault("invalid number", self._at)
        return found

    def _word(self, word: str) -> None:
        """From behind its first letter."""
        for letter in word[1:]:
            found = self._text[self._at : self._at + 1]
            if not found:
                raise self._end("a value")
            self._at += 1
            if found != letter:
                raise _Fault("expected ident", self._at)

    def _skip(self, pattern: "re.Pattern[str]") -> int:
        match = pattern.match(self._text, self._at)
        length = match.end() - self._at if match else 0
        self._at += length
        return length
