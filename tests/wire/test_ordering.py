"""Which answers wait for which (wire.md section 2, "Ordering"; issue 2 section 3).

Account methods form one queue, everything else overtakes, and errors are told at once. Where we do better: what has
to wait for the upstream leaves the queue while it does.
"""

from pathlib import Path
from typing import Any

from app_server.fake_openai.server import FakeOpenAI
from tests.support.locks import login_held_up
from tests.support.server import INITIALIZE, Json, ServerProcess
from tests.support.upstream import LIMITS, LOGIN, log_in_with_tokens, server_with, tokens_login


def key_login(request_id: Any, key: str) -> Json:
    return {"id": request_id, "method": LOGIN, "params": {"type": "apiKey", "apiKey": key}}


def read(request_id: Any) -> Json:
    return {"id": request_id, "method": "account/read", "params": {}}


def token_of(request_id: Any) -> Json:
    return {"id": request_id, "method": "getAuthStatus", "params": {"includeToken": True}}


def ids(messages: list[Json]) -> list[Any]:
    """Ids of the answers among them."""
    return [message["id"] for message in messages if "method" not in message]


async def test_account_requests_are_carried_out_and_answered_in_the_order_they_came(server: ServerProcess) -> None:
    await server.send(
        key_login(1, "sk-first"),
        token_of(2),
        {"id": 3, "method": "account/logout"},
        read(4),
        key_login(5, "sk-second"),
        {"id": 6, "method": "account/login/cancel", "params": {"loginId": "3f0c2a52-9e4e-4be7-8a3b-5f1f2d3c4b5a"}},
        token_of(7),
        read(8),
    )
    said = await server.barrier()
    assert ids(said) == [1, 2, 3, 4, 5, 6, 7, 8]
    results = {message["id"]: message["result"] for message in said if "result" in message}
    assert results[2]["authToken"] == "sk-first"
    assert results[4]["account"] is None
    assert results[6] == {"status": "notFound"}
    assert results[7]["authToken"] == "sk-second"
    assert results[8]["account"] == {"type": "apiKey"}


async def test_the_answer_comes_before_the_notifications_that_follow_from_it(server: ServerProcess) -> None:
    await server.send(key_login(1, "sk-order"), {"id": 2, "method": "account/logout"})
    said = await server.barrier()
    assert [message.get("method", message.get("id")) for message in said] == [
        1,
        "account/login/completed",
        "account/updated",
        2,
        "account/updated",
    ]


async def test_a_slow_account_request_holds_up_the_account_requests_behind_it_and_nothing_else(
    own_server: ServerProcess,
) -> None:
    server = own_server
    with login_held_up(server.home):
        await server.send(
            key_login(1, "sk-slow"),
            read(2),
            token_of(3),
            {"id": 4, "method": LIMITS},
            {"id": 5, "method": "nonsense"},
            {"id": 6, "method": "account/read"},
            {"id": 7, "method": "initialize", "params": INITIALIZE},
            b"not json\n",
        )
        overtaking = [await server.message() for _ in range(5)]
    assert sorted(ids(overtaking), key=str) == [4, 5, 6, 7, None]
    assert all("error" in message for message in overtaking)
    said = await server.barrier()
    assert ids(said) == [1, 2, 3]
    assert next(message for message in said if message.get("id") == 2)["result"]["account"] == {"type": "apiKey"}


async def test_errors_about_a_request_come_at_once_and_in_the_order_of_the_requests(own_server: ServerProcess) -> None:
    server = own_server
    with login_held_up(server.home):
        await server.send(
            key_login("slow", "sk-slow"),
            b"{\n",
            {"id": 1, "method": "account/read", "params": {"refreshToken": 1}},
            b"[]\n",
            {"id": 2, "method": LOGIN, "params": {"type": "apiKey"}},
            {"id": 3, "method": "nonsense", "params": {}},
        )
        assert ids([await server.message() for _ in range(5)]) == [None, 1, None, 2, 3]
    assert "result" in await server.answer("slow")


async def test_reading_limits_overtakes_and_is_overtaken(home: Path, fake: FakeOpenAI) -> None:
    tokens = fake.mint()
    async with server_with(fake, home) as server:
        await log_in_with_tokens(server, tokens)
        fake.fault("usage", hang=True)
        await server.send({"id": 1, "method": LIMITS}, read(2), {"id": 3, "method": LIMITS}, token_of(4))
        await fake.requests.wait_for("usage", count=2)
        assert "result" in await server.answer(3)
        said = await server.barrier()
        assert sorted(ids(said)) == [2, 4]
        fake.release()
        assert "result" in await server.answer(1)


async def test_many_requests_to_the_upstream_are_under_way_at_once(home: Path, fake: FakeOpenAI) -> None:
    tokens = fake.mint()
    async with server_with(fake, home) as server:
        await log_in_with_tokens(server, tokens)
        fake.fault("usage", hang=True, times=None)
        await server.send(*({"id": number, "method": LIMITS} for number in range(30)))
        await fake.requests.wait_for("usage", count=30)
        fake.clear_faults()
        answers = [await server.message() for _ in range(30)]
    assert sorted(ids(answers)) == list(range(30))
    assert all("result" in answer for answer in answers)


async def test_a_lookup_that_hangs_holds_up_neither_logout_nor_login(home: Path, fake: FakeOpenAI) -> None:
    """account/read has to look up the workspace's backend; in the reference all account requests wait for that."""
    tokens = fake.mint()
    fake.fault("accounts_check", hang=True, times=None)
    async with server_with(fake, home) as server:
        await server.result(LOGIN, tokens_login(tokens))
        await server.send(read("slow"), read("slow, too"))
        await fake.requests.wait_for("accounts_check")
        await server.result("account/logout")
        assert await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-meanwhile"}) == {"type": "apiKey"}
        assert (await server.result("account/read", {}))["account"] == {"type": "apiKey"}
        assert (await server.result("getAuthStatus", {"includeToken": True}))["authToken"] == "sk-meanwhile"
        assert not {"slow", "slow, too"} & set(ids(server.messages))
        fake.clear_faults()
        await server.answer("slow")
        await server.answer("slow, too")
        assert (await server.result("account/read", {}))["account"] == {"type": "apiKey"}


async def test_more_lookups_that_hang_than_may_wait_are_all_answered_in_the_end(home: Path, fake: FakeOpenAI) -> None:
    tokens = fake.mint()
    fake.fault("accounts_check", hang=True, times=None)
    async with server_with(fake, home) as server:
        await server.result(LOGIN, tokens_login(tokens))
        await server.send(*(read(number) for number in range(1_000)))
        await fake.requests.wait_for("accounts_check")
        assert (await server.error("nonsense"))["code"] == -32600
        fake.clear_faults()
        answers = {(await server.answer(number))["result"]["account"]["type"] for number in range(1_000)}
    assert answers == {"chatgpt"}
