"""The one way out: what is said, in which order, and what happens while nobody reads."""

import time

import anyio
import pytest

from app_server.outgoing import HIGH_WATER, Outgoing
from app_server.pending import ConnectionClosed
from app_server.transport.base import TransportClosed
from protocol.account import (
    ACCOUNT_UPDATED,
    LOGIN_COMPLETED,
    AccountLoginCompletedNotification,
)
from protocol.errors import InternalError, InvalidRequest
from protocol.jsonrpc import encode_error
from protocol.lifecycle import CONFIG_WARNING, ConfigWarningNotification
from protocol.method import Empty
from tests.unit.outgoing.support import DEADLINE, UPDATED, Asking, Client, write

# What is said


async def test_everything_is_written_in_the_order_in_which_it_was_said(client: Client, outgoing: Outgoing) -> None:
    outgoing.respond(1, Empty())
    outgoing.notify(ACCOUNT_UPDATED, UPDATED)
    outgoing.fail("b", InvalidRequest("no"))
    outgoing.notify(LOGIN_COMPLETED, AccountLoginCompletedNotification(success=True))
    outgoing.fail(None, InternalError("unknown"))
    await write(outgoing)
    outgoing.respond("last", Empty())
    await write(outgoing)

    said = [message.get("method", message.get("id")) for message in client.messages]
    assert said == [1, "account/updated", "b", "account/login/completed", None, "last"]


async def test_a_notification_carries_the_time_in_milliseconds(client: Client, outgoing: Outgoing) -> None:
    before = time.time_ns() // 1_000_000
    outgoing.notify(ACCOUNT_UPDATED, UPDATED)
    after = time.time_ns() // 1_000_000
    await write(outgoing)

    (message,) = client.messages
    assert before <= message.pop("emittedAtMs") <= after
    assert message == {"method": "account/updated", "params": {"authMode": None, "planType": None}}


async def test_what_the_client_has_opted_out_of_is_left_out_and_nothing_else_is(
    client: Client, outgoing: Outgoing
) -> None:
    outgoing.notify(ACCOUNT_UPDATED, UPDATED)
    outgoing.mute(
        frozenset({"account/updated", "no/such/method", "account/chatgptAuthTokens/refresh", "account/login"})
    )
    outgoing.notify(ACCOUNT_UPDATED, UPDATED)
    outgoing.notify(LOGIN_COMPLETED, AccountLoginCompletedNotification(success=True))
    outgoing.notify(CONFIG_WARNING, ConfigWarningNotification(summary="s"))
    outgoing.respond(1, Empty())
    await write(outgoing)

    said = [message.get("method", message.get("id")) for message in client.messages]
    assert said == ["account/updated", "account/login/completed", "configWarning", 1]


async def test_what_is_said_at_once_is_written_at_once(client: Client, outgoing: Outgoing) -> None:
    for number in range(1000):
        outgoing.respond(number, Empty())
    await write(outgoing)

    assert [message["id"] for message in client.messages] == list(range(1000))
    assert client.writes == 1


async def test_what_is_said_while_writing_is_written_next(client: Client, outgoing: Outgoing) -> None:
    client.stall()
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(outgoing.run)
            for number in range(3):
                outgoing.respond(number, Empty())
                await anyio.wait_all_tasks_blocked()
            assert client.written == b""
            client.reading.set()
            await outgoing.flush()
            assert [message["id"] for message in client.messages] == [0, 1, 2]
            tasks.cancel_scope.cancel()


async def test_what_is_said_after_a_silence_is_written_at_once(client: Client, outgoing: Outgoing) -> None:
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(outgoing.run)
            for number in range(3):
                await anyio.wait_all_tasks_blocked()
                for _ in range(number + 1):
                    outgoing.respond(number, Empty())
                await outgoing.flush()
                assert client.writes == number + 1
            tasks.cancel_scope.cancel()

    assert [message["id"] for message in client.messages] == [0, 1, 1, 2, 2, 2]


async def test_nothing_is_written_while_nothing_is_said(client: Client, outgoing: Outgoing) -> None:
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(outgoing.run)
            await anyio.wait_all_tasks_blocked()
            assert client.writes == 0
            await outgoing.flush()
            await outgoing.room()
            tasks.cancel_scope.cancel()


async def test_the_last_answers_are_still_written_once_the_client_can_answer_nothing(
    client: Client, outgoing: Outgoing
) -> None:
    outgoing.refuse_answers()
    outgoing.respond(1, Empty())
    outgoing.notify(ACCOUNT_UPDATED, UPDATED)
    await write(outgoing)

    assert len(client.messages) == 2


# Backpressure and the end


def fill(outgoing: Outgoing, size: int) -> int:
    """Say at least so many bytes; returns how many answers that took."""
    answers = size // len(b'{"id":0,"result":{}}\n') + 1
    for _ in range(answers):
        outgoing.respond(0, Empty())
    return answers


async def test_there_is_room_up_to_the_high_water_mark_and_no_further(outgoing: Outgoing) -> None:
    padding = "x" * (HIGH_WATER - len(encode_error(1, InvalidRequest(""))))
    outgoing.fail(1, InvalidRequest(padding))
    with anyio.fail_after(DEADLINE):
        await outgoing.room()
    outgoing.respond(1, Empty())
    with anyio.move_on_after(0) as waited:
        await outgoing.room()

    assert waited.cancelled_caught


async def test_producers_wait_while_the_client_does_not_read(client: Client, outgoing: Outgoing) -> None:
    client.stall()
    answers = fill(outgoing, HIGH_WATER)
    released = 0

    async def produce() -> None:
        nonlocal released
        await outgoing.room()
        released += 1

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(outgoing.run)
            for _ in range(5):
                tasks.start_soon(produce)
            await anyio.wait_all_tasks_blocked()
            assert (client.writes, released) == (1, 0)
            client.reading.set()
            await outgoing.flush()
            await anyio.wait_all_tasks_blocked()
            assert released == 5

            client.stall()
            answers += fill(outgoing, HIGH_WATER)
            tasks.start_soon(produce)
            await anyio.wait_all_tasks_blocked()
            assert released == 5
            client.reading.set()
            await outgoing.flush()
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    assert released == 6
    assert len(client.messages) == answers


async def test_what_is_being_written_still_counts(client: Client, outgoing: Outgoing) -> None:
    client.stall()
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(outgoing.run)
            fill(outgoing, HIGH_WATER // 2)
            await anyio.wait_all_tasks_blocked()
            assert client.writes == 1
            fill(outgoing, HIGH_WATER // 2 + 100)
            with anyio.move_on_after(0) as waited:
                await outgoing.room()
            assert waited.cancelled_caught
            tasks.cancel_scope.cancel()


async def test_a_client_that_has_gone_ends_the_writing(client: Client, outgoing: Outgoing) -> None:
    client.gone = True
    outgoing.respond(1, Empty())
    with anyio.fail_after(DEADLINE), pytest.raises(TransportClosed):
        await outgoing.run()


async def test_closing_releases_all_who_wait_and_nothing_more_is_kept(client: Client, outgoing: Outgoing) -> None:
    fill(outgoing, HIGH_WATER * 2)
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            asking = Asking(outgoing, tasks)
            await asking.ask()
            tasks.start_soon(outgoing.room)
            tasks.start_soon(outgoing.flush)
            await anyio.wait_all_tasks_blocked()
            outgoing.close()
        fill(outgoing, HIGH_WATER * 2)
        await outgoing.room()
        await outgoing.flush()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(outgoing.run)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    assert isinstance(asking.outcomes[0], ConnectionClosed)
    assert client.written == b""


async def test_closing_while_a_write_is_stalled_leaves_nothing_to_flush(client: Client, outgoing: Outgoing) -> None:
    client.stall()
    outgoing.respond(1, Empty())
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(outgoing.run)
            await anyio.wait_all_tasks_blocked()
            outgoing.close()
            client.reading.set()
            await anyio.wait_all_tasks_blocked()
            await outgoing.flush()
            await outgoing.room()
            tasks.cancel_scope.cancel()
