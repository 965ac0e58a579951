"""Who is told what by the Python client, however much comes in one breath (``app_server.client.followers``).

The test holds the server's end of the connection, and writes several lines before the client gets to read the first.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup

from app_server.client import Client, FollowedLogin, FollowedTurn, LoginFailed, ServerError, ServerGone
from app_server.client.handlers import Answers
from app_server.flight import Flight
from app_server.transport.memory import MemoryTransport
from protocol.turn import TurnStartParams
from protocol.user_input import TextUserInput, UserInput

SAYS = TurnStartParams(thread_id="thread", input=[UserInput(TextUserInput(text="Hi"))])


@dataclass
class Peers:
    """A client, and the end of a server that does what the test says."""

    client: Client
    server: MemoryTransport
    tasks: TaskGroup

    async def tell(self, *messages: dict[str, Any]) -> None:
        """Write these lines at once."""
        await self.server.send(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    async def start_turn(self) -> tuple[int, Flight[FollowedTurn]]:
        """What the server is asked with, and what becomes of it."""
        return await self._call(lambda: self.client.start_turn(SAYS))

    async def log_in(self) -> tuple[int, Flight[FollowedLogin[Any]]]:
        return await self._call(self.client.log_in_with_browser)

    async def _call(self, call: Callable[[], Awaitable[Any]]) -> tuple[int, Flight[Any]]:
        flight = Flight[Any]()

        async def outcome() -> None:
            try:
                flight.succeed(await call())
            except Exception as error:
                flight.fail(error)

        self.tasks.start_soon(outcome)
        asked = await self.server.receive()
        assert asked is not None
        return json.loads(asked)["id"], flight

    async def rest(self) -> list[str]:
        """Close the connection; the texts and the logins that nobody has followed."""
        await self.server.aclose()
        return [heard(params) async for _, params in self.client.notifications()]


@pytest.fixture
async def peers() -> AsyncIterator[Peers]:
    server, end = MemoryTransport.pair()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            client = Client(end, Answers({}, 1), tasks)
            tasks.start_soon(client.run)
            yield Peers(client, server, tasks)
            tasks.cancel_scope.cancel()


def heard(params: Any) -> str:
    if hasattr(params, "delta"):
        return str(params.delta)
    return str(params.login_id if hasattr(params, "login_id") else params.turn.status)


async def read(turn: FollowedTurn) -> list[str]:
    return [heard(params) async for _, params in turn]


def turn(turn_id: str, status: str = "inProgress") -> dict[str, Any]:
    return {"id": turn_id, "items": [], "itemsView": "full", "status": status}


def accepted(request_id: int, turn_id: str) -> dict[str, Any]:
    return {"id": request_id, "result": {"turn": turn(turn_id)}}


def refused(request_id: int) -> dict[str, Any]:
    return {"id": request_id, "error": {"code": -32600, "message": "no"}}


def delta(turn_id: str, text: str) -> dict[str, Any]:
    params = {"threadId": "thread", "turnId": turn_id, "itemId": "item", "delta": text}
    return {"method": "item/agentMessage/delta", "params": params}


def completed(turn_id: str) -> dict[str, Any]:
    return {"method": "turn/completed", "params": {"threadId": "thread", "turn": turn(turn_id, "completed")}}


def begun(request_id: int, login_id: str) -> dict[str, Any]:
    return {"id": request_id, "result": {"type": "chatgpt", "loginId": login_id, "authUrl": "http://127.0.0.1/"}}


def logged_in(login_id: str, *, success: bool = True) -> dict[str, Any]:
    return {"method": "account/login/completed", "params": {"loginId": login_id, "success": success}}


async def test_a_turn_is_followed_though_its_end_comes_before_the_caller_knows_it(peers: Peers) -> None:
    asked, begins = await peers.start_turn()
    await peers.tell(delta("1", "a"), delta("0", "other"), accepted(asked, "1"), delta("1", "b"), completed("1"))
    turn = await begins.outcome()
    assert await read(turn) == ["a", "b", "completed"]
    assert await peers.rest() == ["other"]


async def test_a_turn_that_was_completed_is_so_though_the_server_left_in_the_same_breath(peers: Peers) -> None:
    asked, begins = await peers.start_turn()
    await peers.tell(accepted(asked, "1"), delta("1", "a"), completed("1"))
    assert await peers.rest() == []
    assert await read(await begins.outcome()) == ["a", "completed"]


async def test_a_turn_that_was_not_completed_ends_with_a_server_that_left_in_the_same_breath(peers: Peers) -> None:
    asked, begins = await peers.start_turn()
    await peers.tell(accepted(asked, "1"), delta("1", "a"))
    await peers.server.aclose()
    turn = await begins.outcome()
    assert heard((await anext(turn))[1]) == "a"
    with pytest.raises(ServerGone):
        await anext(turn)


async def test_a_login_that_was_completed_is_so_though_the_server_left_in_the_same_breath(peers: Peers) -> None:
    asked, begins = await peers.log_in()
    await peers.tell(begun(asked, "1"), logged_in("1"))
    assert await peers.rest() == []
    await (await begins.outcome()).completed()


async def test_what_a_turn_has_been_told_is_not_told_to_everybody_when_another_is_refused(peers: Peers) -> None:
    asked, begins = await peers.start_turn()
    await peers.tell(accepted(asked, "1"))
    first = await begins.outcome()
    asked, begins = await peers.start_turn()
    await peers.tell(delta("1", "a"), completed("1"), delta("0", "other"), refused(asked))
    with pytest.raises(ServerError):
        await begins.outcome()
    assert await read(first) == ["a", "completed"]
    assert await peers.rest() == ["other"]


async def test_two_turns_that_begin_at_once_are_each_told_their_own(peers: Peers) -> None:
    asked_first, first_begins = await peers.start_turn()
    asked_second, second_begins = await peers.start_turn()
    await peers.tell(
        *(accepted(asked_first, "1"), delta("2", "c"), delta("1", "a"), delta("0", "other"), completed("1")),
    )
    first = await first_begins.outcome()
    await peers.tell(accepted(asked_second, "2"), completed("2"))
    assert await read(first) == ["a", "completed"]
    assert await read(await second_begins.outcome()) == ["c", "completed"]
    assert await peers.rest() == ["other"]


async def test_two_who_join_the_same_turn_are_both_told_all_of_it(peers: Peers) -> None:
    asked_first, first_begins = await peers.start_turn()
    asked_second, second_begins = await peers.start_turn()
    await peers.tell(accepted(asked_first, "1"), delta("1", "a"), accepted(asked_second, "1"), completed("1"))
    assert await read(await first_begins.outcome()) == ["a", "completed"]
    assert await read(await second_begins.outcome()) == ["a", "completed"]
    assert await peers.rest() == []


async def test_the_end_of_a_login_that_another_replaces_is_told_to_who_follows_it_alone(peers: Peers) -> None:
    asked, begins = await peers.log_in()
    await peers.tell(begun(asked, "1"))
    first = await begins.outcome()
    asked, begins = await peers.log_in()
    await peers.tell(logged_in("1", success=False), logged_in("0"), begun(asked, "2"), logged_in("2"))
    await (await begins.outcome()).completed()
    with pytest.raises(LoginFailed):
        await first.completed()
    assert await peers.rest() == ["0"]
