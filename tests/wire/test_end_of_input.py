"""How a server ends: at the end of its input, on SIGTERM, and when nobody reads what it writes.

Issue 2 section 3; wire.md section 2 with section 15, items 2 and 25, where the reference drops what it has received,
waits without limit, or never ends.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.router import Reply
from protocol.account import GetAuthStatusParams, GetAuthStatusResponse
from tests.support.embedded import embedded_connection
from tests.support.locks import login_held_up
from tests.support.server import INITIALIZE, Json, ServerProcess, run_to_end, running_server
from tests.support.upstream import LIMITS, REFRESH, log_in_with_tokens, server_with

HANDSHAKE = b'{"id":"initialize","method":"initialize","params":{"clientInfo":{"name":"x","version":"1"}}}\n'

SHUTTING_DOWN: Json = {"code": -32603, "message": "the server is shutting down"}

AT_ONCE = 1.0
"""Seconds that an idle server may take to end; a client kills it after two (wire.md section 16)."""


def key_login(request_id: Any, key: str) -> bytes:
    login = f'{{"id":{request_id},"method":"account/login/start","params":{{"type":"apiKey","apiKey":"{key}"}}}}\n'
    return login.encode()


def token_of(request_id: Any) -> bytes:
    return f'{{"id":{request_id},"method":"getAuthStatus","params":{{"includeToken":true}}}}\n'.encode()


async def exit_in_time(server: ServerProcess) -> int:
    """The exit status of a server that has nothing left to do."""
    began = time.monotonic()
    status = await server.exit_status()
    assert time.monotonic() - began < AT_ONCE
    return status


async def wait_with_open_calls(server: ServerProcess, fake: FakeOpenAI) -> None:
    """Two requests hang: the first on the upstream, the second on the client, who is asked for tokens."""
    await log_in_with_tokens(server, fake.mint())
    fake.fault("usage", hang=True)
    await server.send({"id": "hangs", "method": LIMITS, "params": {"excludeResetCreditDetails": True}})
    await fake.requests.wait_for("usage")
    fake.fault("usage", status=401)
    await server.send({"id": "asks", "method": LIMITS, "params": {"excludeResetCreditDetails": True}})
    await server.server_request(REFRESH)


# The end of input


async def test_what_was_received_before_the_end_of_input_is_carried_out_and_answered(home: Path) -> None:
    lines = [HANDSHAKE, key_login(1, "sk-first"), token_of(2), b"{bad\n", key_login(3, "sk-last"), token_of(4)]
    lines += [b'{"id":%d,"method":"account/read","params":{}}\n' % number for number in range(100, 600)]
    lines += [b'{"id":%d,"method":"nonsense"}\n' % number for number in range(600, 650)]
    ended = await run_to_end(home, b"".join(lines))
    assert ended.status == 0
    answers = ended.answers()
    assert set(answers) == {"initialize", None, 1, 2, 3, 4, *range(100, 650)}
    assert answers[2]["result"]["authToken"] == "sk-first"
    assert answers[4]["result"]["authToken"] == "sk-last"
    assert all(answers[number]["result"]["account"] == {"type": "apiKey"} for number in range(100, 600))
    assert "sk-last" in (home / "auth.json").read_text()


async def test_a_last_line_without_its_end_is_not_answered(home: Path) -> None:
    ended = await run_to_end(home, HANDSHAKE + token_of(1) + token_of(2).rstrip() + b" " * 10)
    assert ended.status == 0
    assert set(ended.answers()) == {"initialize", 1}


async def test_an_input_that_ends_before_anything_was_said_is_a_good_end(home: Path) -> None:
    ended = await run_to_end(home, b"")
    assert (ended.status, ended.output, ended.log) == (0, b"", "")


async def test_an_idle_server_ends_at_once_with_its_input(home: Path) -> None:
    async with running_server(home, forked=True) as server:
        await server.barrier()
        await server.close_input()
        assert await exit_in_time(server) == 0
        assert await server.rest() == []


async def test_at_the_end_of_input_calls_to_the_upstream_may_finish_and_questions_to_the_client_fail(
    home: Path, fake: FakeOpenAI
) -> None:
    async with server_with(fake, home) as server:
        await wait_with_open_calls(server, fake)
        await server.close_input()
        # That the client cannot be asked any more says that the end of input has been seen.
        refused = await server.answer("asks")
        assert refused["error"]["code"] == -32603
        fake.release()
        assert "result" in await server.answer("hangs")
        assert await exit_in_time(server) == 0


async def test_what_does_not_finish_within_the_drain_is_answered_with_an_error(home: Path, fake: FakeOpenAI) -> None:
    limits = {"method": LIMITS, "params": {}}
    overrides = ("app_server.drain_timeout=0.2", "app_server.max_concurrent_requests=2")
    async with server_with(fake, home, *overrides) as server:
        await log_in_with_tokens(server, fake.mint())
        fake.fault("usage", hang=True, times=None)
        # Two run, three wait for their turn.
        await server.send(*({"id": number, **limits} for number in range(5)))
        await fake.requests.wait_for("usage", count=2)
        await server.close_input()
        said = await server.rest()
        assert await server.exit_status() == 0
    assert sorted(message["id"] for message in said) == list(range(5))
    assert all(message["error"] == SHUTTING_DOWN for message in said)


async def test_a_login_that_waits_for_its_lock_is_answered_when_the_drain_ends(home: Path) -> None:
    with login_held_up(home):
        source = HANDSHAKE + key_login(1, "sk-late") + token_of(2)
        ended = await run_to_end(home, source, "-c", "app_server.drain_timeout=0.2")
    assert ended.status == 0
    answers = ended.answers()
    assert answers[1]["error"] == answers[2]["error"] == SHUTTING_DOWN


async def test_an_answer_that_comes_when_the_drain_is_over_does_not_make_two() -> None:
    """While what was said is still being written out, a handler finishes that has been answered for."""
    finish = anyio.Event()

    async def slow(params: GetAuthStatusParams) -> Reply[GetAuthStatusResponse]:
        await finish.wait()
        return Reply(GetAuthStatusResponse())

    async def loud(params: Any) -> Reply[GetAuthStatusResponse]:
        return Reply(GetAuthStatusResponse())

    handlers = {"getAuthStatus": slow, "account/rateLimits/read": loud}
    async with embedded_connection(handlers, drain_timeout=0) as client:
        await client.send({"id": "slow", "method": "getAuthStatus", "params": {}})
        # More than is on its way at once, so that writing it out waits for the client.
        await client.send(*(b'{"id":"x","method":"account/rateLimits/read"}\n' for _ in range(2_000)))
        await anyio.wait_all_tasks_blocked()
        client.connection.end()
        await anyio.wait_all_tasks_blocked()
        finish.set()
        answers = await client.rest()
    assert [answer for answer in answers if answer["id"] == "slow"] == [{"id": "slow", "error": SHUTTING_DOWN}]


# SIGTERM


async def test_an_idle_server_ends_at_once_on_sigterm(home: Path) -> None:
    async with running_server(home, forked=True) as server:
        await server.barrier()
        server.process.send_signal(signal.SIGTERM)
        assert await exit_in_time(server) == 0
        assert await server.rest() == []


async def test_a_server_that_nobody_has_greeted_ends_at_once_on_sigterm(home: Path) -> None:
    async with running_server(home, initialize=False, forked=True) as server:
        assert (await server.error("nonsense"))["code"] == -32600
        server.process.send_signal(signal.SIGTERM)
        assert await exit_in_time(server) == 0


async def test_on_sigterm_calls_to_the_upstream_may_finish_and_questions_to_the_client_fail(
    home: Path, fake: FakeOpenAI
) -> None:
    async with server_with(fake, home) as server:
        await wait_with_open_calls(server, fake)
        server.process.send_signal(signal.SIGTERM)
        assert (await server.answer("asks"))["error"]["code"] == -32603
        # Impatience changes nothing: the drain is short.
        server.process.send_signal(signal.SIGTERM)
        fake.release()
        assert "result" in await server.answer("hangs")
        assert await exit_in_time(server) == 0


async def test_on_sigterm_what_does_not_finish_within_the_drain_is_answered_with_an_error(
    home: Path, fake: FakeOpenAI
) -> None:
    async with server_with(fake, home, "app_server.drain_timeout=0.2") as server:
        await log_in_with_tokens(server, fake.mint())
        fake.fault("usage", hang=True)
        await server.send({"id": 1, "method": LIMITS})
        await fake.requests.wait_for("usage")
        server.process.send_signal(signal.SIGTERM)
        assert (await server.answer(1))["error"] == SHUTTING_DOWN
        assert await exit_in_time(server) == 0


async def test_on_sigterm_what_was_read_and_not_yet_taken_in_is_answered_too(home: Path, fake: FakeOpenAI) -> None:
    overrides = ("app_server.drain_timeout=0.2", "app_server.max_queued_bytes=1024")
    async with server_with(fake, home, *overrides) as server:
        await log_in_with_tokens(server, fake.mint())
        fake.fault("usage", hang=True)
        # The first takes up all that may wait, so the server pauses before it looks at the others.
        limits = b'{"id":1,"method":"account/rateLimits/read"}\n'
        await server.send(limits + token_of(2) + b"{bad\n" + b'{"id":3,"method":"nonsense"}\n')
        await fake.requests.wait_for("usage")
        server.process.send_signal(signal.SIGTERM)
        said = await server.rest()
        assert await server.exit_status() == 0
    answers = {message["id"]: message for message in said}
    assert len(said) == len(answers)
    assert set(answers) == {1, 2, 3, None}
    assert answers[1]["error"] == SHUTTING_DOWN
    assert "result" in answers[2]


async def test_sigterm_right_behind_the_end_of_input_is_a_good_end_whenever_it_comes(home: Path) -> None:
    """As one published client does it. The signal may meet any stage of the end."""
    for attempt in range(6):
        async with running_server(home, forked=True) as server:
            await server.barrier()
            await server.close_input()
            target = time.perf_counter() + attempt * 0.001
            while time.perf_counter() < target:
                pass
            # Not through the process's own method, which would bury it behind the event loop's back if it has ended.
            with suppress(ProcessLookupError):
                os.kill(server.process.pid, signal.SIGTERM)
            assert await exit_in_time(server) == 0, attempt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
async def test_other_signals_kill_as_they_do_by_default(home: Path, number: signal.Signals) -> None:
    async with running_server(home, forked=True) as server:
        await server.barrier()
        server.process.send_signal(number)
        assert await exit_in_time(server) == -number
        assert server.log.read_text() == ""


# Nobody reads


async def test_a_closed_stdout_ends_an_idle_server_though_its_input_stays_open(home: Path) -> None:
    """The reference goes on for ever."""
    async with running_server(home, forked=True) as server:
        await server.barrier()
        await server.close_output()
        assert await exit_in_time(server) == 0
        assert server.log.read_text() == ""


async def test_a_stdout_that_is_closed_while_answers_are_waiting_ends_the_server(home: Path) -> None:
    async with running_server(home, forked=True) as server:
        await server.send(*(b'{"id":%d,"method":"nonsense"}\n' % number for number in range(1_000)))
        await server.line()
        await server.close_output()
        assert await exit_in_time(server) == 0
        assert server.log.read_text() == ""


async def test_a_closed_stdout_ends_a_server_that_waits_for_the_upstream_within_the_drain(
    home: Path, fake: FakeOpenAI
) -> None:
    async with server_with(fake, home, "app_server.drain_timeout=0.2") as server:
        await log_in_with_tokens(server, fake.mint())
        fake.fault("usage", hang=True)
        await server.send({"id": 1, "method": LIMITS})
        await fake.requests.wait_for("usage")
        await server.close_output()
        assert await exit_in_time(server) == 0


async def test_a_client_that_closes_its_end_and_never_reads_does_not_keep_the_server(home: Path) -> None:
    async with running_server(home, "-c", "app_server.drain_timeout=0.5", forked=True) as server:
        await server.send({"id": 1, "method": "initialize", "params": INITIALIZE})
        await server.send(*(b'{"id":%d,"method":"nonsense"}\n' % number for number in range(400)))
        await server.close_input()
        # Nothing is read, so most of the answers are stuck; there is a second to get them out.
        assert await server.exit_status() == 0
