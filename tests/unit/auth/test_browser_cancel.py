"""Whatever happens to a browser login, and whenever: nothing is left open, committed too late, or told to anybody."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from anyio.abc import SocketStream

from app_server.auth.credentials import ManagedTokens
from app_server.auth.errors import LoginFailed
from app_server.auth.login.browser import BrowserLogin
from tests.unit.auth.login_support import (
    Logins,
    Stepwise,
    authorize,
    callback,
    commit_after_a_while,
    get,
    head,
    is_listening,
    logins,
    parameters,
    read_answer,
    sign_in,
)

OPEN_FILES = Path("/proc/self/fd")


def open_files() -> int:
    return len(list(OPEN_FILES.iterdir()))


@pytest.fixture
async def issuer() -> AsyncIterator[Logins]:
    async with logins() as issuer:
        yield issuer


async def read_to_end(stream: SocketStream) -> None:
    with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
        while True:
            await stream.receive()


async def open_page(login: BrowserLogin) -> None:
    with suppress(OSError, EOFError, anyio.BrokenResourceError):  # the login is cancelled under it
        await sign_in(login.auth_url)


async def test_cancelled_at_any_await_point_it_leaves_no_listener_and_commits_nothing(issuer: Logins) -> None:
    number = 0
    while True:
        login = await issuer.browser()
        committed: list[ManagedTokens] = []
        scope = anyio.CancelScope()
        run = Stepwise(login.run(partial(commit_after_a_while, committed)), number, scope.cancel)
        async with anyio.create_task_group() as tabs:
            tabs.start_soon(open_page, login)
            with scope:
                await run
            if scope.cancelled_caught:
                assert committed == []
                assert not await is_listening(login)
            await login.aclose()
        if not scope.cancel_called:  # it had fewer suspensions than that
            break
        number += 1
    assert number > 10
    assert len(committed) == 1


async def test_cancelling_closes_the_connections_that_wait_for_a_page(issuer: Logins) -> None:
    issuer.fake.fault("token", hang=True)
    login = await issuer.browser()
    running = issuer.carry_out(login)
    url = await authorize(login.auth_url)
    async with await anyio.connect_tcp("127.0.0.1", urlsplit(url).port or 0) as stream:
        await stream.send(head(url))
        await issuer.fake.requests.wait_for("token")
        await running.cancel()
        assert running.cancelled
        with pytest.raises(EOFError):
            await read_answer(stream)
    assert not await is_listening(login)
    issuer.fake.release()
    assert running.committed == []


async def test_the_end_of_the_owning_tasks_closes_everything(issuer: Logins) -> None:
    async with anyio.create_task_group() as tasks:
        login = await BrowserLogin.start(issuer.oauth(), tasks, originator="test", ports=(0,))
        tasks.start_soon(login.run, partial(commit_after_a_while, []))
        await get(callback(login).replace("state=", "state=wrong"))  # it serves
        tasks.cancel_scope.cancel()
    assert not await is_listening(login)


async def test_closing_a_login_that_was_never_carried_out_frees_its_port(issuer: Logins) -> None:
    login = await issuer.browser()
    await login.aclose()
    await login.aclose()
    assert not await is_listening(login)
    with pytest.raises(LoginFailed, match="Login was not completed"):
        await login.run(partial(commit_after_a_while, []))


async def test_closing_a_login_under_way_ends_it(issuer: Logins) -> None:
    login = await issuer.browser()
    running = issuer.carry_out(login)
    await get(callback(login).replace("state=", "state=wrong"))
    await login.aclose()
    assert await running.result() == "Login was not completed"
    assert not await is_listening(login)


async def test_closing_ends_the_time_that_the_listener_stays_for(issuer: Logins) -> None:
    login = await issuer.browser(linger=60)
    running = issuer.carry_out(login)
    await sign_in(login.auth_url)
    assert await running.result() is None
    assert await is_listening(login)
    await login.aclose()
    assert not await is_listening(login)


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="the system does not list open files")
async def test_a_hundred_starts_and_cancels_leave_no_file_and_no_task(issuer: Logins) -> None:
    async def once() -> None:
        login = await issuer.browser()
        running = issuer.carry_out(login)
        await get(callback(login).replace("state=", "state=wrong"))  # it serves
        await running.cancel()

    await once()
    files, tasks = open_files(), len(asyncio.all_tasks())
    for _ in range(100):
        await once()
    assert open_files() <= files
    assert len(asyncio.all_tasks()) <= tasks


async def test_half_open_connections_keep_neither_the_callback_nor_the_end_waiting(issuer: Logins) -> None:
    login = await issuer.browser()
    running = issuer.carry_out(login)
    url = await authorize(login.auth_url)
    port = urlsplit(url).port or 0
    half_open = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(200)]
    for stream in half_open[::2]:
        with suppress(anyio.BrokenResourceError):  # it had to make room already
            await stream.send(b"GET /auth/callback?state=")
    with anyio.fail_after(1):
        assert "You are signed in" in (await get(url)).text
        assert await running.result() is None
        for stream in half_open[:100]:  # the oldest have had to make room
            await read_to_end(stream)
        await login.aclose()
        for stream in half_open:
            await read_to_end(stream)
            await stream.aclose()


@pytest.mark.parametrize(
    "fault",
    [
        None,
        {"status": 400, "json": {"error_description": "a code {code} for {state}"}},
        {"status": 500, "body": "a code {code} for {state}"},
        {"drop": True},
        {"malformed": True},
    ],
)
async def test_no_secret_is_logged_or_shown(
    issuer: Logins, caplog: pytest.LogCaptureFixture, fault: dict[str, Any] | None
) -> None:
    caplog.set_level(logging.DEBUG)
    login = await issuer.browser()
    url = await authorize(login.auth_url)
    own = parameters(url)
    if fault is not None:
        issuer.fake.fault(
            "token", **json.loads(json.dumps(fault).replace("{code}", own["code"]).replace("{state}", own["state"]))
        )
    running = issuer.carry_out(login)
    answers = [await get(url), await get(url), await get(f"{url}x"), await get(url.replace("state=", "state=x"))]
    failure = await running.result()
    assert (failure is None) == (fault is None)

    secrets = [own["code"], own["state"], issuer.fake.requests.of("token")[0].fields()["code_verifier"]]
    for tokens in running.committed:
        kept = (tokens.id_token, tokens.access_token, tokens.refresh_token, tokens.api_key, tokens.login_owner_id)
        secrets += [secret.get_secret_value() for secret in kept if secret is not None]
    assert len(secrets) == (8 if fault is None else 3)
    shown = "\n".join([caplog.text, str(failure), repr(login), repr(running.committed), *map(repr, answers)])
    assert "another state" in shown
    assert "httpcore" in shown
    assert [secret for secret in secrets if secret in shown] == []
