"""Spans: what took how long, as OpenTelemetry knows it. All that is known of OpenTelemetry is here.

Nothing of it is imported unless it is asked for (``app_server.otel``, or ``OTEL_TRACES_EXPORTER``); until then
:func:`span` gives a span that does nothing. Either way a span knows the headers that carry a trace on to an upstream.
Names and attributes are those of the semantic conventions where there are any. No attribute holds a secret: of a URL
what comes before its query, of an error its kind.
"""

import logging
from collections.abc import Mapping
from contextvars import Token
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from app_server import trace_context
from app_server.request_context import CURRENT, RequestContext
from app_server.trace_context import NO_HEADERS
from app_server.version import __version__
from protocol.jsonrpc import Request

if TYPE_CHECKING:
    from opentelemetry.trace import Span as OtelSpan

log = logging.getLogger(__name__)

EXPORTER_VARIABLE: Final = "OTEL_TRACES_EXPORTER"

Kind = Literal["INTERNAL", "SERVER", "CLIENT"]
Attributes = Mapping[str, str | int | bool | None]
_NONE: Final[Attributes] = {}


class Span:
    """A span that nobody has asked for."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        pass

    def set(self, name: str, value: str | int | bool) -> None:
        """Say something about it."""

    def fail(self, kind: str) -> None:
        """It is about something that failed: say how, in one word."""

    def headers(self) -> Mapping[str, str]:
        """What tells an upstream which trace its request belongs to; nothing where there is none."""
        trace = CURRENT.get().trace
        return NO_HEADERS if trace is None else trace.child_headers()


_UNTRACED: Final = Span()


def span(name: str, attributes: Attributes = _NONE, kind: Kind = "INTERNAL") -> Span:
    """A span for what happens within ``with``; whatever begins there is inside of it. An exception fails it."""
    context = CURRENT.get()
    return _UNTRACED if context.tracer is None else _OtelSpan(context, name, attributes, kind)


def upstream_span(method: str, url: str) -> Span:
    """A span for one exchange with an upstream, without the query of its URL."""
    context = CURRENT.get()
    if context.tracer is None:
        return _UNTRACED
    from urllib.parse import urlsplit  # noqa: PLC0415

    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    attributes = {
        "http.request.method": method,
        "url.full": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}",
        "server.address": parts.hostname,
        "server.port": port,
    }
    return _OtelSpan(context, method, attributes, "CLIENT")


class RequestScope:
    """What happens on behalf of one request of the client, from its admission to its answer.

    To be entered, one time after the other, wherever something is done for it. Every request has one, so it is lean.

    :param thread_id: the thread that it is about.
    """

    __slots__ = ("_context", "_request", "_span", "_thread_id", "_token")

    def __init__(self, request: Request | None = None, thread_id: str | None = None) -> None:
        self._request = request
        self._thread_id = thread_id
        self._context: RequestContext | None = None
        self._span: _OtelSpan | None = None
        self._token: Token[RequestContext] | None = None

    def begin(self) -> None:
        """It has been admitted."""
        request = self._request
        if request is None:
            return
        trace = None if request.trace is None else trace_context.read(request.trace)
        tracer = CURRENT.get().tracer
        context = RequestContext(request.method, request.id, self._thread_id, None, trace, tracer)
        if tracer is not None:
            attributes = {
                "rpc.system": "jsonrpc",
                "rpc.method": request.method,
                "rpc.jsonrpc.request_id": str(request.id),
                "gen_ai.conversation.id": self._thread_id,
            }
            self._span = _OtelSpan(context, request.method, attributes, "SERVER")
            context = self._span.inner
        self._context = context
        if trace is None and request.trace:
            with self:
                log.debug("ignored the trace of a request, which is no W3C trace context")

    def __enter__(self) -> None:
        if self._context is not None:
            self._token = CURRENT.set(self._context)

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            CURRENT.reset(self._token)
            self._token = None

    def end(self, error_code: int | None = None) -> None:
        """It has been answered; once.

        :param error_code: with this error.
        """
        if self._span is not None:
            if error_code is not None:
                self._span.set("rpc.jsonrpc.error_code", error_code)
                self._span.fail(str(error_code))
            self._span.__exit__(None)


# OpenTelemetry


def open_tracer() -> Any:
    """What makes spans, of the provider that this process has; None without the library, which is warned about."""
    try:
        return _Tracer()
    except ImportError:
        log.warning("spans are asked for, and OpenTelemetry is not installed: pip install 'app-server[otel]'")
        return None


class Exporting:
    """The export of spans from a process of our own, as its environment says. Whoever embeds the server sets
    OpenTelemetry up itself, and this stays away from what it finds."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._provider: Any = None
        try:
            self._provider = _provider(environ)
        except ImportError:
            log.warning("%s is set, and OpenTelemetry's SDK is not installed", EXPORTER_VARIABLE)
        except Exception as error:  # an exporter of anybody's
            log.warning("spans cannot be exported: %s", error)

    def finish(self, seconds: float) -> None:
        """Send what has not been sent yet, for so long at most."""
        if self._provider is None:
            return
        import threading  # noqa: PLC0415

        # The SDK's own timeouts are longer than a parent should have to wait; the process ends with the thread in it.
        flushing = threading.Thread(target=self._shut_down, daemon=True)
        flushing.start()
        flushing.join(seconds)

    def _shut_down(self) -> None:
        try:
            self._provider.shutdown()
        except Exception as error:  # an exporter of anybody's
            log.warning("spans may be lost: %s", error)


class _Tracer:
    def __init__(self) -> None:
        from opentelemetry import trace  # noqa: PLC0415
        from opentelemetry.context import Context  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._api = trace
        self._nothing = Context()
        self._propagator = TraceContextTextMapPropagator()
        self._tracer = trace.get_tracer("app_server", __version__)

    def begin(self, context: RequestContext, name: str, attributes: Attributes, kind: Kind) -> "OtelSpan":
        parent = self._nothing
        if context.span is not None:
            parent = self._api.set_span_in_context(context.span, parent)
        elif context.trace is not None:
            carrier = {"traceparent": context.trace.traceparent, "tracestate": context.trace.state}
            parent = self._propagator.extract(carrier, parent)
        said = {name: value for name, value in attributes.items() if value is not None}
        return self._tracer.start_span(name, parent, self._api.SpanKind[kind], said)

    def headers(self, of: "OtelSpan") -> Mapping[str, str]:
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, self._api.set_span_in_context(of, self._nothing))
        return carrier

    def fail(self, what: "OtelSpan", kind: str) -> None:
        what.set_attribute("error.type", kind)
        what.set_status(self._api.StatusCode.ERROR)


class _OtelSpan(Span):
    def __init__(self, context: RequestContext, name: str, attributes: Attributes, kind: Kind) -> None:
        self._tracer: _Tracer = context.tracer
        self._span = self._tracer.begin(context, name, attributes, kind)
        self._token: Token[RequestContext] | None = None
        self._is_leaf = kind == "CLIENT"
        self.inner = context._replace(span=self._span)

    def __enter__(self) -> Self:
        # Nothing begins inside of an exchange, and its end may come in another context: that of a generator's reader.
        if not self._is_leaf:
            self._token = CURRENT.set(self.inner)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        token, self._token = self._token, None
        if token is not None:
            CURRENT.reset(token)
        # Neither a cancellation nor the end of a generator is a failure.
        if kind is not None and issubclass(kind, Exception):
            self.fail(kind.__name__)
        self._span.end()

    def set(self, name: str, value: str | int | bool) -> None:
        self._span.set_attribute(name, value)

    def fail(self, kind: str) -> None:
        self._tracer.fail(self._span, kind)

    def headers(self) -> Mapping[str, str]:
        return self._tracer.headers(self._span)


def _provider(environ: Mapping[str, str]) -> Any:
    """A provider that exports as the environment says; None if the process has one already."""
    from importlib.metadata import entry_points  # noqa: PLC0415

    from opentelemetry import trace  # noqa: PLC0415

    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    named = "OTEL_SERVICE_NAME" in environ or "service.name" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    resource = Resource.create(None if named else {"service.name": "app-server"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")
    otlp = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    for name in environ[EXPORTER_VARIABLE].split(","):
        wanted = name.strip()
        found = entry_points(group="opentelemetry_traces_exporter", name=otlp if wanted == "otlp" else wanted)
        if not found:
            raise LookupError(f"there is no exporter {wanted!r}; is its package installed?")
        provider.add_span_processor(BatchSpanProcessor(next(iter(found)).load()()))
    trace.set_tracer_provider(provider)
    return provider
