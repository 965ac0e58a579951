"""The server as a child process: its standard streams as the transport of a client (``app_server.client.spawn``)."""

from typing import Final

import anyio
from anyio.abc import Process

from app_server.transport.base import TransportClosed
from app_server.transport.framing import LineBuffer
from app_server.transport.stderr_tail import StderrTail

EXIT_TIMEOUT: Final = 1.0
"""Seconds to wait for the exit status of a server that has closed its output."""

OUTPUT_TIMEOUT: Final = 0.3
"""Seconds to wait for the end of the output of a child that has died: a grandchild can keep it open."""


class ProcessTransport:
    """The standard streams of a child process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._buffer = LineBuffer()
        self._sent, self._unwritten = anyio.create_memory_object_stream[tuple[bytes, anyio.Event]]()
        self._broken = False
        self._reading = False
        self._output_ended = anyio.Event()
        self._stderr = StderrTail()
        self._stderr_ended = anyio.Event()

    async def receive(self) -> bytes | None:
        """See :meth:`Transport.receive`."""
        assert self._process.stdout is not None  # noqa: S101 - spawn asks for a pipe
        while (line := self._buffer.pop()) is None:
            self._reading = True
            try:
                self._buffer.feed(await self._process.stdout.receive())
            except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
                self._output_ended.set()
                return None
            finally:
                self._reading = False
        return line

    async def send(self, data: bytes) -> None:
        """See :meth:`Transport.send`."""
        written = anyio.Event()
        try:
            await self._sent.send((data, written))
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise TransportClosed from error
        await written.wait()
        if self._broken:
            raise TransportClosed

    async def write(self) -> None:
        """Write what is sent; a task of its own, because whoever gives up waiting must not cut a line short."""
        assert self._process.stdin is not None  # noqa: S101 - spawn asks for a pipe
        with self._unwritten:
            async for data, written in self._unwritten:
                try:
                    await self._process.stdin.send(data)
                except (anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
                    self._broken = True
                    return
                finally:
                    written.set()

    async def wait_closed(self) -> None:
        """See :meth:`Transport.wait_closed`."""
        await self._process.wait()

    async def wait_input_ended(self) -> None:
        """See :meth:`Transport.wait_input_ended`."""
        await self._process.wait()

    async def watch(self) -> None:
        """End the output of a child that has died, even if something that it has started keeps it open."""
        await self._process.wait()
        while not self._output_ended.is_set():
            with anyio.move_on_after(OUTPUT_TIMEOUT):
                await self._output_ended.wait()
            if self._reading and self._process.stdout is not None:
                await self._process.stdout.aclose()

    async def read_stderr(self) -> None:
        """Read what the child writes to stderr, if that is a pipe of ours, and keep the end of it."""
        try:
            if self._process.stderr is not None:
                async for chunk in self._process.stderr:
                    self._stderr.feed(chunk)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
            pass
        finally:
            self._stderr_ended.set()

    async def exit_status(self) -> int | None:
        """The status of a child that has closed its output; None for one that goes on all the same."""
        with anyio.move_on_after(EXIT_TIMEOUT):
            return await self._process.wait()
        return None

    async def last_words(self) -> str:
        """The end of what a child that is gone has written to stderr, masked; empty where it is not read."""
        with anyio.move_on_after(OUTPUT_TIMEOUT):
            await self._stderr_ended.wait()
        return self._stderr.text()

    async def aclose(self) -> None:
        """Close the child's input, which asks it to end."""
        self._sent.close()
        if self._process.stdin is not None:
            await self._process.stdin.aclose()
