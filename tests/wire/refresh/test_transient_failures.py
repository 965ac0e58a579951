"""The issuer does not refresh this time: the login stays, and the next request asks again (wire.md section 11)."""

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import TokenSet
from tests.support.server import Json, ServerProcess
from tests.support.upstream import UPDATED, Start, stored, token_in_force
from tests.wire.refresh.support import presented, use, why_not

UNUSABLE = "OAuth token response is invalid"

FAILURES: list[tuple[str, Json]] = [
    ("Failed to refresh token: 500 Internal Server Error", {"status": 500}),
    ("Failed to refresh token: 503 Service Unavailable", {"status": 503, "body": "canary: the body stays here"}),
    ("Failed to refresh token: 400 Bad Request", {"status": 400, "json": {"error": "invalid_request"}}),
    ("Failed to refresh token: 403 Forbidden", {"status": 403, "json": {"error": {"code": "invalid_grant"}}}),
    ("Failed to refresh token: 404 Not Found", {"status": 404, "body": ""}),
    ("Failed to refresh token: 429 Too Many Requests", {"retry_after": 60}),
    (UNUSABLE, {"status": 200, "malformed": True}),
    (UNUSABLE, {"status": 200, "body": "<html>"}),
    (UNUSABLE, {"status": 200, "json": ["no object"]}),
    (UNUSABLE, {"status": 200, "json": {"access_token": 5}}),
    (UNUSABLE, {"status": 200, "body": "[" * 100_000}),
]
"""Why the request fails, and what the issuer answers."""


async def test_every_failure_has_its_text_and_costs_nobody_the_login(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    for text, failure in [*FAILURES, (f"error sending request for url ({fake.base_url}/oauth/token)", {"drop": True})]:
        # Its workspace is known then, and nothing but the request below meets the 401.
        assert (await server.result("account/read", {}))["account"]["type"] == "chatgpt", failure
        access_token, before = await token_in_force(server), stored(server.home)
        assert access_token is not None
        fake.expire(access_token)
        fake.fault("token", **failure)

        assert await why_not(server) == text, failure
        assert await token_in_force(server) == access_token, failure
        assert (await server.result("account/read", {}))["account"]["type"] == "chatgpt", failure
        assert stored(server.home) == before, failure

        await use(server)
        assert presented(fake)[-2:] == [before["tokens"]["refresh_token"]] * 2, failure
    assert len(presented(fake)) == 2 * (len(FAILURES) + 1)
    assert await server.barrier() == []
    assert "canary" not in server.log.read_text()


async def test_an_issuer_that_is_not_there_has_the_text_of_one_that_hangs_up(
    fake: FakeOpenAI, login: TokenSet, start: Start
) -> None:
    async with start(env={"CODEX_REFRESH_TOKEN_URL_OVERRIDE": "http://127.0.0.1:9/oauth/token"}) as server:
        await server.notification(UPDATED)
        fake.expire(login.access_token)

        assert await why_not(server) == "error sending request for url (http://127.0.0.1:9/oauth/token)"
        assert await token_in_force(server) == login.access_token

    # Nothing was sent, so nothing can have been lost.
    async with start() as later:
        await use(later)
        assert [message["method"] for message in await later.barrier()] in ([], [UPDATED])
        assert presented(fake) == [login.refresh_token]


async def test_an_issuer_that_hangs_is_waited_for_only_so_long(fake: FakeOpenAI, login: TokenSet, start: Start) -> None:
    # The reference waits for 45 s.
    async with start("app_server.upstream_timeout=1") as server:
        await server.notification(UPDATED)
        fake.expire(login.access_token)
        fake.fault("token", hang=True)

        assert await why_not(server) == f"error sending request for url ({fake.base_url}/oauth/token)"
        assert await token_in_force(server) == login.access_token
        await use(server)
        assert presented(fake) == [login.refresh_token] * 2
