"""Logging out, and telling the issuer (wire.md section 5)."""

from pathlib import Path

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.support.upstream import (
    LOGIN,
    NO_STATUS,
    NOBODY,
    UPDATED,
    Start,
    asked,
    completed,
    link_login,
    log_in_with_tokens,
    managed_login,
    next_messages,
    store,
    stored,
    token_in_force,
    tokens_login,
    updated,
)

CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"


async def test_the_answer_comes_first_then_the_account_even_if_nobody_was_logged_in(
    server: ServerProcess,
) -> None:
    await server.send({"id": 1, "method": "account/logout"})

    assert await next_messages(server, 2) == [{"id": 1, "result": {}}, updated(None)]
    assert await server.barrier() == []


async def test_a_key_is_gone_in_force_and_on_disk(fake: FakeOpenAI, home: Path, start: Start) -> None:
    async with start() as server:
        await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-test"})
        await server.barrier()
        await server.send({"id": 1, "method": "account/logout"})

        assert await next_messages(server, 2) == [{"id": 1, "result": {}}, updated(None)]
        assert await server.result("account/read", {}) == NOBODY
        assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS
        assert not (home / "auth.json").exists()
        await server.close_input()
        assert await server.exit_status() == 0
    assert list(fake.requests) == []


async def test_tokens_of_the_parent_are_gone_and_stay_valid(fake: FakeOpenAI, own_server: ServerProcess) -> None:
    await log_in_with_tokens(own_server, fake.mint())
    await own_server.send({"id": 1, "method": "account/logout"})

    assert await next_messages(own_server, 2) == [{"id": 1, "result": {}}, updated(None)]
    assert await own_server.result("account/read", {}) == NOBODY
    await own_server.close_input()
    assert await own_server.exit_status() == 0
    assert [request.route for request in fake.requests] == ["accounts_check"]


async def test_the_refresh_token_of_a_stored_login_is_revoked(fake: FakeOpenAI, home: Path, start: Start) -> None:
    tokens = fake.mint()
    store(home, managed_login(tokens))

    async with start() as server:
        await server.notification(UPDATED)
        await server.send({"id": 1, "method": "account/logout"})

        assert await next_messages(server, 2) == [{"id": 1, "result": {}}, updated(None)]
        assert not (home / "auth.json").exists()
        (revocation,) = await asked(fake, "revoke")
        assert revocation.headers.get("content-type") == "application/json"
        assert revocation.fields() == {
            "token": tokens.refresh_token,
            "token_type_hint": "refresh_token",
            "client_id": CLIENT_ID,
        }


async def test_without_a_refresh_token_the_access_token_is_revoked(fake: FakeOpenAI, home: Path, start: Start) -> None:
    tokens = fake.mint()
    login = managed_login(tokens)
    store(home, {**login, "tokens": {**login["tokens"], "refresh_token": ""}})

    async with start() as server:
        await server.result("account/logout")

        (revocation,) = await asked(fake, "revoke")
        # Without a client, as in the reference.
        assert revocation.fields() == {"token": tokens.access_token, "token_type_hint": "access_token"}


async def test_the_revocation_goes_to_the_issuer_that_is_configured(fake: FakeOpenAI, home: Path, start: Start) -> None:
    # The reference asks the default issuer unless another variable names the endpoint (wire.md section 15.18).
    store(home, managed_login(fake.mint()))

    async with start(env={"CODEX_REVOKE_TOKEN_URL_OVERRIDE": ""}) as server:
        await server.result("account/logout")

        (revocation,) = await asked(fake, "revoke")
        assert revocation.path == "/oauth/revoke"


async def test_a_revocation_that_fails_is_nothing_to_the_client(fake: FakeOpenAI, home: Path, start: Start) -> None:
    for fault in ({"status": 500}, {"drop": True}):
        fake.fault("revoke", **fault)
        store(home, managed_login(fake.mint()))

        async with start() as server:
            await server.notification(UPDATED)
            assert await server.result("account/logout") == {}
            assert await server.notification(UPDATED) == {"authMode": None, "planType": None}
            await server.close_input()
            assert await server.exit_status() == 0
            assert await server.rest() == []
    assert len(fake.requests.of("revoke")) == 2


async def test_a_revocation_that_hangs_holds_nobody_up(fake: FakeOpenAI, home: Path, start: Start) -> None:
    # The reference answers after 10 s, and no account request before that.
    store(home, managed_login(fake.mint()))
    fake.fault("revoke", hang=True)

    async with start("app_server.drain_timeout=0.2") as server:
        assert await server.result("account/logout") == {}
        await asked(fake, "revoke")
        assert await server.result("account/read", {}) == NOBODY
        await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-test"})
        assert await token_in_force(server) == "sk-test"

        await server.close_input()
        assert await server.exit_status() == 0


async def test_a_client_that_leaves_at_once_has_its_tokens_revoked_all_the_same(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    store(home, managed_login(fake.mint()))
    fake.fault("revoke", delay=0.2, when="after")

    async with start() as server:
        await server.send({"id": 1, "method": "account/logout"})
        await server.close_input()
        assert await server.exit_status() == 0

    assert len(fake.requests.of("revoke")) == 1


async def test_tokens_of_the_parent_take_the_stored_login_with_them(fake: FakeOpenAI, home: Path, start: Start) -> None:
    store(home, managed_login(fake.mint()))

    async with start() as server:
        await server.notification(UPDATED)
        await log_in_with_tokens(server, fake.mint())
        await server.result("account/logout")

        assert not (home / "auth.json").exists()
        assert await server.result("account/read", {}) == NOBODY
        await server.close_input()
        assert await server.exit_status() == 0
    # As in the reference, what was not in force is not revoked.
    assert fake.requests.of("revoke") == []


async def test_a_login_that_waits_for_its_workspace_fails_before_the_answer(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("accounts_check", hang=True)
    await server.result(LOGIN, tokens_login(fake.mint()))
    await asked(fake, "accounts_check")
    await server.send({"id": 1, "method": "account/logout"})

    assert await next_messages(server, 3) == [
        completed("Login was not completed"),
        {"id": 1, "result": {}},
        updated(None),
    ]
    fake.release()
    assert await server.barrier() == []
    assert await server.result("account/read", {}) == NOBODY


async def test_what_cannot_be_removed_is_an_error_and_stays(home: Path, start: Start) -> None:
    login = {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-test"}
    store(home, login)
    (home / "auth.lock").mkdir()  # nobody can take a lock on that

    async with start() as server:
        error = await server.error("account/logout")
        assert error == {"code": -32603, "message": "logout failed: Is a directory (os error 21)"}
        assert await server.barrier() == []
        assert await token_in_force(server) == "sk-test"
        assert stored(home) == login


async def test_behind_a_link_the_login_is_removed_and_the_link_is_kept(
    tmp_path: Path, home: Path, start: Start
) -> None:
    # The reference removes the link and leaves the key in the target (wire.md section 15.29).
    target = tmp_path / "elsewhere.json"
    target.write_text('{"auth_mode": "apikey", "OPENAI_API_KEY": "sk-test"}')
    link_login(home, target)

    async with start() as server:
        assert await token_in_force(server) == "sk-test"
        await server.result("account/logout")

        assert await token_in_force(server) is None
        assert (home / "auth.json").is_symlink()
        assert target.read_text() == ""

    async with start() as server:
        assert await server.result("account/read", {}) == NOBODY


async def test_a_token_of_the_environment_cannot_be_logged_out(fake: FakeOpenAI, home: Path, start: Start) -> None:
    store(home, {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-test"})

    async with start(env={"CODEX_ACCESS_TOKEN": fake.mint_personal()}) as server:
        await server.notification(UPDATED)
        await server.send({"id": 1, "method": "account/logout"})

        await server.answer(1)
        # Without its plan, as in the reference, though it has one.
        assert await server.notification(UPDATED) == {"authMode": "personalAccessToken", "planType": None}
        assert (await server.result("account/read", {}))["account"]["planType"] == "plus"
        assert not (home / "auth.json").exists()
