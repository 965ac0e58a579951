"""Reading ``config.toml``, and finding in it the place that a warning is about.

What its values mean stands in ``load``.
"""

import os
import stat
from collections.abc import Callable, Mapping
from typing import Any, Final

from app_server.config.layers import Keys, Place
from app_server.config.warnings import ConfigWarning, TextPosition, TextRange

MAX_BYTES: Final = 1024 * 1024
"""Longest file that is read, be it config.toml or instructions."""

_BROKEN: Final = "Invalid configuration; using defaults."

# A place is found by parsing again and again, which has to stay cheap even for odd files.
_LONGEST_SEARCHED: Final = 64 * 1024
_MAX_ATTEMPTS: Final = 10


class TomlSource:
    """A file of TOML as a layer.

    :param text: what it says.
    :raises ValueError: it is no TOML.
    :raises RecursionError: it is nested too deeply.
    """

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text
        self.table: Mapping[str, Any] = _parse(text)

    def place(self, keys: Keys) -> Place:
        """The file, and line and column of the value where they can be found."""
        found = locate(self._text, keys)
        if found is None:
            return Place(f"{self._path} (`{'.'.join(keys)}`)", self._path)
        return Place(f"{self._path}:{found.start.line}:{found.start.column}", self._path, found)


def read_toml(path: str, warn: Callable[[ConfigWarning], None]) -> TomlSource | None:
    """The file, or None when it is not there or cannot be used; the latter is warned about."""
    try:
        text = read_text(path)
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        warn(ConfigWarning(_BROKEN, f"Failed to read config file {path}: not UTF-8 at byte {error.start}", path))
        return None
    except OSError as error:
        reason = error.strerror or str(error)
        warn(ConfigWarning(_BROKEN, f"Failed to read config file {path}: {reason}", path))
        return None
    try:
        return TomlSource(path, text)
    except RecursionError:
        warn(ConfigWarning(_BROKEN, f"{path}: nested too deeply", path))
    except ValueError as error:
        problem, position = _problem_and_position(str(error), text)
        if position is None:
            warn(ConfigWarning(_BROKEN, f"{path}: {problem}", path))
        else:
            details = f"{path}:{position.line}:{position.column}: {problem}"
            warn(ConfigWarning(_BROKEN, details, path, TextRange(position, position)))
    return None


def locate(text: str, keys: Keys) -> TextRange | None:
    """Where the value of these keys stands in the text; for the header of a table, where its name stands.

    A parser with positions would be a dependency for the sake of warnings. Instead: the line before which the keys are
    missing and with which they are there, or are about to be.
    """
    if len(text) > _LONGEST_SEARCHED or not keys[-1]:
        return None
    lines = text.split("\n")
    candidates = [index for index, line in enumerate(lines) if keys[-1] in line]
    for index in candidates[:_MAX_ATTEMPTS]:
        line = lines[index]
        before = "\n".join(lines[:index])
        if _has(before, keys) is False and _has(f"{before}\n{line}", keys) is not False:
            return _range_in_line(line.rstrip("\r"), index + 1, keys[-1])
    return None


def read_text(path: str) -> str:
    """A whole file of at most :data:`MAX_BYTES`.

    :raises OSError: it cannot be read, is no regular file, or is too long.
    :raises UnicodeDecodeError: it is not UTF-8.
    """
    # Not blocking, because opening a FIFO waits for a writer; a device may never end.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with open(descriptor, "rb") as file:  # noqa: PTH123 - there is no path to open
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is not a file")
        if status.st_size > MAX_BYTES:
            raise OSError(0, f"it is longer than {MAX_BYTES} bytes")
        return file.read(MAX_BYTES).decode("utf-8-sig")


def _parse(text: str) -> dict[str, Any]:
    if all(not line.strip() or line.lstrip().startswith("#") for line in text.split("\n")):
        return {}
    import tomllib  # noqa: PLC0415 - 20 ms, and many homes have no config.toml

    return tomllib.loads(text)


def _has(text: str, keys: Keys) -> bool | None:
    """Whether the text has these keys; None if it is no TOML."""
    try:
        value: Any = _parse(text)
    except (ValueError, RecursionError):
        return None
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True


def _range_in_line(line: str, number: int, key: str) -> TextRange:
    equals = _equals_after(line, key)
    if equals is None:
        start = line.rfind(key)
        return _columns(number, start, start + len(key) - 1)
    value = line[equals + 1 :]
    start = equals + 1 + len(value) - len(value.lstrip())
    end = start + len(_without_comment(line[start:])) - 1
    return _columns(number, start, max(start, end))


def _equals_after(line: str, key: str) -> int | None:
    """The index of the equals sign that follows this key; None in the header of a table."""
    start = line.find(key)
    while start >= 0:
        end = start + len(key)
        rest = line[end:].lstrip("\"' \t")
        starts_word = start == 0 or not (line[start - 1].isalnum() or line[start - 1] in "-_")
        if starts_word and rest.startswith("="):
            return len(line) - len(rest)
        start = line.find(key, end)
    return None


def _without_comment(value: str) -> str:
    """A value without what follows it; the whole text if it goes on in the next line."""
    for end in [index for index, character in enumerate(value) if character in "#,}"][:_MAX_ATTEMPTS]:
        if _has(f"value = {value[:end]}", ("value",)):
            return value[:end].rstrip()
    return value.rstrip()


def _columns(line: int, start: int, end: int) -> TextRange:
    return TextRange(TextPosition(line, start + 1), TextPosition(line, end + 1))


def _problem_and_position(message: str, text: str) -> tuple[str, TextPosition | None]:
    """What tomllib says, apart: ``Invalid value (at line 2, column 5)``."""
    problem, separator, place = message.rpartition(" (at ")
    if not separator:
        return message, None
    if place.startswith("end of document"):
        lines = text.split("\n")
        return problem, TextPosition(len(lines), len(lines[-1]) + 1)
    words = place.rstrip(")").replace(",", "").split()
    try:
        return problem, TextPosition(int(words[1]), int(words[3]))
    except (IndexError, ValueError):
        return problem, None
