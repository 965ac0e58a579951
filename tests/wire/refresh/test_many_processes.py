"""Several servers share one home and one token, and the issuer rejects reuse (issue 3, wire.md section 15.23).

Of 8 processes of the reference 1 works.
"""

import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import Any

import anyio
import pytest

from app_server.fake_openai.recorder import RecordedRequest
from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import TokenSet
from tests.support.server import ServerProcess
from tests.support.upstream import NOBODY, UPDATED, Start, managed_login, store, stored, token_in_force
from tests.wire.refresh.support import EXPIRED, INTERRUPTED, USAGE, presented, reason, use, why_not

MANY = 8
SOME = 3
LOAD = 20
"""Requests that a server has at once where there is load."""

HOLDER = Path(__file__).parents[2] / "unit" / "auth" / "holder.py"

SLOW_START = 60.0
"""Seconds for as many servers to start on a machine that is busy with them."""


async def for_each(
    servers: Sequence[ServerProcess], do: Callable[[ServerProcess], Coroutine[Any, Any, object]]
) -> None:
    """Let every server do it at the same time."""
    async with anyio.create_task_group() as tasks:
        for server in servers:
            tasks.start_soon(do, server)


@asynccontextmanager
async def crowd(start: Start, count: int) -> AsyncIterator[list[ServerProcess]]:
    """So many servers in one home."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(start(initialize=False)) for _ in range(count)]
        with anyio.fail_after(SLOW_START):
            await for_each(servers, ServerProcess.initialize)
        yield servers


async def announced(server: ServerProcess) -> None:
    """Wait until the server has said who is logged in."""
    assert (await server.notification(UPDATED))["authMode"] == "chatgpt"


async def ask(server: ServerProcess) -> None:
    await server.send(USAGE)


def carries(token: str, request: RecordedRequest) -> bool:
    return request.bearer == token


async def test_eight_processes_with_one_expired_token_ask_once_and_all_work(
    fake: FakeOpenAI, login: TokenSet, start: Start
) -> None:
    fake.expire(login.access_token)
    fake.fault("token", hang=True)

    async with crowd(start, MANY) as servers:
        await for_each(servers, ask)
        await fake.requests.wait_for("usage", count=MANY, timeout=SLOW_START)
        await fake.requests.wait_for("token", timeout=SLOW_START)
        fake.release()

        for server in servers:
            assert "result" in await server.answer(1)
        tokens = {await token_in_force(server) for server in servers}
        assert tokens == {stored(servers[0].home)["tokens"]["access_token"]}
        for server in servers:
            await announced(server)
            assert await server.barrier() == []
    assert presented(fake) == [login.refresh_token]


async def test_processes_with_one_refused_token_ask_once_and_all_say_why(
    fake: FakeOpenAI, login: TokenSet, start: Start
) -> None:
    fake.expire(login.access_token)
    fake.expire(login.refresh_token)
    fake.fault("token", hang=True)

    async with crowd(start, SOME) as servers:
        await for_each(servers, ask)
        await fake.requests.wait_for("usage", count=SOME, timeout=SLOW_START)
        await fake.requests.wait_for("token", timeout=SLOW_START)
        fake.release()

        for server in servers:
            assert reason(await server.answer(1)) == EXPIRED
            assert await server.notification(UPDATED) == {"authMode": None, "planType": None}
            assert await server.result("account/read", {}) == NOBODY
            assert await server.barrier() == []
    assert presented(fake) == [login.refresh_token]


async def test_two_that_meet_a_401_and_two_that_are_asked_to_refresh_agree_on_one_token_under_load(
    fake: FakeOpenAI, login: TokenSet, start: Start
) -> None:
    async with crowd(start, 4) as servers:
        await for_each(servers, announced)
        spent = [login.refresh_token]

        async def meet_a_401(server: ServerProcess) -> None:
            await server.send(*({**USAGE, "id": number} for number in range(LOAD)))

        async def be_asked(server: ServerProcess) -> None:
            forced = {"method": "getAuthStatus", "params": {"refreshToken": True, "includeToken": True}}
            await server.send(*({**forced, "id": number} for number in range(LOAD)))
            await server.result("getAuthStatus", {})  # those before it have had their turn by then

        async def all_answered(server: ServerProcess) -> None:
            for number in range(LOAD):
                assert "result" in await server.answer(number)

        for round_ in range(1, 4):
            current = await token_in_force(servers[0])
            assert current is not None
            fake.expire(current)
            fake.fault("token", hang=True)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(for_each, servers[:2], meet_a_401)
                tasks.start_soon(for_each, servers[2:], be_asked)
            await fake.requests.wait_for("usage", count=2 * LOAD, where=partial(carries, current))
            await fake.requests.wait_for("token", count=round_)
            fake.release()
            await for_each(servers, all_answered)

            assert presented(fake) == spent
            saved = stored(servers[0].home)["tokens"]
            assert {await token_in_force(server) for server in servers} == {saved["access_token"]}
            spent.append(saved["refresh_token"])


@pytest.mark.parametrize("spent", [False, True])
async def test_when_the_one_that_asks_dies_the_next_one_asks_and_the_others_learn_of_it(
    fake: FakeOpenAI, login: TokenSet, start: Start, spent: bool
) -> None:
    async with crowd(start, SOME) as (first, *others):
        await for_each([first, *others], announced)
        fake.expire(login.access_token)
        fake.fault("token", hang=True, when="after" if spent else "before", drop=True)
        await ask(first)
        await fake.requests.wait_for("token")
        await for_each(others, ask)
        await fake.requests.wait_for("usage", count=SOME)

        first.process.kill()

        for server in others:
            answer = await server.answer(1)
            if spent:
                assert reason(answer) == INTERRUPTED
            else:
                assert "result" in answer
    assert presented(fake) == [login.refresh_token] * 2


async def test_a_program_that_asks_without_the_lock_may_be_quicker_and_costs_nobody_the_login(
    fake: FakeOpenAI, login: TokenSet, start: Start
) -> None:
    # As the reference does, which holds the lock for its save only.
    async with crowd(start, 2) as servers:
        await for_each(servers, announced)
        fake.expire(login.access_token)
        fake.fault("token", hang=True)
        await for_each(servers, ask)
        await fake.requests.wait_for("token")
        quicker = fake.state.refresh(login.refresh_token)
        fake.release()
        await fake.requests.wait_for("usage", count=2)

        store(servers[0].home, managed_login(quicker))

        for server in servers:
            assert "result" in await server.answer(1)
            assert await token_in_force(server) == quicker.access_token
            assert await server.barrier() == []
    assert presented(fake) == [login.refresh_token]


async def test_a_lock_that_somebody_never_lets_go_of_is_waited_for_only_so_long(
    fake: FakeOpenAI, login: TokenSet, start: Start
) -> None:
    # In the reference it mutes account/read{refreshToken} and getAuthStatus for over 60 s.
    async with start("app_server.upstream_timeout=0.5") as server:
        await announced(server)
        fake.expire(login.access_token)
        lock = server.home / "auth.lock"
        async with await anyio.open_process(
            [sys.executable, str(HOLDER), str(lock)], stdin=PIPE, stdout=PIPE
        ) as holder:
            assert holder.stdout is not None
            assert await holder.stdout.receive() == b"held\n"
            await server.send({"id": 2, "method": "account/read", "params": {"refreshToken": True}})

            assert await why_not(server) == (
                f"Failed to refresh token: {lock} is held by process {holder.pid} and was not released within 3.5 s"
            )

            assert (await server.answer(2))["result"]["account"]["type"] == "chatgpt"
            assert presented(fake) == []
            holder.kill()
        await use(server)
        assert presented(fake) == [login.refresh_token]
