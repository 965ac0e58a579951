"""``initialize`` and what precedes it (wire.md section 2)."""

import re
from typing import Any

import pytest

from tests.conformance.support import invalid, refused, told
from tests.support.server import INITIALIZE, Json, ServerProcess
from tests.support.upstream import LOGIN, UPDATED, Start

NOT_INITIALIZED = refused("Not initialized")

INCOMPLETE: list[tuple[Any, str]] = [
    (..., "missing field `params`"),
    (None, "missing field `params`"),
    ({}, "missing field `clientInfo`"),
    ({"clientInfo": {"version": "1"}}, "missing field `name`"),
    ({"clientInfo": {"name": "x"}}, "missing field `version`"),
    ({"clientInfo": {"name": 5, "version": "1"}}, "invalid type: integer `5`, expected a string"),
    ({"clientInfo": {"name": "x", "version": None}}, "invalid type: null, expected a string"),
    (
        {"clientInfo": {"name": "x", "version": "1"}, "capabilities": {"experimentalApi": "yes"}},
        'invalid type: string "yes", expected a boolean',
    ),
]


async def test_the_handshake_says_who_answers_and_where_it_lives(start: Start) -> None:
    async with start(initialize=False) as server:
        params = {"clientInfo": {"name": "my-editor", "version": "7.8"}}
        result = await server.result("initialize", params)
        assert set(result) == {"userAgent", "codexHome", "platformFamily", "platformOs"}
        assert (result["codexHome"], result["platformFamily"], result["platformOs"]) == (
            str(server.home),
            "unix",
            "linux",
        )
        shape = r"my-editor/0\.169\.0 \([^;()]+ [^;()]+; [^;()]+\) \S+ \(my-editor; 7\.8\)"
        assert re.fullmatch(shape, result["userAgent"]), result["userAgent"]


async def test_an_incomplete_handshake_is_refused_with_the_reason_and_can_be_repeated(start: Start) -> None:
    async with start(initialize=False) as server:
        for params, text in INCOMPLETE:
            assert await server.error("initialize", params) == invalid(text)
        assert await server.error("getAuthStatus", {}) == NOT_INITIALIZED
        await server.initialize()


async def test_a_client_name_that_is_no_header_value_is_refused(start: Start) -> None:
    async with start(initialize=False) as server:
        error = await server.error("initialize", {"clientInfo": {"name": "a\nb", "version": "1"}})
        assert error == refused("Invalid clientInfo.name: 'a\nb'. Must be a valid HTTP header value.")


async def test_nothing_is_done_before_the_handshake_and_what_cannot_be_read_is_said_first(start: Start) -> None:
    async with start(initialize=False) as server:
        key = {"type": "apiKey", "apiKey": "sk-early"}
        for method, params in (("account/read", {}), (LOGIN, key), ("thread/start", {}), ("getAuthStatus", {})):
            assert await server.error(method, params) == NOT_INITIALIZED, method
        assert (await server.error("nonsense", {}))["message"].startswith("Invalid request: unknown variant `nonsense`")
        assert await server.error("account/read") == invalid("missing field `params`")
        await server.initialize()
        assert (await server.result("account/read", {}))["account"] is None


async def test_a_second_handshake_is_refused(server: ServerProcess) -> None:
    assert await server.error("initialize", INITIALIZE) == refused("Already initialized")
    assert await server.error("initialize", {}) == invalid("missing field `clientInfo`")


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"capabilities": None},
        {"capabilities": {"optOutNotificationMethods": None, "somethingNew": 1}, "unknown": {"deep": [1]}},
    ],
)
async def test_what_is_optional_may_be_left_out_or_null_and_what_is_unknown_is_ignored(
    start: Start, more: Json
) -> None:
    async with start(initialize=False) as server:
        await server.send({"jsonrpc": "2.0", "method": "initialized"})
        line = {"jsonrpc": "2.0", "params": {"clientInfo": {"version": "1", "name": "x", "title": None}, **more}}
        await server.send({**line, "id": "first", "method": "initialize"})
        answer = await server.answer("first")
        assert set(answer) == {"id", "result"}
        await server.result("getAuthStatus", {})


async def test_notifications_can_be_opted_out_of_by_name(start: Start) -> None:
    async with start(initialize=False) as server:
        await server.initialize(optOutNotificationMethods=[UPDATED, "no/such/method"])
        await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-1"})
        await server.result("account/logout")
        assert [method for method, _ in told(await server.barrier())] == ["account/login/completed"]


async def test_every_notification_has_its_time_and_no_answer_has_one(server: ServerProcess) -> None:
    await server.send({"id": "k", "method": LOGIN, "params": {"type": "apiKey", "apiKey": "sk-1"}})
    said = await server.barrier()
    assert [set(message) for message in said] == [{"id", "result"}, *[{"method", "params", "emittedAtMs"}] * 2]
