"""The places that a value can come from, one above the other. What the values mean stands in ``load``.

A value that is wrong in a higher layer is warned about and the next layer is asked, so that only what is broken falls
back. Tables are merged member by member.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from app_server.config.checks import WrongValue
from app_server.config.warnings import ConfigWarning, TextRange

T = TypeVar("T")
D = TypeVar("D")

Keys = tuple[str, ...]
"""The path of a value: the names of the tables around it, then its own."""


class Place(NamedTuple):
    """Where a value stands, for people.

    :param text: such as ``config.toml:3:7`` or ``-c model``.
    """

    text: str
    path: str | None = None
    range: TextRange | None = None


class Layer(Protocol):
    """One place with values."""

    @property
    def table(self) -> Mapping[str, Any]:
        """The values, nested in tables."""

    def place(self, keys: Keys) -> Place:
        """Where this value stands; asked only when there is something to say about it."""


class Layers:
    """All places, highest first.

    :param warn: is told what is wrong.
    """

    def __init__(self, layers: Sequence[Layer], warn: Callable[[ConfigWarning], None]) -> None:
        self._layers = layers
        self._warn = warn

    def value(self, keys: Keys, check: Callable[[object], T], default: D) -> T | D:
        """The highest value that passes the check, else the default."""
        for layer in self._layers:
            found, value = _look_up(layer.table, keys)
            if not found:
                continue
            try:
                return check(value)
            except WrongValue as error:
                self.reject(layer, keys, str(error))
        return default

    def members(self, keys: Keys) -> list[str]:
        """The names in this table, of all layers; what is there but no table is warned about."""
        names: dict[str, None] = {}
        for layer in self._layers:
            found, value = _look_up(layer.table, keys)
            if found and isinstance(value, Mapping):
                names.update(dict.fromkeys(value))
            elif found:
                self.reject(layer, keys, "expected a table")
        return list(names)

    def reject_everywhere(self, keys: Keys, problem: str) -> None:
        """Warn about this value in every layer that has it."""
        for layer in self._layers:
            if _look_up(layer.table, keys)[0]:
                self.reject(layer, keys, problem)

    def reject(self, layer: Layer, keys: Keys, problem: str) -> None:
        """Warn that this value is not used."""
        place = layer.place(keys)
        self._warn(
            ConfigWarning(
                summary=f"Invalid configuration; ignoring `{'.'.join(keys)}`.",
                details=f"{place.text}: {problem}",
                path=place.path,
                range=place.range,
            )
        )


def _look_up(table: Mapping[str, Any], keys: Keys) -> tuple[bool, Any]:
    value: Any = table
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return False, None
        value = value[key]
    return True, value


class Sources(NamedTuple):
    """The places that settings came from, as they were read.

    :param flags: what the session was started with, the highest first: variables and arguments.
    :param path: of ``config.toml``, which need not exist.
    :param file: what it says.
    """

    flags: Sequence[Mapping[str, Any]]
    path: str
    file: Mapping[str, Any]
