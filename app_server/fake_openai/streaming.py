"""Sending a stream of events, and what goes wrong on the way: it stops, breaks off, or ends, at any event or byte.

A place beyond the end of the stream is its end, so that a fault that was declared always happens.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import anyio

from app_server.fake_openai.faults import Fault
from app_server.http_server import DropConnection

_FLUSH: Final = 32 * 1024
"""Events without a delay between them are sent together, up to so many bytes: the fake is not to be the bottleneck."""

Chunks = AsyncGenerator[bytes, None]


@dataclass(frozen=True)
class Stop:
    """A place in a stream, and what happens there.

    :param after: how many events, or bytes, come first.
    :param inside: in the middle of the next event rather than before it.
    :param act: whether the stream ends here.
    """

    after: int
    act: Callable[[], Awaitable[bool]]
    inside: bool = False


def event_stops(fault: Fault, hang: Callable[[], Awaitable[None]]) -> list[Stop]:
    """Where the fault wants the stream stopped, by events; at one place it hangs before it ends."""
    end, drop, wait = _actions(hang)
    wanted = [
        (fault.hang_after_events, wait, False),
        (fault.end_after_events, end, False),
        (fault.drop_after_events, drop, False),
        (fault.hang_inside_event, wait, True),
        (fault.end_inside_event, end, True),
        (fault.drop_inside_event, drop, True),
    ]
    return [Stop(after, act, inside) for after, act, inside in wanted if after is not None]


def byte_stops(fault: Fault, hang: Callable[[], Awaitable[None]]) -> list[Stop]:
    """Where the fault wants the stream stopped, by bytes."""
    end, drop, wait = _actions(hang)
    wanted = [(fault.hang_after_bytes, wait), (fault.end_after_bytes, end), (fault.drop_after_bytes, drop)]
    return [Stop(after, act) for after, act in wanted if after is not None]


async def send_events(events: Iterator[bytes], stops: list[Stop], delay: float) -> Chunks:
    """The events in chunks.

    :param delay: seconds between events; each is then a chunk of its own.
    :raises DropConnection: a stop says so.
    """
    ahead = sorted(stops, key=lambda stop: (stop.after, stop.inside))[::-1]  # at one place in the order given
    due = ahead[-1].after if ahead else -1
    pending = bytearray()
    limit = 0 if delay else _FLUSH
    for sent, whole in enumerate(events):
        if delay and sent:
            await anyio.sleep(delay)
        event = whole
        while sent == due:
            stop = ahead.pop()
            due = ahead[-1].after if ahead else -1
            if stop.inside:
                pending += event[: len(event) // 2]
                event = event[len(event) // 2 :]
            if pending:
                yield bytes(pending)
                pending.clear()
            if await stop.act():
                return
        pending += event
        if len(pending) > limit:
            yield bytes(pending)
            pending.clear()
    if pending:
        yield bytes(pending)
    for stop in reversed(ahead):
        if await stop.act():
            return


async def stop_at_bytes(chunks: Chunks, stops: list[Stop]) -> Chunks:
    """The same bytes, stopped after so many.

    :raises DropConnection: a stop says so.
    """
    ahead = sorted(stops, key=lambda stop: stop.after)[::-1]
    offset = 0
    async with aclosing(chunks):
        async for whole in chunks:
            chunk = whole
            while ahead and ahead[-1].after <= offset + len(chunk):
                stop = ahead.pop()
                if head := chunk[: stop.after - offset]:
                    yield head
                chunk, offset = chunk[len(head) :], offset + len(head)
                if await stop.act():
                    return
            if chunk:
                yield chunk
                offset += len(chunk)
    for stop in reversed(ahead):
        if await stop.act():
            return


async def recut(chunks: Chunks, size: int) -> Chunks:
    """The same bytes in pieces of this size at most."""
    async with aclosing(chunks):
        async for chunk in chunks:
            for start in range(0, len(chunk), size):
                yield chunk[start : start + size]


def _actions(hang: Callable[[], Awaitable[None]]) -> tuple[Callable[[], Awaitable[bool]], ...]:
    async def end() -> bool:
        return True

    async def drop() -> bool:
        raise DropConnection

    async def wait() -> bool:
        await hang()
        return False

    return end, drop, wait
