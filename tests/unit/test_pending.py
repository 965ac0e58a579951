"""Ids and the answers that belong to them."""

import asyncio
import contextlib
from typing import Any

import anyio
import pytest

from app_server.pending import (
    AnswerTimedOut,
    ConnectionClosed,
    InvalidAnswer,
    PeerRefused,
    PendingRequests,
    RequestFailed,
    result_of,
)
from protocol.account import LOGIN_CANCEL, REFRESH_AUTH_TOKENS
from protocol.jsonrpc import ErrorObject, Response
from protocol.method import ClientRequest

DEADLINE = 5.0
GOOD = {"accessToken": "t", "chatgptAccountId": "acct-1"}
SECRET = "sk-this-must-not-be-seen"


def test_ids_are_integers_counted_from_zero_and_never_used_twice() -> None:
    pending = PendingRequests()
    with pending.open() as (first, _), pending.open() as (second, _):
        pass
    with pending.open() as (third, _):
        pass

    assert [first, second, third] == [0, 1, 2]


def test_an_answer_finds_its_request_and_nobody_elses() -> None:
    pending = PendingRequests()
    with pending.open() as (first, one), pending.open() as (second, other):
        assert pending.resolve(Response(second, {}))
        assert other.landed
        assert not one.landed
        assert pending.resolve(Response(first, {}))


@pytest.mark.parametrize("odd", [False, 0.0, -0.0, "0", "", None, [], {}, [0], {"id": 0}, "00", b"0"])
def test_only_the_integer_that_was_sent_is_the_id(odd: Any) -> None:
    pending = PendingRequests()
    with pending.open() as (request_id, answer):
        assert request_id == 0
        assert not pending.resolve(Response(odd, GOOD))
        assert not answer.landed


@pytest.mark.parametrize("odd", [True, 1.0, "1", 2, -1, 2**70])
def test_an_id_near_the_one_that_waits_is_not_that_id(odd: Any) -> None:
    pending = PendingRequests()
    with pending.open(), pending.open() as (request_id, answer):
        assert request_id == 1
        assert not pending.resolve(Response(odd, GOOD))
        assert not answer.landed


def test_a_second_answer_is_ignored() -> None:
    pending = PendingRequests()
    with pending.open() as (request_id, _):
        assert pending.resolve(Response(request_id, GOOD))
        assert not pending.resolve(Response(request_id, {"other": 1}))


@pytest.mark.parametrize("end", [None, KeyError, asyncio.CancelledError])
def test_the_id_is_forgotten_whatever_ends_the_wait(end: type[BaseException] | None) -> None:
    pending = PendingRequests()
    with contextlib.suppress(KeyError, asyncio.CancelledError), pending.open() as (request_id, _):
        if end is not None:
            raise end

    assert not pending.resolve(Response(request_id, GOOD))


async def test_closing_fails_all_that_wait_and_all_that_come_later() -> None:
    pending = PendingRequests()
    failures: list[Exception] = []

    async def wait() -> None:
        with pending.open() as (_, answer):
            try:
                await answer.outcome()
            except ConnectionClosed as failure:
                failures.append(failure)

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            pending.close()

    assert len(failures) == 3
    with pytest.raises(ConnectionClosed, match="the connection is closed"), pending.open():
        pass
    pending.close()


async def test_an_answer_that_came_before_the_closing_counts() -> None:
    pending = PendingRequests()
    with pending.open() as (request_id, answer):
        pending.resolve(Response(request_id, GOOD))
        pending.close()

        assert (await answer.outcome()).result == GOOD


# From an answer to a result


async def outcome_of(
    response: Response | None, timeout: float = DEADLINE, declaration: Any = REFRESH_AUTH_TOKENS
) -> Any:
    pending = PendingRequests()
    with pending.open() as (request_id, answer):
        if response is not None:
            response.id = request_id
            pending.resolve(response)
        return await result_of(declaration, answer, timeout)


async def test_the_result_is_typed() -> None:
    result = await outcome_of(Response(None, GOOD))

    assert isinstance(result, REFRESH_AUTH_TOKENS.result)
    assert result.access_token.get_secret_value() == "t"


async def test_requests_of_either_side_are_answered_alike() -> None:
    declaration: ClientRequest[Any, Any] = LOGIN_CANCEL

    assert (await outcome_of(Response(None, {"status": "canceled"}), declaration=declaration)).status == "canceled"


async def test_an_error_of_the_peer_keeps_its_code_message_and_data() -> None:
    with pytest.raises(PeerRefused) as failure:
        await outcome_of(Response(None, error=ErrorObject(-32000, "not now", {"retry": 1})))

    assert failure.value.error == ErrorObject(-32000, "not now", {"retry": 1})


@pytest.mark.parametrize("timeout", [0.0, 0.001])
async def test_no_answer_in_time_is_told_with_the_time(timeout: float) -> None:
    with pytest.raises(AnswerTimedOut) as failure:
        await outcome_of(None, timeout)

    assert failure.value.seconds == timeout
    assert str(failure.value) == f"no answer within {timeout:g} s"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (None, "Invalid request: invalid type: null, expected struct ChatgptAuthTokensRefreshResponse"),
        ({}, "Invalid request: missing field `accessToken`"),
        ([], "Invalid request: invalid type: sequence, expected struct ChatgptAuthTokensRefreshResponse"),
        ({"accessToken": "t"}, "Invalid request: missing field `chatgptAccountId`"),
        ({"accessToken": None, "chatgptAccountId": "c"}, "Invalid request: invalid type: null, expected a string"),
        ({"accessToken": "t", "chatgptAccountId": 5}, "Invalid request: invalid type: integer, expected a string"),
        ("s", "Invalid request: invalid type: string, expected struct ChatgptAuthTokensRefreshResponse"),
    ],
)
async def test_a_result_that_does_not_fit_is_an_error_of_its_own_kind(result: Any, text: str) -> None:
    with pytest.raises(InvalidAnswer) as failure:
        await outcome_of(Response(None, result))

    assert str(failure.value) == text


@pytest.mark.parametrize(
    "result",
    [
        SECRET,
        [SECRET],
        {"accessToken": SECRET},
        {"accessToken": SECRET, "chatgptAccountId": 5},
        {"accessToken": {"value": SECRET}, "chatgptAccountId": SECRET},
    ],
)
async def test_an_answer_that_does_not_fit_is_quoted_by_no_exception_of_the_chain(result: Any) -> None:
    with pytest.raises(InvalidAnswer) as failure:
        await outcome_of(Response(None, result))

    error: BaseException | None = failure.value
    while error is not None:
        assert SECRET not in f"{error!r} {error} {error.args} {vars(error)}"
        error = error.__context__


async def test_an_error_of_the_peer_does_not_show_what_it_carries() -> None:
    with pytest.raises(PeerRefused) as failure:
        await outcome_of(Response(None, error=ErrorObject(-1, SECRET, {"token": SECRET})))

    assert SECRET not in f"{failure.value!r} {failure.value}"


def test_every_way_to_fail_is_a_failed_request() -> None:
    for kind in (PeerRefused, AnswerTimedOut, ConnectionClosed, InvalidAnswer):
        assert issubclass(kind, RequestFailed)
