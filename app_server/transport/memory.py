"""A transport without pipes: a Python program embeds the server in its own event loop.

Both ends count bytes, so that a side that does not read slows the other one down, as a pipe does.
"""

from collections import deque
from typing import Final, Self

import anyio

from app_server.transport.base import TransportClosed
from app_server.transport.framing import DEFAULT_MAX_LINE_BYTES, LineBuffer

CAPACITY: Final = 64 * 1024
"""Bytes on their way in one direction before the sender waits: a Linux pipe's worth."""


class _Channel:
    """One direction."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._closed = False
        self._changed = anyio.Event()

    async def send(self, data: bytes) -> None:
        while self._size >= CAPACITY and not self._closed:
            await self._changed.wait()
        if self._closed:
            raise TransportClosed
        self._chunks.append(data)
        self._size += len(data)
        self._notify()

    async def receive(self) -> bytes | None:
        while not self._chunks:
            if self._closed:
                return None
            await self._changed.wait()
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        self._notify()
        return chunk

    async def wait_closed(self) -> None:
        while not self._closed:
            await self._changed.wait()

    def close(self) -> None:
        self._closed = True
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class MemoryTransport:
    """One end of a pair; see :meth:`pair`."""

    def __init__(self, incoming: _Channel, outgoing: _Channel, max_line_bytes: int) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._buffer = LineBuffer(max_line_bytes)

    @classmethod
    def pair(cls, max_line_bytes: int = DEFAULT_MAX_LINE_BYTES) -> tuple[Self, Self]:
        """Two connected ends: what one sends, the other receives."""
        there, back = _Channel(), _Channel()
        return cls(back, there, max_line_bytes), cls(there, back, max_line_bytes)

    async def receive(self) -> bytes | None:
        """See :meth:`Transport.receive`."""
        while (line := self._buffer.pop()) is None:
            chunk = await self._incoming.receive()
            if chunk is None:
                return None
            self._buffer.feed(chunk)
        return line

    async def send(self, data: bytes) -> None:
        """See :meth:`Transport.send`."""
        await self._outgoing.send(data)

    async def wait_closed(self) -> None:
        """See :meth:`Transport.wait_closed`."""
        await self._outgoing.wait_closed()

    async def wait_input_ended(self) -> None:
        """See :meth:`Transport.wait_input_ended`."""
        await self._incoming.wait_closed()

    async def aclose(self) -> None:
        """Close both directions: the peer receives None, and its sends fail."""
        self._outgoing.close()
        self._incoming.close()
