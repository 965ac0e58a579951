"""Tokens that could not be saved: kept, used, and saved as soon as that is possible (wire.md section 15.24)."""

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account, TokenSet
from tests.support.server import DEADLINE, Json, ServerProcess
from tests.support.upstream import UPDATED, Start, managed_login, store, stored, token_in_force
from tests.wire.refresh.support import presented, use, why_not

Failure = Callable[[ServerProcess], Callable[[], None]]
"""Makes saving impossible; gives what makes it possible again."""


def files_may_not_grow(server: ServerProcess) -> Callable[[], None]:
    """As on a full disk or past a quota: creating a file works, writing it does not."""
    if sys.platform != "linux":
        pytest.skip("only Linux can limit another process")
    unlimited = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))

    def lift() -> None:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, unlimited)

    return lift


def the_file_is_read_only(server: ServerProcess) -> Callable[[], None]:
    """Which counts for the superuser, too."""
    file = server.home / "auth.json"
    file.chmod(0o400)
    return lambda: file.chmod(0o600)


def the_home_is_read_only(server: ServerProcess) -> Callable[[], None]:
    """Which does not count for the superuser."""
    server.home.chmod(0o500)

    def lift() -> None:
        server.home.chmod(0o700)

    if os.access(server.home, os.W_OK):
        lift()
        pytest.skip("nothing is read-only for the superuser")
    return lift


FAILURES: list[Any] = [
    pytest.param(files_may_not_grow, "File too large (os error 27)", id="full"),
    pytest.param(the_file_is_read_only, "credential file is read-only", id="read-only file"),
    pytest.param(the_home_is_read_only, "Permission denied (os error 13)", id="read-only home"),
]


async def until_stored(home: Path, token: str) -> None:
    """Wait until this access token is in the file. Nobody announces that."""
    with anyio.fail_after(DEADLINE):
        while stored(home)["tokens"]["access_token"] != token:  # noqa: ASYNC110
            await anyio.sleep(0.02)


@pytest.mark.parametrize(("failure", "why"), FAILURES)
async def test_tokens_that_cannot_be_saved_are_used_warned_of_and_saved_later(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess, failure: Failure, why: str
) -> None:
    # The reference drops them, and keeps the spent one in the file.
    before = (server.home / "auth.json").read_bytes()
    fake.expire(login.access_token)
    lift = failure(server)

    await use(server)

    newer = await token_in_force(server)
    assert newer is not None
    assert newer != login.access_token
    assert (server.home / "auth.json").read_bytes() == before
    assert presented(fake) == [login.refresh_token]
    warning = await server.notification("configWarning")
    assert warning["summary"] == (
        "The refreshed login could not be saved; it is kept in memory and will be saved later."
    )
    assert warning["details"] == why

    lift()
    await until_stored(server.home, newer)
    fake.expire(newer)
    await use(server)
    assert len(presented(fake)) == 2
    assert await server.barrier() == []


async def test_the_next_401_spends_the_kept_token_and_not_the_one_in_the_file(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    lift = the_file_is_read_only(server)
    fake.expire(login.access_token)
    await use(server)
    second = await token_in_force(server)
    assert second is not None
    fake.expire(second)

    await use(server)

    assert await token_in_force(server) not in (login.access_token, second)
    spent, kept = presented(fake)
    assert spent == login.refresh_token == stored(server.home)["tokens"]["refresh_token"]
    assert kept != spent
    lift()


async def test_they_are_saved_at_the_end_of_the_process_at_the_latest(
    fake: FakeOpenAI, login: TokenSet, own_server: ServerProcess, start: Start
) -> None:
    server = own_server
    lift = the_file_is_read_only(server)
    fake.expire(login.access_token)
    await use(server)
    newer = await token_in_force(server)
    lift()

    await server.close_input()

    assert await server.exit_status() == 0
    assert stored(server.home)["tokens"]["access_token"] == newer
    async with start() as later:
        await use(later)
        assert await token_in_force(later) == newer
    assert presented(fake) == [login.refresh_token]


async def test_tokens_that_were_never_saved_are_reported_as_lost_by_the_next_process(
    fake: FakeOpenAI, login: TokenSet, own_server: ServerProcess, start: Start
) -> None:
    server = own_server
    lift = the_file_is_read_only(server)
    fake.expire(login.access_token)
    await use(server)
    await server.close_input()
    assert await server.exit_status() == 0
    lift()

    async with start() as later:
        warning = await later.notification("configWarning")
        assert warning["summary"] == "A refresh of the stored login was interrupted before its new tokens were saved."
        assert "interrupted" in await why_not(later)
    assert presented(fake) == [login.refresh_token] * 2


@pytest.mark.parametrize("account_id", ["acct-2", None])
async def test_a_login_or_logout_elsewhere_counts_more_than_what_is_unsaved(
    fake: FakeOpenAI, login: TokenSet, own_server: ServerProcess, account_id: str | None
) -> None:
    server = own_server
    the_file_is_read_only(server)
    fake.expire(login.access_token)
    await use(server)
    await server.notification("configWarning")

    (server.home / "auth.json").unlink()
    expected: Json | None = None
    if account_id is not None:
        fake.add_account(Account(account_id=account_id, plan_type="plus"))
        expected = managed_login(fake.mint(account_id))
        store(server.home, expected)

    assert await token_in_force(server) == (expected and expected["tokens"]["access_token"])
    mode = expected and "chatgpt"
    assert await server.notification(UPDATED) == {"authMode": mode, "planType": mode and "plus"}
    assert await server.barrier() == []
    await server.close_input()
    assert await server.exit_status() == 0
    assert (stored(server.home) if expected else None) == expected
