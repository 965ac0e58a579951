"""The ``-c key=value`` arguments. Taking them out of the argument vector is the business of ``cli.argv``.

As in the reference: the key is a path with dots and without quoting, the value is TOML, and what is no TOML is taken
as the string that it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app_server.config.layers import Keys, Place

# With these a value of TOML can begin. Everything else is a plain string, without the 20 ms of importing tomllib.
_BEGINNINGS: Final = frozenset("\"'[{+-0123456789tfin")
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:")
_WORDS: Final[Mapping[str, bool]] = {"true": True, "false": False}


class OverrideError(ValueError):
    """An argument of ``-c`` that is no ``key=value``."""


class Overrides:
    """All ``-c`` arguments as one layer; the last of the same key counts.

    :raises OverrideError: one of them has no ``=`` or no key.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self.table: dict[str, Any] = {}
        for argument in arguments:
            key, value = split_override(argument)
            put(self.table, key.split("."), parse_value(value))

    def place(self, keys: Keys) -> Place:
        """The argument, without its value."""
        return Place(f"-c {'.'.join(keys)}")


def split_override(argument: str) -> tuple[str, str]:
    """The key and the text of the value.

    :raises OverrideError: there is no ``=`` or no key.
    """
    key, separator, value = argument.partition("=")
    if not separator:
        raise OverrideError("Invalid override (missing '=')")
    if not key.strip():
        raise OverrideError("Invalid override (empty key)")
    return key.strip(), value.strip()


def parse_value(text: str) -> Any:
    """A value of TOML, else the text itself, without quotes around it."""
    if text in _WORDS:
        return _WORDS[text]
    if _is_plain_string(text):
        return text
    import tomllib  # noqa: PLC0415 - 20 ms, and hardly ever needed

    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError, KeyError):
        return text.strip("\"'")


def _is_plain_string(text: str) -> bool:
    if not text:
        return True
    if text[0] not in _BEGINNINGS:
        # Quotes at the end still have to go.
        return text[-1] not in "\"'" and "\n" not in text
    return text[0].isalpha() and text not in ("inf", "nan") and _PLAIN.issuperset(text)


def put(table: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set the value at this path; what is on the way and no table is replaced by one."""
    for key in path[:-1]:
        member = table.get(key)
        if not isinstance(member, dict):
            member = table[key] = {}
        table = member
    table[path[-1]] = value
