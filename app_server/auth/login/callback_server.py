"""The server on loopback that the browser is sent back to: routes and their guards (wire.md section 7).

Only for requests that name this machine, only GET, and every answer ends its connection. What a callback means for the
login is for ``browser`` to say, through ``CallbackHandler``; what an answer looks like, for ``callback_pages``.
"""

import logging
from collections.abc import AsyncIterator
from typing import Final, Protocol

from app_server.auth.login.callback_pages import text_answer
from app_server.auth.login.callback_query import CALLBACK_PATH
from app_server.http_server import HttpServer, Limits, Request, Response

LIMITS: Final = Limits(
    header_bytes=16 * 1024,
    body_bytes=1024,  # no request here needs one
    connections=32,
    request_seconds=5.0,
    idle_seconds=1.0,
    send_seconds=5.0,
)

_FAREWELL: Final = "Login cancelled"
_BROWSER_HEADERS: Final = ("origin", "referer", "cookie")

log = logging.getLogger(__name__)


class CallbackHandler(Protocol):
    """The login that is waiting."""

    async def called_back(self, query: tuple[tuple[str, str], ...]) -> Response:
        """The browser came back with this query; answer it once it is known what has become of the login."""

    def withdraw(self) -> None:
        """Another login server wants the port: the login is cancelled, if it is still pending."""

    def close(self) -> None:
        """That server has been answered; stop listening."""


def callback_server(port: int, handler: CallbackHandler) -> HttpServer:
    """A server for one login.

    :param port: where it listens, for the ``Host`` that requests have to name.
    """
    hosts = (f"127.0.0.1:{port}", f"localhost:{port}")

    async def answer(request: Request) -> Response:
        if (request.headers.get("host") or "").lower() not in hosts or not request.target.startswith("/"):
            # The name of another host leads here when somebody rebinds it to this machine.
            log.debug("a request for another host was refused")
            return text_answer(421, "Misdirected Request")
        if request.method != "GET":
            return text_answer(405, "Method Not Allowed", ("allow", "GET"))
        if request.path == CALLBACK_PATH:
            return await handler.called_back(request.query)
        if request.path == "/cancel":
            return _cancel(request, handler)
        return text_answer(404, "Not Found")

    return HttpServer(answer, LIMITS)


def _cancel(request: Request, handler: CallbackHandler) -> Response:
    if _comes_from_a_browser(request):
        log.debug("a web page asked to cancel the login and was refused")
        return text_answer(403, "Forbidden")
    handler.withdraw()
    headers = text_answer(200, _FAREWELL, ("content-length", str(len(_FAREWELL)))).headers
    return Response(200, headers, _then_close(_FAREWELL.encode(), handler))


def _comes_from_a_browser(request: Request) -> bool:
    return (
        any(request.headers.get(name) is not None for name in _BROWSER_HEADERS)
        or any(name.startswith("sec-") for name, _ in request.headers.pairs)
        or (request.headers.get("user-agent") or "").startswith("Mozilla/")
    )


async def _then_close(body: bytes, handler: CallbackHandler) -> AsyncIterator[bytes]:
    try:
        yield body
    finally:
        handler.close()
