"""The refresh of managed tokens: who shares one, that the store comes first, and what a refusal is worth.

What a client sees of it is in ``tests/wire/refresh``.
"""

import anyio
import pytest

from app_server.auth.credentials import ManagedTokens
from app_server.auth.errors import RefreshRejected, RefreshUnavailable, SignedOut
from app_server.auth.managed import OTHERS_SAVE, SAVING
from app_server.auth.stores.store_errors import StoreUnreadable
from app_server.auth.token_endpoint import HttpAnswer
from tests.unit.auth.fakes import DEADLINE, Gate, issued, others_run, refused, tokens
from tests.unit.auth.managed_support import NEW, NEWEST, OLD, bench, generation

# Sharing


async def test_everybody_who_asks_about_the_same_tokens_shares_one_refresh() -> None:
    async with bench(issued(NEW)) as b:
        b.issuer.gate = Gate()
        waiters = [b.waiter() for _ in range(5)]
        await b.issuer.gate.reached.wait()
        b.issuer.gate.open()
        for waiter in waiters:
            await waiter.over.wait()
        assert {generation(waiter.newer) for waiter in waiters} == {"refresh-2"}
        assert len(b.issuer.asked) == len(b.adopted) == len(b.store.saved) == 1


async def test_a_waiter_that_is_cancelled_leaves_the_others_and_the_refresh_alone() -> None:
    async with bench(issued(NEW)) as b:
        b.issuer.gate = Gate()
        first, second = b.waiter(), b.waiter()
        await b.issuer.gate.reached.wait()
        first.scope.cancel()
        await first.over.wait()
        b.issuer.gate.open()
        await second.over.wait()
        assert (first.newer, first.error) == (None, None)
        assert generation(second.newer) == "refresh-2"


async def test_even_without_any_waiter_the_answer_of_the_issuer_is_saved() -> None:
    async with bench(issued(NEW)) as b:
        b.issuer.gate = Gate()
        only = b.waiter()
        await b.issuer.gate.reached.wait()
        only.scope.cancel()
        await only.over.wait()
        b.issuer.gate.open()
        await b.refresh.finished()
        assert generation(b.adopted[0][0]) == "refresh-2"
        assert b.store.saved == [b.adopted[0][0]]


async def test_whoever_comes_after_the_end_begins_anew() -> None:
    async with bench(HttpAnswer(500, "Broken", None), issued(NEW)) as b:
        assert isinstance(await b.fails(), RefreshUnavailable)
        assert generation(await b.refresh.newer_than(OLD, "forced")) == "refresh-2"


async def test_two_tokens_are_two_matters_and_one_does_not_end_the_other() -> None:
    async with bench(HttpAnswer(500, "Broken", None), issued(NEWEST)) as b:
        b.issuer.gate = Gate()
        old = b.waiter()
        await b.issuer.gate.reached.wait()
        b.store.put(NEW)
        new = b.waiter(NEW)
        await others_run()
        b.issuer.gate.open()
        await old.over.wait()
        again = b.waiter(NEW)
        await new.over.wait()
        await again.over.wait()
        assert generation(new.newer) == generation(again.newer) == "refresh-3"
        assert [body["refresh_token"] for body in b.issuer.asked] == ["refresh-1", "refresh-2"]
        assert len(b.store.lock_waits) == 2


# The store first


async def test_newer_tokens_in_the_store_are_taken_without_lock_or_question() -> None:
    async with bench() as b:
        b.store.put(NEW)
        seen = b.store.fingerprint()
        assert await b.refresh.newer_than(OLD, "forced") == NEW
        assert b.adopted == [(NEW, seen)]
        assert (b.store.lock_waits, b.issuer.asked, b.done) == ([], [], [])


async def test_they_are_looked_for_again_once_the_lock_is_there() -> None:
    async with bench() as b:
        async with b.store.exclusive(1):
            waiter = b.waiter()
            await others_run()
            b.store.put(NEW)
        await waiter.over.wait()
        assert waiter.newer == NEW
        assert (b.issuer.asked, b.done) == ([], [])


async def test_the_lock_is_waited_for_a_little_longer_than_an_exchange_can_take() -> None:
    async with bench(issued(NEW)) as b:
        await b.refresh.newer_than(OLD, "forced")
        assert b.store.lock_waits == [3 + SAVING]


async def test_a_lock_that_somebody_keeps_is_no_reason_to_log_out() -> None:
    async with bench() as b:
        b.store.somebody_else_is_at_it = True
        error = await b.fails()
        assert isinstance(error, RefreshUnavailable)
        assert error.message == (
            "Failed to refresh token: auth.lock is held by process 4711 and was not released within 6 s"
        )
        assert (error.maybe_spent, b.issuer.asked, b.rejected) == (False, [], 0)


async def test_a_store_that_cannot_be_read_is_no_reason_to_ask_or_to_log_out() -> None:
    async with bench() as b:
        b.store.failure = StoreUnreadable("Permission denied (os error 13)")
        error = await b.fails()
        assert isinstance(error, RefreshUnavailable)
        assert error.message == "Failed to refresh token: Permission denied (os error 13)"
        assert b.issuer.asked == []


@pytest.mark.parametrize("stored", [None, tokens(2, "account-2"), tokens(2, None)])
async def test_a_login_that_is_gone_or_somebody_elses_is_nobodys_to_refresh(stored: ManagedTokens | None) -> None:
    async with bench() as b:
        b.store.put(stored)
        assert isinstance(await b.fails(), SignedOut)
        assert (b.issuer.asked, b.adopted, b.rejected) == ([], [], 0)


async def test_tokens_without_an_account_are_never_refreshed() -> None:
    async with bench() as b:
        nobodys = tokens(1, None)
        b.store.put(nobodys)
        assert isinstance(await b.fails(nobodys), SignedOut)
        assert b.issuer.asked == []


# Refusals


async def test_a_refusal_is_told_once_and_remembered_for_these_tokens_only() -> None:
    async with bench(refused(), issued(NEWEST)) as b:
        waiters = [b.waiter() for _ in range(3)]
        for waiter in waiters:
            await waiter.over.wait()
            assert isinstance(waiter.error, RefreshRejected)
        assert isinstance(await b.fails(), RefreshRejected)
        assert (b.rejected, len(b.issuer.asked)) == (1, 1)
        assert b.refresh.rejection(OLD) is not None
        assert b.refresh.rejection(NEW) is None
        b.store.put(NEW)
        assert generation(await b.refresh.newer_than(NEW, "forced")) == "refresh-3"


async def test_a_refusal_of_an_earlier_process_is_learnt_from_the_note() -> None:
    async with bench() as b:
        b.journal.note = ("refresh-1", "no, said the issuer")
        await b.refresh.remember_refusal(OLD)
        assert (await b.fails()).message == "no, said the issuer"
        # Whoever starts with such a login has nothing to announce.
        assert (b.rejected, b.store.lock_waits) == (0, [])


async def test_a_login_that_was_replaced_takes_its_refusal_along() -> None:
    async with bench(refused()) as b:
        await b.fails()
        b.refresh.forget()
        assert b.refresh.rejection(OLD) is None


async def test_what_somebody_else_has_spent_is_looked_for_in_the_store_before_it_is_given_up() -> None:
    # The reference holds the lock for its save only, so it may have asked at the same time.
    async with bench(refused("refresh_token_reused")) as b:
        b.issuer.gate = Gate()
        waiter = b.waiter()
        await b.issuer.gate.reached.wait()
        b.issuer.gate.open()
        while b.store.locked:
            await anyio.lowlevel.checkpoint()
        async with b.store.exclusive(1):  # which is what it waits for
            b.store.put(NEW)
        await waiter.over.wait()
        assert waiter.newer == NEW
        assert b.adopted == [(NEW, b.store.fingerprint())]
        assert b.rejected == 0
        assert b.refresh.rejection(OLD) is None


async def test_it_is_looked_for_only_so_long() -> None:
    async with bench(refused("refresh_token_reused")) as b:
        before = anyio.current_time()
        error = await b.fails()
        assert isinstance(error, RefreshRejected)
        assert error.code == "refresh_token_reused"
        assert OTHERS_SAVE <= anyio.current_time() - before < DEADLINE
        assert (b.rejected, len(b.issuer.asked)) == (1, 1)
