"""Access tokens that expire now, after some requests, or in the middle of a stream."""

import httpx2
import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import CLIENT_ID, Account


async def turn(client: httpx2.AsyncClient, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    answer = await client.post("/v1/responses", json={"input": "hello", "stream": True}, headers=headers)
    assert answer.status_code != 200 or "response.completed" in answer.text
    return answer.status_code


async def refreshed(client: httpx2.AsyncClient, refresh_token: str) -> str:
    body = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": refresh_token}
    return str((await client.post("/oauth/token", json=body)).json()["access_token"])


async def test_tokens_expire_now_and_refreshing_helps(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    first, second, personal = fake.mint(), fake.mint(), fake.mint_personal()
    fake.expire_tokens()
    old = (first.access_token, second.access_token, personal)
    assert [await turn(client, token) for token in old] == [401] * 3
    assert await turn(client, await refreshed(client, first.refresh_token)) == 200
    assert await turn(client, fake.mint().access_token) == 200


async def test_tokens_expire_after_so_many_requests_but_not_their_successors(
    fake: FakeOpenAI, client: httpx2.AsyncClient
) -> None:
    tokens = fake.mint()
    fake.expire_tokens(after_requests=2)
    assert [await turn(client, tokens.access_token) for _ in range(3)] == [200, 200, 401]
    fresh = await refreshed(client, tokens.refresh_token)
    assert [await turn(client, fresh) for _ in range(3)] == [200] * 3


async def test_requests_that_are_no_turns_or_are_refused_do_not_count(
    fake: FakeOpenAI, client: httpx2.AsyncClient
) -> None:
    token = fake.mint().access_token
    fake.expire_tokens(after_requests=1)
    headers = {"authorization": f"Bearer {token}"}
    assert (await client.get("/backend-api/wham/usage", headers=headers)).status_code == 200
    assert (await turn(client, "sk-key"), await turn(client, "at-unknown")) == (200, 401)
    assert [await turn(client, token) for _ in range(2)] == [200, 401]


@pytest.mark.parametrize("count", [0, 3, 1000])
async def test_tokens_expire_in_the_middle_of_a_stream_which_goes_on(
    fake: FakeOpenAI, client: httpx2.AsyncClient, count: int
) -> None:
    token = fake.mint().access_token
    fake.expire_tokens(after_events=count)
    assert [await turn(client, token) for _ in range(2)] == [200, 401]
    assert await turn(client, fake.mint().access_token) == 200


async def test_tokens_are_good_until_the_stream_has_come_so_far(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    token = fake.mint().access_token
    fake.fault("responses", hang_after_events=2)
    fake.expire_tokens(after_events=3)
    ask, headers = {"input": "hello", "stream": True}, {"authorization": f"Bearer {token}"}
    usage = "/backend-api/wham/usage"
    async with client.stream("POST", "/v1/responses", json=ask, headers=headers) as answer:
        chunks = answer.aiter_raw()
        await anext(chunks)
        await fake.wait_hanging()
        assert (await client.get(usage, headers=headers)).status_code == 200
        fake.release()
        assert b"response.completed" in b"".join([chunk async for chunk in chunks])
    assert (await client.get(usage, headers=headers)).status_code == 401


async def test_requests_and_then_events_can_come_first(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    token = fake.mint().access_token
    fake.expire_tokens(after_requests=1, after_events=1)
    assert [await turn(client, token) for _ in range(3)] == [200, 200, 401]


async def test_a_second_stream_does_not_expire_what_came_after_the_first(
    fake: FakeOpenAI, client: httpx2.AsyncClient
) -> None:
    old = fake.mint().access_token
    fake.expire_tokens(after_events=3)
    fake.fault("responses", hang_after_events=1)
    ask, headers = {"input": "hello", "stream": True}, {"authorization": f"Bearer {old}"}
    async with client.stream("POST", "/v1/responses", json=ask, headers=headers) as slow:
        chunks = slow.aiter_raw()
        await anext(chunks)
        await fake.wait_hanging()
        assert await turn(client, old) == 200
        fresh = fake.mint().access_token
        fake.release()
        assert b"response.completed" in b"".join([chunk async for chunk in chunks])
    assert (await turn(client, old), await turn(client, fresh)) == (401, 200)


async def test_only_tokens_of_the_account_expire(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.add_account(Account(account_id="acct-2"))
    mine, other = fake.mint().access_token, fake.mint("acct-2").access_token
    fake.expire_tokens("acct-2")
    fake.expire_tokens("acct-2", after_requests=1)
    assert (await turn(client, mine), await turn(client, other)) == (200, 401)


async def test_a_token_that_the_fake_did_not_make_expires_as_well(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.configure(accept_any_token=True)
    fake.expire_tokens(after_events=2)
    assert [await turn(client, "a.made.up") for _ in range(2)] == [200, 401]


async def test_a_reset_forgets_what_was_to_expire(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.expire_tokens(after_requests=1)
    fake.reset()
    token = fake.mint().access_token
    assert [await turn(client, token) for _ in range(2)] == [200, 200]


async def test_an_expiry_that_could_never_happen_is_refused(fake: FakeOpenAI) -> None:
    with pytest.raises(ValueError, match="unknown account 'nobody'"):
        fake.expire_tokens("nobody")
    with pytest.raises(ValueError, match="counted from 0"):
        fake.expire_tokens(after_requests=-1)
    with pytest.raises(ValueError, match="counted from 0"):
        fake.expire_tokens(after_events=-1)
    for _ in range(1000):
        fake.expire_tokens(after_requests=1)
    with pytest.raises(ValueError, match="waiting already"):
        fake.expire_tokens(after_requests=1)
