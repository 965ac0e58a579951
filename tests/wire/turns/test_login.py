"""Turns and who is logged in (wire.md section 14): nobody, somebody else than before, nobody any more."""

import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account
from tests.support.server import Json, ServerProcess
from tests.support.upstream import LOGIN, log_in_with_tokens, token_in_force
from tests.wire.turns.support import asked, begin, course, delta, start_thread, talk, works

NOT_LOGGED_IN = "Nobody is logged in, and this model provider needs a login. Log in and send the message again."

ALLOWED: Json = {
    "status": 200,
    "headers": {"content-type": "text/event-stream"},
    "body": (
        'data: {"type":"response.output_item.done","item":{"type":"message","role":"assistant",'
        '"content":[{"type":"output_text","text":"Welcome"}]}}\n\n'
        'data: {"type":"response.completed","response":{"id":"x"}}\n\n'
    ),
}


async def log_in_with_key(server: ServerProcess, key: str) -> None:
    await server.result(LOGIN, {"type": "apiKey", "apiKey": key})
    await server.notification("account/login/completed")
    await server.notification("account/updated")


async def test_nobody_logged_in_is_no_failure_if_the_upstream_allows_it(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("responses", **ALLOWED)
    thread = await start_thread(server, "login")

    done = await talk(server, thread)

    assert (done.status, done.spoken) == ("completed", ["Welcome"])
    (request,) = asked(fake)
    assert request.headers.get("authorization") is None
    assert request.headers.get("chatgpt-account-id") is None


@pytest.mark.parametrize("provider_id", ["login", "login_again"])
async def test_nobody_logged_in_and_not_allowed_says_at_once_that_a_login_is_needed(
    fake: FakeOpenAI, server: ServerProcess, provider_id: str
) -> None:
    """The reference spends its retries on it, and its text is that of any other 401."""
    fake.fault("responses", status=401, json={"error": {"message": "Who are you?"}})
    thread = await start_thread(server, provider_id)

    failed = await talk(server, thread)

    assert failed.error["codexErrorInfo"] == {"httpConnectionFailed": {"httpStatusCode": 401}}
    url = f"{fake.base_url}/v1/responses"
    assert failed.error["message"] == (f"unexpected status 401 Unauthorized: Who are you?, url: {url}. {NOT_LOGGED_IN}")
    assert (failed.notices, len(asked(fake))) == ([], 1)

    await log_in_with_key(server, "sk-1")
    request = await works(server, fake, thread)
    assert request.bearer == "sk-1"


async def test_a_401_on_an_api_key_spends_the_retries_of_the_stream(fake: FakeOpenAI, server: ServerProcess) -> None:
    await log_in_with_key(server, "sk-1")
    fake.fault("responses", status=401, times=None, json={"error": {"message": "Bad key."}})
    thread = await start_thread(server, "login_again")

    failed = await talk(server, thread)

    url = f"{fake.base_url}/v1/responses"
    assert failed.error["message"] == f"unexpected status 401 Unauthorized: Bad key., url: {url}"
    assert failed.error["codexErrorInfo"] == {"httpConnectionFailed": {"httpStatusCode": 401}}
    assert [request.bearer for request in asked(fake)] == ["sk-1"] * 3
    assert [notice["codexErrorInfo"] for notice in failed.notices] == [
        {"responseStreamDisconnected": {"httpStatusCode": 401}}
    ] * 2


async def test_a_change_of_the_login_takes_effect_on_the_next_turn(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "login")
    await log_in_with_key(server, "sk-1")
    await works(server, fake, thread)
    await log_in_with_key(server, "sk-2")
    await works(server, fake, thread)
    await server.result("account/logout")
    await server.notification("account/updated")
    first, second = fake.mint(), fake.mint()
    await log_in_with_tokens(server, first)
    await works(server, fake, thread)
    await log_in_with_tokens(server, second)
    await works(server, fake, thread)
    fake.add_account(Account(account_id="acct-2"))
    third = fake.mint("acct-2")
    await log_in_with_tokens(server, third)
    await works(server, fake, thread)

    bearers = [request.bearer for request in asked(fake)]
    assert bearers == ["sk-1", "sk-2", first.access_token, second.access_token, third.access_token]
    assert asked(fake)[-1].headers.get("chatgpt-account-id") == "acct-2"


async def test_a_logout_in_the_middle_of_an_answer_lets_it_come_to_its_end(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    await log_in_with_tokens(server, fake.mint())
    fake.script(text="abc", deltas=3)
    fake.fault("responses", hang_after_events=4)
    thread = await start_thread(server, "login")
    turn_id = await begin(server, thread)
    await delta(server, thread)

    assert await server.result("account/logout") == {}
    assert (await server.notification("account/updated"))["authMode"] is None
    fake.release()

    done = await course(server, thread, turn_id)
    assert (done.status, done.spoken) == ("completed", ["abc"])
    assert await token_in_force(server) is None


async def test_after_a_logout_a_turn_that_would_ask_again_fails_once_and_says_why(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    """What was begun for one account goes to nobody else, nor without any (wire.md section 15.13)."""
    await log_in_with_tokens(server, fake.mint())
    fake.script(text="abc", deltas=3)
    fake.fault("responses", hang_after_events=4, drop_after_events=4)
    thread = await start_thread(server, "login_again")
    turn_id = await begin(server, thread)
    await delta(server, thread)
    await server.result("account/logout")
    await server.notification("account/updated")

    fake.release()

    failed = await course(server, thread, turn_id)
    assert failed.error["codexErrorInfo"] == "unauthorized"
    assert failed.error["message"].endswith("logged out or signed in to another account. Please sign in again.")
    assert len(asked(fake)) == 1


async def test_a_turn_that_would_ask_again_does_not_go_on_with_another_account(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    """The same: the reference would send the conversation of one account to the other."""
    await log_in_with_tokens(server, fake.mint())
    fake.script(text="abc", deltas=3)
    fake.fault("responses", hang_after_events=4, drop_after_events=4)
    thread = await start_thread(server, "login_again")
    turn_id = await begin(server, thread)
    await delta(server, thread)
    fake.add_account(Account(account_id="acct-2"))
    await log_in_with_tokens(server, fake.mint("acct-2"))

    fake.release()

    failed = await course(server, thread, turn_id)
    assert failed.error["message"].startswith("The account has changed since this turn began")
    assert len(asked(fake)) == 1
    request = await works(server, fake, thread)
    assert request.headers.get("chatgpt-account-id") == "acct-2"
