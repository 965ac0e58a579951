"""A 401 in a turn: tokens that the parent owns (wire.md section 10) and managed ones (section 11)."""

from typing import Any

import anyio
import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account, TokenSet
from tests.conformance.conftest import Differs
from tests.conformance.support import thread_on, told
from tests.support.server import DEADLINE, Json, ServerProcess
from tests.support.upstream import (
    LOGIN,
    REFRESH,
    UPDATED,
    Start,
    fresh,
    log_in_with_tokens,
    managed_login,
    store,
    stored,
    token_in_force,
    tokens_login,
)
from tests.wire.refresh.support import EXPIRED, INVALIDATED, REUSED, SIGN_IN_AGAIN, until_replaced
from tests.wire.turns.support import RESPONSES, asked, begin, course, courses, talk

PATIENCE = 1.0
"""Seconds after which something that takes a few milliseconds does not happen."""

UNAUTHORIZED: Json = {"httpConnectionFailed": {"httpStatusCode": 401}}


def refuse(fake: FakeOpenAI, tokens: TokenSet, **more: Any) -> None:
    """Have the model refuse these tokens; what the reference asks the backend for before a turn, it gets."""
    fake.fault(RESPONSES, status=401, token=tokens.access_token, **{"times": None, **more})


class Refused:
    """A turn whose token was refused, and what the parent was asked because of that."""

    def __init__(self, server: ServerProcess, fake: FakeOpenAI, tokens: TokenSet) -> None:
        self.server, self.fake, self.tokens = server, fake, tokens
        self.thread = self.turn = ""
        self.question: Json = {}

    async def begin(self, text: str = "Hello") -> None:
        refuse(self.fake, self.tokens)
        self.turn = await begin(self.server, self.thread, text)
        self.question = await self.server.server_request(REFRESH)

    async def reply(self, **answer: Any) -> None:
        await self.server.send({"id": self.question["id"], **answer})


@pytest.fixture
async def refused(server: ServerProcess, fake: FakeOpenAI) -> Refused:
    refused = Refused(server, fake, fake.mint())
    await log_in_with_tokens(server, refused.tokens)
    refused.thread = await thread_on(server, "login")
    await refused.begin()
    return refused


@pytest.mark.parametrize("plan", [{}, {"chatgptPlanType": None}, {"chatgptPlanType": "pro"}])
async def test_a_good_answer_leads_to_one_retry_and_nothing_is_shown(refused: Refused, plan: Json) -> None:
    expected = {"reason": "unauthorized", "previousAccountId": "acct-1"}
    assert {name: refused.question["params"][name] for name in expected} == expected
    newer = refused.fake.mint()
    await refused.reply(result={**fresh(newer), **plan})
    done = await course(refused.server, refused.thread, refused.turn)
    assert (done.status, done.notices) == ("completed", [])
    bearers = [request.bearer for request in asked(refused.fake)]
    assert bearers == [refused.tokens.access_token, newer.access_token]
    assert await token_in_force(refused.server) == newer.access_token
    assert told(await refused.server.barrier()) == []


BAD_ANSWERS: dict[str, tuple[Json, str]] = {
    "error": (
        {"error": {"code": -32000, "message": "The vault is locked."}},
        "auth refresh request failed: code=-32000",
    ),
    "no handler": ({"error": {"code": -32601, "message": "?"}}, "auth refresh request failed: code=-32601"),
    "nothing": ({"result": {}}, "invalid auth refresh response"),
    "null": ({"result": None}, "invalid auth refresh response"),
    "half": ({"result": {"accessToken": "a.b.c"}}, "invalid auth refresh response"),
    "no token": (
        {"result": {"accessToken": "sk-1", "chatgptAccountId": "acct-1"}},
        "auth refresh returned invalid credentials",
    ),
}


@pytest.mark.parametrize("row", BAD_ANSWERS)
async def test_an_answer_that_does_not_help_fails_the_turn_and_the_next_one_asks_again(
    refused: Refused, row: str
) -> None:
    answer, text = BAD_ANSWERS[row]
    await refused.reply(**answer)
    failed = await course(refused.server, refused.thread, refused.turn)
    assert (failed.error["message"], failed.error["codexErrorInfo"]) == (text, "other")
    assert await token_in_force(refused.server) == refused.tokens.access_token
    await refused.begin("Again")
    await refused.reply(result=fresh(refused.fake.mint()))
    assert (await course(refused.server, refused.thread, refused.turn)).spoken == ["Again"]


async def test_the_parents_own_words_about_a_refusal(refused: Refused, differs: Differs) -> None:
    await refused.reply(error={"code": -32000, "message": "The vault is locked."})
    failed = await course(refused.server, refused.thread, refused.turn)
    differs("refresh-error-text", failed.error["additionalDetails"])


async def test_a_refusal_of_the_new_token_too_is_the_error_of_the_upstream(refused: Refused) -> None:
    refused.fake.fault(RESPONSES, status=401, json={"error": {"message": "No."}})
    await refused.reply(result=fresh(refused.fake.mint()))
    failed = await course(refused.server, refused.thread, refused.turn)
    url = f"{refused.fake.base_url}/v1/responses"
    assert failed.error["message"] == f"unexpected status 401 Unauthorized: No., url: {url}"
    assert failed.error["codexErrorInfo"] == UNAUTHORIZED
    assert len(asked(refused.fake)) == 2


async def test_tokens_of_another_account(refused: Refused, differs: Differs) -> None:
    refused.fake.add_account(Account(account_id="acct-2"))
    other = refused.fake.mint("acct-2")
    await refused.reply(result=fresh(other))
    failed = await course(refused.server, refused.thread, refused.turn)
    adopted = await token_in_force(refused.server) == other.access_token
    differs("another-account", {"error": failed.error["message"], "adopted": adopted})


async def test_an_interrupt_does_not_wait_for_the_parent(refused: Refused) -> None:
    server = refused.server
    assert await server.result("turn/interrupt", {"threadId": refused.thread, "turnId": refused.turn}) == {}
    assert (await course(server, refused.thread, refused.turn)).status == "interrupted"
    await refused.reply(result=fresh(refused.fake.mint()))
    assert [message for message in await server.barrier() if message.get("method") == "error"] == []


async def test_a_new_token_that_is_pushed_while_the_parent_is_asked(refused: Refused, differs: Differs) -> None:
    server, newer = refused.server, refused.fake.mint()
    await server.send({"id": "push", "method": LOGIN, "params": tokens_login(newer)})
    completed = False
    # The reference answers the login, if at all, when the question is over.
    with anyio.move_on_after(PATIENCE):
        await server.take(lambda message: message.get("method") == "turn/completed")
        completed = True
    differs("pushed-token", completed)
    if not completed:
        await refused.reply(result=fresh(newer))
        await course(server, refused.thread, refused.turn)
    await server.answer("push")


async def test_a_logout_while_the_parent_is_asked(refused: Refused, differs: Differs) -> None:
    server = refused.server
    await server.send({"id": "out", "method": "account/logout"})
    answered = False
    with anyio.move_on_after(PATIENCE):
        await server.answer("out")
        answered = True
    differs("logout-while-asked", answered)
    if not answered:
        await refused.reply(error={"code": 1, "message": "m"})
        await server.answer("out")
    await server.take(lambda message: message.get("method") == "turn/completed")


async def test_two_turns_with_one_token_that_is_refused(
    server: ServerProcess, fake: FakeOpenAI, differs: Differs
) -> None:
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)
    threads = [await thread_on(server, "login") for _ in range(2)]
    refuse(fake, tokens, hang=True, times=len(threads))
    running = {thread: await begin(server, thread) for thread in threads}
    await fake.wait_hanging(len(threads), timeout=DEADLINE)
    fake.release()
    questions = 0
    with anyio.fail_after(DEADLINE):
        while running:
            message = await server.message()
            if message.get("method") == REFRESH:
                questions += 1
                await server.send({"id": message["id"], "result": fresh(fake.mint())})
            if message.get("method") == "turn/completed":
                assert message["params"]["turn"]["status"] == "completed"
                del running[message["params"]["threadId"]]
    differs("concurrent-401", questions)


# Managed


@pytest.fixture
async def managed(fake: FakeOpenAI, home: Any, start: Start) -> Any:
    """A server with a stored login whose access token is refused from now on."""
    tokens = fake.mint()
    store(home, managed_login(tokens))
    async with start() as server:
        await server.notification(UPDATED)
        thread = await thread_on(server, "login")
        refuse(fake, tokens)
        yield server, tokens, thread


async def test_a_managed_token_is_refreshed_and_the_turn_goes_on(
    managed: Any, fake: FakeOpenAI, differs: Differs
) -> None:
    server, tokens, thread = managed
    done = await talk(server, thread)
    assert (done.status, done.notices) == ("completed", [])
    (refresh,) = fake.requests.of("token")
    assert refresh.json == {
        "client_id": "client-of-the-tests",
        "grant_type": "refresh_token",
        "refresh_reason": "unauthorized_recovery",
        "refresh_token": tokens.refresh_token,
    }
    assert refresh.bearer is None
    newer = await token_in_force(server)
    assert stored(server.home)["tokens"]["access_token"] == newer != tokens.access_token
    assert [request.bearer for request in asked(fake)][-1] == newer
    differs("first-401-again", len(asked(fake)))


PERMANENT: dict[str, tuple[Json, str]] = {
    "expired": ({"status": 401, "json": {"error": {"code": "refresh_token_expired"}}}, EXPIRED),
    "expired in any case": ({"status": 500, "json": {"code": "REFRESH_TOKEN_EXPIRED"}}, EXPIRED),
    "reused": ({"status": 400, "json": {"error": "refresh_token_reused"}}, REUSED),
    "invalidated": ({"status": 401, "json": {"error": {"code": "refresh_token_invalidated"}}}, INVALIDATED),
    "some 401": ({"status": 401, "json": {"error": {"code": "zzz"}}}, SIGN_IN_AGAIN),
    "invalid_grant": ({"status": 400, "json": {"error": "invalid_grant"}}, SIGN_IN_AGAIN),
}


@pytest.mark.parametrize("row", PERMANENT)
async def test_a_refresh_that_fails_for_good_is_not_tried_again(
    managed: Any, fake: FakeOpenAI, row: str, differs: Differs
) -> None:
    server, tokens, thread = managed
    happens, text = PERMANENT[row]
    fake.fault("token", **happens)
    failed = await talk(server, thread)
    assert (failed.error["message"], failed.error["codexErrorInfo"]) == (text, "unauthorized")
    assert (await talk(server, thread)).error["message"] == text
    assert len(fake.requests.of("token")) == 1
    assert (await server.result("account/read", {}))["account"] is None
    status = await server.result("getAuthStatus", {"includeToken": True})
    assert (status["authMethod"], status["authToken"]) == ("chatgpt", None)
    assert stored(server.home)["tokens"]["refresh_token"] == tokens.refresh_token
    said = [params for method, params in told(await server.barrier()) if method == UPDATED]
    differs("silent-logout", [params["authMode"] for params in said])


TRANSIENT: dict[str, tuple[Json, str]] = {
    "500": ({"status": 500, "body": "canary"}, "Failed to refresh token: 500 Internal Server Error"),
    "403": ({"status": 403}, "Failed to refresh token: 403 Forbidden"),
    "not JSON": ({"status": 200, "malformed": True}, "OAuth token response is invalid"),
    "dropped": ({"drop": True}, "error sending request for url ($URL/oauth/token)"),
}


@pytest.mark.parametrize("row", TRANSIENT)
async def test_a_refresh_that_fails_for_now_is_tried_by_the_next_turn(managed: Any, fake: FakeOpenAI, row: str) -> None:
    server, tokens, thread = managed
    happens, text = TRANSIENT[row]
    fake.fault("token", times=None, **happens)
    failed = await talk(server, thread)
    assert failed.error["message"] == text.replace("$URL", fake.base_url)
    assert failed.error["codexErrorInfo"] == "other"
    fake.clear_faults()
    fake.expire(tokens.access_token)
    assert (await talk(server, thread)).status == "completed"
    assert await token_in_force(server) != tokens.access_token


async def test_a_forced_refresh_renews_the_token(managed: Any, fake: FakeOpenAI) -> None:
    server, tokens, _ = managed
    assert (await server.result("account/read", {"refreshToken": True}))["account"]["type"] == "chatgpt"
    (refresh,) = fake.requests.of("token")
    assert refresh.json["refresh_reason"] == "forced"
    assert await token_in_force(server) != tokens.access_token


async def test_unknown_members_of_the_credentials_and_a_refresh(
    fake: FakeOpenAI, home: Any, start: Start, differs: Differs
) -> None:
    store(home, managed_login(fake.mint(), added_by_somebody={"x": 1}))
    async with start() as server:
        await server.notification(UPDATED)
        await server.result("account/read", {"refreshToken": True})
        assert len(fake.requests.of("token")) == 1
        differs("unknown-members", "added_by_somebody" in stored(home))


async def test_a_token_that_is_about_to_expire_is_renewed_before_it_is_used(
    fake: FakeOpenAI, home: Any, start: Start
) -> None:
    tokens = fake.mint(expires_in=200)
    store(home, managed_login(tokens))
    async with start() as server:
        await until_replaced(server, tokens.access_token)
        assert [request.json["refresh_reason"] for request in fake.requests.of("token")] == ["proactive_expiry"]


async def test_two_turns_with_one_managed_token_that_is_refused(
    managed: Any, fake: FakeOpenAI, differs: Differs
) -> None:
    server, tokens, thread = managed
    fake.clear_faults()
    threads = [thread, await thread_on(server, "login")]
    refuse(fake, tokens, hang=True, times=len(threads))
    turns = {one: await begin(server, one) for one in threads}
    await fake.wait_hanging(len(threads), timeout=DEADLINE)
    refuse(fake, tokens)
    fake.release()
    ended = await courses(server, turns)
    assert {done.status for done in ended.values()} == {"completed"}
    differs("concurrent-401-managed", len(fake.requests.of("token")))
