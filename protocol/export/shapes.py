"""What the exporters know of the wire: shapes of values, named types, methods.

The hinge between the declarations, which ``models.py`` turns into these, and the formats, which ``json_schema.py``
and ``typescript.py`` write from them. Neither pydantic nor either format is known here.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Final

from protocol.method import ParamsPresence, Scope


@dataclass(frozen=True, slots=True)
class Anything:
    """Any JSON value."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string, number or boolean, as the JSON Schema that describes it: ``{"type": "integer", "format": …}``."""

    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Enumeration:
    """One of some strings; with one value only, a constant that tells the variants of a union apart."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """A named type."""

    name: str


@dataclass(frozen=True, slots=True)
class ArrayOf:
    """A JSON array."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class MapOf:
    """A JSON object whose member names are data."""

    value: "Shape"


@dataclass(frozen=True, slots=True)
class Nullable:
    """A value or null."""

    value: "Shape"


@dataclass(frozen=True, slots=True)
class OneOf:
    """Exactly one of several: variants told apart by ``tag``, or plain alternatives when there is none."""

    options: tuple["Shape", ...]
    tag: str | None = None


NO_DEFAULT: Final = object()
"""A member's default when it has none, or none worth telling: null."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a JSON object; ``required`` as the receiver sees it: it cannot do without."""

    name: str
    shape: "Shape"
    required: bool = True
    default: Any = NO_DEFAULT
    description: str = ""
    experimental: bool = False


@dataclass(frozen=True, slots=True)
class Struct:
    """A JSON object with known members. It has a title only where it is a variant that is no named type."""

    members: tuple[Member, ...]
    is_open: bool = False
    """Whether others than the known members mean something, too."""
    title: str = ""
    description: str = ""
    experimental: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """Null, or an object that has no members."""


Shape = Anything | Scalar | Enumeration | Reference | ArrayOf | MapOf | Nullable | OneOf | Struct | Unit


@dataclass(frozen=True, slots=True)
class NamedType:
    """A type of its own name; ``module`` is the name of the module of ``protocol`` that it stands in."""

    name: str
    module: str
    shape: Shape
    description: str = ""
    experimental: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One declaration; ``params`` and ``result`` name types."""

    method: str = field(kw_only=False)
    message: str = field(kw_only=False)
    """The union it belongs to, such as ``ClientRequest``."""
    params: str | None = None
    """None when there are none, or nothing but an empty object."""
    presence: ParamsPresence | None = None
    """None when the message has no ``params`` at all."""
    result: str | None = None
    """None for a notification."""
    scope: Scope | None = None
    experimental: bool = False
    error_codes: tuple[int, ...] = ()
    description: str = ""

    @property
    def is_request(self) -> bool:
        """Whether an answer is expected."""
        return self.message.endswith("Request")

    @property
    def from_client(self) -> bool:
        """Who sends it."""
        return self.message.startswith("Client")


@dataclass(frozen=True, slots=True)
class Surface:
    """All that is written out; ``types`` is sorted by name."""

    methods: tuple[Method, ...]
    types: Mapping[str, NamedType]

    def reached_from(self, shapes: Iterable[Shape]) -> frozenset[str]:
        """The names of all types that shapes refer to, directly or not."""
        reached: set[str] = set()
        waiting = [name for shape in shapes for name in references(shape)]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += references(self.types[name].shape)
        return frozenset(reached)

    def select(self, message: str) -> tuple[Method, ...]:
        """The methods of one union of messages, in the order of the catalogue."""
        return tuple(method for method in self.methods if method.message == message)

    def sent_by_server_only(self) -> frozenset[str]:
        """The names of the types that the server sends and the client never does."""
        by_client = self._sent({"ClientRequest", "ClientNotification"}, from_client=True)
        return self._sent({"ServerRequest", "ServerNotification"}, from_client=False) - by_client

    def _sent(self, messages: Set[str], *, from_client: bool) -> frozenset[str]:
        answers = {m.result for m in self.methods if m.result and m.from_client is not from_client}
        return self.reached_from(Reference(name) for name in (messages & self.types.keys()) | answers)


def references(shape: Shape) -> Iterator[str]:
    """The names of the types that a shape refers to directly."""
    match shape:
        case Reference(name):
            yield name
        case ArrayOf(inner) | MapOf(inner) | Nullable(inner):
            yield from references(inner)
        case OneOf(options=options):
            for option in options:
                yield from references(option)
        case Struct(members=members):
            for member in members:
                yield from references(member.shape)
        case _:
            pass


def documentation(item: Member | Struct | NamedType | Method) -> str:
    """The description of an item, with a note when it is experimental; empty when there is nothing to say."""
    note = "Experimental: needs the `experimentalApi` capability." if item.experimental else ""
    return "\n\n".join(filter(None, (item.description, note)))
