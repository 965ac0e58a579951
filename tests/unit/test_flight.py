"""One outcome for many waiters."""

import traceback

import anyio
import pytest

from app_server.flight import Flight

DEADLINE = 5.0


async def test_everybody_who_waits_gets_the_result_and_so_does_who_comes_later() -> None:
    flight: Flight[str] = Flight()
    outcomes: list[str] = []

    async def wait() -> None:
        outcomes.append(await flight.outcome())

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            assert not flight.landed
            flight.succeed("done")
            assert flight.landed
        await wait()

    assert outcomes == ["done"] * 4


async def test_everybody_who_waits_gets_the_error() -> None:
    flight: Flight[str] = Flight()
    error = LookupError("gone")
    seen: list[BaseException] = []

    async def wait() -> None:
        try:
            await flight.outcome()
        except LookupError as raised:
            seen.append(raised)

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            flight.fail(error)

    assert seen == [error] * 3


async def test_none_is_a_result() -> None:
    flight: Flight[None] = Flight()
    flight.succeed(None)

    assert flight.landed
    with anyio.fail_after(DEADLINE):
        await flight.outcome()


@pytest.mark.parametrize("late", ["succeed", "fail"])
async def test_the_first_outcome_counts(late: str) -> None:
    good: Flight[int] = Flight()
    bad: Flight[int] = Flight()
    good.succeed(1)
    bad.fail(LookupError("first"))
    for flight in (good, bad):
        if late == "succeed":
            flight.succeed(2)
        else:
            flight.fail(ValueError("second"))

    assert await good.outcome() == 1
    with pytest.raises(LookupError, match="first"):
        await bad.outcome()


async def test_a_waiter_that_is_cancelled_leaves_the_others_alone() -> None:
    flight: Flight[str] = Flight()
    outcomes: list[str] = []

    async def wait() -> None:
        outcomes.append(await flight.outcome())

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            async with anyio.create_task_group() as given_up:
                given_up.start_soon(wait)
                await anyio.wait_all_tasks_blocked()
                given_up.cancel_scope.cancel()
            assert not flight.landed
            flight.succeed("done")

    assert outcomes == ["done"]


async def test_each_waiter_sees_its_own_way_to_the_error() -> None:
    flight: Flight[str] = Flight()
    flight.fail(LookupError("gone"))

    async def deeper() -> None:
        await flight.outcome()

    lengths = []
    for _ in range(3):
        with pytest.raises(LookupError) as raised:
            await deeper()
        lengths.append(len(traceback.extract_tb(raised.value.__traceback__)))

    assert len(set(lengths)) == 1
