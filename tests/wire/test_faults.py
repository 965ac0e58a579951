"""A fault of ours is told as one, is in the log, and ends nothing but the request it belongs to."""

import logging
from typing import Any

import anyio
import pytest

from app_server.router import Deferred, Reply
from protocol.account import GetAuthStatusParams, GetAuthStatusResponse
from protocol.errors import InvalidRequest
from protocol.method import Empty
from tests.support.embedded import INTERNAL_ERROR, embedded_connection
from tests.support.server import Json

STATUS: Json = {"authMethod": None, "authToken": None, "requiresOpenaiAuth": None}


async def status(params: GetAuthStatusParams) -> Reply[GetAuthStatusResponse]:
    return Reply(GetAuthStatusResponse())


def ask(request_id: Any, method: str = "getAuthStatus") -> Json:
    return {"id": request_id, "method": method, "params": {}}


def faults(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The exceptions that the log tells of."""
    return [
        repr(record.exc_info[1])
        for record in caplog.records
        if record.levelno >= logging.ERROR and record.exc_info is not None
    ]


async def test_a_handler_that_raises_is_an_internal_error_without_details_and_the_server_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(params: Any) -> Any:
        raise RuntimeError("detail-that-is-nobodys-business")

    async with embedded_connection({"account/read": fail, "getAuthStatus": status}) as client:
        await client.send(ask(1, "account/read"), ask(2))
        assert await client.message() == {"id": 1, "error": INTERNAL_ERROR}
        assert await client.message() == {"id": 2, "result": STATUS}
    assert faults(caplog) == ["RuntimeError('detail-that-is-nobodys-business')"]


async def test_what_a_deferred_answer_raises_is_told_the_same_way(caplog: pytest.LogCaptureFixture) -> None:
    async def defer(params: Any) -> Deferred[GetAuthStatusResponse]:
        async def finish() -> Reply[GetAuthStatusResponse]:
            raise ZeroDivisionError

        return Deferred(finish)

    async def refuse(params: Any) -> Deferred[Empty]:
        async def finish() -> Reply[Empty]:
            raise InvalidRequest("not like this")

        return Deferred(finish)

    async with embedded_connection(
        {"account/read": defer, "account/logout": refuse, "getAuthStatus": status}
    ) as client:
        await client.send(ask(1, "account/read"))
        assert await client.message() == {"id": 1, "error": INTERNAL_ERROR}
        await client.send(ask(2, "account/logout"))
        assert await client.message() == {"id": 2, "error": {"code": -32600, "message": "not like this"}}
        await client.send(ask(3))
        assert await client.message() == {"id": 3, "result": STATUS}
    assert faults(caplog) == ["ZeroDivisionError()"]


async def test_a_result_that_cannot_be_written_is_an_internal_error(caplog: pytest.LogCaptureFixture) -> None:
    async def answer_with_nonsense(params: Any) -> Any:
        return Reply("no model of the wire")

    async with embedded_connection({"account/read": answer_with_nonsense, "getAuthStatus": status}) as client:
        await client.send(ask(1, "account/read"), ask(2))
        assert await client.message() == {"id": 1, "error": INTERNAL_ERROR}
        assert await client.message() == {"id": 2, "result": STATUS}
    assert len(faults(caplog)) == 1


async def test_a_fault_after_the_answer_is_logged_and_the_answer_stands(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise LookupError("afterwards")

    async def answer_and_fail(params: Any) -> Reply[Empty]:
        return Reply(Empty(), fail)

    async with embedded_connection({"account/logout": answer_and_fail, "getAuthStatus": status}) as client:
        await client.send(ask(1, "account/logout"), ask(2))
        assert await client.message() == {"id": 1, "result": {}}
        assert await client.message() == {"id": 2, "result": STATUS}
    assert faults(caplog) == ["LookupError('afterwards')"]


async def test_faults_do_not_use_up_what_may_run_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(params: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        raise RuntimeError

    handlers = {"account/rateLimits/read": fail, "getAuthStatus": status}
    async with embedded_connection(handlers, max_concurrent=2) as client:
        for number in range(50):
            await client.send(ask(number, "account/rateLimits/read"))
            assert await client.message() == {"id": number, "error": INTERNAL_ERROR}
        await client.send(ask("end"))
        assert await client.message() == {"id": "end", "result": STATUS}
    assert len(faults(caplog)) == 50
