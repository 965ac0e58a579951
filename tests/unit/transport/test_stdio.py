"""The standard streams as a transport, over pipes and sockets."""

import os
import socket
from typing import Any

import anyio
import pytest

from app_server.transport.base import MessageTooLong, TransportClosed
from app_server.transport.stdio import CHUNK, StdioTransport
from tests.unit.transport.conftest import Descriptors

DEADLINE = 5.0

MANY = 1_000_000
"""Bytes that fit into no pipe and no socket."""


async def read_all(fd: int, size: int) -> bytes:
    """Read so many bytes from a descriptor that can be polled."""
    data = b""
    while len(data) < size:
        await anyio.wait_readable(fd)
        chunk = os.read(fd, 1 << 20)
        assert chunk, "the other end was closed early"
        data += chunk
    return data


def patterned(size: int) -> bytes:
    """Bytes in which a lost, doubled or moved piece shows."""
    return b"".join(b"%07d\n" % number for number in range(size // 8))


# Receiving


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_lines_are_received_whole_however_they_were_written(kind: str, descriptors: Descriptors) -> None:
    far: Any = None
    if kind == "pipe":
        stdin, far = descriptors.pipe()
    else:
        stdin, far = descriptors.sockets()
    transport = StdioTransport(stdin, descriptors.null())

    def write(data: bytes) -> None:
        if isinstance(far, socket.socket):
            far.send(data)
        else:
            os.write(far, data)

    with anyio.fail_after(DEADLINE):
        write(b"one\n\ntwo\r\nth")
        received = [await transport.receive() for _ in range(3)]
        write(b"ree\n")
        received.append(await transport.receive())

    assert received == [b"one", b"", b"two\r", b"three"]
    await transport.aclose()
    if isinstance(far, socket.socket):
        far.close()


async def test_receiving_waits_without_stopping_others(descriptors: Descriptors) -> None:
    stdin, writer = descriptors.pipe()
    transport = StdioTransport(stdin, descriptors.null())
    received: list[bytes | None] = []

    async def receive() -> None:
        received.append(await transport.receive())

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receive)
            await anyio.wait_all_tasks_blocked()
            os.write(writer, b"half")
            await anyio.wait_all_tasks_blocked()
            assert received == []
            os.write(writer, b" and half\n")

    assert received == [b"half and half"]
    await transport.aclose()


async def test_the_end_of_input_is_told_again_and_again_and_an_unfinished_line_is_dropped(
    descriptors: Descriptors,
) -> None:
    stdin, writer = descriptors.pipe()
    transport = StdioTransport(stdin, descriptors.null())
    os.write(writer, b"last\nunfinished")
    os.close(writer)

    with anyio.fail_after(DEADLINE):
        assert [await transport.receive() for _ in range(3)] == [b"last", None, None]
    await transport.aclose()


async def test_what_was_read_before_comes_first_and_joins_what_follows(descriptors: Descriptors) -> None:
    stdin, writer = descriptors.pipe()
    transport = StdioTransport(stdin, descriptors.null(), received=b"one\ntwo\nth")
    os.write(writer, b"ree\nfour\n")

    with anyio.fail_after(DEADLINE):
        assert [await transport.receive() for _ in range(4)] == [b"one", b"two", b"three", b"four"]
    await transport.aclose()


async def test_what_was_read_before_needs_no_reading(descriptors: Descriptors) -> None:
    stdin, _ = descriptors.pipe()
    transport = StdioTransport(stdin, descriptors.null(), received=b"one\n")

    with anyio.fail_after(DEADLINE):
        assert await transport.receive() == b"one"
    await transport.aclose()


async def test_a_line_over_the_limit_is_reported_and_the_next_one_received(descriptors: Descriptors) -> None:
    stdin, writer = descriptors.pipe()
    transport = StdioTransport(stdin, descriptors.null(), received=b"x" * 9, max_line_bytes=8)
    os.write(writer, b"\n" + b"y" * 8 + b"\n" + b"z" * 9 + b"\nend\n")

    with anyio.fail_after(DEADLINE):
        with pytest.raises(MessageTooLong):
            await transport.receive()
        assert await transport.receive() == b"y" * 8
        with pytest.raises(MessageTooLong):
            await transport.receive()
        assert await transport.receive() == b"end"
    await transport.aclose()


async def test_a_line_larger_than_a_chunk_is_received_whole(descriptors: Descriptors) -> None:
    stdin, far = descriptors.sockets()
    transport = StdioTransport(stdin, descriptors.null())
    line = b"x" * (3 * CHUNK + 1)

    async def write() -> None:
        rest = memoryview(line + b"\n")
        while rest:
            await anyio.wait_writable(far)
            rest = rest[far.send(rest) :]

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            assert await transport.receive() == line
    far.close()
    await transport.aclose()


async def test_a_receive_that_is_cancelled_loses_nothing(descriptors: Descriptors) -> None:
    stdin, writer = descriptors.pipe()
    transport = StdioTransport(stdin, descriptors.null())
    os.write(writer, b"ha")
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(transport.receive)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        os.write(writer, b"lf\n")
        assert await transport.receive() == b"half"
    await transport.aclose()


async def test_a_connection_that_is_reset_is_the_end_of_input(descriptors: Descriptors) -> None:
    stdin, far = descriptors.sockets()
    os.write(stdin, b"never read")
    far.close()
    transport = StdioTransport(stdin, descriptors.null())

    with anyio.fail_after(DEADLINE):
        assert await transport.receive() is None
    await transport.aclose()


# Sending


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_a_reader_that_stalls_and_then_drains_gets_everything_in_order(
    kind: str, descriptors: Descriptors
) -> None:
    if kind == "pipe":
        reader, stdout = descriptors.pipe()
    else:
        stdout, far = descriptors.sockets()
        reader = far.detach()
    transport = StdioTransport(descriptors.null(), stdout)
    data = patterned(MANY)
    done = False

    async def send() -> None:
        nonlocal done
        for start in range(0, MANY, 300_001):
            await transport.send(data[start : start + 300_001])
        done = True

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            assert not done
            received = await read_all(reader, 10)
            await anyio.wait_all_tasks_blocked()
            assert not done
            received += await read_all(reader, MANY - len(received))

    assert received == data
    os.close(reader)
    await transport.aclose()


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 65536])
async def test_a_message_of_any_size_is_written_whole(size: int, descriptors: Descriptors) -> None:
    reader, stdout = descriptors.pipe()
    transport = StdioTransport(descriptors.null(), stdout)
    data = bytes(range(256)) * 257

    with anyio.fail_after(DEADLINE):
        await transport.send(data[:size])
        assert await read_all(reader, size) == data[:size]
    await transport.aclose()


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_sending_to_nobody_says_so(kind: str, descriptors: Descriptors) -> None:
    if kind == "pipe":
        reader, stdout = descriptors.pipe()
        os.close(reader)
    else:
        stdout, far = descriptors.sockets()
        far.close()
    transport = StdioTransport(descriptors.null(), stdout)

    with anyio.fail_after(DEADLINE), pytest.raises(TransportClosed):
        await transport.send(b"x\n")
    await transport.aclose()


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_a_reader_that_goes_while_it_is_waited_for_ends_the_sending(kind: str, descriptors: Descriptors) -> None:
    if kind == "pipe":
        reader, stdout = descriptors.pipe()
    else:
        stdout, far = descriptors.sockets()
        reader = far.detach()
    transport = StdioTransport(descriptors.null(), stdout)
    refused = anyio.Event()

    async def send() -> None:
        with pytest.raises(TransportClosed):
            await transport.send(b"x" * MANY)
        refused.set()

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            assert not refused.is_set()
            os.close(reader)
            await refused.wait()
    await transport.aclose()


async def test_a_send_that_waits_can_be_cancelled(descriptors: Descriptors) -> None:
    _, stdout = descriptors.pipe()
    transport = StdioTransport(descriptors.null(), stdout)

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(transport.send, b"x" * MANY)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    await transport.aclose()


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_the_flags_that_a_parent_may_share_are_left_alone(kind: str, descriptors: Descriptors) -> None:
    stdin, _ = descriptors.pipe()
    if kind == "pipe":
        _, stdout = descriptors.pipe()
    else:
        stdout, far = descriptors.sockets()
    transport = StdioTransport(stdin, stdout)
    with anyio.move_on_after(0):
        await transport.receive()
    await transport.send(b"x\n")

    assert os.get_blocking(stdin)
    assert os.get_blocking(stdout)
    await transport.aclose()
    if kind == "socket":
        far.close()


async def test_an_output_that_does_not_block_is_written_to_all_the_same(descriptors: Descriptors) -> None:
    reader, stdout = descriptors.pipe()
    os.set_blocking(stdout, False)
    transport = StdioTransport(descriptors.null(), stdout)
    data = patterned(MANY)

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(transport.send, data)
            assert await read_all(reader, MANY) == data
    await transport.aclose()


# One socket for both directions


async def test_one_socket_can_be_both_streams(descriptors: Descriptors) -> None:
    stdin, far = descriptors.sockets()
    transport = StdioTransport(stdin, os.dup(stdin))
    data = patterned(MANY)

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fails_if_it_returns, transport.wait_closed)
            tasks.start_soon(transport.send, data)
            await anyio.wait_all_tasks_blocked()
            far.send(b"one\ntwo\n")
            assert [await transport.receive(), await transport.receive()] == [b"one", b"two"]
            assert await read_all(far.fileno(), MANY) == data
            far.close()
            assert await transport.receive() is None
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    await transport.aclose()


# The end


@pytest.mark.parametrize("kind", ["pipe", "socket", "socket with unread data"])
async def test_a_reader_that_goes_is_noticed_without_sending(kind: str, descriptors: Descriptors) -> None:
    if kind == "pipe":
        reader, stdout = descriptors.pipe()
    else:
        stdout, far = descriptors.sockets()
        reader = far.detach()
    transport = StdioTransport(descriptors.null(), stdout)
    if kind == "socket with unread data":
        await transport.send(b"never read\n")
    closed = anyio.Event()

    async def wait() -> None:
        await transport.wait_closed()
        closed.set()

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            assert not closed.is_set()
            os.close(reader)
            await closed.wait()
    await transport.aclose()


async def test_a_reader_that_has_already_gone_is_noticed_too(descriptors: Descriptors) -> None:
    reader, stdout = descriptors.pipe()
    os.close(reader)
    transport = StdioTransport(descriptors.null(), stdout)

    with anyio.fail_after(DEADLINE):
        await transport.wait_closed()
    await transport.aclose()


async def test_a_reader_that_merely_stalls_is_not_taken_for_gone(descriptors: Descriptors) -> None:
    reader, stdout = descriptors.pipe()
    transport = StdioTransport(descriptors.null(), stdout)
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fails_if_it_returns, transport.wait_closed)
            tasks.start_soon(transport.send, b"x" * MANY)
            await anyio.wait_all_tasks_blocked()
            assert len(await read_all(reader, MANY)) == MANY
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    await transport.aclose()


async def fails_if_it_returns(wait: Any) -> None:
    await wait()
    pytest.fail("it returned")


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_closing_closes_both_descriptors_and_may_be_repeated(kind: str, descriptors: Descriptors) -> None:
    if kind == "pipe":
        stdin, writer = descriptors.pipe()
        reader, stdout = descriptors.pipe()
    else:
        stdin, near = descriptors.sockets()
        stdout, far = descriptors.sockets()
        writer, reader = near.detach(), far.detach()
    transport = StdioTransport(stdin, stdout)
    for _ in range(3):
        await transport.aclose()

    assert not descriptors.is_open(stdin)
    assert not descriptors.is_open(stdout)
    # Nothing else holds the output open either.
    assert os.read(reader, 1) == b""
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"x")
    os.close(reader)
    os.close(writer)
