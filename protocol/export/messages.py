"""The four unions of whole messages: everything that one side may send as a request or notification, by method."""

from collections.abc import Iterable
from typing import Final

from protocol.export.envelope import ID
from protocol.export.shapes import (
    Enumeration,
    Member,
    Method,
    NamedType,
    Nullable,
    OneOf,
    Reference,
    Scalar,
    Shape,
    Struct,
    Unit,
)
from protocol.method import ParamsPresence

MODULE: Final = "methods"

MESSAGES: Final = {
    "ClientRequest": "A request that the client sends.",
    "ClientNotification": "A notification that the client sends.",
    "ServerRequest": "A request that the server sends.",
    "ServerNotification": "A notification that the server sends.",
}
"""Name of a union, which is also the name of the class of its declarations -> description."""

_EMITTED_AT: Final = Member(
    "emittedAtMs",
    Scalar({"type": "integer", "format": "int64"}),
    required=False,
    description="When the server emitted this notification: Unix time in milliseconds.",
)


def message_types(methods: Iterable[Method]) -> list[NamedType]:
    """The four unions; each variant is one method. A union without variants is left out."""
    variants: dict[str, list[Struct]] = {}
    for method in methods:
        variants.setdefault(method.message, []).append(_variant(method))
    return [NamedType(name, MODULE, OneOf(tuple(variants[name]), "method"), MESSAGES[name]) for name in variants]


def params_shape(method: Method) -> Shape:
    """What the ``params`` of a message may be, when they are there."""
    if method.params is None:
        return Unit()
    params = Reference(method.params)
    return Nullable(params) if method.presence is ParamsPresence.OPTIONAL else params


def _variant(method: Method) -> Struct:
    members = [Member("method", Enumeration((method.method,)))]
    if method.is_request:
        members.insert(0, ID)
    if method.presence is not None:
        required = method.presence is ParamsPresence.REQUIRED
        members.append(Member("params", params_shape(method), required))
    if method.message == "ServerNotification":
        members.append(_EMITTED_AT)
    kind = "Request" if method.is_request else "Notification"
    title = method.method[0].upper() + method.method[1:] + kind
    return Struct(tuple(members), title=title, description=method.description, experimental=method.experimental)
