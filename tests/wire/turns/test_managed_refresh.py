"""A 401 in a turn whose tokens this server refreshes itself (wire.md section 11; section 15, items 3 and 14)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account, TokenSet
from tests.support.server import Json, ServerProcess
from tests.support.upstream import NOBODY, UPDATED, Start, clear_home, managed_login, store, stored, token_in_force
from tests.wire.refresh.support import (
    EXPIRED,
    INVALIDATED,
    REUSED,
    SIGN_IN_AGAIN,
    SIGNED_OUT,
    presented,
    reasons,
    until_replaced,
)
from tests.wire.turns.conftest import with_providers
from tests.wire.turns.support import asked, begin, course, courses, start_thread, talk, works

UNAUTHORIZED = {"httpConnectionFailed": {"httpStatusCode": 401}}

PERMANENT: list[tuple[str, Json]] = [
    (EXPIRED, {"status": 401, "json": {"error": {"code": "refresh_token_expired"}}}),
    (EXPIRED, {"status": 500, "json": {"code": "REFRESH_TOKEN_EXPIRED"}}),
    (INVALIDATED, {"status": 400, "json": {"error": "refresh_token_invalidated"}}),
    (SIGN_IN_AGAIN, {"status": 401, "json": {"error": {"code": "something_else"}}}),
    (SIGN_IN_AGAIN, {"status": 400, "json": {"error": "invalid_grant"}}),
]

TRANSIENT: list[tuple[str, Json]] = [
    ("Failed to refresh token: 500 Internal Server Error", {"status": 500}),
    ("Failed to refresh token: 403 Forbidden", {"status": 403, "body": "canary"}),
    ("Failed to refresh token: 429 Too Many Requests", {"retry_after": 60}),
    ("OAuth token response is invalid", {"status": 200, "malformed": True}),
    ("error sending request for url ($URL/oauth/token)", {"drop": True}),
    ("error sending request for url ($URL/oauth/token)", {"hang": True}),
]


@pytest.fixture(scope="module")
async def shared_server(
    shared_fake: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServerProcess]:
    home = tmp_path_factory.mktemp("managed") / "home"
    store(home, managed_login(shared_fake.mint()))
    # The issuer is waited for that long; in the reference 45 s.
    async with with_providers(shared_fake, home, "app_server.upstream_timeout=2") as server:
        await server.notification(UPDATED)
        yield server


@pytest.fixture
async def login(fake: FakeOpenAI, server: ServerProcess) -> TokenSet:
    """The tokens that are stored and in force when the test begins."""
    tokens = fake.mint()
    store(server.home, managed_login(tokens))
    await server.result("account/read", {})
    assert await token_in_force(server) == tokens.access_token
    await server.barrier()
    return tokens


def bearers(fake: FakeOpenAI) -> list[str | None]:
    return [request.bearer for request in asked(fake)]


async def test_one_refresh_and_one_retry_and_nothing_is_shown(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    """The reference first tries the very same token again (wire.md section 15.14)."""
    thread = await start_thread(server, "login")
    fake.expire(login.access_token)

    done = await talk(server, thread)

    assert (done.status, done.spoken, done.notices) == ("completed", ["Hello"], [])
    newer = await token_in_force(server)
    assert bearers(fake) == [login.access_token, newer]
    assert (presented(fake), reasons(fake)) == ([login.refresh_token], ["unauthorized_recovery"])
    assert stored(server.home)["tokens"]["access_token"] == newer
    assert await server.barrier() == []


async def test_what_another_process_has_saved_is_used_without_asking_the_issuer(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    thread = await start_thread(server, "login")
    fake.expire(login.access_token)
    fake.fault("responses", hang=True)
    turn_id = await begin(server, thread)
    await fake.wait_hanging()
    others = fake.mint()
    store(server.home, managed_login(others))
    fake.release()

    done = await course(server, thread, turn_id)

    assert done.status == "completed"
    assert bearers(fake) == [login.access_token, others.access_token]
    assert presented(fake) == []


async def test_a_401_after_the_refresh_too_is_the_error_of_the_upstream(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    """Two requests; in the reference three."""
    thread = await start_thread(server, "login")
    fake.fault("responses", status=401, times=2, json={"error": {"message": "No."}})

    failed = await talk(server, thread)

    url = f"{fake.base_url}/v1/responses"
    assert failed.error["message"] == f"unexpected status 401 Unauthorized: No., url: {url}"
    assert failed.error["codexErrorInfo"] == UNAUTHORIZED
    assert len(presented(fake)) == 1
    assert len(bearers(fake)) == 2
    await works(server, fake, thread)


@pytest.mark.parametrize(("text", "refusal"), PERMANENT)
async def test_a_refusal_for_good_says_that_a_login_is_needed_and_is_remembered(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess, text: str, refusal: Json
) -> None:
    thread = await start_thread(server, "login")
    fake.expire(login.access_token)
    fake.fault("token", **refusal)

    failed = await talk(server, thread)

    assert (failed.error["message"], failed.error["codexErrorInfo"]) == (text, "unauthorized")
    assert failed.notices == []
    assert await server.result("account/read", {}) == NOBODY
    assert stored(server.home)["tokens"]["access_token"] == login.access_token

    again = await talk(server, thread, "Again")
    assert again.status == "failed"
    assert len(presented(fake)) == 1

    store(server.home, managed_login(fake.mint()))
    await works(server, fake, thread)


async def test_a_refresh_token_that_was_used_already(fake: FakeOpenAI, login: TokenSet, server: ServerProcess) -> None:
    thread = await start_thread(server, "login")
    fake.expire(login.access_token)
    fake.fault("token", status=401, json={"error": {"code": "refresh_token_reused"}})

    failed = await talk(server, thread)

    assert (failed.error["message"], failed.error["codexErrorInfo"]) == (REUSED, "unauthorized")


@pytest.mark.parametrize(("text", "failure"), TRANSIENT)
async def test_a_refresh_that_fails_this_time_fails_the_turn_and_nobody_is_logged_out(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess, text: str, failure: Json
) -> None:
    thread = await start_thread(server, "login")
    fake.expire(login.access_token)
    fake.fault("token", **failure)

    failed = await talk(server, thread)

    assert failed.error["message"] == text.replace("$URL", fake.base_url)
    assert failed.error["codexErrorInfo"] == "other"
    assert await token_in_force(server) == login.access_token
    await works(server, fake, thread)
    assert presented(fake) == [login.refresh_token] * 2


@pytest.mark.parametrize("left", ["another account", "nothing"])
async def test_a_file_that_belongs_to_somebody_else_now_fails_the_turn(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess, left: str
) -> None:
    thread = await start_thread(server, "login")
    fake.expire(login.access_token)
    fake.fault("responses", hang=True)
    turn_id = await begin(server, thread)
    await fake.wait_hanging()
    if left == "nothing":
        clear_home(server.home)
    else:
        fake.add_account(Account(account_id="acct-2"))
        store(server.home, managed_login(fake.mint("acct-2")))
    fake.release()

    failed = await course(server, thread, turn_id)

    # When the new account is noticed first, that is what is said.
    changed = "The account has changed since this turn began, so the turn was not sent to the new one."
    assert failed.error["message"] == SIGNED_OUT or failed.error["message"].startswith(changed)
    assert len(asked(fake)) == 1
    assert presented(fake) == []


async def test_any_number_of_turns_with_one_refused_token_cost_one_refresh(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    """In the reference each of them refreshes, the later ones tokens that are new (wire.md section 15.3)."""
    threads = [await start_thread(server, "login") for _ in range(10)]
    fake.expire(login.access_token)
    fake.fault("responses", hang=True, times=10)
    turns = {thread: await begin(server, thread) for thread in threads}
    await fake.wait_hanging(10)
    fake.release()

    ended = await courses(server, turns)

    assert {one.status for one in ended.values()} == {"completed"}
    assert presented(fake) == [login.refresh_token]


async def test_a_turn_that_waits_for_the_issuer_can_be_interrupted_and_the_refresh_is_not_lost(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    thread = await start_thread(server, "login")
    fake.expire(login.access_token)
    fake.fault("token", hang=True)
    turn_id = await begin(server, thread)
    await fake.requests.wait_for("token")

    await server.result("turn/interrupt", {"threadId": thread, "turnId": turn_id})
    ended = await course(server, thread, turn_id)

    assert ended.status == "interrupted"
    fake.release()
    request = await works(server, fake, thread)
    assert request.bearer == await token_in_force(server) != login.access_token
    assert presented(fake) == [login.refresh_token]


async def test_a_token_that_is_about_to_expire_is_replaced_before_any_turn_meets_a_401(
    fake: FakeOpenAI, start: Start, home: Path
) -> None:
    """In the background: no turn waits for it, as it would in the reference."""
    soon = fake.mint(expires_in=60)
    store(home, managed_login(soon))
    fake.fault("token", hang=True)
    async with start() as server:
        await fake.requests.wait_for("token")
        thread = await start_thread(server, "login")
        await works(server, fake, thread)
        fake.release()
        newer = await until_replaced(server, soon.access_token)

        await works(server, fake, thread)

        assert bearers(fake) == [soon.access_token, newer]
        assert reasons(fake) == ["proactive_expiry"]
