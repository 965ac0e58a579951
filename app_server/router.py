"""From a request to its handler: one table, made of declarations.

Handlers are given decoded params and return a :class:`Reply`; they never write to the transport. What a handler
raises becomes an error of the wire in :func:`as_wire_error`, and nowhere else.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from app_server.tracing import RequestScope
from protocol.base import WireValue
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
    :param scope: to be entered where something is done for it.
    """

    request: Request
    declaration: ClientRequest[Any, Any]
    params: Any
    size: int
    scope: RequestScope = field(default_factory=RequestScope)

    @property
    def id(self) -> str | int:
        """The id under which the answer goes back."""
        return self.request.id


Table = Mapping[ClientRequest[Any, Any], Handler[Any, Any]]
"""Handlers by what they carry out."""


class Router:
    """The table of handlers.

    :param handlers: those that every client needs.
    :param rest: makes the others. Called once, when a method is asked for that is not among the first: what they
        consist of takes long to load, and many a client never asks.
    :raises ValueError: there is no ``rest``, and the table is not complete.
    """

    def __init__(self, handlers: Table, rest: Callable[[], Table] | None = None) -> None:
        self._handlers: dict[str, tuple[ClientRequest[Any, Any], Handler[Any, Any]]] = {}
        self._rest = rest
        self._add(handlers)
        if rest is None:
            self._require_complete()

    def resolve(self, request: Request, size: int) -> Call:
        """Find the declaration and decode the params.

        :raises InvalidRequest: unknown method or bad params, with the reference's texts (wire.md section 2).
        """
        if request.method not in self._handlers:
            self.complete()
        found = self._handlers.get(request.method)
        if found is None:
            from protocol.catalogue import CLIENT_REQUESTS  # noqa: PLC0415 - it loads every declaration there is

            names = tuple(declaration.method for declaration in CLIENT_REQUESTS)
            raise InvalidRequest(f"Invalid request: {unknown_variant(request.method, names)}")
        declaration = found[0]
        params = declaration.decode(request.params)
        # Not getattr: that a model has no such member takes it longer to find out than all the rest of this.
        return Call(request, declaration, params, size, RequestScope(request, params.__dict__.get("thread_id")))

    def complete(self) -> None:
        """Have all handlers there, unless they are.

        :raises ValueError: a declaration has no handler, or a handler no declaration.
        """
        if self._rest is not None:
            rest, self._rest = self._rest, None
            self._add(rest())
            self._require_complete()

    def _add(self, handlers: Table) -> None:
        self._handlers |= {declaration.method: (declaration, handler) for declaration, handler in handlers.items()}

    def _require_complete(self) -> None:
        from protocol.catalogue import CLIENT_REQUESTS  # noqa: PLC0415 - as above

        if unmatched := {declaration.method for declaration in CLIENT_REQUESTS} ^ self._handlers.keys():
            raise ValueError(f"declarations and handlers do not match: {sorted(unmatched)}")

    async def carry_out(self, call: Call) -> Reply[Any] | Deferred[Any]:
        """Call the handler.

        :raises Exception: whatever the handler raises; see :func:`as_wire_error`.
        """
        return await self._handlers[call.declaration.method][1](call.params)


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
