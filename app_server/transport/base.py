"""What every transport offers, and what it may raise."""

from typing import Protocol


class TransportClosed(Exception):
    """The peer is gone: nothing that is sent will be read."""


class MessageTooLong(Exception):
    """A message was longer than allowed. It has been read and dropped, and the next one can be received.

    :param limit: bytes that were allowed.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"a message was longer than {limit} bytes")
        self.limit = limit


class Transport(Protocol):
    """One peer, to whom whole messages go and from whom whole messages come."""

    async def receive(self) -> bytes | None:
        """The next message without its line end, or None when the peer has closed its side.

        :raises MessageTooLong: in place of a message that was too long.
        """

    async def send(self, data: bytes) -> None:
        """Write one or more encoded messages, all of them before returning.

        :raises TransportClosed: the peer does not read any more.
        """

    async def wait_closed(self) -> None:
        """Return once the peer can no longer read what is sent; never, where that cannot be known."""

    async def wait_input_ended(self) -> None:
        """Return once the peer will send nothing more, even if some of what it has sent is still to be received; never,
        where that cannot be known."""

    async def aclose(self) -> None:
        """Let go of everything; idempotent."""
