"""Lines, ids and the end of the input (wire.md sections 2 and 15)."""

import signal
from typing import Any

import anyio

from app_server.fake_openai.server import FakeOpenAI
from tests.conformance.conftest import Differs
from tests.conformance.support import common
from tests.support.server import DEADLINE, Json, ServerProcess
from tests.support.upstream import LIMITS, NO_STATUS, Start, asked, log_in_with_tokens

PATIENCE = 1.0
"""Seconds within which a server has ended that waits for nothing."""

STATUS = b'{"id":%b,"method":"getAuthStatus","params":%b}\n'


async def answers(server: ServerProcess) -> list[tuple[Any, Any]]:
    """Ids and codes of everything that was answered up to now; the code of a result is None."""
    said = await server.barrier()
    return [(message["id"], message.get("error", {}).get("code")) for message in said if "method" not in message]


async def test_an_id_comes_back_as_it_went(server: ServerProcess) -> None:
    for raw in ("1", "0", "-7", '""', '"a"', '"null"', '"5"', str(2**53), str(2**63 - 1), str(-(2**63))):
        await server.send(STATUS % (raw.encode(), b"{}"))
        line = await server.line()
        assert b'"id":%b' % raw.encode() in line, line


async def test_requests_with_the_same_id_are_each_answered(server: ServerProcess) -> None:
    await server.send(STATUS % (b"5", b"{}"), STATUS % (b'"5"', b"{}"), STATUS % (b"5", b"{}"))
    assert await answers(server) == [(5, None), ("5", None), (5, None)]


async def test_an_id_that_cannot_be_given_back(server: ServerProcess, differs: Differs) -> None:
    login = b'{"id":%b,"method":"account/login/start","params":{"type":"apiKey","apiKey":"sk-nobody"}}\n'
    for raw in (b"null", b"1.5", b"true", b"[]"):
        await server.send(login % raw)
        differs("unusable-id", await answers(server))
    assert await server.result("getAuthStatus", {}) == NO_STATUS


async def test_a_line_that_is_not_json(server: ServerProcess, differs: Differs) -> None:
    for line in (b"nonsense\n", b"{\n", b"\x00junk\n", b'{"id":1,"method":"getAuthStatus","params":{},}\n'):
        await server.send(line)
        differs("not-json", await answers(server))


async def test_json_that_is_no_message(server: ServerProcess, differs: Differs) -> None:
    for line in (b"1\n", b'"text"\n', b"{}\n", b'{"id":13}\n', b'[{"id":1,"method":"getAuthStatus","params":{}}]\n'):
        await server.send(line)
        differs("no-message", await answers(server))


async def test_a_line_that_is_not_utf_8(own_server: ServerProcess, differs: Differs) -> None:
    await own_server.send(b'{"id":1,"method":"getAuthStatus","params":{"x":"\xff"}}\n')
    seen: Any
    try:
        seen = await answers(own_server)
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        seen = {"exit status": await own_server.exit_status()}
    differs("not-utf-8", seen)


async def test_well_formed_requests_with_odd_content(server: ServerProcess, differs: Differs) -> None:
    nested = b'{"x":' + b"[" * 200 + b"]" * 200 + b"}"
    for line in (
        b'{"id":1,"id":1,"method":"getAuthStatus","params":{}}\n',
        STATUS % (b"1", rb'{"x":"\ud83d"}'),
        STATUS % (b"1", nested),
    ):
        await server.send(line)
        differs("odd-content", await answers(server))


async def test_blank_lines_unknown_notifications_and_answers_to_nothing_are_passed_over(server: ServerProcess) -> None:
    await server.send(b"\n", b" \t\n", b"\r\n")
    await server.send({"method": "nonsense"}, {"method": "$/cancelRequest", "params": None})
    await server.send({"id": 99, "result": {}}, {"id": "x", "error": {"code": 1, "message": "m"}})
    assert await answers(server) == []


async def test_line_ends_spaces_and_pieces_do_not_matter(server: ServerProcess) -> None:
    await server.send(b'  {"id":1,"method":"getAuthStatus","params":{}}  \r\n')
    await server.send(b'{"id":2,"method":"getAuth')
    await server.send(b'Status","params":{}}\n')
    assert await answers(server) == [(1, None), (2, None)]


async def test_a_key_of_two_mebibytes_is_a_key(server: ServerProcess) -> None:
    key = "sk-" + "x" * 2 * 1024 * 1024
    await server.result("account/login/start", {"type": "apiKey", "apiKey": key})
    assert (await server.result("getAuthStatus", {"includeToken": True}))["authToken"] == key


async def test_the_end_of_the_input_ends_it_well(own_server: ServerProcess) -> None:
    await own_server.result("account/read", {})
    await own_server.close_input()
    assert await own_server.exit_status() == 0
    assert [message for message in common(await own_server.rest()) if "method" not in message] == []


async def test_the_signal_to_terminate_ends_it_well(own_server: ServerProcess) -> None:
    own_server.process.send_signal(signal.SIGTERM)
    assert await own_server.exit_status() == 0


async def test_what_was_asked_before_the_end_of_the_input(start: Start, fake: FakeOpenAI, differs: Differs) -> None:
    async with start() as server:
        await log_in_with_tokens(server, fake.mint())
        fake.fault("usage", hang=True)
        await server.send({"id": "limits", "method": LIMITS, "params": {"excludeResetCreditDetails": True}})
        await asked(fake, "usage")
        await server.end_input()
        with anyio.move_on_after(PATIENCE):  # the upstream answers when whoever does not wait for it is gone
            await server.process.wait()
        fake.release()
        with anyio.fail_after(DEADLINE):
            rest: list[Json] = await server.rest()
        differs("end-of-input", [message["id"] for message in rest if "method" not in message])
        assert await server.exit_status() == 0
