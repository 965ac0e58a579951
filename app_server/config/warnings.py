"""What is told to the user about the configuration. How it is found out stands in ``layers``, ``load``, ``overlay``."""

from typing import NamedTuple


class TextPosition(NamedTuple):
    """A place in a file; both count from 1, columns in characters."""

    line: int
    column: int


class TextRange(NamedTuple):
    """From the first character to the last one, which is included, as in the reference."""

    start: TextPosition
    end: TextPosition


class ConfigWarning(NamedTuple):
    """Becomes a ``configWarning`` notification. No part of it holds a secret.

    :param summary: one sentence.
    :param details: what exactly is wrong, or what can be done.
    :param path: the file that it is about, if it is about a file.
    :param range: where in that file, where that is known.
    """

    summary: str
    details: str | None = None
    path: str | None = None
    range: TextRange | None = None


class ConfigError(Exception):
    """A thread cannot begin with this configuration. At the start nothing is an error.

    :param problem: what is wrong with it, in the reference's words.
    """

    def __init__(self, problem: str) -> None:
        self.message = f"failed to load configuration: {problem}"
        super().__init__(self.message)
