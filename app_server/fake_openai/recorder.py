"""What the fake was asked, oldest first and bounded, for tests to look at and to wait for."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import orjson

from app_server.fake_openai.routing import bearer_of, parse_fields
from app_server.http_server import Headers, Request

_MAX_REQUESTS: Final = 5000
_MAX_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True)
class RecordedRequest:
    """One request as it came. The repr leaves headers and body out, for readable test failures."""

    number: int
    """Counted from 0 since the start or the last reset."""
    at: float
    """Unix seconds."""
    route: str
    method: str
    path: str
    query: dict[str, str]
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    bearer: str | None = field(repr=False)
    _request: Request = field(repr=False, compare=False)

    def fields(self) -> dict[str, Any]:
        """The members of the JSON object or form in the body.

        :raises ValueError: it is neither.
        """
        return parse_fields(self._request)

    @property
    def json(self) -> Any:
        """The JSON value in the body, decoded anew each time.

        :raises ValueError: it is none.
        """
        return orjson.loads(self.body)

    def to_json(self) -> dict[str, Any]:
        """Plain values; the body as JSON if it is JSON, else as text with replacement characters."""
        try:
            body = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            body = self.body.decode(errors="replace")
        return {
            "number": self.number,
            "at": self.at,
            "route": self.route,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": dict(self.headers.pairs),
            "body": body,
        }


class Recorder:
    """The last requests: five thousand at most, of 64 MiB at most. Iterate over it, or ask for one route's."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._changed = anyio.Event()
        self.clear()

    def clear(self) -> None:
        """Forget them, and count from 0 again."""
        self._kept: deque[RecordedRequest] = deque()
        self._bytes = 0
        self._count = 0

    def record(self, route: str, request: Request) -> None:
        """Remember a request and wake who waits for it."""
        recorded = RecordedRequest(
            number=self._count,
            at=self._clock(),
            route=route,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers=request.headers,
            body=request.body,
            bearer=bearer_of(request),
            _request=request,
        )
        self._count += 1
        self._kept.append(recorded)
        self._bytes += len(request.body)
        while len(self._kept) > _MAX_REQUESTS or (self._bytes > _MAX_BYTES and len(self._kept) > 1):
            self._bytes -= len(self._kept.popleft().body)
        self._changed.set()
        self._changed = anyio.Event()

    def __iter__(self) -> Iterator[RecordedRequest]:
        return iter(tuple(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, route: str | None) -> list[RecordedRequest]:
        """The requests of one route; of all for None."""
        return [recorded for recorded in self._kept if route in (None, recorded.route)]

    async def wait_for(
        self,
        route: str | None = None,
        *,
        count: int = 1,
        where: Callable[[RecordedRequest], bool] = lambda _: True,
        timeout: float = 5.0,
    ) -> list[RecordedRequest]:
        """Wait until so many requests have been recorded, those already there included.

        :param timeout: seconds.
        :raises TimeoutError: with what came instead.
        """
        with anyio.move_on_after(timeout):
            while True:
                found = [recorded for recorded in self.of(route) if where(recorded)]
                if len(found) >= count:
                    return found
                await self._changed.wait()
        came = ", ".join(f"{recorded.method} {recorded.path}" for recorded in list(self._kept)[-20:])
        raise TimeoutError(
            f"{count} of {route or 'any route'} did not come in {timeout:g} s; came: {came or 'nothing'}"
        )
