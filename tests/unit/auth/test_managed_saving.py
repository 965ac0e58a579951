"""The refresh of managed tokens: the note that is kept about it, and tokens that cannot be saved.

What a client sees of it is in ``tests/wire/refresh``.
"""

import anyio
import pytest

from app_server.auth.credentials import ManagedTokens
from app_server.auth.errors import RefreshRejected, RefreshUnavailable
from app_server.auth.managed import INTERRUPTED
from app_server.auth.stores.store_errors import StoreError
from app_server.auth.token_endpoint import HttpAnswer
from tests.unit.auth.fakes import Gate, issued, others_run, refused, tokens
from tests.unit.auth.managed_support import NEW, NEWEST, OLD, bench, generation

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
        assert b.done == ["begin", "end"]
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
        await others_run()
        assert not finished.is_set()
        b.issuer.gate.open()
        await finished.wait()
