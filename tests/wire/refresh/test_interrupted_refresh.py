"""A process dies while it refreshes: the next one knows, and says exactly what is lost (issue 3)."""

from pathlib import Path

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import TokenSet
from tests.support.server import ServerProcess
from tests.support.upstream import NOBODY, UPDATED, Start, managed_login, store, token_in_force
from tests.wire.refresh.support import INTERRUPTED, USAGE, presented, until_replaced, use, why_not, withheld

SUMMARY = "A refresh of the stored login was interrupted before its new tokens were saved."


async def die_while_refreshing(fake: FakeOpenAI, login: TokenSet, start: Start, *, spent: bool) -> None:
    """Kill a server between its request to the issuer and the answer."""
    async with start() as server:
        await server.notification(UPDATED)
        fake.expire(login.access_token)
        fake.fault("token", hang=True, when="after" if spent else "before", drop=True)
        await server.send(USAGE)
        await fake.requests.wait_for("token")
        server.process.kill()
        await server.exit_status()
    fake.clear_faults()


async def test_what_was_spent_before_it_was_saved_is_lost_said_to_be_and_not_asked_for_at_every_start(
    fake: FakeOpenAI, home: Path, login: TokenSet, start: Start
) -> None:
    await die_while_refreshing(fake, login, start, spent=True)
    before = (home / "auth.json").read_bytes()

    async with start() as server:
        warning = await server.notification("configWarning")
        assert warning["summary"] == SUMMARY
        assert "new login" in warning["details"]
        assert await server.notification(UPDATED) == {"authMode": None, "planType": None}
        assert await why_not(server) == INTERRUPTED
        assert await server.result("account/read", {}) == NOBODY
        assert await server.result("getAuthStatus", {"includeToken": True}) == withheld()
        assert await server.barrier() == []

    async with start() as server:
        assert await server.result("account/read", {}) == NOBODY
        assert await why_not(server) == INTERRUPTED
        assert await server.barrier() == []
    assert presented(fake) == [login.refresh_token] * 2
    assert (home / "auth.json").read_bytes() == before


async def test_what_was_not_spent_is_refreshed_and_nothing_is_lost(
    fake: FakeOpenAI, login: TokenSet, start: Start
) -> None:
    await die_while_refreshing(fake, login, start, spent=False)

    async with start() as server:
        assert (await server.notification("configWarning"))["summary"] == SUMMARY
        newer = await until_replaced(server, login.access_token)
        await use(server)
    assert presented(fake) == [login.refresh_token] * 2

    async with start() as server:
        assert await token_in_force(server) == newer
        assert await server.notification(UPDATED) == {"authMode": "chatgpt", "planType": "plus"}
        assert await server.barrier() == []
    assert len(presented(fake)) == 2


async def test_a_new_login_ends_the_matter(fake: FakeOpenAI, home: Path, login: TokenSet, start: Start) -> None:
    await die_while_refreshing(fake, login, start, spent=True)
    newer = fake.mint()
    store(home, managed_login(newer))

    async with start() as server:
        assert await server.notification(UPDATED) == {"authMode": "chatgpt", "planType": "plus"}
        await use(server)
        assert await token_in_force(server) == newer.access_token
        assert await server.barrier() == []
    assert presented(fake) == [login.refresh_token]


async def test_a_refresh_that_another_process_is_still_at_is_no_interrupted_one(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess, start: Start
) -> None:
    fake.expire(login.access_token)
    fake.fault("token", hang=True)
    await server.send(USAGE)
    await fake.requests.wait_for("token")

    async with start() as late:
        await late.send(USAGE)
        await fake.requests.wait_for("usage", count=2)
        fake.release()

        assert "result" in await server.answer(1)
        assert "result" in await late.answer(1)
        await late.notification(UPDATED)
        assert await late.barrier() == []
    assert presented(fake) == [login.refresh_token]


async def test_an_answer_that_never_came_is_told_if_the_issuer_has_spent_the_token(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    fake.expire(login.access_token)
    fake.fault("token", when="after", drop=True)

    assert await why_not(server) == f"error sending request for url ({fake.base_url}/oauth/token)"

    assert await why_not(server) == INTERRUPTED
    assert await server.notification(UPDATED) == {"authMode": None, "planType": None}
    assert await server.barrier() == []
