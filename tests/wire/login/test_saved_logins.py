"""A login that is saved: it is complete, whatever comes next, and the one that it replaces is revoked.

Until its backend is known it is not announced, which is time for the client to do something else. (wire.md sections 7
and 15.18)
"""

from pathlib import Path

import anyio

from app_server.fake_openai.server import FakeOpenAI
from tests.support.locks import login_held_up
from tests.support.server import ServerProcess
from tests.support.upstream import (
    LOGIN,
    NO_STATUS,
    UPDATED,
    Start,
    asked,
    managed_login,
    next_messages,
    store,
    stored,
    updated,
    without_times,
)
from tests.wire.login.support import (
    BROWSER,
    BROWSER_NOT_COMPLETED,
    CANCEL,
    CLIENT_ID,
    ended,
    exchanges,
    sign_in,
    start_browser_login,
)

# In the place of another login


async def test_the_tokens_of_the_login_before_are_revoked_once_the_new_ones_are_saved(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    # The reference never revokes them (wire.md section 15.18).
    old = fake.mint()
    store(home, managed_login(old))
    async with start() as server:
        await server.notification(UPDATED)
        login = await start_browser_login(server)
        with login_held_up(home):
            async with anyio.create_task_group() as browser:
                browser.start_soon(sign_in, login)
                await exchanges(fake, 2)
                await server.barrier()
                assert fake.requests.of("revoke") == []
                assert stored(home)["tokens"]["refresh_token"] == old.refresh_token
                browser.cancel_scope.cancel()
        (revocation,) = await asked(fake, "revoke")

        assert revocation.fields() == {
            "token": old.refresh_token,
            "token_type_hint": "refresh_token",
            "client_id": CLIENT_ID,
        }
        assert stored(home)["tokens"]["refresh_token"] not in ("", old.refresh_token)
        assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]


async def test_a_key_that_it_replaces_is_not_revoked_and_a_failure_to_revoke_is_nothing(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-test"})
    await server.barrier()
    first = await start_browser_login(server)
    await sign_in(first)
    assert await next_messages(server, 2) == [ended(first), updated("chatgpt", "plus")]
    assert fake.requests.of("revoke") == []

    fake.fault("revoke", status=500)
    second = await start_browser_login(server)
    await sign_in(second)
    assert await next_messages(server, 2) == [ended(second), updated("chatgpt", "plus")]
    await asked(fake, "revoke")
    assert await server.barrier() == []


# What is saved already


async def test_a_login_that_is_saved_cannot_be_cancelled_any_more(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("accounts_check", hang=True)
    login = await start_browser_login(server)
    await sign_in(login)
    await asked(fake, "accounts_check")

    assert await server.result(CANCEL, {"loginId": login.login_id}) == {"status": "notFound"}
    fake.release()
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]


async def test_a_login_that_is_saved_succeeds_although_another_is_begun(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("accounts_check", hang=True)
    login = await start_browser_login(server)
    await sign_in(login)
    await asked(fake, "accounts_check")
    await server.send({"id": 1, "method": LOGIN, "params": BROWSER})

    *announcements, answer = await next_messages(server, 3)
    assert announcements == [ended(login), updated("chatgpt", "plus")]
    assert answer["result"]["type"] == "chatgpt"
    fake.release()
    assert await server.barrier() == []


async def test_a_login_that_is_saved_is_removed_by_a_logout(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("accounts_check", hang=True)
    login = await start_browser_login(server)
    await sign_in(login)
    await asked(fake, "accounts_check")
    await server.send({"id": 1, "method": "account/logout"})

    assert await next_messages(server, 3) == [
        ended(login, BROWSER_NOT_COMPLETED),
        {"id": 1, "result": {}},
        updated(None),
    ]
    await asked(fake, "revoke")
    fake.release()
    assert await server.barrier() == []
    assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS
    assert not (server.home / "auth.json").exists()


async def test_a_login_that_is_saved_succeeds_although_the_client_leaves(
    fake: FakeOpenAI, home: Path, own_server: ServerProcess
) -> None:
    fake.fault("accounts_check", hang=True)
    login = await start_browser_login(own_server)
    await sign_in(login)
    await asked(fake, "accounts_check")
    await own_server.close_input()

    assert without_times(await own_server.rest()) == [ended(login), updated("chatgpt", "plus")]
    assert stored(home)["auth_mode"] == "chatgpt"
