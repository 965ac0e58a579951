"""Where admitted requests wait and run, and how much may wait."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from app_server.lanes import CALL_OVERHEAD, Backlog, Lane
from app_server.router import Call, Deferred, Reply
from protocol.account import ACCOUNT_READ, GetAccountParams
from protocol.jsonrpc import Request
from protocol.method import Empty

DEADLINE = 5.0

Run = Callable[[Call], Awaitable[Deferred[Any] | None]]


def call(number: int, size: int = 1) -> Call:
    return Call(Request(number, "account/read"), ACCOUNT_READ, GetAccountParams(), size)


async def finished_elsewhere() -> Reply[Empty]:
    raise NotImplementedError


async def nothing_to_finish(_call: Call, _deferred: Deferred[Any]) -> None:
    raise AssertionError("nothing was deferred")


def lane(limit: int, tasks: TaskGroup, run: Run, finish: Any = nothing_to_finish) -> Lane:
    return Lane(limit, tasks, run, finish)


# Running


async def test_a_lane_of_one_runs_its_calls_one_after_the_other_in_order() -> None:
    events: list[tuple[str, Any]] = []

    async def run(one: Call) -> None:
        events.append(("begin", one.id))
        for _ in range(3):
            await checkpoint()
        events.append(("end", one.id))

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            account = lane(1, tasks, run)
            for number in range(5):
                account.admit(call(number))

    assert events == [(what, number) for number in range(5) for what in ("begin", "end")]


@pytest.mark.parametrize("limit", [1, 2, 7, 64])
async def test_a_lane_runs_as_many_calls_at_once_as_it_may_and_begins_them_in_order(limit: int) -> None:
    begun: list[Any] = []
    running = most = 0
    gate = anyio.Event()

    async def run(one: Call) -> None:
        nonlocal running, most
        begun.append(one.id)
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            concurrent = lane(limit, tasks, run)
            for number in range(100):
                concurrent.admit(call(number))
            await anyio.wait_all_tasks_blocked()
            assert begun == list(range(limit))
            gate.set()

    assert begun == list(range(100))
    assert most == limit


async def test_a_slow_call_is_overtaken_in_a_lane_of_two() -> None:
    ended: list[Any] = []
    gate = anyio.Event()

    async def run(one: Call) -> None:
        if one.id == 0:
            await gate.wait()
        ended.append(one.id)

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            concurrent = lane(2, tasks, run)
            for number in range(4):
                concurrent.admit(call(number))
            await anyio.wait_all_tasks_blocked()
            assert ended == [1, 2, 3]
            gate.set()

    assert ended == [1, 2, 3, 0]


@pytest.mark.parametrize("limit", [1, 16])
@pytest.mark.parametrize("suspends", [True, False])
async def test_none_of_ten_thousand_calls_is_lost_or_run_twice(limit: int, suspends: bool) -> None:
    answered: list[Any] = []

    async def run(one: Call) -> None:
        if suspends:
            await checkpoint()
        answered.append(one.id)

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            one_lane = lane(limit, tasks, run)
            for number in range(10_000):
                one_lane.admit(call(number))
                if number % 3331 == 0:
                    # Lets the lane run dry in the middle, so that it has to start again.
                    await anyio.wait_all_tasks_blocked()

    assert sorted(answered) == list(range(10_000))


async def test_calls_that_are_admitted_by_a_call_run_too() -> None:
    answered: list[Any] = []

    async def run(one: Call) -> None:
        answered.append(one.id)
        if isinstance(one.id, int) and one.id < 50:
            account.admit(call(one.id + 1))

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            account = lane(1, tasks, run)
            account.admit(call(0))

    assert answered == list(range(51))


async def test_an_idle_lane_has_no_task() -> None:
    async def run(_one: Call) -> None:
        await checkpoint()

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            one_lane = lane(8, tasks, run)
            before = len(anyio.get_running_tasks())
            for number in range(20):
                one_lane.admit(call(number))
            await anyio.wait_all_tasks_blocked()
            assert len(anyio.get_running_tasks()) == before


async def test_abandoned_calls_are_given_back_in_order_and_never_begin() -> None:
    begun: list[Any] = []
    gate = anyio.Event()

    async def run(one: Call) -> None:
        begun.append(one.id)
        await gate.wait()

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            account = lane(1, tasks, run)
            for number in range(4):
                account.admit(call(number))
            await anyio.wait_all_tasks_blocked()
            assert [one.id for one in account.abandon()] == [1, 2, 3]
            assert account.abandon() == []
            gate.set()

    assert begun == [0]


# Deferring


async def test_a_deferred_call_does_not_hold_its_lane() -> None:
    events: list[tuple[str, Any]] = []
    gate = anyio.Event()

    async def run(one: Call) -> Deferred[Any] | None:
        events.append(("run", one.id))
        return Deferred(finished_elsewhere) if one.id == 0 else None

    async def finish(one: Call, deferred: Deferred[Any]) -> None:
        assert deferred.finish is finished_elsewhere
        await gate.wait()
        events.append(("finish", one.id))

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            account = lane(1, tasks, run, finish)
            for number in range(3):
                account.admit(call(number))
            await anyio.wait_all_tasks_blocked()
            assert events == [("run", 0), ("run", 1), ("run", 2)]
            gate.set()

    assert events[3:] == [("finish", 0)]


async def test_a_lane_pauses_when_too_many_calls_are_deferred_and_goes_on_when_one_has_finished() -> None:
    begun: list[Any] = []
    finished: list[Any] = []
    gates = [anyio.Event() for _ in range(Lane.DEFERRED + 10)]

    async def run(one: Call) -> Deferred[Any]:
        begun.append(one.id)
        return Deferred(finished_elsewhere)

    async def finish(one: Call, _deferred: Deferred[Any]) -> None:
        await gates[int(one.id)].wait()
        finished.append(one.id)

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            account = lane(1, tasks, run, finish)
            for number in range(len(gates)):
                account.admit(call(number))
            await anyio.wait_all_tasks_blocked()
            assert begun == list(range(Lane.DEFERRED + 1))
            gates[5].set()
            await anyio.wait_all_tasks_blocked()
            assert begun == list(range(Lane.DEFERRED + 2))
            assert finished == [5]
            for gate in gates:
                gate.set()

    assert begun == list(range(len(gates)))
    assert sorted(finished) == list(range(len(gates)))


async def test_equal_calls_are_deferred_side_by_side() -> None:
    finished = 0
    gate = anyio.Event()

    async def run(_one: Call) -> Deferred[Any]:
        return Deferred(finished_elsewhere)

    async def finish(_one: Call, _deferred: Deferred[Any]) -> None:
        nonlocal finished
        await gate.wait()
        finished += 1

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            account = lane(1, tasks, run, finish)
            for _ in range(3):
                account.admit(call(7))
            await anyio.wait_all_tasks_blocked()
            gate.set()

    assert finished == 3


# The backlog


async def assert_waits(wait: Callable[[], Awaitable[None]], until: Callable[[], None]) -> None:
    """The wait lasts until something is done, and no longer."""
    ended = anyio.Event()

    async def watch() -> None:
        await wait()
        ended.set()

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            await anyio.wait_all_tasks_blocked()
            assert not ended.is_set()
            until()
            await ended.wait()


async def test_there_is_room_while_no_more_than_the_bound_is_admitted() -> None:
    backlog = Backlog(2 * (100 + CALL_OVERHEAD))
    with anyio.fail_after(DEADLINE):
        await backlog.room()
        for number in range(2):
            backlog.enter(call(number, size=100))
            await backlog.room()

    assert backlog.calls == 2


async def test_beyond_the_bound_reading_waits_until_enough_is_answered() -> None:
    backlog = Backlog(2 * (100 + CALL_OVERHEAD))
    calls = [call(number, size=100) for number in range(4)]
    for one in calls:
        backlog.enter(one)

    def answer_two() -> None:
        backlog.leave(calls[0])
        backlog.leave(calls[2])

    await assert_waits(backlog.room, answer_two)
    assert backlog.calls == 2


async def test_answering_too_little_makes_no_room() -> None:
    backlog = Backlog(2 * (100 + CALL_OVERHEAD))
    calls = [call(number, size=100) for number in range(4)]
    for one in calls:
        backlog.enter(one)
    backlog.leave(calls[1])

    await assert_waits(backlog.room, lambda: backlog.leave(calls[3]))


async def test_one_line_larger_than_the_bound_is_admitted_and_stops_the_next() -> None:
    backlog = Backlog(10)
    with anyio.fail_after(DEADLINE):
        await backlog.room()
    large = call(1, size=1_000_000)
    backlog.enter(large)

    await assert_waits(backlog.room, lambda: backlog.leave(large))


async def test_emptiness_is_waited_for_until_the_last_answer() -> None:
    backlog = Backlog(1 << 20)
    calls = [call(number) for number in range(3)]
    with anyio.fail_after(DEADLINE):
        await backlog.empty()
    for one in calls:
        backlog.enter(one)
    backlog.leave(calls[0])
    backlog.leave(calls[2])

    await assert_waits(backlog.empty, lambda: backlog.leave(calls[1]))
    assert backlog.calls == 0


async def test_room_and_emptiness_can_be_waited_for_at_once_and_by_many() -> None:
    backlog = Backlog(CALL_OVERHEAD + 1)
    calls = [call(number) for number in range(5)]
    for one in calls:
        backlog.enter(one)
    ended: list[str] = []

    async def watch(name: str, wait: Callable[[], Awaitable[None]]) -> None:
        await wait()
        ended.append(name)

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(watch, "room", backlog.room)
                tasks.start_soon(watch, "empty", backlog.empty)
            for one in calls[:3]:
                backlog.leave(one)
            await anyio.wait_all_tasks_blocked()
            assert ended == []
            backlog.leave(calls[3])
            await anyio.wait_all_tasks_blocked()
            assert ended == ["room", "room"]
            backlog.leave(calls[4])

    assert ended == ["room", "room", "empty", "empty"]
