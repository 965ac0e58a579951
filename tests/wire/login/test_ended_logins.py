"""Logins that are cancelled, replaced or logged out, and the commit gate: such a login never saves anything.

For browser logins at every stage that can be seen from outside: before the callback, during either exchange, and while
the login waits to be saved. One that is already saved is in ``test_saved_logins``. (wire.md sections 7, 8, 15.8)
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import anyio
import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.locks import login_held_up
from tests.support.server import Json, ServerProcess
from tests.support.upstream import (
    LOGIN,
    NO_STATUS,
    Start,
    asked,
    completed,
    next_messages,
    stored,
    token_in_force,
    tokens_login,
    updated,
    without_times,
)
from tests.wire.login.support import (
    BROWSER,
    BROWSER_NOT_COMPLETED,
    CANCEL,
    CANCELLED,
    DEVICE,
    SUCCESS_PAGE,
    BrowserLogin,
    authorize,
    ended,
    exchanges,
    get,
    sign_in,
    start_browser_login,
    until_closed,
)

KEY: Json = {"type": "apiKey", "apiKey": "sk-new"}


async def assert_nothing_is_saved(server: ServerProcess) -> None:
    """Nothing more was said, nobody is logged in, and nothing is stored."""
    assert await server.barrier() == []
    assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS
    assert not (server.home / "auth.json").exists()


# Cancelling


async def test_a_cancelled_login_is_announced_and_its_port_is_free(server: ServerProcess) -> None:
    login = await start_browser_login(server)
    await server.send({"id": 1, "method": CANCEL, "params": {"loginId": login.login_id}})

    assert await next_messages(server, 2) == [
        ended(login, BROWSER_NOT_COMPLETED),
        {"id": 1, "result": {"status": "canceled"}},
    ]
    await until_closed(login.port)
    await assert_nothing_is_saved(server)


async def test_a_login_is_cancelled_once(server: ServerProcess) -> None:
    login = await start_browser_login(server)

    assert await server.result(CANCEL, {"loginId": login.login_id}) == {"status": "canceled"}
    assert await server.result(CANCEL, {"loginId": login.login_id}) == {"status": "notFound"}
    assert without_times(await server.barrier()) == [ended(login, BROWSER_NOT_COMPLETED)]


async def test_only_the_login_of_that_id_is_cancelled(server: ServerProcess) -> None:
    replaced = await start_browser_login(server)
    login = await start_browser_login(server)
    await server.barrier()

    for login_id in (str(uuid4()), replaced.login_id):
        assert await server.result(CANCEL, {"loginId": login_id}) == {"status": "notFound"}
    assert await server.barrier() == []
    assert SUCCESS_PAGE in (await sign_in(login)).text


@pytest.mark.parametrize("spelling", ["{}", "{{{}}}", "urn:uuid:{}"])
async def test_an_id_may_be_spelled_otherwise(server: ServerProcess, spelling: str) -> None:
    login = await start_browser_login(server)

    result = await server.result(CANCEL, {"loginId": spelling.format(login.login_id.upper())})

    assert result == {"status": "canceled"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1234",
        "00000000-0000-4000-8000-00000000000",
        "{",
        "not-a-uuid-\u00e9",
        "00000000-0000400-08000-000000000000",
    ],
)
async def test_what_is_no_id_is_an_error_that_says_so(server: ServerProcess, text: str) -> None:
    login = await start_browser_login(server)

    assert await server.error(CANCEL, {"loginId": text}) == {"code": -32600, "message": f"invalid login id: {text}"}
    assert await server.barrier() == []
    assert SUCCESS_PAGE in (await sign_in(login)).text


async def test_a_login_that_has_ended_cannot_be_cancelled(fake: FakeOpenAI, server: ServerProcess) -> None:
    login = await start_browser_login(server)
    await sign_in(login)
    await next_messages(server, 2)

    assert await server.result(CANCEL, {"loginId": login.login_id}) == {"status": "notFound"}
    assert await server.barrier() == []
    assert await token_in_force(server) is not None


async def test_account_requests_do_not_wait_for_a_pending_login(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("token", hang=True)
    login = await start_browser_login(server)
    url = await authorize(login)
    async with anyio.create_task_group() as browser:
        browser.start_soon(get, url)
        await exchanges(fake)

        assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS
        assert (await server.result("account/read", {}))["account"] is None
        assert await server.result(CANCEL, {"loginId": str(uuid4())}) == {"status": "notFound"}
        assert await server.barrier() == []
        fake.release()


# Replacing


async def test_a_key_replaces_it_and_its_failure_precedes_the_answer(server: ServerProcess) -> None:
    login = await start_browser_login(server)
    await server.send({"id": 1, "method": LOGIN, "params": KEY})

    assert await next_messages(server, 4) == [
        ended(login, BROWSER_NOT_COMPLETED),
        {"id": 1, "result": {"type": "apiKey"}},
        completed(),
        updated("apikey"),
    ]
    await until_closed(login.port)


async def test_a_key_that_cannot_be_saved_replaces_nothing(home: Path, start: Start) -> None:
    (home / "auth.json").mkdir(parents=True)

    async with start() as server:
        login = await start_browser_login(server)
        await server.error(LOGIN, KEY)

        assert await server.barrier() == []
        assert await server.result(CANCEL, {"loginId": login.login_id}) == {"status": "canceled"}


async def test_tokens_of_the_parent_replace_it(fake: FakeOpenAI, server: ServerProcess) -> None:
    login = await start_browser_login(server)
    await server.send({"id": 1, "method": LOGIN, "params": tokens_login(fake.mint())})

    assert await next_messages(server, 4) == [
        ended(login, BROWSER_NOT_COMPLETED),
        {"id": 1, "result": {"type": "chatgptAuthTokens"}},
        completed(),
        updated("chatgptAuthTokens", "plus"),
    ]
    await until_closed(login.port)


async def test_a_device_code_replaces_it(fake: FakeOpenAI, server: ServerProcess) -> None:
    login = await start_browser_login(server)
    await server.send({"id": 1, "method": LOGIN, "params": DEVICE})

    failure, answer = await next_messages(server, 2)
    assert failure == ended(login, BROWSER_NOT_COMPLETED)
    assert answer["result"]["type"] == "chatgptDeviceCode"
    await until_closed(login.port)


async def test_a_second_browser_login_replaces_it_with_a_text_of_its_own(server: ServerProcess) -> None:
    login = await start_browser_login(server)
    await server.send({"id": 1, "method": LOGIN, "params": BROWSER})

    failure, answer = await next_messages(server, 2)
    assert failure == ended(login, CANCELLED)
    await until_closed(login.port)
    second = BrowserLogin(answer["result"]["loginId"], answer["result"]["authUrl"])
    assert SUCCESS_PAGE in (await sign_in(second)).text
    assert await next_messages(server, 2) == [ended(second), updated("chatgpt", "plus")]


async def test_a_login_that_is_not_allowed_replaces_nothing(server: ServerProcess) -> None:
    login = await start_browser_login(server)

    for params in ({"type": "apiKey", "apiKey": ""}, {"type": "amazonBedrock", "apiKey": "k", "region": "r"}):
        await server.error(LOGIN, params)
    await server.error(LOGIN, {"type": "chatgptAuthTokens", "accessToken": "none", "chatgptAccountId": "a"})
    assert await server.barrier() == []
    assert SUCCESS_PAGE in (await sign_in(login)).text


async def test_a_logout_ends_it_before_the_answer(server: ServerProcess) -> None:
    login = await start_browser_login(server)
    await server.send({"id": 1, "method": "account/logout"})

    assert await next_messages(server, 3) == [
        ended(login, BROWSER_NOT_COMPLETED),
        {"id": 1, "result": {}},
        updated(None),
    ]
    await until_closed(login.port)


# The commit gate


CODE, API_KEY, SAVE = "during the exchange of the code", "during the exchange for a key", "while it waits to be saved"


@asynccontextmanager
async def login_at(stage: str, fake: FakeOpenAI, server: ServerProcess) -> AsyncIterator[BrowserLogin]:
    """A login that has come so far and no further; when this is left, nothing holds it up any more."""
    login = await start_browser_login(server)
    url = await authorize(login)
    if stage == CODE:
        fake.fault("token", hang=True)
    elif stage == API_KEY:
        fake.fault("token", hang=True, contains="token-exchange")
    async with anyio.create_task_group() as browser:
        browser.start_soon(_go, url)
        if stage == SAVE:
            with login_held_up(server.home):
                await exchanges(fake, 2)
                await server.barrier()
                yield login
        else:
            await exchanges(fake, 1 if stage == CODE else 2)
            yield login
            fake.release()


async def _go(url: str) -> None:
    try:
        page = await get(url)
    except EOFError:  # the listener was closed
        return
    assert SUCCESS_PAGE not in page.text


@pytest.mark.parametrize("stage", [CODE, API_KEY, SAVE])
async def test_a_cancelled_login_saves_nothing_however_far_it_is(
    fake: FakeOpenAI, server: ServerProcess, stage: str
) -> None:
    # In the reference, cancelling during the exchange is never announced (wire.md section 15.8).
    async with login_at(stage, fake, server) as login:
        assert await server.result(CANCEL, {"loginId": login.login_id}) == {"status": "canceled"}

    await until_closed(login.port)
    assert without_times(await server.barrier()) == [ended(login, BROWSER_NOT_COMPLETED)]
    await assert_nothing_is_saved(server)
    assert fake.requests.of("accounts_check") == []


@pytest.mark.parametrize("stage", [CODE, API_KEY])
async def test_a_logout_lets_no_login_through_however_far_it_is(
    fake: FakeOpenAI, server: ServerProcess, stage: str
) -> None:
    async with login_at(stage, fake, server) as login:
        assert await server.result("account/logout") == {}

    await until_closed(login.port)
    assert without_times(await server.barrier()) == [ended(login, BROWSER_NOT_COMPLETED), updated(None)]
    await assert_nothing_is_saved(server)


async def test_a_logout_behind_a_login_that_waits_to_be_saved_has_the_last_word(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    async with login_at(SAVE, fake, server) as login:
        await server.send({"id": 1, "method": "account/logout"})
        assert await next_messages(server, 1) == [ended(login, BROWSER_NOT_COMPLETED)]

    assert await next_messages(server, 2) == [{"id": 1, "result": {}}, updated(None)]
    await until_closed(login.port)
    await assert_nothing_is_saved(server)


@pytest.mark.parametrize("stage", [CODE, API_KEY, SAVE])
async def test_a_replaced_login_saves_nothing_however_far_it_is(
    fake: FakeOpenAI, server: ServerProcess, stage: str
) -> None:
    async with login_at(stage, fake, server) as login:
        second = await start_browser_login(server)

    await until_closed(login.port)
    assert without_times(await server.barrier()) == [ended(login, CANCELLED)]
    await assert_nothing_is_saved(server)
    await sign_in(second)
    assert await next_messages(server, 2) == [ended(second), updated("chatgpt", "plus")]


@pytest.mark.parametrize("stage", [CODE, API_KEY])
async def test_a_key_that_replaces_a_login_stays_however_far_that_was(
    fake: FakeOpenAI, server: ServerProcess, stage: str
) -> None:
    async with login_at(stage, fake, server) as login:
        await server.result(LOGIN, KEY)

    await until_closed(login.port)
    assert without_times(await server.barrier()) == [
        ended(login, BROWSER_NOT_COMPLETED),
        completed(),
        updated("apikey"),
    ]
    assert await token_in_force(server) == "sk-new"
    assert stored(server.home) == {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-new"}


async def test_a_key_behind_a_login_that_waits_to_be_saved_has_the_last_word(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("accounts_check", hang=True)
    login = await start_browser_login(server)
    async with anyio.create_task_group() as browser:
        with login_held_up(server.home):
            browser.start_soon(sign_in, login)
            await exchanges(fake, 2)
            await server.barrier()
            await server.send({"id": 1, "method": LOGIN, "params": KEY})

    assert await next_messages(server, 4) == [
        ended(login, BROWSER_NOT_COMPLETED),
        {"id": 1, "result": {"type": "apiKey"}},
        completed(),
        updated("apikey"),
    ]
    await asked(fake, "revoke")
    fake.release()
    assert await server.barrier() == []
    assert stored(server.home) == {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-new"}


@pytest.mark.parametrize("stage", [CODE, API_KEY])
async def test_the_end_of_the_input_lets_no_login_through_however_far_it_is(
    fake: FakeOpenAI, own_server: ServerProcess, stage: str
) -> None:
    async with login_at(stage, fake, own_server) as login:
        await own_server.close_input()
        assert without_times(await own_server.rest()) == [ended(login, BROWSER_NOT_COMPLETED)]
        assert await own_server.exit_status() == 0

    assert not (own_server.home / "auth.json").exists()
