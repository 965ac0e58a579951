"""Reads declarations of methods, and through ``models.py`` all that they name, into a surface to write out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from protocol import catalogue
from protocol.errors import InvalidRequest
from protocol.export.envelope import ENVELOPE
from protocol.export.messages import message_types
from protocol.export.models import ModelReader
from protocol.export.shapes import Method, Surface
from protocol.method import ClientNotification, ClientRequest, ParamsPresence, ServerNotification, ServerRequest

Declaration = ClientRequest[Any, Any] | ServerRequest[Any, Any] | ServerNotification[Any] | ClientNotification


@dataclass(frozen=True, slots=True)
class Declarations:
    """All that is to be exported, in order."""

    client_requests: Sequence[ClientRequest[Any, Any]] = ()
    client_notifications: Sequence[ClientNotification] = ()
    server_requests: Sequence[ServerRequest[Any, Any]] = ()
    server_notifications: Sequence[ServerNotification[Any]] = ()

    def __iter__(self) -> Iterator[Declaration]:
        yield from self.client_requests
        yield from self.client_notifications
        yield from self.server_requests
        yield from self.server_notifications


CATALOGUE: Final = Declarations(
    catalogue.CLIENT_REQUESTS,
    catalogue.CLIENT_NOTIFICATIONS,
    catalogue.SERVER_REQUESTS,
    catalogue.SERVER_NOTIFICATIONS,
)


def read_surface(declarations: Declarations, *, experimental: bool) -> Surface:
    """Read everything that ``declarations`` reach, and add the envelope and the unions of all messages.

    :param experimental: include experimental methods and members. An experimental variant of a union stays in either
        case, as in the reference.
    :raises TypeError: a model cannot be expressed (see :meth:`ModelReader.read`).
    """
    reader = ModelReader(experimental=experimental)
    drafts = [
        (declaration, _method(declaration, reader))
        for declaration in declarations
        if experimental or not getattr(declaration, "experimental", False)
    ]
    # The text below a declaration can be found only when the modules of all models are known.
    methods = tuple(replace(method, description=reader.describe(declaration)) for declaration, method in drafts)
    types = reader.types | {named.name: named for named in (*ENVELOPE, *message_types(methods))}
    return Surface(methods, dict(sorted(types.items())))


def _method(declaration: Declaration, reader: ModelReader) -> Method:
    """A declaration, still without its description; its models are read on the way."""
    message = type(declaration).__name__
    if isinstance(declaration, ClientNotification):
        return Method(declaration.method, message)
    presence, scope, codes = ParamsPresence.REQUIRED, None, set[int]()
    if isinstance(declaration, ClientRequest):
        presence, scope = declaration.presence, declaration.scope
        # Whatever else can go wrong, params can be malformed.
        codes = {InvalidRequest.code, *(error.code for error in declaration.errors)}
    return Method(
        declaration.method,
        message,
        params=None if presence is ParamsPresence.UNIT else reader.read(declaration.params),
        presence=presence,
        result=None if isinstance(declaration, ServerNotification) else reader.read(declaration.result),
        scope=scope,
        experimental=declaration.experimental,
        error_codes=tuple(sorted(codes)),
    )
