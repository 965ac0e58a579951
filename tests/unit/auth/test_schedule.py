"""When tokens are refreshed ahead of time: the rule, and the watch (wire.md section 11). The time here is made up."""

import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from anyio.abc import TaskGroup
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey, ManagedTokens
from app_server.auth.errors import RecoveryFailed, RefreshRejected, RefreshUnavailable
from app_server.auth.schedule import BETWEEN, TRY_AGAIN, Due, Schedule, due
from app_server.auth.token_endpoint import RefreshReason
from tests.unit.auth.fakes import DEADLINE, others_run, tokens
from tests.unit.auth.samples import jwt

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
AGO = datetime(2026, 11, 1, 1, 2, 3, tzinfo=UTC)


def expiring(exp: object, last_refresh: datetime | None = AGO) -> ManagedTokens:
    """Tokens that run out at this time; None for tokens that do not say."""
    claims = {} if exp is None else {"exp": exp}
    return dataclasses.replace(tokens(), access_token=SecretStr(jwt(claims)), last_refresh=last_refresh)


def at(moment: datetime) -> int:
    return int(moment.timestamp())


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = NOW
        self.slept: list[float] = []
        self.asleep = anyio.Event()
        self.wake = anyio.Event()
        self.stands_still = False

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        if self.stands_still:
            self.asleep.set()
            await self.wake.wait()
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)
        await anyio.lowlevel.checkpoint()


class Refresher:
    """Fails as it is told to, then succeeds; says when it is done."""

    def __init__(self, *failures: RecoveryFailed) -> None:
        self.failures = list(failures)
        self.asked: list[tuple[ManagedTokens, RefreshReason]] = []
        self.done = anyio.Event()

    async def newer_than(self, used: ManagedTokens, reason: RefreshReason) -> ManagedTokens:
        self.asked.append((used, reason))
        await anyio.lowlevel.checkpoint()
        if self.failures:
            failure = self.failures.pop(0)
            if failure.permanent:
                self.done.set()
            raise failure
        self.done.set()
        return tokens(2)


@pytest.fixture
async def tasks() -> AsyncIterator[TaskGroup]:
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            yield tasks
            tasks.cancel_scope.cancel()


# The rule


def test_tokens_are_due_five_minutes_before_they_run_out_however_old_they_are() -> None:
    expiry = NOW + timedelta(hours=1)
    for last_refresh in (AGO, None, NOW):
        assert due(expiring(at(expiry), last_refresh)) == Due(expiry - timedelta(minutes=5), "proactive_expiry")


def test_tokens_that_do_not_say_are_due_after_eight_days() -> None:
    assert due(expiring(None)) == Due(AGO + timedelta(days=8), "scheduled")
    assert due(expiring("soon")) == Due(AGO + timedelta(days=8), "scheduled")
    assert due(dataclasses.replace(expiring(None), access_token=SecretStr("no token"))) == Due(
        AGO + timedelta(days=8), "scheduled"
    )


def test_tokens_of_which_nothing_is_known_are_never_due() -> None:
    assert due(expiring(None, last_refresh=None)) is None


def test_tokens_that_cannot_be_refreshed_are_never_due() -> None:
    assert due(dataclasses.replace(expiring(at(NOW)), account_id=None)) is None
    assert due(dataclasses.replace(expiring(at(NOW)), refresh_token=SecretStr(""))) is None


def test_a_date_beyond_all_dates_is_no_date() -> None:
    assert due(expiring(-62_135_596_800)) is None
    assert due(expiring(None, datetime.max.replace(tzinfo=UTC))) is None


# The watch


async def test_it_waits_until_then_and_asks_once(tasks: TaskGroup) -> None:
    clock, refresher = Clock(), Refresher()
    watched = expiring(at(NOW + timedelta(minutes=15)))
    Schedule(tasks, now=clock.now, sleep=clock.sleep).watch(watched, refresher)
    await refresher.done.wait()
    assert clock.slept == [600]
    assert refresher.asked == [(watched, "proactive_expiry")]


async def test_what_is_overdue_is_not_waited_for(tasks: TaskGroup) -> None:
    clock, refresher = Clock(), Refresher()
    Schedule(tasks, now=clock.now, sleep=clock.sleep).watch(expiring(None, AGO), refresher)
    await refresher.done.wait()
    assert clock.slept == []
    assert [reason for _, reason in refresher.asked] == ["scheduled"]


async def test_a_long_wait_looks_at_the_clock_every_hour(tasks: TaskGroup) -> None:
    clock, refresher = Clock(), Refresher()
    Schedule(tasks, now=clock.now, sleep=clock.sleep).watch(expiring(at(NOW + timedelta(hours=3))), refresher)
    await refresher.done.wait()
    assert clock.slept == [3600, 3600, 3300]


async def test_a_failure_that_may_pass_is_tried_again_after_longer_and_longer_pauses(tasks: TaskGroup) -> None:
    clock, refresher = Clock(), Refresher(*[RefreshUnavailable("no")] * 7)
    watched = expiring(at(NOW))
    Schedule(tasks, now=clock.now, sleep=clock.sleep).watch(watched, refresher)
    await refresher.done.wait()
    assert clock.slept == [*TRY_AGAIN, TRY_AGAIN[-1], TRY_AGAIN[-1]]
    assert refresher.asked == [(watched, "proactive_expiry")] * 8


async def test_a_failure_for_good_ends_the_watch(tasks: TaskGroup) -> None:
    clock, refresher = Clock(), Refresher(RefreshRejected("no"))
    Schedule(tasks, now=clock.now, sleep=clock.sleep).watch(expiring(at(NOW)), refresher)
    await refresher.done.wait()
    await others_run()
    assert len(refresher.asked) == 1
    assert clock.slept == []


async def test_only_the_last_login_is_watched(tasks: TaskGroup) -> None:
    clock, refresher, old = Clock(), Refresher(), Refresher()
    clock.stands_still = True
    schedule = Schedule(tasks, now=clock.now, sleep=clock.sleep)
    schedule.watch(expiring(at(NOW + timedelta(hours=1))), old)
    await clock.asleep.wait()
    schedule.watch(expiring(at(NOW)), refresher)
    await refresher.done.wait()
    clock.wake.set()
    await others_run()
    assert old.asked == []


@pytest.mark.parametrize("credential", [None, ApiKey(SecretStr("sk")), expiring(None, last_refresh=None)])
async def test_what_is_never_due_is_not_watched(tasks: TaskGroup, credential: ApiKey | ManagedTokens | None) -> None:
    clock, refresher, old = Clock(), Refresher(), Refresher()
    clock.stands_still = True
    schedule = Schedule(tasks, now=clock.now, sleep=clock.sleep)
    schedule.watch(expiring(at(NOW + timedelta(hours=1))), old)
    await clock.asleep.wait()
    schedule.watch(credential, refresher)
    clock.wake.set()
    await others_run()
    assert (old.asked, refresher.asked, clock.slept) == ([], [], [])


async def test_tokens_that_run_out_at_once_are_not_refreshed_over_and_over(tasks: TaskGroup) -> None:
    clock, first, second = Clock(), Refresher(), Refresher()
    schedule = Schedule(tasks, now=clock.now, sleep=clock.sleep)
    schedule.watch(expiring(at(NOW)), first)
    await first.done.wait()
    schedule.watch(expiring(at(NOW)), second)
    await second.done.wait()
    (pause,) = clock.slept
    assert BETWEEN - DEADLINE < pause <= BETWEEN
