"""On whose behalf something happens: the request, the thread, the turn. Log lines say it, upstreams are told the trace.

It follows the tasks that a request starts (PEP 567), so a turn goes on under the request that began it. What is begun
for nobody in particular is begun :func:`detached`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from app_server.trace_context import TraceContext


class RequestContext(NamedTuple):
    """What is being done.

    :param trace: where the client's request came from.
    :param tracer: makes spans; None where nobody asked for any. It and ``span`` belong to ``tracing``.
    :param span: the innermost one.
    """

    method: str | None = None
    request_id: str | int | None = None
    thread_id: str | None = None
    turn_id: str | None = None
    trace: TraceContext | None = None
    tracer: Any = None
    span: Any = None

    def fields(self) -> Mapping[str, str | int]:
        """What a log line says of it."""
        named = {
            "method": self.method,
            "request_id": self.request_id,
            "thread_id": self.thread_id,
            "turn_id": self.turn_id,
            "trace_id": None if self.trace is None else self.trace.trace_id,
        }
        return {name: value for name, value in named.items() if value is not None}


CURRENT: Final[ContextVar[RequestContext]] = ContextVar(
    "app_server_request",
    default=RequestContext(),  # noqa: B039 - it is immutable
)
"""What is being done in this task."""


@contextmanager
def inside(**changes: Any) -> Iterator[None]:
    """What happens within is done as told by these members of the context, and otherwise as around it."""
    token = CURRENT.set(CURRENT.get()._replace(**changes))
    try:
        yield
    finally:
        CURRENT.reset(token)


@contextmanager
def detached() -> Iterator[None]:
    """What is started within is done on nobody's behalf."""
    token = CURRENT.set(RequestContext(tracer=CURRENT.get().tracer))
    try:
        yield
    finally:
        CURRENT.reset(token)
