"""The loopback HTTP server against malformed, oversized, slow, silent and numerous clients."""

from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
import pytest
from anyio.abc import SocketStream

from app_server.http_server import Limits, Request, Response
from tests.unit.http_server.support import GET, closing, exchange, hello, read_to_end, read_until, send_if_open, serving


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nbad header\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET http://[x/ HTTP/1.1\r\nHost: h\r\n\r\n",
    ],
)
async def test_malformed_http_is_400_and_the_end_of_the_connection(data: bytes) -> None:
    async with serving(hello) as port:
        assert (await exchange(port, data)).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("size", [1200, 5000, 1_000_000])
async def test_oversized_headers_are_431(size: int) -> None:
    async with serving(hello, Limits(header_bytes=1000)) as port:
        data = b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * size + b"\r\n\r\n"
        assert (await exchange(port, data)).startswith(b"HTTP/1.1 431 ")


async def test_headers_just_within_the_limit_are_served() -> None:
    async with serving(hello, Limits(header_bytes=1000)) as port:
        data = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX: " + b"x" * 900 + b"\r\n\r\n"
        assert (await exchange(port, data)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 200000\r\n\r\n" + b"x" * 200_000,
        b"Content-Length: 200000\r\nExpect: 100-continue\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"10\r\n0123456789abcdef\r\n" * 10_000,
    ],
)
async def test_an_oversized_body_is_413_and_the_answer_survives_what_is_still_being_sent(framing: bytes) -> None:
    async def handler(_: Request) -> Response:
        pytest.fail("asked")

    answer = b""
    async with (
        serving(handler, Limits(body_bytes=1000)) as port,
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        await stream.send(b"POST / HTTP/1.1\r\nHost: h\r\n" + framing)
        with suppress(anyio.EndOfStream):  # and not BrokenResourceError: a reset could destroy the answer
            while True:
                answer += await stream.receive()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"HTTP/1.1 100" not in answer


@pytest.mark.parametrize("beginning", [b"GET", GET[:-2], b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nx"])
async def test_a_request_that_does_not_complete_in_time_is_408(beginning: bytes) -> None:
    async with serving(hello, Limits(request_seconds=0.1)) as port:
        assert (await exchange(port, beginning)).startswith(b"HTTP/1.1 408 ")


async def test_sending_slowly_does_not_extend_the_time_for_a_request() -> None:
    async def dribble(stream: SocketStream) -> None:
        with suppress(anyio.BrokenResourceError):
            while True:
                await stream.send(b"x")
                await anyio.sleep(0.02)

    async with (
        serving(hello, Limits(request_seconds=0.2)) as port,
        await anyio.connect_tcp("127.0.0.1", port) as stream,
        anyio.create_task_group() as tasks,
    ):
        await stream.send(b"GET / HTTP/1.1\r\nX: ")
        tasks.start_soon(dribble, stream)
        with anyio.fail_after(2):
            answer = await read_to_end(stream)
        tasks.cancel_scope.cancel()
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_silent_connection_is_closed_without_an_answer() -> None:
    async with serving(hello, Limits(request_seconds=0.05)) as port:
        assert await exchange(port, b"") == b""


async def test_a_kept_connection_is_closed_when_idle_but_a_begun_request_gets_its_full_time() -> None:
    async with serving(hello, Limits(request_seconds=5, idle_seconds=0.1)) as port:
        assert (await exchange(port, GET)).endswith(b"hello")
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(GET)
            await read_until(stream, b"hello")
            await stream.send(GET[:5])
            with anyio.move_on_after(0.3) as waited:  # three times the idle time
                await stream.receive()
            assert waited.cancelled_caught
            await stream.send(GET[5:])
            assert (await read_until(stream, b"hello")).startswith(b"HTTP/1.1 200 ")


async def test_a_client_that_does_not_read_is_dropped() -> None:
    gone = anyio.Event()

    async def stream() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            gone.set()

    async def handler(_: Request) -> Response:
        return Response(200, (), stream())

    async with (
        serving(handler, Limits(send_seconds=0.1)) as port,
        await anyio.connect_tcp("127.0.0.1", port) as client,
    ):
        await client.send(GET)
        await gone.wait()


async def test_half_open_connections_do_not_keep_a_true_request_out() -> None:
    async with serving(hello, Limits(connections=8)) as port:
        half_open = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(200)]
        for index, stream in enumerate(half_open):
            if index % 2:
                with anyio.move_on_after(1):  # most are gone already
                    await send_if_open(stream, b"GET / HTTP/1.1\r\n")
        with anyio.fail_after(1):
            assert (await exchange(port, closing("GET /"))).endswith(b"hello")
        assert await read_to_end(half_open[0]) == b""
        await send_if_open(half_open[-2], closing("GET /"))  # the newest ones still have their place
        assert (await read_to_end(half_open[-2])).endswith(b"hello")
        for stream in half_open:
            await stream.aclose()


async def test_who_has_kept_the_server_waiting_longest_makes_room_first() -> None:
    async with serving(hello, Limits(connections=2)) as port:
        kept, half_open = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(2)]
        await kept.send(GET)
        await read_until(kept, b"hello")  # the older connection, but it waits since just now
        assert (await exchange(port, closing("GET /"))).endswith(b"hello")
        assert await read_to_end(half_open) == b""
        await kept.send(GET)
        assert (await read_until(kept, b"hello")).startswith(b"HTTP/1.1 200 ")
        await kept.aclose()
        await half_open.aclose()


async def test_a_request_that_is_being_answered_never_makes_room_for_others() -> None:
    started, proceed = anyio.Event(), anyio.Event()

    async def handler(request: Request) -> Response:
        if request.path == "/slow":
            started.set()
            await proceed.wait()
        return Response.text(200, request.path)

    async with (
        serving(handler, Limits(connections=1)) as port,
        await anyio.connect_tcp("127.0.0.1", port) as slow,
    ):
        await slow.send(closing("GET /slow"))
        await started.wait()
        assert await exchange(port, b"") == b""  # turned away
        proceed.set()
        assert (await read_to_end(slow)).endswith(b"/slow")
        assert (await exchange(port, closing("GET /next"))).endswith(b"/next")
