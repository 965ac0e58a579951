"""The refresh of managed tokens at its await points: who waits, who is cancelled, what is saved and what is noted.

What a client sees of it is in ``tests/wire/refresh``.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import TaskGroup

from app_server.auth.auth_file import Fingerprint
from app_server.auth.credentials import ManagedTokens
from app_server.auth.errors import RecoveryFailed, RefreshRejected, RefreshUnavailable, SignedOut
from app_server.auth.managed import INTERRUPTED, SAVING, ManagedRefresh
from app_server.auth.store_errors import StoreError, StoreUnreadable
from app_server.auth.token_endpoint import HttpAnswer, RefreshReason, TokenEndpoint
from tests.unit.auth.fakes import DEADLINE, FakeIssuer, FakeJournal, FakeStore, Gate, issued, refused, tokens

OLD, NEW, NEWEST = tokens(1), tokens(2), tokens(3)


class Bench:
    """A refresh with everything around it made up, and what it has told."""

    def __init__(self, tasks: TaskGroup, *answers: HttpAnswer | OSError) -> None:
        self.tasks = tasks
        self.done: list[str] = []
        self.store = FakeStore(OLD)
        self.journal = FakeJournal(self.done)
        self.issuer = FakeIssuer(*answers)
        self.adopted: list[tuple[ManagedTokens, Fingerprint | None]] = []
        self.rejected = 0
        self.warnings: list[tuple[str, str]] = []
        self.refresh = ManagedRefresh(
            self.store,
            self.journal,
            TokenEndpoint(self.issuer.post, lambda _: "https://issuer.example", "app", timeout=3),
            lambda newer, seen: self.adopted.append((newer, seen)),
            self._on_rejected,
            lambda summary, details: self.warnings.append((summary, details)),
            tasks,
        )

    def _on_rejected(self) -> None:
        self.rejected += 1

    async def fails(self, used: ManagedTokens = OLD) -> RecoveryFailed:
        """Ask for newer tokens, in vain."""
        with pytest.raises(RecoveryFailed) as raised:
            await self.refresh.newer_than(used, "forced")
        return raised.value

    def waiter(self, used: ManagedTokens = OLD, reason: RefreshReason = "unauthorized_recovery") -> "Waiter":
        """Somebody who asks for newer tokens in a task of their own."""
        waiter = Waiter()
        self.tasks.start_soon(waiter.wait, self.refresh, used, reason)
        return waiter


class Waiter:
    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.over = anyio.Event()
        self.newer: ManagedTokens | None = None
        self.error: RecoveryFailed | None = None

    async def wait(self, refresh: ManagedRefresh, used: ManagedTokens, reason: RefreshReason) -> None:
        with self.scope:
            try:
                self.newer = await refresh.newer_than(used, reason)
            except RecoveryFailed as error:
                self.error = error
        self.over.set()


@asynccontextmanager
async def bench(*answers: HttpAnswer | OSError) -> AsyncIterator[Bench]:
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            yield Bench(tasks, *answers)
            tasks.cancel_scope.cancel()


def generation(saved: ManagedTokens | None) -> str | None:
    return None if saved is None else saved.refresh_token.get_secret_value()


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
        await anyio.wait_all_tasks_blocked()
        b.issuer.gate.open()
        await old.over.wait()
        again = b.waiter(NEW)
        await new.over.wait()
        await again.over.wait()
        assert generation(new.newer) == generation(again.newer) == "refresh-3"
        assert [body["refresh_token"] for body in b.issuer.asked] == ["refresh-1", "refresh-2"]


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
            await anyio.wait_all_tasks_blocked()
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
            "Failed to refresh token: auth.lock is held by process 4711 and was not released within 8 s"
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


# Cancellation


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
            await anyio.wait_all_tasks_blocked()
            b.refresh.abandon()
            await waiter.over.wait()
        await anyio.wait_all_tasks_blocked()
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
            assert [generation(saved) for saved in b.store.saved if isinstance(saved, ManagedTokens)] == ["refresh-2"]
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
    assert [generation(saved) for saved in b.store.saved if isinstance(saved, ManagedTokens)] == (
        ["refresh-2"] if point == "save" else []
    )
    assert b.journal.note == ("refresh-1", "presented")
    assert b.store.locked is False


# The note


async def test_the_note_is_there_before_the_question_and_gone_after_the_save() -> None:
    async with bench(issued(NEW)) as b:
        b.issuer.gate = b.store.save_gate = Gate()
        waiter = b.waiter()
        await b.issuer.gate.reached.wait()
        assert b.done == ["begin"]
        b.issuer.gate.open()
        await waiter.over.wait()
        assert b.done == ["begin", "end"]
        assert len(b.store.saved) == 1


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (HttpAnswer(500, "Broken", None), None),
        (ConnectionRefusedError("nobody there"), None),
        (OSError("no answer"), ("refresh-1", "presented")),
        (HttpAnswer(200, "OK", None), ("refresh-1", "presented")),
    ],
)
async def test_it_stays_exactly_as_long_as_the_token_may_be_spent(
    answer: HttpAnswer | OSError, note: tuple[str, str] | None
) -> None:
    async with bench(answer) as b:
        assert isinstance(await b.fails(), RefreshUnavailable)
        assert b.journal.note == note


async def test_it_outlives_failures_after_an_interruption_and_is_not_written_again() -> None:
    # To write it again would be to lose it, if the process died in the middle of that.
    async with bench(OSError("no answer"), HttpAnswer(500, "Broken", None), issued(NEW)) as b:
        await b.fails()
        await b.fails()
        assert b.journal.note == ("refresh-1", "presented")
        assert b.done == ["begin"]
        await b.refresh.newer_than(OLD, "forced")
        assert (b.journal.note, b.done) == (None, ["begin", "end"])
        # This process knew all along.
        assert b.warnings == []


async def test_what_another_process_has_begun_and_not_ended_is_warned_of_once() -> None:
    async with bench(HttpAnswer(500, "Broken", None), issued(NEW)) as b:
        b.journal.note = ("refresh-1", "presented")
        assert await b.refresh.was_interrupted(OLD)
        await b.fails()
        await b.refresh.newer_than(OLD, "forced")
        assert [summary for summary, _ in b.warnings] == [
            "A refresh of the stored login was interrupted before its new tokens were saved."
        ]


@pytest.mark.parametrize(
    ("code", "lost"),
    [
        ("refresh_token_reused", True),
        ("invalid_grant", True),
        ("refresh_token_expired", False),
        ("refresh_token_invalidated", False),
    ],
)
async def test_a_refusal_after_an_interruption_says_what_was_lost(code: str, lost: bool) -> None:
    async with bench(refused(code)) as b:
        b.journal.note = ("refresh-1", "presented")
        error = await b.fails()
        assert isinstance(error, RefreshRejected)
        assert (error.message == INTERRUPTED, error.code) == (lost, code)
        assert b.journal.note == ("refresh-1", error.message)


async def test_what_another_process_was_refused_is_not_asked_for_again() -> None:
    async with bench() as b:
        b.journal.note = ("refresh-1", "no, said the issuer")
        error = await b.fails()
        assert isinstance(error, RefreshRejected)
        assert error.message == "no, said the issuer"
        assert (b.issuer.asked, b.rejected) == ([], 1)


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


# What could not be saved


async def test_tokens_that_cannot_be_saved_are_in_force_all_the_same() -> None:
    async with bench(issued(NEW)) as b:
        b.store.save_failure = StoreError("No space left on device (os error 28)")
        newer = await b.refresh.newer_than(OLD, "forced")
        assert generation(newer) == "refresh-2"
        assert b.adopted == [(newer, b.store.fingerprint())]
        assert b.warnings == [
            (
                "The refreshed login could not be saved; it is kept in memory and will be saved later.",
                "No space left on device (os error 28)",
            )
        ]
        assert b.refresh.supersedes(OLD)
        assert not b.refresh.supersedes(tokens(9))
        assert not b.refresh.supersedes(None)
        assert b.journal.note == ("refresh-1", "presented")


async def test_the_spent_tokens_in_the_store_are_not_taken_for_newer_ones() -> None:
    async with bench(issued(NEW), issued(NEWEST)) as b:
        b.store.save_failure = StoreError("full")
        second = await b.refresh.newer_than(OLD, "forced")
        b.store.save_failure = None
        third = await b.refresh.newer_than(second, "forced")
        assert [body["refresh_token"] for body in b.issuer.asked] == ["refresh-1", "refresh-2"]
        assert b.store.stored == third
        assert not b.refresh.supersedes(OLD)


async def test_they_are_saved_when_the_server_ends_at_the_latest() -> None:
    async with bench(issued(NEW)) as b:
        b.store.save_failure = StoreError("full")
        newer = await b.refresh.newer_than(OLD, "forced")
        await b.refresh.finished()
        assert b.store.saved == []
        b.store.save_failure = None
        await b.refresh.finished()
        assert (b.store.saved, b.journal.note) == ([newer], None)
        await b.refresh.finished()
        assert b.store.saved == [newer]


async def test_after_two_failures_the_newest_tokens_are_saved_once() -> None:
    async with bench(issued(NEW), issued(NEWEST)) as b:
        b.store.save_failure = StoreError("full")
        second = await b.refresh.newer_than(OLD, "forced")
        third = await b.refresh.newer_than(second, "forced")
        assert len(b.warnings) == 2
        b.store.save_failure = None
        await b.refresh.save_now()
        assert b.store.saved == [third]


@pytest.mark.parametrize("stored", [None, tokens(9), tokens(9, "account-2")])
async def test_they_are_not_saved_over_another_login(stored: ManagedTokens | None) -> None:
    async with bench(issued(NEW)) as b:
        b.store.save_failure = StoreError("full")
        await b.refresh.newer_than(OLD, "forced")
        b.store.save_failure = None
        b.store.put(stored)
        await b.refresh.save_now()
        assert (b.store.saved, b.store.stored) == ([], stored)
        b.store.put(OLD)
        await b.refresh.save_now()
        assert b.store.saved == []


async def test_a_login_that_was_replaced_here_is_not_saved_any_more() -> None:
    async with bench(issued(NEW)) as b:
        b.store.save_failure = StoreError("full")
        await b.refresh.newer_than(OLD, "forced")
        b.store.save_failure = None
        b.refresh.forget()
        await b.refresh.finished()
        assert b.store.saved == []


async def test_a_refresh_under_way_is_waited_for_whatever_comes_of_it() -> None:
    async with bench(refused()) as b:
        b.issuer.gate = Gate()
        b.waiter()
        await b.issuer.gate.reached.wait()
        finished = anyio.Event()

        async def finish() -> None:
            await b.refresh.finished()
            finished.set()

        b.tasks.start_soon(finish)
        await anyio.wait_all_tasks_blocked()
        assert not finished.is_set()
        b.issuer.gate.open()
        await finished.wait()
