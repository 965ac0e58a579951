"""Requests to the client: their numbers, their answers, and each way in which they end without one."""

from typing import Any

import anyio
import pytest

from app_server.outgoing import Outgoing
from app_server.pending import AnswerTimedOut, ConnectionClosed, InvalidAnswer, PeerRefused
from protocol.account import (
    REFRESH_AUTH_TOKENS,
    ChatgptAuthTokensRefreshParams,
    ChatgptAuthTokensRefreshResponse,
)
from protocol.jsonrpc import ErrorObject, Response
from tests.unit.outgoing.support import ASK, DEADLINE, Asking, Client, write

GOOD = {"accessToken": "t", "chatgptAccountId": "acct-1"}


async def test_requests_are_numbered_from_zero_and_answered_by_number(client: Client, outgoing: Outgoing) -> None:
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            asking = Asking(outgoing, tasks)
            for _ in range(3):
                await asking.ask()
            await write(outgoing)
            assert client.messages == [
                {
                    "method": "account/chatgptAuthTokens/refresh",
                    "id": number,
                    "params": {"reason": "unauthorized", "previousAccountId": "acct-1"},
                }
                for number in range(3)
            ]
            for number in (2, 0, 1):
                outgoing.resolve(Response(number, {"accessToken": f"t{number}", "chatgptAccountId": "c"}))

    for number in range(3):
        assert isinstance(asking.outcomes[number], ChatgptAuthTokensRefreshResponse)
        assert asking.outcomes[number].access_token.get_secret_value() == f"t{number}"


async def test_an_opt_out_mutes_no_request(client: Client, outgoing: Outgoing) -> None:
    outgoing.mute(frozenset({"account/chatgptAuthTokens/refresh"}))
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            await Asking(outgoing, tasks).ask()
            await write(outgoing)
            tasks.cancel_scope.cancel()

    assert client.messages[0]["method"] == "account/chatgptAuthTokens/refresh"


async def test_each_way_to_end_is_an_error_of_its_own(outgoing: Outgoing) -> None:
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            asking = Asking(outgoing, tasks)
            for _ in range(3):
                await asking.ask()
            outgoing.resolve(Response(0, error=ErrorObject(-32000, "not now")))
            outgoing.resolve(Response(1, {}))
            with pytest.raises(AnswerTimedOut) as late:
                await outgoing.request(REFRESH_AUTH_TOKENS, ASK, 0)
            outgoing.refuse_answers()

    refused, invalid, closed = asking.outcomes.values()
    assert isinstance(refused, PeerRefused)
    assert (refused.error.code, refused.error.message) == (-32000, "not now")
    assert isinstance(invalid, InvalidAnswer)
    assert late.value.seconds == 0
    assert isinstance(closed, ConnectionClosed)


async def test_an_answer_that_comes_late_or_to_nobody_is_ignored(outgoing: Outgoing) -> None:
    odd: Any
    with anyio.fail_after(DEADLINE):
        with pytest.raises(AnswerTimedOut):
            await outgoing.request(REFRESH_AUTH_TOKENS, ASK, 0)
        for odd in (0, 0, 1, -1, "0", None, 0.0, False, [], {}):
            outgoing.resolve(Response(odd, GOOD))
        async with anyio.create_task_group() as tasks:
            asking = Asking(outgoing, tasks)
            await asking.ask()
            for odd in (0, True, "1", 1.0):
                outgoing.resolve(Response(odd, GOOD))
            await anyio.wait_all_tasks_blocked()
            assert asking.outcomes == {0: None}
            outgoing.resolve(Response(1, GOOD))

    assert isinstance(asking.outcomes[0], ChatgptAuthTokensRefreshResponse)


async def test_a_request_that_is_cancelled_is_forgotten_and_its_number_not_used_again(
    client: Client, outgoing: Outgoing
) -> None:
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            await Asking(outgoing, tasks).ask()
            tasks.cancel_scope.cancel()
        outgoing.resolve(Response(0, GOOD))
        async with anyio.create_task_group() as tasks:
            asking = Asking(outgoing, tasks)
            await asking.ask()
            await write(outgoing)
            outgoing.resolve(Response(0, GOOD))
            await anyio.wait_all_tasks_blocked()
            assert asking.outcomes == {0: None}
            outgoing.resolve(Response(1, GOOD))

    assert [message["id"] for message in client.messages] == [0, 1]


@pytest.mark.parametrize("end", ["refuse_answers", "close"])
async def test_once_answers_are_refused_nothing_more_is_asked(end: str, client: Client, outgoing: Outgoing) -> None:
    getattr(outgoing, end)()
    with anyio.fail_after(DEADLINE), pytest.raises(ConnectionClosed):
        await outgoing.request(REFRESH_AUTH_TOKENS, ASK, DEADLINE)
    await write(outgoing)

    assert client.written == b""


async def test_a_thousand_requests_at_once_get_each_its_own_answer(client: Client, outgoing: Outgoing) -> None:
    tokens: dict[str, str] = {}

    async def ask(name: str) -> None:
        params = ChatgptAuthTokensRefreshParams(reason="unauthorized", previous_account_id=name)
        answer = await outgoing.request(REFRESH_AUTH_TOKENS, params, DEADLINE)
        tokens[name] = answer.access_token.get_secret_value()

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            for number in range(1000):
                tasks.start_soon(ask, str(number))
            await anyio.wait_all_tasks_blocked()
            await write(outgoing)
            for message in reversed(client.messages):
                name = message["params"]["previousAccountId"]
                outgoing.resolve(Response(message["id"], {"accessToken": f"t{name}", "chatgptAccountId": "c"}))

    assert tokens == {str(number): f"t{number}" for number in range(1000)}
