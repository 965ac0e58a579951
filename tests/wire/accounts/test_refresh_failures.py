"""A 401 on tokens that the parent owns, when the parent is no help (wire.md section 10; section 15, items 13 and
19)."""

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account
from tests.support.server import Json, ServerProcess
from tests.support.upstream import (
    LIMITS,
    LOGIN,
    NO_STATUS,
    REFRESH,
    Start,
    completed,
    fresh,
    log_in_with_tokens,
    next_messages,
    token_in_force,
    tokens_login,
)

USAGE_ONLY: Json = {"excludeResetCreditDetails": True}
PREFIX = "failed to fetch codex rate limits: "
NOT_ANSWERED = "app_server.external_refresh_timeout=0.3"


async def limits_with_answer(server: ServerProcess, answer: Json) -> Json:
    """Ask for the limits, answer the request for fresh tokens with this, and return the error that comes of it."""
    await server.send({"id": "limits", "method": LIMITS, "params": USAGE_ONLY})
    request = await server.server_request(REFRESH)
    await server.send({"id": request["id"], **answer})
    outcome = await server.answer("limits")
    assert outcome["error"]["code"] == -32603, outcome
    return outcome["error"]  # type: ignore[no-any-return]


async def test_the_code_of_a_refusal_is_in_the_message_and_its_text_beside(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    # In the reference only the code survives (wire.md section 15.19).
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)
    fake.expire(tokens.access_token)

    for code, text in ((-32000, "The vault is locked."), (-32601, "Method not found"), (7, "")):
        error = await limits_with_answer(server, {"error": {"code": code, "message": text}})
        assert error["message"] == f"{PREFIX}auth refresh request failed: code={code}"
        assert error["data"] == {"additionalDetails": text}
    assert await server.barrier() == []
    assert await token_in_force(server) == tokens.access_token

    # Nothing is held against the parent: the next request asks again.
    await server.send({"id": 1, "method": LIMITS, "params": USAGE_ONLY})
    request = await server.server_request(REFRESH)
    await server.send({"id": request["id"], "result": fresh(fake.mint())})
    assert "result" in await server.answer(1)


async def test_a_refusal_fails_the_login_and_the_reading_of_the_account_too(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    tokens = fake.mint()
    fake.expire(tokens.access_token)
    refusal = {"error": {"code": -32000, "message": "The vault is locked."}}
    await server.result(LOGIN, tokens_login(tokens))
    request = await server.server_request(REFRESH)
    await server.send({"id": request["id"], **refusal})
    unauthorized = "workspace routing discovery unauthorized (401)"
    assert await next_messages(server, 1) == [completed(unauthorized)]

    await server.send({"id": 1, "method": "account/read", "params": {}})
    request = await server.server_request(REFRESH)
    await server.send({"id": request["id"], **refusal})
    assert (await server.answer(1))["error"] == {
        "code": -32603,
        "message": unauthorized,
        "data": {"additionalDetails": "The vault is locked."},
    }


async def test_an_answer_that_is_none_is_an_error_and_nothing_of_it_is_used(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)
    fake.expire(tokens.access_token)
    good = fresh(fake.mint())
    shape, token = "invalid auth refresh response", "auth refresh returned invalid credentials"
    answers: list[tuple[object, str]] = [
        ({}, shape),
        (None, shape),
        ([], shape),
        ("token", shape),
        ({"accessToken": good["accessToken"]}, shape),
        ({"chatgptAccountId": "acct-1"}, shape),
        ({**good, "accessToken": None}, shape),
        ({**good, "accessToken": 5}, shape),
        ({**good, "chatgptAccountId": None}, shape),
        ({**good, "chatgptPlanType": 5}, shape),
        ({**good, "accessToken": ""}, token),
        ({**good, "accessToken": "sk-test"}, token),
        ({**good, "accessToken": "a.b.c"}, token),
    ]
    for answer, text in answers:
        assert await limits_with_answer(server, {"result": answer}) == {
            "code": -32603,
            "message": PREFIX + text,
        }, answer
        assert await token_in_force(server) == tokens.access_token, answer
    assert await server.barrier() == []
    assert {request.bearer for request in fake.requests.of("usage")} == {tokens.access_token}


async def test_tokens_of_another_account_are_refused_and_not_adopted(fake: FakeOpenAI, server: ServerProcess) -> None:
    # The reference fails with an unrelated text, and adopts the account (wire.md section 15.13).
    fake.add_account(Account(account_id="acct-2"))
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)
    fake.expire(tokens.access_token)

    error = await limits_with_answer(server, {"result": fresh(fake.mint("acct-2"))})
    assert error == {
        "code": -32603,
        "message": f"{PREFIX}Login is restricted to workspace(s) acct-1, but current credentials belong to acct-2",
    }
    assert await server.barrier() == []
    assert await token_in_force(server) == tokens.access_token
    assert [request.bearer for request in fake.requests.of("usage")] == [tokens.access_token]


async def test_tokens_from_outside_the_forced_workspaces_are_refused(fake: FakeOpenAI, start: Start) -> None:
    fake.add_account(Account(account_id="acct-2"))
    fake.add_account(Account(account_id="acct-3"))

    async with start('forced_chatgpt_workspace_id=["acct-1", "acct-3"]') as server:
        tokens = fake.mint()
        await log_in_with_tokens(server, tokens)
        fake.expire(tokens.access_token)

        for account, allowed in (("acct-2", "acct-1, acct-3"), ("acct-3", "acct-1")):
            error = await limits_with_answer(server, {"result": fresh(fake.mint(account))})
            assert error["message"] == (
                f"{PREFIX}Login is restricted to workspace(s) {allowed}, but current credentials belong to {account}"
            )
        assert await token_in_force(server) == tokens.access_token


async def test_fresh_tokens_that_are_not_accepted_either_leave_the_error_of_the_upstream(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    tokens, no_better = fake.mint(), fake.mint()
    await log_in_with_tokens(server, tokens)
    for expired in (tokens, no_better):
        fake.expire(expired.access_token)

    error = await limits_with_answer(server, {"result": fresh(no_better)})
    assert error == {
        "code": -32603,
        "message": f"{PREFIX}GET {fake.base_url}/backend-api/wham/usage failed: 401 Unauthorized; "
        "content-type=application/json",
    }
    # One refresh, two calls; and they stay in force, for there are no better ones.
    assert await server.barrier() == []
    assert [request.bearer for request in fake.requests.of("usage")] == [tokens.access_token, no_better.access_token]
    assert await token_in_force(server) == no_better.access_token

    # The next request asks again.
    await server.send({"id": 1, "method": LIMITS, "params": USAGE_ONLY})
    request = await server.server_request(REFRESH)
    await server.send({"id": request["id"], "result": fresh(fake.mint())})
    assert "result" in await server.answer(1)


# Silence


async def test_a_parent_that_does_not_answer_is_not_waited_for_any_longer(fake: FakeOpenAI, start: Start) -> None:
    async with start(NOT_ANSWERED) as server:
        tokens = fake.mint()
        await log_in_with_tokens(server, tokens)
        fake.expire(tokens.access_token)

        timed_out = {"code": -32603, "message": f"{PREFIX}auth refresh request timed out after 0.3s"}
        assert await server.error(LIMITS, USAGE_ONLY) == timed_out
        assert (await server.server_request(REFRESH))["id"] == 0
        assert await token_in_force(server) == tokens.access_token

        # The next request asks again, under another id.
        assert await server.error(LIMITS, USAGE_ONLY) == timed_out
        assert (await server.server_request(REFRESH))["id"] == 1
        assert await server.barrier() == []


async def test_an_answer_that_comes_late_serves_the_next_request(fake: FakeOpenAI, start: Start) -> None:
    # The reference ignores it.
    async with start(NOT_ANSWERED) as server:
        tokens = fake.mint()
        await log_in_with_tokens(server, tokens)
        fake.expire(tokens.access_token)
        await server.error(LIMITS, USAGE_ONLY)
        request = await server.server_request(REFRESH)

        new = fake.mint()
        await server.send({"id": request["id"], "result": fresh(new)})
        assert await token_in_force(server) == new.access_token
        assert "result" in await server.request(LIMITS, USAGE_ONLY)
        assert await server.barrier() == []


async def test_a_late_answer_to_the_first_question_satisfies_the_second(fake: FakeOpenAI, start: Start) -> None:
    async with start("app_server.external_refresh_timeout=1") as server:
        tokens = fake.mint()
        await log_in_with_tokens(server, tokens)
        fake.expire(tokens.access_token)
        await server.error(LIMITS, USAGE_ONLY)
        first = await server.server_request(REFRESH)
        await server.send({"id": 1, "method": LIMITS, "params": USAGE_ONLY})
        await server.server_request(REFRESH)

        await server.send({"id": first["id"], "result": fresh(fake.mint())})
        assert "result" in await server.answer(1)


async def test_a_late_answer_for_another_account_is_not_adopted(fake: FakeOpenAI, start: Start) -> None:
    fake.add_account(Account(account_id="acct-2"))

    async with start(NOT_ANSWERED) as server:
        tokens = fake.mint()
        await log_in_with_tokens(server, tokens)
        fake.expire(tokens.access_token)
        await server.error(LIMITS, USAGE_ONLY)
        request = await server.server_request(REFRESH)

        await server.send({"id": request["id"], "result": fresh(fake.mint("acct-2"))})
        assert await token_in_force(server) == tokens.access_token


async def test_an_answer_that_comes_after_another_login_or_after_logging_out_is_ignored(
    fake: FakeOpenAI, start: Start
) -> None:
    fake.add_account(Account(account_id="acct-2"))

    async with start(NOT_ANSWERED) as server:
        tokens = fake.mint()
        await log_in_with_tokens(server, tokens)
        fake.expire(tokens.access_token)
        await server.error(LIMITS, USAGE_ONLY)
        request = await server.server_request(REFRESH)
        other = fake.mint("acct-2")
        await log_in_with_tokens(server, other)
        await server.send({"id": request["id"], "result": fresh(fake.mint())})
        assert await token_in_force(server) == other.access_token

        fake.expire(other.access_token)
        await server.error(LIMITS, USAGE_ONLY)
        request = await server.server_request(REFRESH)
        assert await server.result("account/logout") == {}
        await server.barrier()
        await server.send({"id": request["id"], "result": fresh(fake.mint("acct-2"))})
        assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS
        assert await server.barrier() == []
