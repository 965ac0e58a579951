"""The HTTP library's way to the network, with the chunks of event streams merged on the way (``chunk_merging``).

Not where a proxy is configured: there the library makes its own way.
"""

import ssl
from collections.abc import Iterable
from typing import Any
from urllib.request import getproxies

import httpcore2
import httpx2

from app_server.backend.chunk_merging import ChunkMerger


def direct_transport(context: ssl.SSLContext | bool, limits: httpx2.Limits) -> httpx2.AsyncHTTPTransport | None:
    """A transport without proxies; None where the environment has some."""
    if any(scheme in getproxies() for scheme in ("http", "https", "all")):
        return None
    transport = httpx2.AsyncHTTPTransport(verify=context, limits=limits)
    pool = transport._pool
    if isinstance(pool, httpcore2.AsyncConnectionPool):
        # The library has no other way to be given a network; a test watches that it still takes this one.
        pool._network_backend = _Network()
    return transport


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
        return self._stream.get_extra_info(info)
