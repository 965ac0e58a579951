"""An answer that is read while it comes: its head, and the pieces of its body.

It belongs to whoever opened it, who also closes it; see ``HttpClient.stream``. What the pieces mean is not known here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    import httpx2

MAX_EXCERPT: Final = 64 * 1024
"""Bytes of an error's body that are read."""

EXCERPT_TIMEOUT: Final = 10.0
"""Seconds that an error's body may take."""


class StreamBroken(OSError):
    """The answer broke off.

    :param timed_out: whether it was silence that ended it.
    """

    def __init__(self, *, timed_out: bool) -> None:
        super().__init__("the answer broke off")
        self.timed_out = timed_out


class HttpStream:
    """One answer.

    :param url: what was asked, without its query.
    """

    def __init__(self, response: httpx2.Response, url: str) -> None:
        self._response = response
        self._excerpt: bytes | None = None
        self.url = url
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        """Names in any case."""

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body in the pieces in which it comes, without its content encoding; to be closed by whoever iterates.

        :raises StreamBroken: it breaks off, or there is silence for too long.
        """
        import httpx2  # noqa: PLC0415 - whoever has an answer has imported it

        # What is not encoded need not pass through the decoders.
        encoded = "content-encoding" in self._response.headers
        read = self._response.aiter_bytes() if encoded else self._response.aiter_raw()
        try:
            async with aclosing(read) as pieces:
                async for piece in pieces:
                    yield piece
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            # Not chained: the library's texts can quote what came.
            raise StreamBroken(timed_out=isinstance(error, httpx2.TimeoutException)) from None

    async def excerpt(self) -> bytes:
        """The beginning of the body, or what there is of it, for an error's text; it can be asked for again."""
        if self._excerpt is None:
            read = bytearray()
            with anyio.move_on_after(EXCERPT_TIMEOUT):
                try:
                    async with aclosing(self.chunks()) as pieces:
                        async for piece in pieces:
                            read += piece
                            if len(read) >= MAX_EXCERPT:
                                break
                except StreamBroken:
                    pass
            self._excerpt = bytes(read[:MAX_EXCERPT])
        return self._excerpt
