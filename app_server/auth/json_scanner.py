"""A walk through one JSON text (RFC 8259) that stops where the reference stops, and says so in its words.

It finds where values begin and end, and decodes strings; which values are wanted is its subclass's business. Only
texts that a fast parser has refused come here (wire.md section 9), so this is exact rather than quick.
"""

import re
from typing import Final

_DIGITS: Final = re.compile(rb"[0-9]*")
_PLAIN: Final = re.compile(rb'[^"\\\x00-\x1f]*')
_HEX4: Final = re.compile(rb"[0-9A-Fa-f]{4}")
_SPACE: Final = re.compile(rb"[ \n\t\r]*")
_ESCAPES: Final = {
    ord(b'"'): '"',
    ord(b"\\"): "\\",
    ord(b"/"): "/",
    ord(b"b"): "\b",
    ord(b"f"): "\f",
    ord(b"n"): "\n",
    ord(b"r"): "\r",
    ord(b"t"): "\t",
}
_WORDS: Final = {b"n": b"null", b"t": b"true", b"f": b"false"}
_MAX_DEPTH: Final = 128
"""Levels of nesting that are decoded; what is only skipped may be deeper."""


class JsonTextError(Exception):
    """The text is not what it should be; the message says what is wrong, with line and column."""


class JsonScanner:
    """Stands somewhere in a JSON text and moves forward.

    :param text: the whole text.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    # Errors: at what was read last, or at what comes next.

    def here(self, text: str) -> JsonTextError:
        """An error at what was read last."""
        return self._error(text, self._at)

    def next(self, text: str) -> JsonTextError:
        """An error at the byte that comes next."""
        return self._error(text, min(self._at + 1, len(self._text)))

    def _error(self, text: str, at: int) -> JsonTextError:
        line = self._text.count(b"\n", 0, at) + 1
        column = at - self._text.rfind(b"\n", 0, at) - 1
        return JsonTextError(f"{text} at line {line} column {column}")

    # Where values begin.

    def peek(self) -> bytes:
        """The next byte that is no space; empty at the end."""
        self._run(_SPACE)
        return self._byte()

    def value_begins(self) -> bytes:
        """The byte with which a value begins; there has to be one."""
        first = self.peek()
        if not first:
            raise self.next("EOF while parsing a value")
        if first not in b'"[{ntf-0123456789':
            raise self.next("expected value")
        return first

    def descend(self) -> None:
        """Step into an object or an array, one level deeper."""
        self._depth += 1
        if self._depth >= _MAX_DEPTH:
            raise self.next("recursion limit exceeded")
        self._at += 1

    def ascend(self) -> None:
        """The object or array is over."""
        self._depth -= 1

    def key(self, *, first: bool) -> str | None:
        """The key of the next member, None after the last."""
        byte = self.peek()
        if byte == b"}":
            self._at += 1
            return None
        if not byte:
            raise self.next("EOF while parsing an object")
        if not first:
            if byte != b",":
                raise self.next("expected `,` or `}`")
            self._at += 1
            byte = self.peek()
            if byte == b"}":
                raise self.next("trailing comma")
            if not byte:
                raise self.next("EOF while parsing a value")
        if byte != b'"':
            raise self.next("key must be a string")
        return self.string()

    def colon(self) -> None:
        """The colon behind a key."""
        byte = self.peek()
        if byte != b":":
            raise self.next("expected `:`" if byte else "EOF while parsing an object")
        self._at += 1

    def element(self, *, first: bool) -> bool:
        """Whether there is one more element in the array."""
        byte = self.peek()
        if byte == b"]":
            self._at += 1
            return False
        if not byte:
            raise self.next("EOF while parsing a list")
        if not first:
            if byte != b",":
                raise self.next("expected `,` or `]`")
            self._at += 1
            byte = self.peek()
            if byte == b"]":
                raise self.next("trailing comma")
            if not byte:
                raise self.next("EOF while parsing a value")
        return True

    # Whole values.

    def word(self) -> str:
        """One of ``null``, ``true`` and ``false``."""
        word = _WORDS[self._byte()]
        for letter in word:
            if self._at == len(self._text):
                raise self.here("EOF while parsing a value")
            self._at += 1
            if self._text[self._at - 1] != letter:
                raise self.here("expected ident")
        return word.decode()

    def number(self, cut_off: str = "EOF while parsing a value") -> str:
        """A number, as it is written.

        :param cut_off: the text of the error for a number that the end cuts off.
        """
        begin = self._at
        if self._byte() == b"-":
            self._at += 1
        if self._digit(cut_off) != b"0":
            self._run(_DIGITS)
        elif self._byte().isdigit():
            raise self.next("invalid number")
        if self._byte() == b".":
            self._at += 1
            if not self._run(_DIGITS):
                raise self.next("invalid number" if self._byte() else cut_off)
        if self._byte() in (b"e", b"E"):
            self._at += 1
            if self._byte() in (b"+", b"-"):
                self._at += 1
            self._digit(cut_off)
            self._run(_DIGITS)
        return self._text[begin : self._at].decode()

    def string(self) -> str:
        """A string, decoded."""
        self._at += 1
        pieces = bytearray()
        begin = self._at
        while self._end_of_run(consume_control=True) == b"\\":
            pieces += self._text[begin : self._at]
            escape = self._escape()
            character = chr(self._code_point()) if escape == ord(b"u") else _ESCAPES[escape]
            pieces += character.encode()
            begin = self._at
        pieces += self._text[begin : self._at]
        self._at += 1
        try:
            return pieces.decode()
        except UnicodeDecodeError:
            raise self.here("invalid unicode code point") from None

    def any_value(self) -> None:
        """A value of any kind; strings in it are decoded, so they have to be right."""
        first = self.value_begins()
        if first == b'"':
            self.string()
        elif first in _WORDS:
            self.word()
        elif first == b"{":
            self.descend()
            fresh = True
            while self.key(first=fresh) is not None:
                fresh = False
                self.colon()
                self.any_value()
            self.ascend()
        elif first == b"[":
            self.descend()
            fresh = True
            while self.element(first=fresh):
                fresh = False
                self.any_value()
            self.ascend()
        else:
            self.number()

    def skip_value(self) -> None:
        """Pass over a value, however deep, without decoding its strings."""
        open_brackets = bytearray()
        while True:
            first = self.value_begins()
            opened = first in (b"{", b"[")
            if opened:
                self._at += 1
                open_brackets += first
            elif first == b'"':
                self._skip_string()
            elif first in _WORDS:
                self.word()
            else:
                self.number("invalid number")
            if not self._skip_to_value(open_brackets, opened=opened):
                return

    def end(self) -> None:
        """Nothing but space is left."""
        if self.peek():
            raise self.next("trailing characters")

    # Pieces of the above.

    def _byte(self) -> bytes:
        return self._text[self._at : self._at + 1]

    def _run(self, pattern: "re.Pattern[bytes]") -> int:
        """Pass over what the pattern matches, which may be nothing; how many bytes."""
        begin = self._at
        self._at = pattern.match(self._text, begin).end()  # type: ignore[union-attr]  # it always matches
        return self._at - begin

    def _skip_to_value(self, open_brackets: bytearray, *, opened: bool) -> bool:
        """Go on to the next value inside the open brackets; whether there is one."""
        while open_brackets:
            in_object = open_brackets[-1:] == b"{"
            byte = self.peek()
            if byte == (b"}" if in_object else b"]"):
                self._at += 1
                open_brackets.pop()
                opened = False
                continue
            if not byte:
                raise self.next("EOF while parsing an object" if in_object else "EOF while parsing a list")
            if not opened:
                if byte != b",":
                    raise self.next("expected `,` or `}`" if in_object else "expected `,` or `]`")
                self._at += 1
            if in_object:
                byte = self.peek()
                if byte != b'"':
                    raise self.next("key must be a string" if byte else "EOF while parsing an object")
                self._skip_string()
                self.colon()
            return True
        return False

    def _digit(self, cut_off: str) -> bytes:
        digit = self._byte()
        if not digit:
            raise self.here(cut_off)
        self._at += 1
        if not digit.isdigit():
            raise self.here("invalid number")
        return digit

    def _skip_string(self) -> None:
        self._at += 1
        while self._end_of_run(consume_control=False) == b"\\":
            if self._escape() == ord(b"u"):
                self._hex4()
        self._at += 1

    def _end_of_run(self, *, consume_control: bool) -> bytes:
        """Go on to the quote or the backslash that ends a run of plain characters."""
        self._run(_PLAIN)
        byte = self._byte()
        if not byte:
            raise self.here("EOF while parsing a string")
        if byte < b" ":
            self._at += consume_control
            raise self.here("control character (\\u0000-\\u001F) found while parsing a string")
        return byte

    def _escape(self) -> int:
        self._at += 1
        escape = self._byte()
        if not escape:
            raise self.here("EOF while parsing a string")
        self._at += 1
        if escape != b"u" and escape[0] not in _ESCAPES:
            raise self.here("invalid escape")
        return escape[0]

    def _hex4(self) -> int:
        digits = self._text[self._at : self._at + 4]
        self._at += len(digits)
        if len(digits) < 4:
            raise self.here("EOF while parsing a string")
        if not _HEX4.fullmatch(digits):
            raise self.here("invalid escape")
        return int(digits, 16)

    def _code_point(self) -> int:
        unit = self._hex4()
        if 0xDC00 <= unit <= 0xDFFF:
            raise self.here("lone leading surrogate in hex escape")
        if not 0xD800 <= unit <= 0xDBFF:
            return unit
        for expected in (b"\\", b"u"):
            byte = self._byte()
            if not byte:
                raise self.here("EOF while parsing a string")
            self._at += 1
            if byte != expected:
                raise self.here("unexpected end of hex escape")
        low = self._hex4()
        if not 0xDC00 <= low <= 0xDFFF:
            raise self.here("lone leading surrogate in hex escape")
        return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
