"""The commit gate: a login that is not wanted any more is never saved, at whatever await point that happened; and what
takes a login away does not wait for a refresh of it.
"""

import pytest

from app_server.auth.credentials import Credential
from app_server.auth.errors import (
    CredentialsNotSaved,
    LoginNotAllowed,
    SignedOut,
)
from app_server.auth.manager import AuthManager
from app_server.auth.policy import LoginPolicy
from tests.unit.auth.fakes import (
    Gate,
    issued,
    others_run,
    tokens,
)
from tests.unit.auth.manager_support import EXTERNAL, FULL, KEY, MANAGED, NEWER, OTHER_KEY, Commit, bench


async def test_a_login_is_saved_first_and_in_force_then() -> None:
    async with bench() as b:
        gate = b.store.save_gate = Gate()
        commit = Commit(b, MANAGED)
        await gate.reached.wait()
        assert b.manager.in_force is None
        gate.open()
        await commit.over.wait()
        assert b.manager.in_force == b.store.stored == MANAGED
        assert b.told == []


async def test_whether_it_is_still_wanted_is_asked_when_nothing_can_come_between_any_more() -> None:
    async with bench() as b:
        gate = b.store.save_gate = Gate()
        b.tasks.start_soon(b.manager.use_api_key, KEY.key)
        await gate.reached.wait()
        commit = Commit(b, MANAGED)
        await others_run()
        assert commit.asked == 0
        commit.wanted = False
        gate.open()
        await commit.over.wait()
        assert isinstance(commit.refusal, LoginNotAllowed)
        assert commit.refusal.message == "Login was not completed"
        assert b.store.saved == [KEY]
        assert b.manager.in_force == KEY


async def test_it_is_asked_under_the_lock_of_the_store_which_another_process_may_hold() -> None:
    async with bench() as b:
        async with b.store.exclusive(1):
            commit = Commit(b, MANAGED)
            await others_run()
            assert commit.asked == 0
            commit.wanted = False
        await commit.over.wait()
        assert isinstance(commit.refusal, LoginNotAllowed)
        assert (commit.asked, b.store.saved, b.manager.in_force) == (1, [], None)


async def test_a_login_that_is_cancelled_before_its_turn_is_never_saved() -> None:
    async with bench() as b:
        gate = b.store.save_gate = Gate()
        b.tasks.start_soon(b.manager.use_api_key, KEY.key)
        await gate.reached.wait()
        commit = Commit(b, MANAGED)
        await others_run()
        commit.scope.cancel()
        await commit.over.wait()
        gate.open()
        await others_run()
        assert (commit.asked, b.store.saved, b.manager.in_force) == (0, [KEY], KEY)


async def test_a_login_that_is_cancelled_while_it_is_saved_is_complete_all_the_same() -> None:
    async with bench() as b:
        gate = b.store.save_gate = Gate()
        commit = Commit(b, MANAGED)
        await gate.reached.wait()
        commit.scope.cancel()
        await others_run()
        assert not commit.over.is_set()
        gate.open()
        await commit.over.wait()
        assert b.manager.in_force == b.store.stored == MANAGED


async def test_whoever_logs_out_while_a_login_is_saved_finds_it_complete_and_removes_it() -> None:
    async with bench() as b:
        gate = b.store.save_gate = Gate()
        commit = Commit(b, MANAGED)
        await gate.reached.wait()
        b.tasks.start_soon(b.manager.forget)
        await others_run()
        gate.open()
        await commit.over.wait()
        await others_run()
        assert (b.manager.in_force, b.store.stored, b.store.saved) == (None, None, [MANAGED])


@pytest.mark.parametrize("was", [None, KEY, tokens(9, "account-2")])
async def test_what_cannot_be_saved_is_not_in_force_and_what_was_stays(was: Credential | None) -> None:
    async with bench(was) as b:
        b.store.save_failure = FULL
        commit = Commit(b, MANAGED)
        await commit.over.wait()
        assert isinstance(commit.refusal, CredentialsNotSaved)
        assert commit.refusal.message == f"failed to save the login: {FULL}"
        with pytest.raises(CredentialsNotSaved, match="failed to save api key: No space left"):
            await b.manager.use_api_key(OTHER_KEY.key)
        assert b.manager.in_force == was


async def test_a_login_tells_which_one_it_replaces() -> None:
    async with bench(MANAGED) as b:
        assert await b.manager.use_api_key(KEY.key) == MANAGED
        assert await b.manager.use_managed(NEWER, lambda: True) == KEY
        assert await b.manager.forget() == NEWER
        assert await b.manager.forget() is None


async def test_a_login_that_is_not_allowed_is_not_even_begun() -> None:
    async with bench(policy=LoginPolicy("chatgpt")) as b:
        with pytest.raises(LoginNotAllowed):
            await b.manager.use_api_key(KEY.key)
        assert b.store.lock_waits == []
    async with bench() as b:
        b.manager.use_tokens(EXTERNAL)
        with pytest.raises(LoginNotAllowed, match="External auth is active"):
            await b.manager.use_api_key(KEY.key)
        assert b.store.lock_waits == []


# Logging out


async def test_what_cannot_be_removed_stays_in_force_but_the_tokens_of_the_parent_do_not() -> None:
    async with bench(KEY) as b:
        b.manager.use_tokens(EXTERNAL)
        b.store.save_failure = FULL
        with pytest.raises(CredentialsNotSaved, match="logout failed: No space left"):
            await b.manager.forget()
        assert b.manager.in_force == KEY


async def test_neither_logout_nor_login_waits_for_a_refresh_under_way() -> None:
    for end in ("logout", "key", "managed"):
        async with bench(MANAGED, issued(NEWER)) as b:
            gate = b.issuer.gate = Gate()
            failed: list[Exception] = []

            async def recover(manager: AuthManager = b.manager, failed: list[Exception] = failed) -> None:
                try:
                    await manager.recover(MANAGED)
                except SignedOut as error:
                    failed.append(error)

            b.tasks.start_soon(recover)
            await gate.reached.wait()
            expected: Credential | None
            if end == "logout":
                await b.manager.forget()
                expected = None
            elif end == "key":
                await b.manager.use_api_key(KEY.key)
                expected = KEY
            else:
                expected = tokens(9)
                await b.manager.use_managed(expected, lambda: True)
            gate.open()
            await others_run()
            assert len(failed) == 1
            assert b.manager.in_force == b.store.stored == expected
            assert NEWER.refresh_token not in [getattr(saved, "refresh_token", None) for saved in b.store.saved]


async def test_a_login_takes_along_what_could_not_be_saved_of_the_one_before() -> None:
    async with bench(MANAGED, issued(NEWER)) as b:
        b.store.save_failure = FULL
        await b.manager.recover(MANAGED)
        b.store.save_failure = None
        await b.manager.use_api_key(KEY.key)
        b.store.put(MANAGED)  # by whom so ever, it has nothing to do with what was kept
        await b.manager.finish()
        assert b.store.saved == [KEY]
        assert await b.manager.current() == MANAGED
