"""From a request to its handler: one table, made of declarations.

Handlers are given decoded params and return a :class:`Reply`; they never write to the transport. What a handler
raises becomes an error of the wire in :func:`as_wire_error`, and nowhere else.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from protocol.base import WireValue
from protocol.catalogue import CLIENT_REQUESTS
from protocol.errors import ExperimentalApiRequired, InternalError, InvalidRequest, WireError
from protocol.jsonrpc import Request
from protocol.method import ClientRequest
from protocol.serde_text import unknown_variant

P = TypeVar("P", bound=WireValue)
R = TypeVar("R", bound=WireValue)

log = logging.getLogger(__name__)


def _nothing() -> None:
    pass


@dataclass(slots=True)
class Reply(Generic[R]):
    """What a handler returns.

    :param result: the answer.
    :param then: called once the answer is queued: whatever it says or starts comes after the answer.
    """

    result: R
    then: Callable[[], None] = field(default=_nothing)


@dataclass(slots=True)
class Deferred(Generic[R]):
    """An answer that has to wait for somebody else.

    A handler in a serial scope has done its part, in its turn, when it returns this; the requests behind it go on
    while ``finish`` waits for the upstream or for the client.
    """

    finish: Callable[[], Awaitable[Reply[R]]]


Handler = Callable[[P], Awaitable[Reply[R] | Deferred[R]]]


@dataclass(slots=True, eq=False)
class Call:
    """A decoded request on its way to its handler.

    :param size: bytes of the line it came in, for the bound on what may wait.
    """

    request: Request
    declaration: ClientRequest[Any, Any]
    params: Any
    size: int

    @property
    def id(self) -> str | int:
        """The id under which the answer goes back."""
        return self.request.id


class Router:
    """The table of handlers; complete or not built at all.

    :param handlers: a handler for every declaration of :mod:`protocol.catalogue`.
    :raises ValueError: a declaration has no handler, or a handler no declaration.
    """

    def __init__(self, handlers: dict[str, Handler[Any, Any]]) -> None:
        self._declarations = {declaration.method: declaration for declaration in CLIENT_REQUESTS}
        if unmatched := self._declarations.keys() ^ handlers.keys():
            raise ValueError(f"declarations and handlers do not match: {sorted(unmatched)}")
        self._handlers = handlers

    def resolve(self, request: Request, size: int) -> Call:
        """Find the declaration and decode the params.

        :raises InvalidRequest: unknown method or bad params, with the reference's texts (wire.md section 2).
        """
        declaration = self._declarations.get(request.method)
        if declaration is None:
            raise InvalidRequest(f"Invalid request: {unknown_variant(request.method, tuple(self._declarations))}")
        return Call(request, declaration, declaration.decode(request.params), size)

    async def carry_out(self, call: Call) -> Reply[Any] | Deferred[Any]:
        """Call the handler.

        :raises Exception: whatever the handler raises; see :func:`as_wire_error`.
        """
        return await self._handlers[call.declaration.method](call.params)


def require_experimental_api(call: Call, capability: bool) -> None:
    """Let experimental methods, fields and variants pass only if the client has asked for them.

    :raises ExperimentalApiRequired: naming the first thing that needs the capability.
    """
    if not capability and (use := call.declaration.experimental_use(call.params)):
        raise ExperimentalApiRequired(use)


def as_wire_error(error: Exception) -> WireError:
    """The one place where an exception becomes an error of the wire.

    A :class:`WireError` is told as it is. Anything else is a fault of ours: the client learns that there was one,
    and the log learns which.
    """
    if isinstance(error, WireError):
        return error
    log.error("internal error while answering a request", exc_info=error)
    return InternalError("internal error")
