"""The person at the other end of the standard streams: what they are told, and what they are asked.

What is said goes to standard output, what is wrong to standard error. Nothing here knows what it is about.
"""

import contextlib
import os
import sys
from typing import Final, Literal, TextIO

from app_server.transport.blocking import BlockingCalls

MAX_LINE: Final = 64 * 1024
"""Bytes of a line that somebody types or pastes."""

_CLEAR: Final = "\r\x1b[K"


class Console:
    """Speaks to a person.

    :param stdin: a descriptor, because a reader that is left behind must hold no lock of Python's streams; by default
        that of standard input, where there is one.
    """

    def __init__(self, stdin: int | None = None, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        if stdin is None:
            stdin = -1 if sys.stdin is None else 0
        self._stdin = stdin
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self._reader = BlockingCalls("prompt")
        self._typed = b""
        self._ended = False
        self._open: Literal["begun", "updated"] | None = None
        self.has_terminal: Final = self._stdout.isatty() and os.environ.get("TERM") != "dumb"
        """Whether a line can be written again and again."""
        self.can_ask: Final = os.isatty(stdin) and self._stdout.isatty()
        """Whether somebody is there who can answer a question."""

    def say(self, text: str = "") -> None:
        """Tell something, on a line of its own."""
        self.close_line()
        self._write(self._stdout, f"{printable(text)}\n")

    def write(self, line: bytes) -> None:
        """Write a line for programs, as it is."""
        self._write(self._stdout, f"{line.decode(errors='replace')}\n")

    def begin(self, text: str) -> None:
        """Begin a line that :meth:`end` completes."""
        self.close_line()
        self._write(self._stdout, printable(text))
        self._open = "begun"

    def go_on(self, text: str) -> None:
        """Write more of the line that was begun."""
        self._write(self._stdout, printable(text))

    @property
    def in_line(self) -> bool:
        """Whether a line has been begun that is still open."""
        return self._open == "begun"

    def end(self, text: str) -> None:
        """Complete the line that was begun."""
        self._open = None
        self._write(self._stdout, f"{printable(text)}\n")

    def update(self, text: str) -> None:
        """Write the line in the place of what it said before; only where :attr:`has_terminal`."""
        if self._open == "begun":
            self.close_line()
        self._write(self._stdout, f"{_CLEAR}{printable(text)}")
        self._open = "updated"

    def close_line(self) -> None:
        """Take back what :meth:`update` has written, or complete the line that was begun."""
        if self._open is not None:
            self._write(self._stdout, _CLEAR if self._open == "updated" else "\n")
            self._open = None

    def warn(self, text: str) -> None:
        """Tell what is not as it should be."""
        self.close_line()
        self._write(self._stderr, f"warning: {printable(text)}\n")

    def fail(self, text: str) -> None:
        """Tell why something is not done."""
        self.close_line()
        self._write(self._stderr, f"error: {printable(text)}\n")

    async def ask(self, question: str) -> str | None:
        """Ask, and wait for a line; None at the end of the input. Being cancelled leaves nothing to wait for."""
        self.begin(question)
        line = await self.line()
        self.close_line()
        return line

    async def line(self) -> str | None:
        """Wait for a line, whoever asked for it; None at the end of the input."""
        line = await self._line()
        if self.can_ask and line is not None:
            self._open = None  # the end of the line was typed
        return line

    async def agree(self, question: str) -> bool:
        """Ask for a yes; anything else is a no."""
        answer = await self.ask(f"{question} [y/N] ")
        return answer is not None and answer.strip().lower() in ("y", "yes")

    async def _line(self) -> str | None:
        while b"\n" not in self._typed and not self._ended and len(self._typed) < MAX_LINE:
            chunk = await self._reader.call(self._read)
            self._ended = not chunk
            self._typed += chunk
        if not self._typed:
            return None
        line, _, self._typed = self._typed.partition(b"\n")
        return line.decode(errors="replace").removesuffix("\r")

    def _read(self) -> bytes:
        try:
            return os.read(self._stdin, MAX_LINE)
        except OSError:  # closed, or a terminal that is gone
            return b""

    def _write(self, stream: TextIO, text: str) -> None:
        try:
            encoding = stream.encoding or "utf-8"
            stream.write(text.encode(encoding, "replace").decode(encoding))
            stream.flush()
        except OSError:
            # Whoever listened has gone, as ``head`` does; what is under way goes on, and the end has nothing to flush.
            with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - not a path of ours
                os.dup2(nowhere.fileno(), stream.fileno())


def printable(text: str) -> str:
    """The text without anything that moves the cursor or changes colours: it may quote strangers."""
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)
