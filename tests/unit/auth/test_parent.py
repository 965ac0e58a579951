"""Asking the parent for fresh tokens: who shares a question, who waits how long, and what a late answer is worth.

What a client sees of it is in ``tests/wire/accounts``.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import TaskGroup
from pydantic import SecretStr

from app_server.auth.credentials import ExternalTokens
from app_server.auth.errors import ParentRefused, ParentTimedOut, RecoveryFailed, SignedOut
from app_server.auth.parent import LATE_ANSWER, MAX_LATE, ParentRefresh, tokens_from_parent
from app_server.auth.tokens import InvalidToken
from tests.unit.auth.fakes import DEADLINE, others_run
from tests.unit.auth.samples import AUTH, PROFILE, jwt

SOON = 0.05
"""Seconds that the parent has, in tests in which it does not answer in time."""


def external(generation: int) -> ExternalTokens:
    """Tokens of the parent after so many refreshes."""
    return tokens_from_parent(SecretStr(jwt({"generation": generation})), account_id="account-1", plan="plus")


OLD, NEW, NEWEST = external(1), external(2), external(3)


class Question:
    """What the parent was asked, until it answers."""

    def __init__(self, used: ExternalTokens, timeout: float) -> None:
        self.used = used
        self.timeout = timeout
        self.answered = anyio.Event()
        self.cancelled = False
        self._answer: ExternalTokens | RecoveryFailed | None = None

    def answer(self, answer: ExternalTokens | RecoveryFailed) -> None:
        self._answer = answer
        self.answered.set()

    async def outcome(self) -> ExternalTokens:
        try:
            await self.answered.wait()
        except anyio.get_cancelled_exc_class():
            self.cancelled = True
            raise
        if isinstance(self._answer, ExternalTokens):
            return self._answer
        assert self._answer is not None
        raise self._answer


class Bench:
    """A parent that answers when it is told to, and what is adopted."""

    def __init__(self, tasks: TaskGroup, timeout: float) -> None:
        self.tasks = tasks
        self.questions: list[Question] = []
        self.adopted: list[ExternalTokens] = []
        self.refresh = ParentRefresh(self._ask, self._adopt, tasks, timeout)

    async def _ask(self, used: ExternalTokens, timeout: float) -> ExternalTokens:
        question = Question(used, timeout)
        self.questions.append(question)
        return await question.outcome()

    def _adopt(self, newer: ExternalTokens) -> None:
        self.adopted.append(newer)
        self.refresh.settle(newer)

    async def waiter(self, used: ExternalTokens = OLD) -> "Waiter":
        """Somebody who waits by the time this returns."""
        waiter = Waiter()
        self.tasks.start_soon(waiter.wait, self.refresh, used)
        await others_run()
        return waiter


class Waiter:
    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.over = anyio.Event()
        self.newer: ExternalTokens | None = None
        self.error: RecoveryFailed | None = None

    async def wait(self, refresh: ParentRefresh, used: ExternalTokens) -> None:
        with self.scope:
            try:
                self.newer = await refresh.newer_than(used)
            except RecoveryFailed as error:
                self.error = error
        self.over.set()


@asynccontextmanager
async def bench(timeout: float = DEADLINE) -> AsyncIterator[Bench]:
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            yield Bench(tasks, timeout)
            tasks.cancel_scope.cancel()


# One question for all


async def test_everybody_who_asks_about_the_same_tokens_shares_one_question() -> None:
    async with bench() as b:
        waiters = [await b.waiter() for _ in range(5)]
        (question,) = b.questions
        question.answer(NEW)
        for waiter in waiters:
            await waiter.over.wait()
            assert waiter.newer == NEW
        assert b.adopted == [NEW]


async def test_the_question_is_left_open_longer_than_anybody_waits_for_it() -> None:
    async with bench(timeout=3) as b:
        await b.waiter()
        assert b.questions[0].timeout == 3 + LATE_ANSWER
        assert b.questions[0].used == OLD


async def test_a_waiter_that_is_cancelled_leaves_the_others_and_the_question_alone() -> None:
    async with bench() as b:
        first, second = await b.waiter(), await b.waiter()
        first.scope.cancel()
        await first.over.wait()
        b.questions[0].answer(NEW)
        await second.over.wait()
        assert (first.newer, first.error, second.newer) == (None, None, NEW)


async def test_an_answer_is_adopted_even_if_nobody_waits_any_more() -> None:
    async with bench() as b:
        waiter = await b.waiter()
        waiter.scope.cancel()
        await waiter.over.wait()
        b.questions[0].answer(NEW)
        await others_run()
        assert b.adopted == [NEW]


async def test_a_refusal_is_for_all_who_wait_and_the_next_one_asks_anew() -> None:
    async with bench() as b:
        waiters = [await b.waiter() for _ in range(3)]
        b.questions[0].answer(ParentRefused(-32000, "no"))
        for waiter in waiters:
            await waiter.over.wait()
            assert isinstance(waiter.error, ParentRefused)
        again = await b.waiter()
        b.questions[1].answer(NEW)
        await again.over.wait()
        assert again.newer == NEW


# Tokens that come another way


async def test_tokens_that_are_pushed_meanwhile_are_the_answer_and_the_question_is_withdrawn() -> None:
    async with bench() as b:
        waiters = [await b.waiter() for _ in range(2)]
        b.refresh.settle(NEW)
        for waiter in waiters:
            await waiter.over.wait()
            assert waiter.newer == NEW
        await others_run()
        assert b.questions[0].cancelled
        # Settling came from outside, so there is nothing to adopt.
        assert b.adopted == []


async def test_after_a_logout_nobody_waits() -> None:
    async with bench() as b:
        waiter = await b.waiter()
        b.refresh.settle(None)
        await waiter.over.wait()
        assert isinstance(waiter.error, SignedOut)
        await others_run()
        assert b.questions[0].cancelled


async def test_there_may_be_nothing_to_settle() -> None:
    async with bench() as b:
        b.refresh.settle(NEW)
        b.refresh.settle(None)
        waiter = await b.waiter()
        b.questions[0].answer(NEW)
        await waiter.over.wait()
        assert waiter.newer == NEW


# Late answers


async def test_whoever_waits_is_told_after_its_time_however_many_wait() -> None:
    async with bench(timeout=SOON) as b:
        waiters = [await b.waiter() for _ in range(3)]
        for waiter in waiters:
            await waiter.over.wait()
            assert isinstance(waiter.error, ParentTimedOut)
        assert str(waiters[0].error) == f"auth refresh request timed out after {SOON:g}s"
        assert len(b.questions) == 1
        assert not b.questions[0].cancelled


async def test_a_late_answer_is_adopted_for_the_next_request() -> None:
    async with bench(timeout=SOON) as b:
        waiter = await b.waiter()
        await waiter.over.wait()
        b.questions[0].answer(NEW)
        await others_run()
        assert b.adopted == [NEW]


async def test_a_late_answer_is_also_one_to_a_later_question() -> None:
    async with bench(timeout=SOON) as b:
        await (await b.waiter()).over.wait()
        second = Waiter()
        b.tasks.start_soon(second.wait, b.refresh, OLD)
        await others_run()
        assert len(b.questions) == 2
        b.questions[0].answer(NEW)
        await second.over.wait()
        assert second.newer == NEW
        await others_run()
        assert b.questions[1].cancelled
        assert b.adopted == [NEW]


async def test_a_late_refusal_is_nobodys_business() -> None:
    async with bench(timeout=SOON) as b:
        await (await b.waiter()).over.wait()
        b.questions[0].answer(ParentRefused(-32000, "no"))
        await others_run()
        assert b.adopted == []
        await (await b.waiter()).over.wait()
        assert len(b.questions) == 2


async def test_only_so_many_questions_are_left_open() -> None:
    async with bench(timeout=SOON) as b:
        for _ in range(MAX_LATE + 2):
            await (await b.waiter()).over.wait()
        await others_run()
        assert [question.cancelled for question in b.questions] == [True] * 2 + [False] * MAX_LATE
        b.refresh.settle(NEW)
        await others_run()
        assert all(question.cancelled for question in b.questions)


# What the parent hands over


def test_the_parameters_count_and_the_claims_fill_in() -> None:
    token = jwt({"email": "a@example.com", AUTH: {"chatgpt_plan_type": "pro", "chatgpt_account_id": "claimed"}})
    named = tokens_from_parent(SecretStr(token), account_id="account-1", plan="TEAM")
    assert (named.account_id, named.plan_type, named.email) == ("account-1", "team", "a@example.com")
    unnamed = tokens_from_parent(SecretStr(token), account_id="", plan=None)
    assert (unnamed.account_id, unnamed.plan_type) == ("", "pro")
    assert tokens_from_parent(SecretStr(token), account_id="a", plan="of tomorrow").plan_type == "unknown"
    assert tokens_from_parent(SecretStr(jwt({})), account_id="a", plan=None).plan_type == "unknown"


def test_beside_an_id_token_that_says_who_it_is() -> None:
    access = SecretStr(jwt({"email": "access@example.com", AUTH: {"chatgpt_account_id": "of the access token"}}))
    identity = SecretStr(jwt({PROFILE: {"email": "id@example.com"}, AUTH: {"chatgpt_account_id": "of the ID token"}}))
    taken = tokens_from_parent(access, account_id="", plan=None, id_token=identity)
    assert (taken.access_token, taken.account_id, taken.email) == (access, "of the ID token", "id@example.com")
    assert tokens_from_parent(access, account_id="named", plan=None, id_token=identity).account_id == "named"


@pytest.mark.parametrize("broken", ["", "a.b", "e30.!.c2ln"])
def test_what_is_no_token_is_refused(broken: str) -> None:
    good = SecretStr(jwt({}))
    with pytest.raises(InvalidToken):
        tokens_from_parent(SecretStr(broken), account_id="a", plan=None)
    with pytest.raises(InvalidToken):
        tokens_from_parent(good, account_id="a", plan=None, id_token=SecretStr(broken))
