"""What a person is told and asked, at the end of pipes; terminals are in ``tests/wire/cli/test_terminal.py``."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app_server.cli.console import MAX_LINE, Console, printable


class Screen(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


class Gone(io.StringIO):
    """A stream that nobody reads any more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


@contextmanager
def typed(data: bytes) -> Iterator[tuple[Console, io.StringIO]]:
    """A console whose input is this, and what it has said."""
    reader, writer = os.pipe()
    try:
        os.write(writer, data)
        os.close(writer)
        out = io.StringIO()
        yield Console(reader, out, out), out
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("checking port 1455… free", "checking port 1455… free"),
        ("two\nlines", "two\nlines"),
        ("\x1b[2Jclear\r\x07\x9b", "?[2Jclear???"),
        ("right\u202eto left", "right?to left"),
    ],
)
def test_nothing_that_moves_the_cursor_gets_through(text: str, shown: str) -> None:
    assert printable(text) == shown


async def test_lines_are_handed_out_one_by_one_until_the_input_ends() -> None:
    with typed(b"one\r\n\nthree\xff") as (console, out):
        assert [await console.ask("? ") for _ in range(4)] == ["one", "", "three\ufffd", None]
    assert out.getvalue() == "? \n" * 4


async def test_a_line_without_an_end_is_not_waited_for_for_ever() -> None:
    reader, writer = os.pipe()
    try:
        console = Console(reader, io.StringIO(), io.StringIO())
        os.write(writer, b"x" * (MAX_LINE // 2))
        os.write(writer, b"x" * (MAX_LINE // 4))
        os.close(writer)
        answer = await console.ask("? ")
    finally:
        os.close(reader)
    assert answer == "x" * (MAX_LINE // 4 * 3)


@pytest.mark.parametrize(
    ("answer", "agreed"),
    [(b"y\n", True), (b" YES \n", True), (b"n\n", False), (b"\n", False), (b"yeah\n", False), (b"", False)],
)
async def test_only_a_yes_is_a_yes(answer: bytes, agreed: bool) -> None:
    with typed(answer) as (console, _):
        assert await console.agree("Really?") is agreed


async def test_a_descriptor_that_cannot_be_read_has_ended() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert await Console(reader, io.StringIO()).ask("? ") is None
    finally:
        os.close(writer)


def test_what_is_said_does_not_stand_in_a_line_that_was_begun() -> None:
    out = Screen()
    console = Console(0, out, out)
    console.begin("checking… ")
    console.fail("no")
    console.begin("again… ")
    console.end("yes")
    assert out.getvalue() == "checking… \nerror: no\nagain… yes\n"


def test_a_line_that_was_begun_goes_on_until_something_else_is_said() -> None:
    out = io.StringIO()
    console = Console(0, out, out)
    console.begin("one")
    console.go_on("|two\x1b")
    assert console.in_line
    console.say("three")
    assert not console.in_line
    assert out.getvalue() == "one|two?\nthree\n"


def test_a_line_that_is_updated_is_taken_back_before_anything_else_is_said() -> None:
    out = Screen()
    console = Console(0, out, out)
    console.update("9:59")
    console.update("9:58")
    console.warn("look")
    console.close_line()
    assert out.getvalue() == "\r\x1b[K9:59\r\x1b[K9:58\r\x1b[Kwarning: look\n"


def test_a_reader_that_has_gone_is_no_failure() -> None:
    Console(0, Gone(), Gone()).say("hello")


def test_what_the_encoding_cannot_express_is_replaced() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    Console(0, out).say("port 1455… free")
    assert raw.getvalue() == b"port 1455? free\n"
