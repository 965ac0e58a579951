"""The ceiling: a client that asks the streaming upstream as a server would, and does nothing else with the answer.

Raw asyncio on a warm connection. It takes the chunks apart, parses every event and keeps the text; it checks nothing,
knows no failures, stores and forwards nothing. No server in Python can be faster than this.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, TypeVar

import orjson
from processes import DEADLINE, MeasurementFailed

_T = TypeVar("_T")

_DATA: Final = b"\ndata: "


class Exchange(NamedTuple):
    """One request and its streamed answer, in seconds."""

    total: float
    to_first_delta: float
    deltas: int


class _Reader(asyncio.Protocol):
    """A connection that is kept; one exchange at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(MeasurementFailed(f"the upstream closed the connection: {exc}"))

    def close(self) -> None:
        """End it; nothing may be under way."""
        self._transport.close()

    async def exchange(self, request: bytes) -> Exchange:
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._rest = b""
        self._in_body = False
        self._text: list[str] = []
        started = time.perf_counter()
        self._transport.write(request)
        await self._done
        return Exchange(time.perf_counter() - started, self._first - started, len(self._text))

    def data_received(self, data: bytes) -> None:
        buffer = self._rest + data
        position = 0
        if not self._in_body:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                self._rest = buffer
                return
            if not buffer.startswith(b"HTTP/1.1 200"):
                self._done.set_exception(MeasurementFailed(f"the upstream answered {buffer[:40]!r}"))
                return
            self._in_body, position = True, end + 4
        while (line_end := buffer.find(b"\r\n", position)) >= 0:
            size = int(buffer[position:line_end], 16)
            end = line_end + 2 + size
            if len(buffer) < end + 2:
                break
            position = end + 2
            if not size:
                self._done.set_result(None)
                break
            self._take(buffer[line_end + 2 : end])
        self._rest = buffer[position:]

    def _take(self, event: bytes) -> None:
        message = orjson.loads(event[event.index(_DATA) + len(_DATA) :])
        if message["type"] == "response.output_text.delta":
            if not self._text:
                self._first = time.perf_counter()
            self._text.append(message["delta"])


def exchanges(port: int, body: bytes, count: int) -> list[Exchange]:
    """One after the other, on one connection, after one that does not count.

    :raises MeasurementFailed: the upstream did not answer as it should, or not in time.
    """

    async def run() -> list[Exchange]:
        reader = await _connect(port)
        try:
            return [await reader.exchange(_request(body)) for _ in range(count + 1)][1:]
        finally:
            reader.close()

    return _within_deadline(run)


def simultaneous(port: int, body: bytes, count: int) -> float:
    """Seconds for so many exchanges at once, each on a connection of its own that is open already."""

    async def run() -> float:
        readers = [await _connect(port) for _ in range(count)]
        try:
            started = time.perf_counter()
            await asyncio.gather(*(reader.exchange(_request(body)) for reader in readers))
            return time.perf_counter() - started
        finally:
            for reader in readers:
                reader.close()

    return _within_deadline(run)


def _within_deadline(run: Callable[[], Awaitable[_T]]) -> _T:
    async def limited() -> _T:
        async with asyncio.timeout(DEADLINE):
            return await run()

    try:
        return asyncio.run(limited())
    except (TimeoutError, OSError) as error:
        raise MeasurementFailed(f"the bare client had no answer: {error!r}") from None


async def _connect(port: int) -> _Reader:
    _, reader = await asyncio.get_running_loop().create_connection(_Reader, "127.0.0.1", port)
    return reader


def _request(body: bytes) -> bytes:
    lines = (b"POST /v1/responses HTTP/1.1", b"host: 127.0.0.1", b"content-type: application/json")
    return b"\r\n".join((*lines, b"content-length: %d" % len(body), b"", body))
