"""The owner of the credentials: what is in force when, how a 401 is recovered from, and who is told.

What a client sees of it is in ``tests/wire``; how a login is saved, in ``test_commit_gate``.
"""

import anyio
import pytest
from pydantic import SecretStr

from app_server.auth.credentials import Claims, Credential, ExternalTokens, PersonalAccessToken
from app_server.auth.errors import (
    NotRecoverable,
    ParentAnswerUnusable,
    RefreshRejected,
    SignedOut,
)
from app_server.auth.policy import LoginPolicy
from app_server.auth.stores.store_errors import StoreError
from tests.unit.auth.fakes import (
    DEADLINE,
    Gate,
    issued,
    others_run,
    refused,
    tokens,
)
from tests.unit.auth.manager_support import EXTERNAL, KEY, MANAGED, NEWER, OTHER_KEY, PERSONAL, Bench, bench


async def forever_unknown() -> PersonalAccessToken | None:
    await anyio.sleep_forever()
    raise AssertionError


# What is in force


async def test_the_tokens_of_the_parent_count_most_then_the_environment_then_the_store() -> None:
    async def personal() -> PersonalAccessToken:
        await anyio.lowlevel.checkpoint()
        return PERSONAL

    async with bench(MANAGED, environment=personal) as b:
        assert b.manager.in_force == MANAGED
        assert await b.manager.current() == PERSONAL
        b.manager.use_tokens(EXTERNAL)
        assert await b.manager.current() == EXTERNAL
        assert await b.manager.forget() == EXTERNAL
        assert await b.manager.current() == PERSONAL
        assert b.store.stored is None


async def test_whoever_asks_waits_for_the_token_of_the_environment_and_loading_does_not() -> None:
    async with bench(MANAGED, environment=forever_unknown) as b:
        asked = anyio.Event()

        async def ask() -> None:
            await b.manager.current()
            asked.set()

        b.tasks.start_soon(ask)
        await others_run()
        assert not asked.is_set()


@pytest.mark.parametrize("policy", [LoginPolicy("api"), LoginPolicy(workspaces=("account-2",))])
async def test_what_the_configuration_does_not_allow_is_not_in_force(policy: LoginPolicy) -> None:
    async def personal() -> PersonalAccessToken:
        await anyio.lowlevel.checkpoint()
        return PERSONAL

    async with bench(MANAGED, policy=policy, environment=personal) as b:
        assert await b.manager.current() is None
        assert b.store.stored == MANAGED


async def test_a_store_that_cannot_be_read_logs_nobody_in_and_nobody_out() -> None:
    async with bench() as b:
        b.store.failure = StoreError("Permission denied (os error 13)")
        b.store.put(MANAGED)
        assert await b.manager.current() is None
        b.store.failure = None
        b.store.put(MANAGED)
        assert await b.manager.current() == MANAGED
        b.store.failure = StoreError("Permission denied (os error 13)")
        b.store.put(None)
        assert await b.manager.current() == MANAGED
        assert b.told == [MANAGED]


# Another process


async def test_what_another_process_stores_is_told_if_it_is_another_login() -> None:
    async with bench(MANAGED) as b:
        other = tokens(1, "account-2")
        for stored, told in (
            (NEWER, []),
            (other, [other]),
            (KEY, [KEY]),
            (KEY, []),
            (OTHER_KEY, [OTHER_KEY]),
            (None, [None]),
            (MANAGED, [MANAGED]),
        ):
            b.told.clear()
            b.store.put(stored)
            assert await b.manager.current() == stored
            assert b.told == told


async def test_it_is_not_told_while_the_tokens_of_the_parent_are_in_force() -> None:
    async with bench(MANAGED) as b:
        b.manager.use_tokens(EXTERNAL)
        b.store.put(KEY)
        assert await b.manager.current() == EXTERNAL
        assert b.told == []
        await b.manager.forget()
        assert b.store.stored is None


async def test_what_is_noticed_by_many_at_once_is_told_once() -> None:
    async with bench(MANAGED) as b:
        gate = b.store.load_gate = Gate()
        b.store.put(KEY)
        found: list[Credential | None] = []

        async def ask() -> None:
            found.append(await b.manager.current())

        for _ in range(5):
            b.tasks.start_soon(ask)
        await gate.reached.wait()
        gate.open()
        await others_run()
        assert found == [KEY] * 5
        assert b.told == [KEY]


# Recovering


async def test_a_401_on_a_credential_that_was_replaced_asks_nobody() -> None:
    async with bench(NEWER) as b:
        assert await b.manager.recover(MANAGED) == NEWER
        b.manager.use_tokens(EXTERNAL)
        assert await b.manager.recover(NEWER) == EXTERNAL
        assert (b.issuer.asked, b.asked_parent) == ([], [])


async def test_a_401_after_logout_is_the_end() -> None:
    async with bench() as b:
        with pytest.raises(SignedOut):
            await b.manager.recover(MANAGED)


async def test_keys_and_personal_tokens_are_never_refreshed() -> None:
    for credential in (KEY, PERSONAL):
        async with bench(credential) as b:
            with pytest.raises(NotRecoverable):
                await b.manager.recover(credential)
            await b.manager.refresh_managed()
            assert b.issuer.asked == []


async def test_the_parent_is_asked_about_its_own_tokens() -> None:
    async with bench(MANAGED) as b:
        b.manager.use_tokens(EXTERNAL)
        b.from_parent = ExternalTokens(SecretStr("parents-2"), "account-1", "pro", Claims())
        assert await b.manager.recover(EXTERNAL) == b.from_parent == b.manager.in_force
        assert b.asked_parent == [EXTERNAL]
        b.from_parent = ExternalTokens(SecretStr("parents-3"), "account-2", "pro", Claims())
        current = b.manager.in_force
        with pytest.raises(ParentAnswerUnusable):
            await b.manager.recover(current)
        assert b.manager.in_force == current


async def test_managed_tokens_are_refreshed_stored_and_in_force() -> None:
    async with bench(MANAGED, issued(NEWER)) as b:
        recovered = await b.manager.recover(MANAGED)
        assert recovered == b.manager.in_force == b.store.stored
        assert recovered.bearer == NEWER.access_token
        loaded = b.store.load_gate = Gate()
        assert await b.manager.current() == recovered
        assert not loaded.reached.is_set()
        assert b.told == []


async def test_a_login_that_went_away_meanwhile_is_noticed_by_whoever_recovers() -> None:
    async with bench(MANAGED) as b:
        b.store.put(KEY)
        with pytest.raises(SignedOut):
            await b.manager.recover(MANAGED)
        assert b.manager.in_force == KEY
        assert b.told == [KEY]


async def test_a_refusal_makes_the_login_useless_until_the_store_changes() -> None:
    async with bench(MANAGED, refused()) as b:
        with pytest.raises(RefreshRejected):
            await b.manager.recover(MANAGED)
        assert (b.manager.in_force, b.manager.usable) == (MANAGED, None)
        assert b.manager.rejection is not None
        assert b.told == [None]
        # A change that changes nothing is none.
        b.store.put(MANAGED)
        await b.manager.current()
        assert b.told == [None]
        b.store.put(NEWER)
        assert await b.manager.current() == b.manager.usable == NEWER
        assert b.told == [None, NEWER]


async def test_a_refusal_of_tokens_that_are_not_in_force_is_not_told() -> None:
    async with bench(MANAGED, refused()) as b:
        gate = b.issuer.gate = Gate()

        async def refresh() -> None:
            with pytest.raises(RefreshRejected):
                await b.manager.refresh_managed()

        b.tasks.start_soon(refresh)
        await gate.reached.wait()
        b.manager.use_tokens(EXTERNAL)
        gate.open()
        await b.manager.finish()
        assert b.journal.done == ["begin", "refused"]
        assert b.told == []


async def test_spent_tokens_in_the_store_are_not_taken_over_however_often_they_are_written() -> None:
    async with bench(MANAGED, issued(NEWER)) as b:
        b.store.save_failure = StoreError("full")
        recovered = await b.manager.recover(MANAGED)
        b.store.put(MANAGED)
        assert await b.manager.current() == recovered
        assert b.told == []


# Refreshing on request


async def test_a_refresh_on_request_is_none_if_another_process_has_just_refreshed() -> None:
    async with bench(MANAGED, issued(tokens(3))) as b:
        b.store.put(NEWER)
        await b.manager.refresh_managed()
        assert (b.manager.in_force, b.issuer.asked) == (NEWER, [])
        await b.manager.refresh_managed()
        assert [body["refresh_token"] for body in b.issuer.asked] == ["refresh-2"]
        assert [body["refresh_reason"] for body in b.issuer.asked] == ["forced"]


# After a crash


async def test_an_interrupted_refresh_is_made_good_in_the_background() -> None:
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            b = Bench(tasks, MANAGED, (issued(NEWER),), LoginPolicy(), None)
            b.journal.note = ("refresh-1", "presented")
            gate = b.issuer.gate = Gate()
            await b.manager.load()
            assert b.manager.in_force == MANAGED
            await gate.reached.wait()
            gate.open()
            await b.manager.finish()
            assert b.manager.in_force == b.store.stored != MANAGED
            assert [body["refresh_reason"] for body in b.issuer.asked] == ["scheduled"]
            assert b.journal.note is None
            tasks.cancel_scope.cancel()
