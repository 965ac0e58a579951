"""A 401 on a managed token: the store first, then one refresh, then one retry (wire.md section 11, 15.3, 15.12-15.14).

What the issuer may answer instead of tokens is in the files beside this one.
"""

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account, TokenSet
from tests.support.server import Json, ServerProcess
from tests.support.upstream import UPDATED, Start, managed_login, store, stored, token_in_force
from tests.wire.refresh.support import CLIENT_ID, USAGE, answer_with, bearers, presented, reason, use, why_not

MANY = 50


async def test_one_refresh_and_one_retry_with_the_new_token(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    # The reference retries with the very same token first when the file has not changed (wire.md section 15.14).
    fake.expire(login.access_token)

    await use(server)

    newer = await token_in_force(server)
    assert newer != login.access_token
    assert bearers(fake) == [login.access_token, newer]
    assert presented(fake) == [login.refresh_token]


async def test_the_issuer_is_asked_in_json_and_without_a_credential(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    fake.expire(login.access_token)

    await use(server)

    (request,) = fake.requests.of("token")
    assert (request.method, request.path, request.query) == ("POST", "/oauth/token", {})
    assert request.headers.get("content-type") == "application/json"
    assert request.headers.get("authorization") is None
    assert request.fields() == {
        "client_id": CLIENT_ID,
        "grant_type": "refresh_token",
        "refresh_reason": "unauthorized_recovery",
        "refresh_token": login.refresh_token,
    }


async def test_what_another_process_has_saved_meanwhile_is_used_without_asking_the_issuer(
    fake: FakeOpenAI, home: Path, login: TokenSet, server: ServerProcess
) -> None:
    fake.expire(login.access_token)
    fake.fault("usage", hang=True, times=1)
    await server.send(USAGE)
    await fake.requests.wait_for("usage")
    others = fake.mint()
    store(home, managed_login(others))

    fake.release()

    assert "result" in await server.answer(1)
    assert bearers(fake) == [login.access_token, others.access_token]
    assert presented(fake) == []
    assert await server.barrier() == []


async def test_any_number_of_401s_at_once_cost_one_refresh(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    fake.expire(login.access_token)
    fake.fault("token", hang=True)
    await server.send(*({**USAGE, "id": number} for number in range(MANY)))
    await fake.requests.wait_for("usage", count=MANY)
    await fake.requests.wait_for("token")

    fake.release()

    for number in range(MANY):
        assert "result" in await server.answer(number)
    newer = await token_in_force(server)
    assert presented(fake) == [login.refresh_token]
    assert bearers(fake) == [login.access_token] * MANY + [newer] * MANY


async def test_a_late_401_on_a_token_that_was_replaced_meanwhile_asks_nobody(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    fake.expire(login.access_token)
    fake.fault("usage", hang=True, times=1)
    await server.send(USAGE)
    await fake.requests.wait_for("usage")
    await use(server)
    newer = await token_in_force(server)

    fake.release()

    assert "result" in await server.answer(1)
    assert bearers(fake) == [login.access_token, login.access_token, newer, newer]
    assert presented(fake) == [login.refresh_token]


async def test_a_401_on_the_new_token_is_the_error_of_the_upstream(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    fake.fault("usage", status=401, times=None)

    url = f"{fake.base_url}/backend-api/wham/usage"
    assert await why_not(server) == f"GET {url} failed: 401 Unauthorized; content-type=application/json"
    assert len(bearers(fake)) == 2
    assert presented(fake) == [login.refresh_token]

    fake.clear_faults()
    await use(server)
    assert len(presented(fake)) == 1


async def test_the_next_401_spends_the_rotated_token(fake: FakeOpenAI, login: TokenSet, server: ServerProcess) -> None:
    fake.expire(login.access_token)
    await use(server)
    second = await token_in_force(server)
    assert second is not None
    rotated = stored(server.home)["tokens"]["refresh_token"]
    fake.expire(second)

    await use(server)

    assert presented(fake) == [login.refresh_token, rotated]
    assert bearers(fake) == [login.access_token, second, second, await token_in_force(server)]


async def test_nothing_is_said_about_a_refresh_that_went_well(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    fake.expire(login.access_token)

    await use(server)

    assert await server.barrier() == []


async def test_the_file_is_rewritten_for_its_owner_only_and_keeps_what_is_not_understood(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    # The reference loses unknown members (wire.md section 15.12).
    tokens = fake.mint()
    login = managed_login(tokens, OPENAI_API_KEY="sk-beside", of_a_later_version={"kept": [1, None]})
    provenance = {"issuer": fake.base_url, "client_id": "app_other"}
    login["tokens"] |= {"oauth_provenance": provenance, "login_owner_id": "owner-1", "unknown": "kept"}
    store(home, login).chmod(0o644)

    async with start() as server:
        await server.notification(UPDATED)
        fake.expire(tokens.access_token)
        before = datetime.now(UTC)
        await use(server)

        after = stored(home)
        assert after["tokens"]["access_token"] == await token_in_force(server)
        assert stat.S_IMODE((home / "auth.json").stat().st_mode) == 0o600
        assert sorted(os.listdir(home)) == ["auth.json", "auth.json.lock", "auth.lock"]  # noqa: PTH208
        refreshed = datetime.fromisoformat(after["last_refresh"])
        assert before - timedelta(seconds=1) <= refreshed <= datetime.now(UTC)
        new = ("id_token", "access_token", "refresh_token")
        assert all(after["tokens"][name] != login["tokens"][name] for name in new)
        kept = {name: value for name, value in after["tokens"].items() if name not in new}
        assert kept == {name: value for name, value in login["tokens"].items() if name not in new}
        assert {**after, "tokens": login["tokens"], "last_refresh": login["last_refresh"]} == login


async def test_what_the_answer_leaves_out_keeps_its_old_value(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    for given in (["access_token"], ["id_token", "access_token"], ["access_token", "refresh_token"]):
        before, newer = stored(server.home)["tokens"], fake.mint()
        fake.expire(before["access_token"])
        # One that is null is as good as one that is not there.
        fake.fault("token", json={"id_token": None, "refresh_token": None, **answer_with(newer, *given)})

        await use(server)

        assert stored(server.home)["tokens"] == {**before, **answer_with(newer, *given)}


async def test_the_account_stays_whatever_the_new_tokens_say(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    # The reference fails the turn and adopts the other account (wire.md section 15.13).
    fake.add_account(Account(account_id="acct-2", workspace_name="Other"))
    others = fake.mint("acct-2")
    fake.expire(login.access_token)
    fake.fault("token", json=answer_with(others, "id_token", "access_token", "refresh_token"))

    await use(server)

    assert fake.requests.of("usage")[-1].headers.get("chatgpt-account-id") == "acct-1"
    assert stored(server.home)["tokens"] == {
        **answer_with(others, "id_token", "access_token", "refresh_token"),
        "account_id": "acct-1",
    }
    assert (await server.result("account/read", {}))["workspaceRouting"]["chatgptAccountId"] == "acct-1"
    assert await server.barrier() == []


async def test_the_claims_of_a_new_id_token_count_from_then_on(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess
) -> None:
    fake.add_account(Account(plan_type="pro", email="new@example.com"))
    fake.expire(login.access_token)

    await use(server)

    account = (await server.result("account/read", {}))["account"]
    assert (account["email"], account["planType"]) == ("new@example.com", "pro")


async def test_a_new_id_token_that_cannot_be_read_costs_nobody_the_login(
    fake: FakeOpenAI, login: TokenSet, server: ServerProcess, start: Start
) -> None:
    newer = fake.mint()
    fake.expire(login.access_token)
    broken = {**answer_with(newer, "access_token", "refresh_token"), "id_token": "not.a.token"}
    fake.fault("token", json=broken)

    await use(server)

    assert stored(server.home)["tokens"]["id_token"] == login.id_token
    async with start() as later:
        assert (await later.result("account/read", {}))["account"]["email"] == "user@example.com"


async def test_the_workspace_lookup_recovers_like_any_request(fake: FakeOpenAI, login: TokenSet, start: Start) -> None:
    fake.expire(login.access_token)

    async with start() as server:
        assert await server.notification(UPDATED) == {"authMode": "chatgpt", "planType": "plus"}
        newer = await token_in_force(server)
        lookups = [request.bearer for request in fake.requests.of("accounts_check")]
        assert lookups == [login.access_token, newer]
        assert presented(fake) == [login.refresh_token]

        read: Json = await server.result("account/read", {})
        assert read["account"]["workspaceName"] == "Acme"
        assert len(fake.requests.of("accounts_check")) == 2


async def test_the_lookup_and_everything_else_share_one_refresh(
    fake: FakeOpenAI, login: TokenSet, start: Start
) -> None:
    fake.expire(login.access_token)
    fake.fault("token", hang=True)

    async with start() as server:
        await server.send({"id": 2, "method": "account/read", "params": {}}, USAGE)
        await fake.requests.wait_for("accounts_check")
        await fake.requests.wait_for("usage")
        await fake.requests.wait_for("token")
        fake.release()

        assert (await server.answer(2))["result"]["account"]["type"] == "chatgpt"
        assert "result" in await server.answer(1)
        await server.notification(UPDATED)
        assert presented(fake) == [login.refresh_token]
        assert len(fake.requests.of("accounts_check")) == 2


async def test_a_client_that_leaves_while_it_refreshes_loses_nothing(
    fake: FakeOpenAI, login: TokenSet, own_server: ServerProcess, start: Start
) -> None:
    server = own_server
    fake.expire(login.access_token)
    fake.fault("token", when="after", delay=0.2)
    await server.send(USAGE)
    await fake.requests.wait_for("token")

    await server.close_input()

    assert await server.exit_status() == 0
    (answer,) = await server.rest()
    assert "result" in answer or reason(answer)
    assert stored(server.home)["tokens"]["refresh_token"] != login.refresh_token
    async with start() as later:
        await use(later)
        assert presented(fake) == [login.refresh_token]
