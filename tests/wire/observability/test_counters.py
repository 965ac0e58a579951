"""``server/diagnostics``: what the server is busy with, by name, and nothing of what was said."""

from collections.abc import Mapping
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.version import __version__
from tests.support.server import ServerProcess, running_server
from tests.support.upstream import LIMITS, REFRESH, UPDATED, fresh, log_in_with_tokens, managed_login, store
from tests.wire.turns.conftest import with_providers
from tests.wire.turns.support import begin, course, start_thread, talk

DIAGNOSTICS = "server/diagnostics"


async def numbers(server: ServerProcess) -> Mapping[str, int]:
    """All gauges and counters."""
    said = await server.result(DIAGNOSTICS, {})
    found = {each["name"]: each["value"] for each in said["gauges"] + said["counters"]}
    assert len(found) == len(said["gauges"]) + len(said["counters"])
    return found


async def test_it_needs_the_experimental_capability(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with running_server(tmp_path_factory.mktemp("stable") / "home", initialize=False) as server:
        await server.initialize(experimentalApi=False)
        error = await server.error(DIAGNOSTICS, {})
        assert error == {"code": -32600, "message": f"{DIAGNOSTICS} requires experimentalApi capability"}


async def test_params_are_those_of_the_reference(server: ServerProcess) -> None:
    some: list[Any] = [{}, [], {"a": 1}]
    for params in some:
        assert (await server.result(DIAGNOSTICS, params))["process"]["id"] == server.process.pid
    missing = {"code": -32600, "message": "Invalid request: missing field `params`"}
    assert await server.error(DIAGNOSTICS) == await server.error(DIAGNOSTICS, None) == missing


async def test_it_tells_of_the_process(server: ServerProcess) -> None:
    first = await server.result(DIAGNOSTICS, {})
    assert first["version"] == __version__
    assert (first["process"]["residentMemoryBytes"] or 2**25) > 2**24
    assert first["process"]["physicalFootprintBytes"] is None
    later = await server.result(DIAGNOSTICS, {})
    assert 0 <= first["uptimeMs"] <= later["uptimeMs"]


async def test_requests_are_answered_or_have_failed_or_are_in_flight(
    fake: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with with_providers(fake, tmp_path_factory.mktemp("requests") / "home") as server:
        first = await numbers(server)
        assert (first["app.requests.received"], first["app.requests.answered"]) == (2, 1)  # with the handshake
        await log_in_with_tokens(server, fake.mint())
        await server.error("no/such/method")
        await server.send({"id": "no method", "method": 5}, b"no JSON\n")
        assert "error" in await server.answer("no method")
        fake.fault("usage", hang=True)
        await server.send({"id": "hangs", "method": LIMITS, "params": {"excludeResetCreditDetails": True}})
        await fake.wait_hanging()

        told = await numbers(server)
        assert told["app.requests.in_flight"] == 2  # this one too
        assert told["app.requests.failed"] == 2
        assert told["app.requests.received"] == told["app.requests.answered"] + 4
        assert told["app.lanes.concurrent.running"] == 2
        assert told["app.lanes.account.running"] == told["app.lanes.account.waiting"] == 0
        assert told["app.requests.queued_bytes"] > 2 * 1024
        assert told["app.upstream.in_flight"] == 1
        fake.release()
        await server.answer("hangs")
        told = await numbers(server)
        assert (told["app.requests.in_flight"], told["app.upstream.in_flight"]) == (1, 0)


async def test_turns_and_retries_are_counted_by_how_they_end(fake: FakeOpenAI, server: ServerProcess) -> None:
    before = await numbers(server)
    thread = await start_thread(server, "resend")  # once in silence, twice more as a stream
    fake.fault("responses", status=502, times=3)
    assert (await talk(server, thread)).status == "completed"
    fake.fault("responses", status=400)
    assert (await talk(server, thread)).status == "failed"
    fake.fault("responses", hang=True)
    turn_id = await begin(server, thread)
    await fake.wait_hanging()
    during = await numbers(server)
    assert (during["app.turns.running"], during["app.upstream.in_flight"]) == (1, 1)
    await server.result("turn/interrupt", {"threadId": thread, "turnId": turn_id})
    assert (await course(server, thread, turn_id)).status == "interrupted"

    after = await numbers(server)
    names = ("started", "completed", "failed", "interrupted")
    assert [after[f"app.turns.{name}"] - before[f"app.turns.{name}"] for name in names] == [3, 1, 1, 1]
    assert after["app.turns.running"] == 0
    assert after["app.retries.request"] - before["app.retries.request"] == 2
    assert after["app.retries.stream"] - before["app.retries.stream"] == 1
    assert after["app.upstream.requests"] - before["app.upstream.requests"] == 6
    assert after["app.threads.loaded"] == before["app.threads.loaded"] + 1


async def test_refreshes_by_the_parent_are_counted_once_for_all_who_wait(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    before = await numbers(server)
    for answer in ("result", "error"):
        tokens = fake.mint()
        await log_in_with_tokens(server, tokens)
        fake.expire(tokens.access_token)
        for number in range(3):
            await server.send({"id": f"{answer}{number}", "method": LIMITS, "params": {}})
        asked = await server.server_request(REFRESH)
        assert (await numbers(server))["app.server_requests.unanswered"] == 1
        newer = fresh(fake.mint()) if answer == "result" else {"code": 1, "message": "no"}
        await server.send({"id": asked["id"], answer: newer})
        for number in range(3):
            assert answer in await server.answer(f"{answer}{number}")
    after = await numbers(server)
    counts = [after[name] - before[name] for name in after if name.startswith("app.refreshes.parent.")]
    assert counts == [2, 1, 1]


async def test_managed_refreshes_are_counted(fake: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("managed") / "home"
    tokens = fake.mint()
    store(home, managed_login(tokens))
    async with with_providers(fake, home) as server:
        await server.notification(UPDATED)  # what a start asks of the backend has been answered
        fake.expire(tokens.access_token)
        fake.fault("token", status=500)
        await server.error(LIMITS, {})
        await server.result(LIMITS, {})
        told = await numbers(server)
        assert [told[f"app.refreshes.managed.{name}"] for name in ("asked", "succeeded", "failed")] == [2, 1, 1]
        said = str(await server.result(DIAGNOSTICS, {}))
        assert not [secret for secret in (tokens.access_token, tokens.refresh_token) if secret in said]
