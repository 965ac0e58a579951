"""A loopback HTTP server for one test, and raw clients for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import SocketStream

from app_server.http_server import Handler, HttpServer, Limits, Request, Response, bind_loopback

GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"


@asynccontextmanager
async def serving(handler: Handler, limits: Limits | None = None) -> AsyncIterator[int]:
    """A server on an ephemeral port; fails a test that takes longer than ten seconds."""
    listener = bind_loopback(0)
    port: int = listener.getsockname()[1]
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            await tasks.start(HttpServer(handler, limits).serve, listener)
            yield port
            tasks.cancel_scope.cancel()


async def read_to_end(stream: SocketStream) -> bytes:
    received = b""
    while True:
        try:
            received += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return received


async def read_until(stream: SocketStream, end: bytes) -> bytes:
    received = b""
    while end not in received:
        received += await stream.receive()
    return received


async def exchange(port: int, data: bytes) -> bytes:
    """Send all of it, and read until the server closes."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(data)
        return await read_to_end(stream)


async def hello(_: Request) -> Response:
    return Response.text(200, "hello")


def closing(head: str, body: bytes = b"") -> bytes:
    return f"{head} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode() + body


async def send_if_open(stream: SocketStream, data: bytes) -> None:
    with suppress(anyio.BrokenResourceError):
        await stream.send(data)
