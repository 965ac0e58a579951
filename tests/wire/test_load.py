"""Every request gets exactly one answer, however many are sent and however slowly the client reads, and memory stays
bounded meanwhile (wire.md section 15, item 21; issue 2, "What must be seen", 2).

The reference loses a fifth to a half of 20,000 pipelined requests, and needs 100 MiB for a client that pauses.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import wait_all_tasks_blocked

from app_server.outgoing import HIGH_WATER
from app_server.router import Reply
from app_server.transport.memory import CAPACITY
from protocol.account import GetAuthStatusParams, GetAuthStatusResponse
from tests.support.embedded import EmbeddedConnection, embedded_connection
from tests.support.server import Json, ServerProcess, running_server

MANY = 20_000
MIB = 1024 * 1024


def read(request_id: int) -> bytes:
    return b'{"id":%d,"method":"account/read","params":{}}\n' % request_id


def unknown(request_id: int) -> bytes:
    return b'{"id":%d,"method":"nonsense"}\n' % request_id


def limits(request_id: int) -> bytes:
    return b'{"id":%d,"method":"account/rateLimits/read"}\n' % request_id


BAD = b"{not json\n"
SPOILT = (BAD, unknown(-1))


def memory(server: ServerProcess, field: str = "VmRSS") -> int:
    """Bytes of the server's process: now, or with ``VmHWM`` at the most so far."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024


async def converse(
    server: ServerProcess, data: bytes, answers: int, start_reading: anyio.Event | None = None
) -> list[Json]:
    """Write the data in one go, and read so many messages beside that or from when it is time."""
    messages: list[Json] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.send, data)
        if start_reading is not None:
            await start_reading.wait()
        messages += [json.loads(await server.line()) for _ in range(answers)]
    return messages


async def test_20_000_requests_at_once_get_20_000_answers_each_id_once(server: ServerProcess) -> None:
    messages = await converse(server, b"".join(map(read, range(MANY))), MANY)
    assert all("result" in message for message in messages)
    # It is one queue, so even their order is the requests'.
    assert [message["id"] for message in messages] == list(range(MANY))
    assert await server.barrier() == []


async def test_among_bad_lines_and_all_kinds_of_requests_none_is_lost(server: ServerProcess) -> None:
    lines = [
        kind(number)
        for number in range(0, MANY // 4, 3)
        for kind in (read, lambda n: unknown(n + 1), lambda n: limits(n + 2))
    ]
    lines = [line for index, line in enumerate(lines) for line in ((BAD, line) if index % 10 == 0 else (line,))]
    bad = lines.count(BAD)
    messages = await converse(server, b"".join(lines), len(lines))
    codes = Counter(message["error"]["code"] for message in messages if message["id"] is None)
    assert codes == {-32700: bad}
    assert Counter(message["id"] for message in messages if message["id"] is not None) == Counter(
        range(len(lines) - bad)
    )
    assert await server.barrier() == []


async def test_a_burst_of_logins_loses_none(home: Path) -> None:
    async with running_server(home, forked=True) as server:
        logins = [
            {"id": number, "method": "account/login/start", "params": {"type": "apiKey", "apiKey": f"sk-{number}"}}
            for number in range(200)
        ]
        await server.send(*logins)
        said = await server.barrier()
        assert [message["id"] for message in said if "method" not in message] == list(range(200))
        assert Counter(message["method"] for message in said if "method" in message) == {
            "account/login/completed": 200,
            "account/updated": 200,
        }
        status = await server.result("getAuthStatus", {"includeToken": True})
        assert status["authToken"] == "sk-199"


async def test_a_client_that_reads_nothing_for_5_seconds_loses_nothing_and_costs_little(home: Path) -> None:
    """The one test that waits for time to pass: nothing else shows that the server does not use it to collect."""
    async with running_server(home, "-c", f"app_server.max_queued_bytes={MIB}") as server:
        await server.barrier()
        before = memory(server)
        lines = [line for number in range(MANY) for line in (read(number), *(SPOILT if number % 20 == 0 else ()))]
        start_reading = anyio.Event()
        async with anyio.create_task_group() as tasks:

            async def be_busy_elsewhere() -> None:
                await anyio.sleep(5)
                # What was admitted, what waits to be written, and what Python makes of it.
                assert memory(server, "VmHWM") - before < 8 * MIB
                start_reading.set()

            tasks.start_soon(be_busy_elsewhere)
            messages = await converse(server, b"".join(lines), len(lines), start_reading)
        counted = Counter(message["id"] for message in messages)
        assert counted.pop(None) == counted.pop(-1) == MANY // 20
        assert counted == Counter(range(MANY))
        assert memory(server, "VmHWM") - before < 8 * MIB


async def status(params: GetAuthStatusParams) -> Reply[GetAuthStatusResponse]:
    return Reply(GetAuthStatusResponse())


async def hang(params: Any) -> Any:
    await anyio.sleep_forever()


LINES: dict[str, bytes] = {
    "requests that are answered": b'{"id":1,"method":"getAuthStatus","params":{}}\n',
    "requests that wait in a queue": b'{"id":1,"method":"account/rateLimits/read"}\n',
    "unknown methods": unknown(1),
    "params that do not fit": b'{"id":1,"method":"getAuthStatus"}\n',
    "a second handshake": b'{"id":1,"method":"initialize","params":{"clientInfo":{"name":"x","version":"1"}}}\n',
    "methods that are no string": b'{"id":1,"method":5}\n',
    "no JSON": BAD,
    "no message": b'[{"id":1,"method":"getAuthStatus"}]\n',
    "too long": b"x" * 1_025 + b"\n",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
async def test_whatever_a_client_that_does_not_read_sends_is_held_back_in_the_end(line: bytes) -> None:
    handlers = {"getAuthStatus": status, "account/rateLimits/read": hang}
    sent = 0

    async def send(client: EmbeddedConnection) -> None:
        nonlocal sent
        while sent < 2 * MANY:
            await client.send(line * 100)
            sent += 100

    connection = embedded_connection(handlers, max_backlog_bytes=256 * 1024, max_line_bytes=1_024)
    async with connection as client, anyio.create_task_group() as tasks:
        tasks.start_soon(send, client)
        await wait_all_tasks_blocked()
        held_back = sent
        tasks.cancel_scope.cancel()
    assert 0 < held_back < MANY


async def test_what_a_client_that_does_not_read_was_promised_is_sent_when_it_reads() -> None:
    async def send(client: EmbeddedConnection) -> None:
        for number in range(MANY // 4):
            await client.send(unknown(number))

    async with embedded_connection(max_backlog_bytes=64 * 1024) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(send, client)
        await wait_all_tasks_blocked()
        assert [(await client.message())["id"] for _ in range(MANY // 4)] == list(range(MANY // 4))


async def test_no_more_is_carried_out_than_the_client_reads_answers() -> None:
    carried_out = 0

    async def count(params: GetAuthStatusParams) -> Reply[GetAuthStatusResponse]:
        nonlocal carried_out
        carried_out += 1
        return Reply(GetAuthStatusResponse())

    line = b'{"id":1,"method":"getAuthStatus","params":{}}\n'
    answer = len('{"id":1,"result":{"authMethod":null,"authToken":null,"requiresOpenaiAuth":null}}\n')
    async with embedded_connection({"getAuthStatus": count}, max_backlog_bytes=32 * MIB) as client:
        await client.send(line * MANY)
        await wait_all_tasks_blocked()
        assert 0 < carried_out < MANY
        # What the client has on its way, what is being written, what waits to be.
        assert carried_out * answer < CAPACITY + 3 * HIGH_WATER
        for _ in range(MANY):
            await client.message()
        assert carried_out == MANY


async def test_the_bound_on_what_runs_at_once_holds_and_none_of_the_rest_is_lost() -> None:
    running = most = 0
    go_on = anyio.Event()

    async def work(params: Any) -> Reply[GetAuthStatusResponse]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go_on.wait()
        running -= 1
        return Reply(GetAuthStatusResponse())

    async with embedded_connection({"account/rateLimits/read": work}, max_concurrent=7) as client:
        await client.send(*map(limits, range(100)))
        await wait_all_tasks_blocked()
        assert most == 7
        go_on.set()
        assert sorted([(await client.message())["id"] for _ in range(100)]) == list(range(100))
    assert most == 7
