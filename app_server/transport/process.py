"""The server as a child process: its standard streams as the transport of a client (``app_server.client.spawn``)."""

from typing import Final

import anyio
from anyio.abc import Process

from app_server.transport.base import TransportClosed
from app_server.transport.framing import LineBuffer

EXIT_TIMEOUT: Final = 1.0
"""Seconds to wait for the exit status of a server that has closed its output."""


class ProcessTransport:
    """The standard streams of a child process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._buffer = LineBuffer()
        self._sending = anyio.Lock()

    async def receive(self) -> bytes | None:
        """See :meth:`Transport.receive`."""
        assert self._process.stdout is not None  # noqa: S101 - spawn asks for a pipe
        while (line := self._buffer.pop()) is None:
            try:
                self._buffer.feed(await self._process.stdout.receive())
            except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
                return None
        return line

    async def send(self, data: bytes) -> None:
        """See :meth:`Transport.send`."""
        assert self._process.stdin is not None  # noqa: S101 - spawn asks for a pipe
        try:
            async with self._sending:
                await self._process.stdin.send(data)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise TransportClosed from error

    async def wait_closed(self) -> None:
        """See :meth:`Transport.wait_closed`."""
        await self._process.wait()

    async def exit_status(self) -> int | None:
        """The status of a child that has closed its output; None for one that goes on all the same."""
        with anyio.move_on_after(EXIT_TIMEOUT):
            return await self._process.wait()
        return None

    async def aclose(self) -> None:
        """Close the child's input, which asks it to end."""
        if self._process.stdin is not None:
            await self._process.stdin.aclose()
