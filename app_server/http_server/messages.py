"""Requests and answers as a handler sees them; nothing here knows of sockets."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import anyio


@dataclass(frozen=True)
class Headers:
    """Header fields in the order they came, names in lower case (RFC 9110 section 5.1)."""

    pairs: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def get(self, name: str) -> str | None:
        """The first value of this field, whatever the case of its name, or None."""
        name = name.lower()
        return next((value for key, value in self.pairs if key == name), None)

    def get_all(self, name: str) -> list[str]:
        """All values of this field."""
        name = name.lower()
        return [value for key, value in self.pairs if key == name]


@dataclass(frozen=True)
class Request:
    """One complete request. Its repr shows method and path only: targets, headers and bodies carry secrets."""

    method: str
    path: str
    """The path as it was sent: percent-encoding is not undone."""
    target: str = field(default="", repr=False)
    """The request target as it was sent."""
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Decoded pairs of the query string, in order, blank values and repetitions included."""
    headers: Headers = field(default=Headers(), repr=False)
    body: bytes = field(default=b"", repr=False)
    wait_disconnected: Callable[[], Awaitable[None]] = field(default=anyio.sleep_forever, repr=False, compare=False)
    """Returns when the client has closed its side. For handlers that wait; to be awaited once at a time."""

    def parameter(self, name: str) -> str | None:
        """The first value of this query parameter, or None."""
        return next((value for key, value in self.query if key == name), None)


@dataclass(frozen=True)
class Response:
    """An answer. ``content-length``, ``transfer-encoding`` and ``date`` are written by the server.

    A body of bytes is sent at once; an asynchronous iterator is sent in chunks as it yields, and is closed when
    the client goes away. Its repr shows the status only.
    """

    status: int = 200
    headers: Iterable[tuple[str, str]] = field(default=(), repr=False)
    body: bytes | AsyncIterator[bytes] = field(default=b"", repr=False)

    @classmethod
    def text(cls, status: int, text: str, *headers: tuple[str, str]) -> "Response":
        """A plain text answer."""
        return cls(status, (("content-type", "text/plain; charset=utf-8"), *headers), text.encode())


class DropConnection(Exception):
    """Raised by a handler, or by the body it returned, to close the connection at once without a further byte."""


Handler = Callable[[Request], Awaitable[Response]]
