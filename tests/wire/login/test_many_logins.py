"""That logins leave nothing behind, however many there are, and that visitors who never finish are in nobody's way."""

import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest
from anyio.abc import SocketStream

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import DEADLINE, ServerProcess
from tests.support.upstream import LOGIN, next_messages, updated, without_times
from tests.wire.login.support import (
    BROWSER,
    BROWSER_NOT_COMPLETED,
    CANCEL,
    SUCCESS_PAGE,
    BrowserLogin,
    authorize,
    ended,
    get,
    start_browser_login,
    until_closed,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read from Linux's /proc")

LOGINS = 300
AT_ONCE = 50
"""Logins that are asked for before their answers are read."""

HALF_OPEN = 200


class Holdings(NamedTuple):
    """What a process has."""

    files: int
    threads: int
    listeners: int


def holdings(pid: int) -> Holdings:
    """What a process has at this moment, as the system tells."""
    process = Path("/proc", str(pid))
    targets = []
    for descriptor in (process / "fd").iterdir():
        with suppress(FileNotFoundError):  # it has been closed since
            targets.append(str(descriptor.readlink()))
    sockets = {target for target in targets if target.startswith("socket:")}
    lines = [line.split() for line in (process / "net" / "tcp").read_text(encoding="ascii").splitlines()[1:]]
    listeners = [fields for fields in lines if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets]
    return Holdings(len(targets), len(list((process / "task").iterdir())), len(listeners))


async def cancel(server: ServerProcess, login: BrowserLogin) -> None:
    """Cancel a login; what is said about that, and nothing else, is taken."""
    await server.send({"id": "cancel", "method": CANCEL, "params": {"loginId": login.login_id}})
    assert await next_messages(server, 2) == [
        ended(login, BROWSER_NOT_COMPLETED),
        {"id": "cancel", "result": {"status": "canceled"}},
    ]


async def holdings_after_a_login(server: ServerProcess) -> Holdings:
    """What a server has that has done everything once."""
    login = await start_browser_login(server)
    await cancel(server, login)
    await until_closed(login.port)
    return holdings(server.process.pid)


async def until_at_rest(server: ServerProcess, at_most: Holdings) -> Holdings:
    """What the server has once it has no more than that, or, if that never comes, in the end."""
    now = holdings(server.process.pid)
    with anyio.move_on_after(DEADLINE):
        while any(has > may for has, may in zip(now, at_most, strict=True)):
            await anyio.sleep(0.05)
            now = holdings(server.process.pid)
    return now


async def test_hundreds_of_logins_leave_nothing_behind(fake: FakeOpenAI, own_server: ServerProcess) -> None:
    server = own_server
    before = await holdings_after_a_login(server)
    assert before.listeners == 0

    for number in range(LOGINS):
        await server.send({"id": f"start-{number}", "method": LOGIN, "params": BROWSER})
        result = (await server.answer(f"start-{number}"))["result"]
        login = BrowserLogin(result["loginId"], result["authUrl"])
        if number % 100 == 0:
            assert holdings(server.process.pid).listeners == 1
        await cancel(server, login)

    after = await until_at_rest(server, before)
    assert after.files <= before.files
    assert after.threads <= before.threads
    assert after.listeners == 0
    assert await server.barrier() == []
    assert list(fake.requests) == []


async def test_logins_that_replace_each_other_in_one_breath_are_all_answered_and_leave_nothing_behind(
    fake: FakeOpenAI, own_server: ServerProcess
) -> None:
    server = own_server
    before = await holdings_after_a_login(server)

    started, refused = [], 0
    for batch in range(4):
        ids = [f"{batch}-{number}" for number in range(AT_ONCE)]
        await server.send(*({"id": request_id, "method": LOGIN, "params": BROWSER} for request_id in ids))
        for answer in [await server.answer(request_id) for request_id in ids]:
            if "result" in answer:
                started.append(answer["result"]["loginId"])
            else:
                assert answer["error"] == {"code": -32600, "message": "Login was not completed"}
                refused += 1
    assert await server.result("account/logout") == {}
    *announcements, last = without_times(await server.barrier())

    assert len(started) + refused == 4 * AT_ONCE
    # Each login that the client knows of has ended, once, and in its turn.
    assert [message["params"]["loginId"] for message in announcements] == started
    assert not any(message["params"]["success"] for message in announcements)
    assert last == updated(None)
    after = await until_at_rest(server, before)
    assert after.files <= before.files
    assert after.listeners == 0
    assert list(fake.requests) == []


async def test_half_open_connections_do_not_keep_the_callback_waiting(
    fake: FakeOpenAI, own_server: ServerProcess
) -> None:
    server = own_server
    login = await start_browser_login(server)
    url = await authorize(login)
    async with AsyncExitStack() as connections:
        half_open = [
            await connections.enter_async_context(await anyio.connect_tcp("127.0.0.1", login.port))
            for _ in range(HALF_OPEN)
        ]
        for stream in half_open[::2]:
            with suppress(anyio.BrokenResourceError):  # it had to make room already
                await stream.send(b"GET /auth/callback?state=")
        began = anyio.current_time()
        page = await get(url)
        messages = await next_messages(server, 2)
        took = anyio.current_time() - began

        assert SUCCESS_PAGE in page.text
        assert messages == [ended(login), updated("chatgpt", "plus")]
        assert took < 5  # issue 3 says a second, which a busy machine may not have
        # They do not keep the listener from going either.
        next_login = await start_browser_login(server)
        await cancel(server, next_login)
        with anyio.fail_after(DEADLINE):
            for stream in half_open:
                await read_to_end(stream)
        await until_closed(login.port)
        await until_closed(next_login.port)
    assert holdings(server.process.pid).listeners == 0


async def read_to_end(stream: SocketStream) -> None:
    """Wait until the server has closed a connection."""
    with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
        while True:
            await stream.receive()
