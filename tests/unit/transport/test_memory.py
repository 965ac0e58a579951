"""The transport without pipes behaves as one with pipes does."""

import anyio
import pytest

from app_server.transport.base import MessageTooLong, TransportClosed
from app_server.transport.memory import CAPACITY, MemoryTransport

DEADLINE = 5.0


@pytest.fixture
def pair() -> tuple[MemoryTransport, MemoryTransport]:
    return MemoryTransport.pair()


Pair = tuple[MemoryTransport, MemoryTransport]


async def test_what_one_end_sends_the_other_receives_in_both_directions(pair: Pair) -> None:
    server, client = pair
    await client.send(b'{"a":1}\n{"b":2}\n')
    await server.send(b"answer\n")

    assert [await server.receive(), await server.receive()] == [b'{"a":1}', b'{"b":2}']
    assert await client.receive() == b"answer"


async def test_a_message_may_arrive_in_pieces(pair: Pair) -> None:
    server, client = pair
    for piece in (b"o", b"n", b"e\nt", b"wo\n"):
        await client.send(piece)

    assert [await server.receive(), await server.receive()] == [b"one", b"two"]


async def test_receiving_waits_for_a_whole_line(pair: Pair) -> None:
    server, client = pair
    received: list[bytes | None] = []

    async def receive() -> None:
        received.append(await server.receive())

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receive)
            await anyio.wait_all_tasks_blocked()
            await client.send(b"half")
            await anyio.wait_all_tasks_blocked()
            assert received == []
            await client.send(b" and half\n")

    assert received == [b"half and half"]


async def test_a_line_over_the_limit_is_reported_and_the_next_one_received() -> None:
    server, client = MemoryTransport.pair(max_line_bytes=4)
    await client.send(b"12345\n1234\n")

    with pytest.raises(MessageTooLong):
        await server.receive()
    assert await server.receive() == b"1234"


async def test_a_sender_waits_when_nobody_reads_and_goes_on_when_somebody_does(pair: Pair) -> None:
    server, client = pair
    sent = 0

    async def send() -> None:
        nonlocal sent
        for _ in range(40):
            await client.send(b"x" * 8191 + b"\n")
            sent += 1

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            assert sent == CAPACITY // 8192

            await server.receive()
            await anyio.wait_all_tasks_blocked()
            assert sent == CAPACITY // 8192 + 1

            for _ in range(39):
                assert await server.receive() == b"x" * 8191

    assert sent == 40


async def test_a_message_larger_than_the_capacity_is_sent_whole(pair: Pair) -> None:
    server, client = pair
    await client.send(b"x" * (3 * CAPACITY) + b"\n")

    assert await server.receive() == b"x" * (3 * CAPACITY)


async def test_both_ends_can_be_full_at_once_and_still_drain(pair: Pair) -> None:
    async def talk(end: MemoryTransport) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send_all, end)
            for _ in range(100):
                assert await end.receive() == b"y" * 4000

    async def send_all(end: MemoryTransport) -> None:
        for _ in range(100):
            await end.send(b"y" * 4000 + b"\n")

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            for end in pair:
                tasks.start_soon(talk, end)


async def test_closing_ends_what_the_peer_receives_once_it_has_read_everything(pair: Pair) -> None:
    server, client = pair
    await client.send(b"last\nunfinished")
    await client.aclose()

    assert await server.receive() == b"last"
    assert await server.receive() is None
    assert await server.receive() is None


async def test_closing_fails_what_the_peer_sends(pair: Pair) -> None:
    server, client = pair
    await client.aclose()

    with pytest.raises(TransportClosed):
        await server.send(b"x\n")


async def test_a_closed_end_neither_sends_nor_waits_for_more(pair: Pair) -> None:
    _, client = pair
    await client.aclose()

    with pytest.raises(TransportClosed):
        await client.send(b"x\n")
    with anyio.fail_after(DEADLINE):
        assert await client.receive() is None
        await client.wait_closed()


@pytest.mark.parametrize("closing", [0, 1], ids=["this end", "the peer"])
async def test_closing_releases_all_who_wait(pair: Pair, closing: int) -> None:
    server, _ = pair
    released: list[str] = []
    await server.send(b"x" * CAPACITY)

    async def send() -> None:
        with pytest.raises(TransportClosed):
            await server.send(b"x")
        released.append("send")

    async def receive() -> None:
        assert await server.receive() is None
        released.append("receive")

    async def wait_closed() -> None:
        await server.wait_closed()
        released.append("wait_closed")

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            for wait in (send, receive, wait_closed):
                tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            assert released == []
            await pair[closing].aclose()

    assert sorted(released) == ["receive", "send", "wait_closed"]


async def test_closing_twice_is_closing_once(pair: Pair) -> None:
    server, client = pair
    for end in (server, server, client, client):
        await end.aclose()

    assert await client.receive() is None


async def test_a_receive_that_is_cancelled_loses_nothing(pair: Pair) -> None:
    server, client = pair
    await client.send(b"ha")
    with anyio.move_on_after(0):
        await server.receive()
    await client.send(b"lf\n")

    assert await server.receive() == b"half"


async def test_a_send_that_is_cancelled_while_it_waits_sends_nothing(pair: Pair) -> None:
    server, client = pair
    await client.send(b"x" * CAPACITY + b"\n")
    with anyio.move_on_after(0) as scope:
        await client.send(b"never\n")
    assert scope.cancelled_caught
    assert await server.receive() == b"x" * CAPACITY
    await client.send(b"next\n")

    assert await server.receive() == b"next"
