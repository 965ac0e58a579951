"""The HTTP library's way to the network, with the chunks of event streams merged on the way (``chunk_merging``).

Not through a proxy: there the library makes its own way.
"""

import select
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2

from app_server.backend.chunk_merging import ChunkMerger


def merge_chunks(client: httpx2.AsyncClient) -> None:
    """Have the client's direct connections hand on merged chunks."""
    pool = getattr(client._transport, "_pool", None)
    if isinstance(pool, httpcore2.AsyncConnectionPool):
        # The library has no other way to be given a network; a test watches that it still takes this one.
        pool._network_backend = _Network()


class _Network(httpcore2.AsyncNetworkBackend):
    def __init__(self) -> None:
        self._anyio = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        return _Stream(await self._anyio.connect_tcp(host, port, timeout, local_address, socket_options))

    async def sleep(self, seconds: float) -> None:
        await self._anyio.sleep(seconds)


class _Stream(httpcore2.AsyncNetworkStream):
    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._merger = ChunkMerger()
        self._poll = _poll(stream)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            data = await self._stream.read(max_bytes, timeout)
            # Nothing at all is the end of the stream, so nothing to hand on yet must not look like it.
            if not data or (data := self._merger.feed(data)):
                return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._merger.expect_answer()
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        # Asked of every idle connection before each request. The library's own answer describes the whole socket first.
        if info == "is_readable" and self._poll is not None:
            return bool(self._poll.poll(0))
        return self._stream.get_extra_info(info)


def _poll(stream: httpcore2.AsyncNetworkStream) -> "select.poll | None":
    """Tells whether there is something to read, which on an idle connection is its end; None where nothing tells."""
    socket = stream.get_extra_info("socket")
    if socket is None or not hasattr(select, "poll") or socket.fileno() < 0:
        return None
    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    return poll
