"""The refresh of managed tokens is abandoned, or the server ends, at each of its await points.

What a client sees of it is in ``tests/wire/refresh``.
"""

import anyio
import pytest

from app_server.auth.errors import SignedOut
from tests.unit.auth.fakes import DEADLINE, Gate, issued, others_run
from tests.unit.auth.managed_support import NEW, OLD, Bench, bench, generation, generations


async def test_abandoned_at_the_issuer_it_lets_go_of_the_lock_and_saves_nothing() -> None:
    async with bench(issued(NEW)) as b:
        b.issuer.gate = Gate()
        waiter = b.waiter()
        await b.issuer.gate.reached.wait()
        b.refresh.abandon()
        await waiter.over.wait()
        async with b.store.exclusive(1):
            assert isinstance(waiter.error, SignedOut)
            assert (b.store.saved, b.adopted) == ([], [])
        # It was presented, and what became of it is not known.
        assert b.journal.note == ("refresh-1", "presented")


async def test_abandoned_while_it_waits_for_the_lock_it_never_asks() -> None:
    async with bench(issued(NEW)) as b:
        async with b.store.exclusive(1):
            waiter = b.waiter()
            await others_run()
            b.refresh.abandon()
            await waiter.over.wait()
        await others_run()
        assert isinstance(waiter.error, SignedOut)
        assert (b.issuer.asked, b.done, b.store.locked) == ([], [], False)


async def test_abandoned_while_it_saves_it_still_saves_what_the_issuer_gave() -> None:
    async with bench(issued(NEW)) as b:
        b.store.save_gate = Gate()
        waiter = b.waiter()
        await b.store.save_gate.reached.wait()
        b.refresh.abandon()
        b.store.save_gate.open()
        await waiter.over.wait()
        async with b.store.exclusive(1):
            assert generations(b.store.saved) == ["refresh-2"]
        assert isinstance(waiter.error, SignedOut)
        assert b.adopted == []


async def test_after_it_was_abandoned_the_next_one_asks_anew() -> None:
    async with bench(issued(NEW)) as b:
        b.issuer.gate = Gate()
        waiter = b.waiter()
        await b.issuer.gate.reached.wait()
        b.refresh.abandon()
        await waiter.over.wait()
        b.issuer.gate = None
        assert generation(await b.refresh.newer_than(OLD, "forced")) == "refresh-2"


async def test_without_a_refresh_there_is_nothing_to_abandon() -> None:
    async with bench(issued(NEW)) as b:
        b.refresh.abandon()
        assert generation(await b.refresh.newer_than(OLD, "forced")) == "refresh-2"


@pytest.mark.parametrize("point", ["issuer", "save"])
async def test_a_server_that_ends_in_the_middle_saves_what_was_answered_and_notes_what_was_not(point: str) -> None:
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            b = Bench(tasks, issued(NEW))
            gate = b.issuer.gate = b.store.save_gate = Gate()
            if point == "save":
                b.issuer.gate = None
            b.waiter()
            await gate.reached.wait()
            tasks.cancel_scope.cancel()
            gate.open()
    assert generations(b.store.saved) == (["refresh-2"] if point == "save" else [])
    assert b.journal.note == ("refresh-1", "presented")
    assert b.store.locked is False
