"""The issuer refuses for good: what is said and remembered, and what cures it (wire.md sections 3, 11, 15.10)."""

from pathlib import Path
from typing import Any

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import TokenSet
from tests.support.server import Json, ServerProcess
from tests.support.upstream import NOBODY, UPDATED, Start, managed_login, store, updated, without_times
from tests.wire.refresh.support import (
    EXPIRED,
    INVALIDATED,
    REUSED,
    SIGN_IN_AGAIN,
    USAGE,
    presented,
    reason,
    use,
    why_not,
    withheld,
)

MANY = 20

REFUSALS: list[tuple[str, Json]] = [
    (EXPIRED, {"status": 401, "json": {"error": {"code": "refresh_token_expired"}}}),
    (EXPIRED, {"status": 400, "json": {"error": "refresh_token_expired"}}),
    (EXPIRED, {"status": 403, "json": {"code": "refresh_token_expired"}}),
    (EXPIRED, {"status": 500, "json": {"error": {"code": "REFRESH_TOKEN_EXPIRED"}}}),
    (INVALIDATED, {"status": 401, "json": {"error": {"code": "refresh_token_invalidated"}}}),
    (INVALIDATED, {"status": 503, "json": {"error": "refresh_token_invalidated"}}),
    (INVALIDATED, {"status": 404, "json": {"code": "refresh_token_INVALIDATED"}}),
    (SIGN_IN_AGAIN, {"status": 401, "json": {"error": {"code": "something_else"}}}),
    (SIGN_IN_AGAIN, {"status": 401, "json": []}),
    (SIGN_IN_AGAIN, {"status": 401, "body": "no JSON at all"}),
    (SIGN_IN_AGAIN, {"status": 400, "json": {"error": "invalid_grant", "error_description": "who knows"}}),
    (SIGN_IN_AGAIN, {"status": 400, "json": {"error": {"code": "INVALID_GRANT"}}}),
]
"""What the user is told, and how the issuer refuses. What it says of a token that was used already is below."""


async def test_every_refusal_has_its_text_and_ends_the_login(
    fake: FakeOpenAI, home: Path, login: TokenSet, server: ServerProcess
) -> None:
    current = login
    for text, refusal in REFUSALS:
        fake.expire(current.access_token)
        fake.fault("token", **refusal)

        assert await why_not(server) == text, refusal
        assert await server.result("account/read", {}) == NOBODY, refusal

        current = fake.mint()
        store(home, managed_login(current))
        await use(server)
    assert len(presented(fake)) == len(REFUSALS)


async def test_the_refusals_of_the_issuer_itself(
    fake: FakeOpenAI, home: Path, login: TokenSet, server: ServerProcess
) -> None:
    def spent(tokens: TokenSet) -> None:
        fake.state.refresh(tokens.refresh_token)

    def expired(tokens: TokenSet) -> None:
        fake.expire(tokens.refresh_token)

    def revoked(tokens: TokenSet) -> None:
        fake.revoke(tokens.refresh_token)

    def forgotten(_: TokenSet) -> None:
        fake.state.reset()

    for happens, text in ((spent, REUSED), (expired, EXPIRED), (revoked, INVALIDATED), (forgotten, SIGN_IN_AGAIN)):
        current = fake.mint()
        store(home, managed_login(current))
        await use(server)
        fake.expire(current.access_token)
        happens(current)

        assert await why_not(server) == text


async def test_a_refused_token_is_not_presented_again_and_the_login_is_of_no_use(
    fake: FakeOpenAI, home: Path, login: TokenSet, server: ServerProcess
) -> None:
    before = (home / "auth.json").read_bytes()
    fake.expire(login.access_token)
    fake.expire(login.refresh_token)

    assert await why_not(server) == EXPIRED

    assert await why_not(server) == EXPIRED
    assert await server.result("account/read", {}) == NOBODY
    assert await server.result("account/read", {"refreshToken": True}) == NOBODY
    assert await server.result("getAuthStatus", {"includeToken": True}) == withheld()
    assert await server.result("getAuthStatus", {"includeToken": True, "refreshToken": True}) == withheld()
    assert presented(fake) == [login.refresh_token]
    assert (home / "auth.json").read_bytes() == before


async def test_it_is_announced_exactly_once_however_many_requests_fail(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    # The reference says nothing (wire.md section 15.10).
    fake.expire(login.access_token)
    fake.fault("token", hang=True, status=401)
    await server.send(*({**USAGE, "id": number} for number in range(MANY)))
    await fake.requests.wait_for("usage", count=MANY)
    await fake.requests.wait_for("token")

    fake.release()

    said = [await server.message() for _ in range(MANY + 1)]
    assert without_times([message for message in said if "method" in message]) == [updated(None)]
    assert {reason(message) for message in said if "method" not in message} == {SIGN_IN_AGAIN}
    assert await why_not(server) == SIGN_IN_AGAIN
    assert await server.result("account/read", {"refreshToken": True}) == NOBODY
    assert await server.barrier() == []
    assert presented(fake) == [login.refresh_token]


async def test_it_is_remembered_after_a_restart(fake: FakeOpenAI, login: TokenSet, start: Start) -> None:
    fake.expire(login.access_token)
    fake.expire(login.refresh_token)
    async with start() as server:
        assert await server.notification(UPDATED) == {"authMode": None, "planType": None}

    async with start() as server:
        assert await server.result("account/read", {}) == NOBODY
        assert await why_not(server) == EXPIRED
        assert await server.result("account/read", {"refreshToken": True}) == NOBODY
        assert await server.result("getAuthStatus", {"includeToken": True}) == withheld()
        assert await server.barrier() == []
    assert presented(fake) == [login.refresh_token]


async def test_what_one_process_was_told_another_does_not_ask_again(
    fake: FakeOpenAI, login: TokenSet, start: Start
) -> None:
    async with start() as one, start() as other:
        for server in (one, other):
            await server.notification(UPDATED)
        fake.expire(login.access_token)
        fake.expire(login.refresh_token)

        assert await why_not(one) == EXPIRED
        assert await why_not(other) == EXPIRED

        assert await other.notification(UPDATED) == {"authMode": None, "planType": None}
        assert await other.result("account/read", {}) == NOBODY
    assert presented(fake) == [login.refresh_token]


async def test_a_changed_file_for_the_same_account_cures_it_and_says_so(
    fake: FakeOpenAI, home: Path, login: TokenSet, server: ServerProcess
) -> None:
    fake.expire(login.access_token)
    fake.expire(login.refresh_token)
    await why_not(server)
    assert await server.notification(UPDATED) == {"authMode": None, "planType": None}

    newer = fake.mint()
    store(home, managed_login(newer))

    await use(server)
    # Nobody was logged in as far as the client knows.
    assert await server.notification(UPDATED) == {"authMode": "chatgpt", "planType": "plus"}
    status: dict[str, Any] = await server.result("getAuthStatus", {"includeToken": True})
    assert (status["authMethod"], status["authToken"]) == ("chatgpt", newer.access_token)
    assert (await server.result("account/read", {}))["account"]["type"] == "chatgpt"
    assert await server.barrier() == []
    assert presented(fake) == [login.refresh_token]
