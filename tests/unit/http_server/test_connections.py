"""The loopback HTTP server over real sockets: what handlers see, what clients get, and how it ends."""

import errno
import http.client
import logging
import os
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx2
import pytest
from anyio.abc import SocketStream

from app_server.http_server import DropConnection, HttpServer, Request, Response, bind_loopback
from tests.unit.http_server.support import GET, closing, exchange, hello, read_to_end, read_until, send_if_open, serving

# -- what a handler sees


async def test_the_handler_sees_method_path_decoded_query_headers_and_body() -> None:
    seen: list[Request] = []

    async def handler(request: Request) -> Response:
        seen.append(request)
        return Response(204)

    async with serving(handler) as port, httpx2.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{port}/a%20b?code=1+2&empty=&code=%C3%A9"
        answer = await client.post(url, content=b"body", headers={"X-Thing": "v"})
    assert answer.status_code == 204
    (request,) = seen
    assert (request.method, request.path, request.body) == ("POST", "/a%20b", b"body")
    assert request.query == (("code", "1 2"), ("empty", ""), ("code", "é"))
    assert (request.parameter("code"), request.parameter("none")) == ("1 2", None)
    assert (request.headers.get("x-THING"), request.headers.get("absent")) == ("v", None)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [("http://h/p?a=1", "/p", (("a", "1"),)), ("*", "*", ()), ("//p", "//p", ()), ("/?", "/", ())],
)
async def test_every_form_of_request_target_is_understood(
    target: str, path: str, query: tuple[tuple[str, str], ...]
) -> None:
    async def handler(request: Request) -> Response:
        return Response.text(200, repr((request.path, request.query)))

    async with serving(handler) as port:
        assert repr((path, query)).encode() in await exchange(port, closing(f"OPTIONS {target}"))


async def test_repeated_headers_are_all_kept() -> None:
    async def handler(request: Request) -> Response:
        return Response.text(200, ",".join(request.headers.get_all("X-A")))

    async with serving(handler) as port:
        answer = await exchange(
            port, closing("GET / HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\nIgnored: x").replace(b"x HTTP/1.1", b"x", 1)
        )
    assert answer.endswith(b"1,2")


def test_reprs_show_neither_target_nor_headers_nor_body() -> None:
    request = Request("GET", "/auth/callback", "/auth/callback?code=SECRET", (("code", "SECRET"),), body=b"SECRET")
    response = Response(302, [("location", "http://x/?code=SECRET")], b"SECRET")
    assert "SECRET" not in repr(request) + repr(request.headers) + repr(response)
    assert "/auth/callback" in repr(request)


# -- HTTP/1.1


async def test_a_connection_is_kept_for_further_requests_and_pipelined_ones_are_answered_in_order() -> None:
    async def handler(request: Request) -> Response:
        return Response.text(200, request.path)

    async with serving(handler) as port:
        pipelined = b"".join(GET.replace(b"/x", b"/%d" % i) for i in range(5))
        answer = await exchange(port, pipelined + closing("GET /last"))
    bodies = [part.split(b"HTTP/1.1")[0] for part in answer.split(b"\r\n\r\n")[1:]]
    assert bodies == [b"/0", b"/1", b"/2", b"/3", b"/4", b"/last"]


async def test_an_independent_client_reads_the_answers() -> None:
    async def handler(request: Request) -> Response:
        return Response(201, [("x-method", request.method)], request.body * 2)

    def talk(port: int) -> list[tuple[int, str | None, bytes]]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        answers = []
        for body in (b"a", b"b" * 70_000):
            connection.request("PUT", "/", body=body)
            answer = connection.getresponse()
            answers.append((answer.status, answer.headers["x-method"], answer.read()))
        connection.close()
        return answers

    async with serving(handler) as port:
        answers = await anyio.to_thread.run_sync(talk, port)
    assert answers == [(201, "PUT", b"aa"), (201, "PUT", b"b" * 140_000)]


async def test_head_gets_the_headers_of_get_and_no_body() -> None:
    async with serving(hello) as port:
        head, _, body = (await exchange(port, closing("HEAD /"))).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"content-length: 5" in head.lower()
    assert b"date: " in head.lower()
    assert body == b""


async def test_head_of_a_stream_does_not_start_the_stream() -> None:
    async def stream() -> AsyncIterator[bytes]:
        pytest.fail("started")
        yield b""

    async def handler(_: Request) -> Response:
        return Response(200, (), stream())

    async with serving(handler) as port:
        assert (await exchange(port, closing("HEAD /"))).endswith(b"\r\n\r\n")


async def test_a_client_that_expects_100_continue_gets_it_before_its_body() -> None:
    async def handler(request: Request) -> Response:
        return Response(200, (), request.body)

    async with serving(handler) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        head = closing("PUT /").replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        await stream.send(head)
        assert (await read_until(stream, b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        await stream.send(b"body")
        assert (await read_to_end(stream)).endswith(b"\r\n\r\nbody")


async def test_a_stream_reaches_an_http_1_0_client_without_chunking() -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async def handler(_: Request) -> Response:
        return Response(200, (), stream())

    async with serving(handler) as port:
        answer = await exchange(port, b"GET / HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nonetwo")


async def test_a_refused_upgrade_leaves_the_connection_usable() -> None:
    async def handler(request: Request) -> Response:
        return Response.text(426 if request.headers.get("upgrade") else 200, "answer")

    async with serving(handler) as port:
        upgrade = GET.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        answer = await exchange(port, upgrade + closing("GET /"))
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b"HTTP/1.1 200 " in answer


# -- streams


async def test_each_chunk_of_a_stream_arrives_before_the_next_is_made() -> None:
    proceed = anyio.Event()

    async def stream() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        await proceed.wait()
        yield b"data: 2\n\n"

    async def handler(_: Request) -> Response:
        return Response(200, [("content-type", "text/event-stream")], stream())

    async with (
        serving(handler) as port,
        httpx2.AsyncClient(trust_env=False) as client,
        client.stream("GET", f"http://127.0.0.1:{port}/") as answer,
    ):
        chunks = answer.aiter_raw()
        assert await anext(chunks) == b"data: 1\n\n"
        proceed.set()
        assert await anext(chunks) == b"data: 2\n\n"
        assert [chunk async for chunk in chunks] == []


async def test_a_stream_is_closed_when_its_client_leaves() -> None:
    closed = anyio.Event()

    class Stream:
        """Not a generator, which the interpreter would close by itself."""

        def __aiter__(self) -> "Stream":
            return self

        async def __anext__(self) -> bytes:
            return b"x" * 1000

        async def aclose(self) -> None:
            closed.set()

    async def handler(_: Request) -> Response:
        return Response(200, (), Stream())

    async with serving(handler) as port:
        async with await anyio.connect_tcp("127.0.0.1", port) as client:
            await client.send(GET)
            await client.receive()
        await closed.wait()


async def test_a_handler_can_wait_for_the_client_to_leave() -> None:
    started, left = anyio.Event(), anyio.Event()

    async def handler(request: Request) -> Response:
        started.set()
        await request.wait_disconnected()
        left.set()
        raise DropConnection

    async with serving(handler) as port:
        async with await anyio.connect_tcp("127.0.0.1", port) as client:
            await client.send(GET)
            await started.wait()
            assert not left.is_set()
        await left.wait()


async def test_what_a_client_sends_while_a_handler_waits_for_its_leaving_is_answered_later() -> None:
    async def handler(request: Request) -> Response:
        if request.path == "/x":
            with anyio.move_on_after(0.05):
                await request.wait_disconnected()
        return Response.text(200, request.path)

    async with serving(handler) as port:
        answer = await exchange(port, GET + closing("GET /second"))
    assert answer.endswith(b"/second")


# -- failures of the handler


async def test_a_failing_handler_is_500_without_detail_and_its_text_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(request: Request) -> Response:
        if request.path == "/x":
            raise ValueError("SECRET")
        return Response.text(200, "fine")

    with caplog.at_level(logging.DEBUG):
        async with serving(handler) as port:
            answer = await exchange(port, GET + closing("GET /after?code=SECRET"))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert answer.endswith(b"fine")
    assert "ValueError" in caplog.text
    assert "SECRET" not in caplog.text
    assert b"ValueError" not in answer


async def test_headers_that_cannot_be_sent_are_500() -> None:
    async def handler(_: Request) -> Response:
        return Response(302, [("location", "http://x/\r\nSet-Cookie: a=b")])

    async with serving(handler) as port:
        answer = await exchange(port, closing("GET /"))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"Set-Cookie" not in answer


@pytest.mark.parametrize("failure", [DropConnection(), RuntimeError("SECRET")])
async def test_a_stream_that_fails_ends_the_connection_before_the_last_chunk(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b"one"
        raise failure

    async def handler(_: Request) -> Response:
        return Response(200, (), stream())

    async with serving(handler) as port:
        answer = await exchange(port, GET)
    assert answer.endswith(b"3\r\none\r\n")
    assert ("RuntimeError" in caplog.text) == isinstance(failure, RuntimeError)
    assert "SECRET" not in caplog.text


async def test_a_handler_can_drop_the_connection_without_an_answer() -> None:
    async def handler(_: Request) -> Response:
        raise DropConnection

    async with serving(handler) as port:
        assert await exchange(port, GET) == b""


# -- the life of the server


def open_files() -> int:
    """File descriptors of this process, where the system tells."""
    directory = Path("/proc/self/fd")
    return len(list(directory.iterdir())) if directory.exists() else 0


async def test_cancelling_closes_listener_and_connections_and_leaves_nothing_behind() -> None:
    before = open_files()
    tasks_before = len(anyio.get_running_tasks())
    streaming = anyio.Event()

    async def stream() -> AsyncIterator[bytes]:
        streaming.set()
        yield b"x"
        await anyio.sleep_forever()

    async def handler(request: Request) -> Response:
        if request.path == "/hang":
            await anyio.sleep_forever()
        return Response(200, (), stream())

    clients: list[SocketStream] = []
    async with serving(handler) as port:
        for data in (b"", b"GET /", GET.replace(b"/x", b"/hang"), GET):
            clients.append(await anyio.connect_tcp("127.0.0.1", port))
            await send_if_open(clients[-1], data)
        await streaming.wait()
        ended = anyio.current_time()
    assert anyio.current_time() - ended < 1
    for client in clients:
        await read_to_end(client)
        await client.aclose()
    with pytest.raises(OSError, match="failed"):
        await anyio.connect_tcp("127.0.0.1", port)
    assert len(anyio.get_running_tasks()) == tasks_before
    assert open_files() == before


async def test_cancelling_closes_the_listening_socket_itself() -> None:
    with bind_loopback(0) as listener:
        async with anyio.create_task_group() as tasks:
            await tasks.start(HttpServer(hello).serve, listener)
            tasks.cancel_scope.cancel()
        assert listener.fileno() == -1


async def test_a_port_can_be_served_again_at_once() -> None:
    async with serving(hello) as port:
        await exchange(port, closing("GET /"))
    again = bind_loopback(port)
    again.close()


def test_the_listener_is_bound_to_127_0_0_1_only() -> None:
    with bind_loopback(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


BUSY = re.escape(os.strerror(errno.EADDRINUSE))


def test_a_busy_port_is_the_systems_own_error() -> None:
    with bind_loopback(0) as listener, pytest.raises(OSError, match=BUSY) as caught:
        bind_loopback(listener.getsockname()[1])
    assert caught.value.errno == errno.EADDRINUSE


def test_a_port_held_by_a_bound_socket_that_does_not_listen_is_busy_too() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match=BUSY) as caught:
            bind_loopback(held.getsockname()[1])
    assert caught.value.errno == errno.EADDRINUSE
