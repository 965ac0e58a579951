"""A 401 on tokens that the parent owns: the parent is asked, once, and the request goes on (wire.md section 10;
section 15, items 3, 4 and 19). What the parent answers that is no help is in ``test_refresh_failures``."""

from collections import Counter

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import TokenSet
from tests.support.server import Json, ServerProcess
from tests.support.upstream import (
    LIMITS,
    LOGIN,
    NO_STATUS,
    REFRESH,
    UPDATED,
    Start,
    asked,
    completed,
    files,
    fresh,
    log_in_with_tokens,
    next_messages,
    token_in_force,
    tokens_login,
    updated,
)

USAGE_ONLY: Json = {"excludeResetCreditDetails": True}
"""One call to the upstream for one request of the client."""

LONG_WAIT = "app_server.external_refresh_timeout=60"
"""Far more than a test waits for anything."""

SIGNED_OUT = (
    "failed to fetch codex rate limits: Your access token could not be refreshed because you have since logged out or "
    "signed in to another account. Please sign in again."
)


async def with_expired_token(fake: FakeOpenAI, server: ServerProcess) -> TokenSet:
    """Log in with tokens that the upstream does not accept any more by the time the next request goes out."""
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)
    fake.expire(tokens.access_token)
    return tokens


async def ask(server: ServerProcess, *ids: int) -> None:
    """Ask for the limits under these ids, without waiting."""
    await server.send(*({"id": number, "method": LIMITS, "params": USAGE_ONLY} for number in ids))


def bearers(fake: FakeOpenAI) -> list[str | None]:
    """The tokens with which the limits were asked for upstream."""
    return [request.bearer for request in fake.requests.of("usage")]


# The plain case


async def test_a_401_asks_the_parent_and_the_request_goes_on_with_its_answer(
    fake: FakeOpenAI, own_server: ServerProcess
) -> None:
    old = await with_expired_token(fake, own_server)
    await ask(own_server, 1)

    assert await own_server.message() == {
        "method": REFRESH,
        "id": 0,
        "params": {"reason": "unauthorized", "previousAccountId": "acct-1"},
    }
    new = fake.mint()
    await own_server.send({"id": 0, "result": fresh(new)})

    answer = await own_server.message()
    assert (answer["id"], answer["result"]["accountId"]) == (1, "acct-1")
    assert bearers(fake) == [old.access_token, new.access_token]
    # Neither the refresh nor the newer tokens are announced.
    assert await own_server.barrier() == []


async def test_the_answer_is_in_force_from_then_on_and_in_memory_only(fake: FakeOpenAI, server: ServerProcess) -> None:
    await with_expired_token(fake, server)
    await ask(server, 1)
    request = await server.server_request(REFRESH)
    new = fake.mint(claims={"email": "fresh@example.com"})
    await server.send({"id": request["id"], "result": fresh(new)})
    await server.answer(1)

    assert await token_in_force(server) == new.access_token
    assert (await server.result("account/read", {}))["account"]["email"] == "fresh@example.com"
    await server.result(LIMITS, USAGE_ONLY)
    assert await server.barrier() == []
    assert not [file for file in files(server.home) if new.access_token.encode() in file.read_bytes()]


async def test_the_answer_can_name_a_plan(fake: FakeOpenAI, server: ServerProcess) -> None:
    tokens = await with_expired_token(fake, server)
    for members, plan in (({"chatgptPlanType": "PRO"}, "pro"), ({"chatgptPlanType": None}, "plus"), ({}, "plus")):
        await ask(server, 1)
        request = await server.server_request(REFRESH)
        tokens = fake.mint()
        await server.send({"id": request["id"], "result": fresh(tokens, **members)})
        await server.answer(1)

        assert (await server.result("account/read", {}))["account"]["planType"] == plan, members
        fake.expire(tokens.access_token)


async def test_ids_of_the_requests_to_the_parent_are_counted_from_zero(
    fake: FakeOpenAI, own_server: ServerProcess
) -> None:
    await with_expired_token(fake, own_server)
    for number in range(3):
        await ask(own_server, 100 + number)
        assert (await own_server.server_request(REFRESH))["id"] == number
        tokens = fake.mint()
        await own_server.send({"id": number, "result": fresh(tokens)})
        assert "result" in await own_server.answer(100 + number)
        fake.expire(tokens.access_token)


async def test_only_the_answer_under_its_own_id_counts(fake: FakeOpenAI, own_server: ServerProcess) -> None:
    await with_expired_token(fake, own_server)
    await ask(own_server, 1)
    request = await own_server.server_request(REFRESH)
    assert request["id"] == 0
    for other in ("0", 1, -1, 0.5, False, None):
        await own_server.send({"id": other, "result": fresh(fake.mint("acct-1"))})
    new = fake.mint()
    await own_server.send({"id": 0, "result": fresh(new)})

    assert "result" in await own_server.answer(1)
    assert await token_in_force(own_server) == new.access_token


# Many requests, one token


async def test_fifty_requests_with_one_expired_token_ask_once_and_all_succeed(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    # The reference asks once for each (wire.md section 15.3).
    old = await with_expired_token(fake, server)
    await ask(server, *range(50))
    request = await server.server_request(REFRESH)
    await asked(fake, "usage", 50)
    new = fake.mint()
    await server.send({"id": request["id"], "result": fresh(new)})

    for number in range(50):
        assert (await server.answer(number))["result"]["accountId"] == "acct-1"
    assert await server.barrier() == []
    assert Counter(bearers(fake)) == {old.access_token: 50, new.access_token: 50}


async def test_both_calls_of_one_request_wait_for_the_same_answer(fake: FakeOpenAI, server: ServerProcess) -> None:
    await with_expired_token(fake, server)
    await server.send({"id": 1, "method": LIMITS})
    request = await server.server_request(REFRESH)
    await asked(fake, "usage")
    await asked(fake, "reset_credits")
    await server.send({"id": request["id"], "result": fresh(fake.mint())})

    assert (await server.answer(1))["result"]["rateLimitResetCredits"]["availableCount"] == 1
    assert await server.barrier() == []
    assert (len(fake.requests.of("usage")), len(fake.requests.of("reset_credits"))) == (2, 2)


async def test_a_request_that_comes_while_the_parent_is_asked_waits_for_the_same_answer(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    await with_expired_token(fake, server)
    await ask(server, 1)
    request = await server.server_request(REFRESH)
    await ask(server, 2)
    await asked(fake, "usage", 2)
    await server.send({"id": request["id"], "result": fresh(fake.mint())})

    assert "result" in await server.answer(1)
    assert "result" in await server.answer(2)
    assert await server.barrier() == []


async def test_a_401_on_a_token_that_has_been_replaced_asks_nobody(fake: FakeOpenAI, server: ServerProcess) -> None:
    old = await with_expired_token(fake, server)
    fake.fault("usage", token=old.access_token, hang=True, when="after")  # the 401 is on its way for a long time
    await ask(server, 1)
    await asked(fake, "usage")
    new = fake.mint()
    await log_in_with_tokens(server, new)
    fake.release()

    assert "result" in await server.answer(1)
    assert bearers(fake) == [old.access_token, new.access_token]
    assert await server.barrier() == []


async def test_a_parent_that_refuses_refuses_all_who_wait_and_is_asked_once(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    await with_expired_token(fake, server)
    await ask(server, *range(10))
    request = await server.server_request(REFRESH)
    await asked(fake, "usage", 10)
    # The last of the 401s may still be on its way to the server; what is answered after it has overtaken none.
    fake.fault("usage", status=500)
    await server.error(LIMITS, USAGE_ONLY)
    await server.send({"id": request["id"], "error": {"code": -32000, "message": "The vault is locked."}})

    for number in range(10):
        assert (await server.answer(number))["error"]["data"] == {"additionalDetails": "The vault is locked."}
    assert await server.barrier() == []


# What else satisfies or ends the wait


async def test_a_token_that_the_parent_pushes_satisfies_the_wait(fake: FakeOpenAI, server: ServerProcess) -> None:
    # The reference goes on waiting for the answer (wire.md section 15.4).
    old = await with_expired_token(fake, server)
    await ask(server, 1)
    request = await server.server_request(REFRESH)
    new = fake.mint()
    await server.result(LOGIN, tokens_login(new))

    assert "result" in await server.answer(1)
    assert bearers(fake) == [old.access_token, new.access_token]
    assert await next_messages(server, 2) == [completed(), updated("chatgptAuthTokens", "plus")]

    # What the parent answers after that is not newer than what it has pushed.
    await server.send({"id": request["id"], "result": fresh(fake.mint())})
    assert await token_in_force(server) == new.access_token


async def test_logging_out_ends_the_wait_at_once(fake: FakeOpenAI, start: Start) -> None:
    # In the reference the logout is answered when the refresh has ended (wire.md section 15.4).
    async with start(LONG_WAIT) as server:
        old = await with_expired_token(fake, server)
        await ask(server, 1)
        request = await server.server_request(REFRESH)
        assert await server.result("account/logout") == {}
        assert (await server.answer(1))["error"] == {"code": -32603, "message": SIGNED_OUT}
        assert bearers(fake) == [old.access_token]

        # The parent's answer comes too late to log anybody in again.
        await server.send({"id": request["id"], "result": fresh(fake.mint())})
        assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS
        assert [message["method"] for message in await server.barrier()] == [UPDATED]


async def test_who_waits_for_the_parent_holds_up_no_other_request(fake: FakeOpenAI, server: ServerProcess) -> None:
    old = await with_expired_token(fake, server)
    await ask(server, 1)
    await server.server_request(REFRESH)

    assert await token_in_force(server) == old.access_token
    assert (await server.result("account/read", {}))["userId"] == "user-1"
    assert (await server.error("account/login/cancel", {"loginId": "no id"}))["code"] == -32600


async def test_the_end_of_input_ends_the_wait(fake: FakeOpenAI, start: Start) -> None:
    async with start(LONG_WAIT, "app_server.drain_timeout=60") as server:
        await with_expired_token(fake, server)
        await ask(server, 1)
        await server.server_request(REFRESH)
        await server.close_input()

        assert await server.exit_status() == 0
        assert [(message["id"], message["error"]["code"]) for message in await server.rest()] == [(1, -32603)]


# Who asks the parent, and who does not


async def test_the_lookup_of_the_workspace_asks_too(fake: FakeOpenAI, server: ServerProcess) -> None:
    old = fake.mint()
    fake.expire(old.access_token)
    await server.send({"id": 1, "method": LOGIN, "params": tokens_login(old)})
    await server.answer(1)
    request = await server.server_request(REFRESH)
    assert request["params"] == {"reason": "unauthorized", "previousAccountId": "acct-1"}
    await server.send({"id": 2, "method": "account/read", "params": {}})
    new = fake.mint()
    await server.send({"id": request["id"], "result": fresh(new)})

    assert (await server.answer(2))["result"]["userId"] == "user-1"
    assert await next_messages(server, 2) == [completed(), updated("chatgptAuthTokens", "plus")]
    lookups = [lookup.bearer for lookup in fake.requests.of("accounts_check")]
    assert lookups == [old.access_token, new.access_token]
    assert await server.barrier() == []


async def test_a_reading_of_the_account_recovers_too(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("accounts_check", status=500)
    tokens = fake.mint()
    await server.result(LOGIN, tokens_login(tokens))
    await server.notification("account/login/completed")
    fake.expire(tokens.access_token)
    await server.send({"id": 1, "method": "account/read", "params": {}})
    request = await server.server_request(REFRESH)
    await server.send({"id": request["id"], "result": fresh(fake.mint())})

    assert (await server.answer(1))["result"]["workspaceRouting"]["chatgptAccountId"] == "acct-1"


async def test_nobody_is_asked_about_a_token_that_looks_expired_while_the_upstream_takes_it(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.configure(accept_any_token=True)
    await log_in_with_tokens(server, fake.mint(expires_in=-3600))

    assert (await server.result(LIMITS))["accountId"] == "acct-1"
    await server.result("account/read", {"refreshToken": True})
    await server.result("getAuthStatus", {"refreshToken": True})
    assert await server.barrier() == []


async def test_an_upstream_that_fails_otherwise_is_not_a_matter_of_tokens(fake: FakeOpenAI, start: Start) -> None:
    async with start("app_server.upstream_timeout=0.7") as server:
        await log_in_with_tokens(server, fake.mint())
        for fault in ({"status": 403}, {"status": 500}, {"retry_after": 1}, {"drop": True}, {"hang": True}):
            fake.fault("usage", **fault)
            assert (await server.error(LIMITS, USAGE_ONLY))["code"] == -32603, fault
        assert await server.barrier() == []
