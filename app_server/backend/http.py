"""The HTTP client, built on first use: importing it and reading the trust store cost more than all the rest of a
start, and many a server never sends anything.

Proxies come from the environment (``HTTPS_PROXY`` and its like), trust from the operating system, and from one more CA
file where one is configured (wire.md section 1). Connections are kept alive and the TLS context is built once.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

import anyio

from app_server.auth.token_endpoint import HttpAnswer
from app_server.tracing import Span, upstream_span
from app_server.version import __version__

if TYPE_CHECKING:
    import ssl

    import httpx2

    from app_server.backend.http_stream import HttpStream

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
"""Seconds to establish a connection, TLS included."""


MAX_CONNECTIONS: Final = 1024
"""Streams that can be open at once; each thread has at most one."""

MAX_IDLE_CONNECTIONS: Final = 128
"""Connections that are kept for the next turn: a new one costs more than all the rest of a short turn."""

OWN_IDENTITY: Final = {"User-Agent": f"app-server/{__version__}"}


class UpstreamUnreachable(OSError):
    """No answer: refused, dropped, timed out, or not HTTP.

    :param url: what was asked, which never holds a secret.
    :param timed_out: whether it was silence that ended the wait.
    """

    def __init__(self, url: str, *, timed_out: bool) -> None:
        super().__init__(f"error sending request for url ({url})")
        self.url = url
        self.timed_out = timed_out


class NotConnected(UpstreamUnreachable, ConnectionError):
    """Nothing was sent, because there was nobody to send it to."""


class NotTrusted(NotConnected):
    """The TLS handshake failed, which trying again will hardly change.

    :param reason: OpenSSL's, such as ``certificate verify failed``.
    """

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, timed_out=False)
        self.reason = reason


class HttpClient:
    """Sends requests without knowing about credentials.

    :param ca_certificate: path of a PEM file with CAs to trust besides the system's, or None.
    :param identity: the headers that say who is asking, such as ``User-Agent``.
    """

    def __init__(
        self, ca_certificate: str | None = None, identity: Callable[[], Mapping[str, str]] = lambda: OWN_IDENTITY
    ) -> None:
        self._ca_certificate = ca_certificate
        self._identity = identity
        self._client: httpx2.AsyncClient | None = None
        self._opening = anyio.Lock()
        self.requests = 0
        """Requests that were sent, or tried to be."""
        self.unanswered = 0
        """Those of them that nobody answered."""
        self.in_flight = 0
        """Those that are not over; a stream is over with its last byte."""

    async def send(
        self,
        method: str,
        url: str,
        *,
        timeout: float,
        headers: dict[str, str] | None = None,
        json: object = None,
        form: dict[str, str] | None = None,
    ) -> httpx2.Response:
        """Send one request and read the whole answer, whatever its status.

        :param timeout: seconds for the whole exchange.
        :raises UpstreamUnreachable: there was no answer.
        """
        client = self._client or await self._open()
        import httpx2  # noqa: PLC0415 - opening the client has imported it, off the event loop

        with self._exchange(method, url) as span:
            try:
                with anyio.fail_after(timeout):
                    encoded = self._encoded(span, headers)
                    response = await client.request(method, url, headers=encoded, json=json, data=form)
            except TimeoutError:
                raise UpstreamUnreachable(url, timed_out=True) from None
            except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
                # Not chained: the library's texts can quote headers.
                raise _unreachable(error, url) from None
            _note_status(span, response.status_code)
            return response

    @asynccontextmanager
    async def stream(
        self, url: str, *, headers: Mapping[str, str], content: bytes, idle_timeout: float
    ) -> AsyncIterator[HttpStream]:
        """POST, and read the answer as it comes; the connection is kept if the answer was read to its end.

        :param url: its query, which may hold a key, is left out of every error.
        :param idle_timeout: seconds of silence, before the headers and between the pieces of the body
            (wire.md section 15.28).
        :raises UpstreamUnreachable: there were no headers.
        """
        client = self._client or await self._open()
        import httpx2  # noqa: PLC0415 - opening the client has imported it, off the event loop

        from app_server.backend.http_stream import HttpStream  # noqa: PLC0415 - most starts have no use for it

        shown = url.partition("?")[0]
        timeout = httpx2.Timeout(idle_timeout, connect=CONNECT_TIMEOUT)
        with self._exchange("POST", url) as span:
            try:
                encoded = self._encoded(span, headers)
                request = client.build_request("POST", url, headers=encoded, content=content, timeout=timeout)
                # Silence is the library's business; this is for headers that come one byte at a time.
                with anyio.fail_after(CONNECT_TIMEOUT + 2 * idle_timeout):
                    response = await client.send(request, stream=True)
            except TimeoutError:
                raise UpstreamUnreachable(shown, timed_out=True) from None
            except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
                raise _unreachable(error, shown) from None
            _note_status(span, response.status_code)
            try:
                yield HttpStream(response, shown)
            finally:
                await response.aclose()

    @contextmanager
    def _exchange(self, method: str, url: str) -> Iterator[Span]:
        self.requests += 1
        self.in_flight += 1
        try:
            with upstream_span(method, url) as span:
                yield span
        except UpstreamUnreachable:
            self.unanswered += 1
            raise
        finally:
            self.in_flight -= 1

    def _encoded(self, span: Span, headers: Mapping[str, str] | None) -> list[tuple[bytes, bytes]]:
        # As bytes: the library takes text for ASCII, and a client may have any name.
        given = {**span.headers(), **self._identity(), **(headers or {})}
        named = {name.lower(): value for name, value in given.items()}  # the later of two cases wins
        return [(name.encode(), value.encode()) for name, value in named.items()]

    async def fetch_json(self, url: str, headers: dict[str, str], timeout: float) -> object:
        """GET JSON.

        :param timeout: seconds for the whole exchange.
        :raises OSError: there was no answer, or none with status 200 and JSON in it.
        """
        response = await self.send("GET", url, headers=headers, timeout=timeout)
        try:
            if response.status_code == 200:
                return response.json()
        except (ValueError, RecursionError):
            raise OSError(f"{url} did not answer with JSON") from None
        raise OSError(f"{url} answered with status {response.status_code}")

    async def post_json(self, url: str, body: dict[str, str], timeout: float) -> int:
        """POST JSON and return the status.

        :param timeout: seconds for the whole exchange.
        :raises UpstreamUnreachable: there was no answer.
        """
        return (await self.send("POST", url, json=body, timeout=timeout)).status_code

    async def post_for_json(self, url: str, body: dict[str, str], timeout: float) -> HttpAnswer:
        """POST JSON and read JSON back, whatever the status.

        :param timeout: seconds for the whole exchange.
        :raises UpstreamUnreachable: there was no answer.
        """
        response = await self.send("POST", url, json=body, timeout=timeout)
        try:
            document = response.json()
        except (ValueError, RecursionError):
            document = None
        return HttpAnswer(response.status_code, response.reason_phrase, document)

    async def aclose(self) -> None:
        """Close the connections that are kept alive."""
        if self._client is not None:
            await self._client.aclose()

    async def _open(self) -> httpx2.AsyncClient:
        # The import and the trust store take a while; the event loop goes on meanwhile.
        async with self._opening:
            if self._client is None:
                self._client = await anyio.to_thread.run_sync(self._build)
        return self._client

    def _build(self) -> httpx2.AsyncClient:
        import httpx2  # noqa: PLC0415 - see the module's docstring

        from app_server.backend.network import merge_chunks  # noqa: PLC0415 - it needs the library

        client = httpx2.AsyncClient(
            verify=self._trust(),
            timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT),
            limits=httpx2.Limits(
                max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_IDLE_CONNECTIONS, keepalive_expiry=60
            ),
        )
        merge_chunks(client)
        return client

    def _trust(self) -> ssl.SSLContext | bool:
        if self._ca_certificate is None:
            return True
        import ssl  # noqa: PLC0415

        import truststore  # noqa: PLC0415

        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cafile=self._ca_certificate)
        except OSError as error:  # ssl.SSLError is one
            log.warning("the CA file %s cannot be used: %s", self._ca_certificate, error)
        return context


def _note_status(span: Span, status: int) -> None:
    span.set("http.response.status_code", status)
    if status >= 400:
        span.fail(str(status))


def _unreachable(error: Exception, url: str) -> UpstreamUnreachable:
    import httpx2  # noqa: PLC0415 - the error is one of its

    timed_out = isinstance(error, httpx2.TimeoutException)
    if not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return UpstreamUnreachable(url, timed_out=timed_out)
    reason = _tls_failure(error)
    return NotConnected(url, timed_out=timed_out) if reason is None else NotTrusted(url, reason)


def _tls_failure(error: BaseException | None) -> str | None:
    import ssl  # noqa: PLC0415 - whoever can connect has imported it

    while error is not None:
        if isinstance(error, ssl.SSLError):
            return (error.reason or "TLS handshake failed").lower().replace("_", " ")
        error = error.__context__
    return None
