"""A 401 in a turn whose tokens the parent owns (wire.md section 10; section 15, items 3, 4, 13 and 19)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account, TokenSet
from tests.support.server import Json, ServerProcess
from tests.support.upstream import (
    REFRESH,
    Start,
    fresh,
    log_in_with_tokens,
    token_in_force,
)
from tests.wire.turns.support import (
    AT_ONCE,
    Course,
    asked,
    begin,
    course,
    courses,
    nothing_more,
    start_thread,
    talk,
    works,
)

SHORT = "app_server.external_refresh_timeout=0.5"
"""How long the parent has to answer; 10 s by default, as in the reference."""

UNAUTHORIZED = {"httpConnectionFailed": {"httpStatusCode": 401}}


@dataclass(frozen=True)
class Refused:
    """A turn whose token was refused, and what the parent was asked because of that."""

    server: ServerProcess
    fake: FakeOpenAI
    tokens: TokenSet
    thread: str
    turn_id: str
    question: Json

    async def answer(self, **answer: Any) -> Course:
        """Answer as the parent, and wait for the turn's end."""
        await self.reply(**answer)
        return await course(self.server, self.thread, self.turn_id)

    async def reply(self, **answer: Any) -> None:
        await self.server.send({"id": self.question["id"], **answer})

    def bearers(self) -> list[str | None]:
        return [request.bearer for request in asked(self.fake)]

    async def asks_again(self) -> None:
        """Nothing was changed and nothing is held against the parent: the next turn asks again, and works."""
        assert await token_in_force(self.server) == self.tokens.access_token
        turn_id = await begin(self.server, self.thread, "Again")
        question = await self.server.server_request(REFRESH)
        await self.server.send({"id": question["id"], "result": fresh(self.fake.mint())})
        done = await course(self.server, self.thread, turn_id)
        assert (done.status, done.spoken) == ("completed", ["Again"])


async def until_asked(server: ServerProcess, fake: FakeOpenAI, provider: str = "login") -> Refused:
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)
    thread = await start_thread(server, provider)
    fake.expire(tokens.access_token)
    turn_id = await begin(server, thread)
    return Refused(server, fake, tokens, thread, turn_id, await server.server_request(REFRESH))


@pytest.fixture
async def refused(server: ServerProcess, fake: FakeOpenAI) -> AsyncIterator[Refused]:
    yield await until_asked(server, fake)
    assert [message for message in server.messages if message.get("method") == REFRESH] == []


@pytest.mark.parametrize("plan", [{}, {"chatgptPlanType": None}, {"chatgptPlanType": "pro"}])
async def test_a_good_answer_leads_to_one_retry_and_nothing_is_shown(refused: Refused, plan: Json) -> None:
    params = refused.question["params"]
    assert (params["reason"], params["previousAccountId"]) == ("unauthorized", refused.tokens.account.account_id)
    newer = refused.fake.mint()

    done = await refused.answer(result={**fresh(newer), **plan})

    assert (done.status, done.spoken, done.notices) == ("completed", ["Hello"], [])
    assert refused.bearers() == [refused.tokens.access_token, newer.access_token]
    assert await token_in_force(refused.server) == newer.access_token
    account = (await refused.server.result("account/read", {}))["account"]
    assert account["planType"] == (plan.get("chatgptPlanType") or "plus")
    assert await refused.server.barrier() == []
    assert (await works(refused.server, refused.fake, refused.thread)).bearer == newer.access_token
    assert not (refused.server.home / "auth.json").exists()


@pytest.mark.parametrize(("code", "text"), [(-32000, "The vault is locked."), (-32601, "Method not found")])
async def test_an_error_fails_the_turn_with_its_code_and_its_text_beside(
    refused: Refused, code: int, text: str
) -> None:
    """The reference drops the parent's text (wire.md section 15.19)."""
    failed = await refused.answer(error={"code": code, "message": text})

    assert failed.error == {
        "message": f"auth refresh request failed: code={code}",
        "codexErrorInfo": "other",
        "additionalDetails": text,
        "misalignment": None,
    }
    assert len(refused.bearers()) == 1
    await refused.asks_again()


async def test_no_answer_in_time_fails_the_turn(fake: FakeOpenAI, start: Start) -> None:
    async with start(SHORT) as server:
        refused = await until_asked(server, fake)

        failed = await course(server, refused.thread, refused.turn_id)

        assert failed.error["message"] == "auth refresh request timed out after 0.5s"
        assert failed.error["codexErrorInfo"] == "other"
        assert len(refused.bearers()) == 1
        assert await token_in_force(server) == refused.tokens.access_token


async def test_a_late_answer_changes_nothing_of_the_turn_and_is_used_by_the_next(
    fake: FakeOpenAI, start: Start
) -> None:
    """In the reference it is thrown away and the next turn asks again."""
    async with start(SHORT) as server:
        refused = await until_asked(server, fake)
        failed = await course(server, refused.thread, refused.turn_id)
        assert failed.status == "failed"
        newer = fake.mint()

        await refused.reply(result=fresh(newer))

        assert (await works(server, fake, refused.thread)).bearer == newer.access_token
        nothing_more(await server.barrier())


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({}, "invalid auth refresh response"),
        (None, "invalid auth refresh response"),
        ([], "invalid auth refresh response"),
        ({"accessToken": "a.b.c"}, "invalid auth refresh response"),
        ({"accessToken": 5, "chatgptAccountId": "acct-1"}, "invalid auth refresh response"),
        ({"accessToken": "sk-test", "chatgptAccountId": "acct-1"}, "auth refresh returned invalid credentials"),
        ({"accessToken": "a.b.c", "chatgptAccountId": "acct-1"}, "auth refresh returned invalid credentials"),
    ],
)
async def test_an_answer_that_is_none_fails_the_turn(refused: Refused, result: Any, text: str) -> None:
    failed = await refused.answer(result=result)

    assert (failed.error["message"], failed.error["codexErrorInfo"]) == (text, "other")
    assert len(refused.bearers()) == 1
    await refused.asks_again()


async def test_tokens_of_another_account_are_neither_adopted_nor_used(refused: Refused) -> None:
    """The reference fails the turn with a text about something else, and adopts the account (wire.md section 15.13)."""
    refused.fake.add_account(Account(account_id="acct-2"))

    failed = await refused.answer(result=fresh(refused.fake.mint("acct-2")))

    assert failed.error["codexErrorInfo"] == "other"
    assert failed.error["message"] == (
        "Login is restricted to workspace(s) acct-1, but current credentials belong to acct-2"
    )
    assert len(refused.bearers()) == 1
    await refused.asks_again()


async def test_a_workspace_that_is_not_allowed_fails_the_turn(fake: FakeOpenAI, start: Start) -> None:
    fake.add_account(Account(account_id="acct-2"))
    async with start('forced_chatgpt_workspace_id="acct-1"') as server:
        refused = await until_asked(server, fake)

        failed = await refused.answer(result=fresh(fake.mint("acct-2")))

        assert failed.error["codexErrorInfo"] == "other"
        assert failed.error["message"] == (
            "Login is restricted to workspace(s) acct-1, but current credentials belong to acct-2"
        )
        await refused.asks_again()


async def test_a_401_on_the_new_token_too_is_the_error_of_the_upstream(refused: Refused) -> None:
    newer = refused.fake.mint()
    refused.fake.fault("responses", status=401, token=newer.access_token, json={"error": {"message": "Still no."}})

    failed = await refused.answer(result=fresh(newer))

    url = f"{refused.fake.base_url}/v1/responses"
    assert failed.error["message"] == f"unexpected status 401 Unauthorized: Still no., url: {url}"
    assert failed.error["codexErrorInfo"] == UNAUTHORIZED
    assert refused.bearers() == [refused.tokens.access_token, newer.access_token]
    assert (await works(refused.server, refused.fake, refused.thread)).bearer == newer.access_token


async def test_each_retry_of_the_stream_has_its_own_refresh(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("responses", status=401, times=None)
    refused = await until_asked(server, fake, "login_again")
    used = [refused.tokens]
    questions = [refused.question]
    for attempt in range(3):
        if attempt:
            questions.append(await server.server_request(REFRESH))
        used.append(fake.mint())
        await server.send({"id": questions[-1]["id"], "result": fresh(used[-1])})

    failed = await course(server, refused.thread, refused.turn_id)

    assert failed.error["codexErrorInfo"] == UNAUTHORIZED
    assert len(failed.notices) == 2
    first, second, third, fourth = [tokens.access_token for tokens in used]
    assert refused.bearers() == [first, second, second, third, third, fourth]


async def test_a_turn_that_waits_for_the_parent_can_be_interrupted(refused: Refused) -> None:
    await refused.server.result("turn/interrupt", {"threadId": refused.thread, "turnId": refused.turn_id})

    assert (await course(refused.server, refused.thread, refused.turn_id)).status == "interrupted"
    assert len(refused.bearers()) == 1


async def test_a_logout_while_the_parent_is_asked_does_not_wait_and_ends_the_turn(refused: Refused) -> None:
    """In the reference the logout waits until the refresh has ended (wire.md section 15.4)."""
    with anyio.fail_after(AT_ONCE):
        assert await refused.server.result("account/logout") == {}

    failed = await course(refused.server, refused.thread, refused.turn_id)

    assert failed.error["codexErrorInfo"] == "unauthorized"
    assert failed.error["message"] == (
        "Your access token could not be refreshed because you have since logged out or signed in to another account. "
        "Please sign in again."
    )
    assert (await refused.server.notification("account/updated"))["authMode"] is None
    await refused.reply(result=fresh(refused.fake.mint()))
    assert await refused.server.barrier() == []
    assert await token_in_force(refused.server) is None
    assert len(refused.bearers()) == 1


async def test_a_token_that_is_pushed_while_the_parent_is_asked_ends_the_wait(refused: Refused) -> None:
    """In the reference the turn goes on waiting for the answer (wire.md section 15.4)."""
    newer = refused.fake.mint()
    await log_in_with_tokens(refused.server, newer)

    done = await course(refused.server, refused.thread, refused.turn_id)

    assert (done.status, done.spoken, done.notices) == ("completed", ["Hello"], [])
    assert refused.bearers() == [refused.tokens.access_token, newer.access_token]


async def test_a_token_of_another_account_that_is_pushed_ends_the_turn_but_is_in_force(refused: Refused) -> None:
    refused.fake.add_account(Account(account_id="acct-2"))
    other = refused.fake.mint("acct-2")
    await log_in_with_tokens(refused.server, other)

    failed = await course(refused.server, refused.thread, refused.turn_id)

    assert failed.error["message"].startswith("The account has changed since this turn began")
    assert len(refused.bearers()) == 1
    assert (await works(refused.server, refused.fake, refused.thread)).bearer == other.access_token


async def test_any_number_of_turns_with_one_refused_token_ask_the_parent_once(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    """The reference asks once for each turn, one after the other (wire.md section 15.3)."""
    tokens, newer = fake.mint(), fake.mint()
    await log_in_with_tokens(server, tokens)
    threads = [await start_thread(server, "login") for _ in range(10)]
    fake.expire(tokens.access_token)
    fake.fault("responses", hang=True, times=10)
    turns = {thread: await begin(server, thread) for thread in threads}
    await fake.wait_hanging(10)
    fake.release()
    question = await server.server_request(REFRESH)
    await server.send({"id": question["id"], "result": fresh(newer)})

    ended = await courses(server, turns)

    assert {one.status for one in ended.values()} == {"completed"}
    bearers = [request.bearer for request in asked(fake)]
    assert sorted(bearers, key=str) == sorted([tokens.access_token] * 10 + [newer.access_token] * 10)
    assert [message for message in await server.barrier() if "id" in message] == []


async def test_a_token_that_expires_in_the_middle_of_a_stream_is_replaced_for_the_next_request_of_the_turn(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    tokens, newer = fake.mint(), fake.mint()
    await log_in_with_tokens(server, tokens)
    thread = await start_thread(server, "login")
    fake.script(text="One", end_turn=False)
    fake.script(text="Two")
    fake.fault("responses", hang_after_events=4)
    turn_id = await begin(server, thread)
    await fake.wait_hanging()
    fake.expire(tokens.access_token)
    fake.release()
    question = await server.server_request(REFRESH)
    await server.send({"id": question["id"], "result": fresh(newer)})

    done = await course(server, thread, turn_id)

    assert (done.status, done.spoken, done.notices) == ("completed", ["One", "Two"], [])
    assert [request.bearer for request in asked(fake)] == [
        tokens.access_token, tokens.access_token, newer.access_token,
    ]  # fmt: skip


async def test_a_plain_turn_with_a_good_token_asks_nobody(fake: FakeOpenAI, server: ServerProcess) -> None:
    """A token whose own ``exp`` is past is still tried: it is the upstream that says whether it is good."""
    expired = fake.mint(expires_in=-60)
    fake.configure(accept_any_token=True)
    await log_in_with_tokens(server, expired)
    thread = await start_thread(server, "login")

    done = await talk(server, thread)

    assert done.status == "completed"
    assert [request.bearer for request in asked(fake)] == [expired.access_token]
