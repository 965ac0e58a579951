"""``auth.json`` as it is found: every shape, other programs that write it, and what a login leaves of it
(wire.md section 3; section 15, items 12 and 29)."""

import stat
from pathlib import Path
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import TokenSet
from tests.support.server import Json, ServerProcess
from tests.support.upstream import (
    LIMITS,
    LOGIN,
    NO_STATUS,
    NOBODY,
    UPDATED,
    Start,
    asked,
    files,
    link_login,
    managed_login,
    store,
    stored,
    token_comes_into_force,
    token_in_force,
)

KEY: Json = {"type": "apiKey", "apiKey": "sk-new"}
NOT_LOGGED_IN: Json = {"code": -32600, "message": "codex account authentication required to read rate limits"}
ROUTING_FAILED: Json = {"code": -32603, "message": "workspace routing discovery failed"}


def with_tokens(login: Json, **members: Any) -> Json:
    """The login with other members in its tokens; None leaves one out."""
    tokens = {name: value for name, value in {**login["tokens"], **members}.items() if value is not None}
    return {**login, "tokens": tokens}


# Whose login it is


async def test_a_mode_decides_and_without_one_a_key_comes_before_tokens(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    tokens = fake.mint()
    managed = managed_login(tokens)
    without_mode = {name: value for name, value in managed.items() if name != "auth_mode"}
    shapes: list[tuple[Json, str, str]] = [
        ({"auth_mode": "apikey", "OPENAI_API_KEY": "sk-1"}, "apikey", "sk-1"),
        ({"OPENAI_API_KEY": "sk-2"}, "apikey", "sk-2"),
        ({"OPENAI_API_KEY": "sk-3", "tokens": None, "last_refresh": None}, "apikey", "sk-3"),
        ({**without_mode, "OPENAI_API_KEY": "sk-4"}, "apikey", "sk-4"),
        ({**managed, "auth_mode": "apikey", "OPENAI_API_KEY": "sk-5"}, "apikey", "sk-5"),
        (managed, "chatgpt", tokens.access_token),
        (without_mode, "chatgpt", tokens.access_token),
        ({**managed, "OPENAI_API_KEY": "sk-6"}, "chatgpt", tokens.access_token),
        ({**managed, "last_refresh": None}, "chatgpt", tokens.access_token),
        ({"tokens": managed["tokens"]}, "chatgpt", tokens.access_token),
    ]
    for login, mode, token in shapes:
        store(server.home, login)

        await token_comes_into_force(server, token)
        assert (await server.result("getAuthStatus", {}))["authMethod"] == mode, login


def not_understood(tokens: TokenSet) -> list[Json | bytes]:
    """Files by which nobody is logged in."""
    managed = managed_login(tokens)
    return [
        b"",
        b"not JSON",
        b"\x00" * 100,
        b'{"OPENAI_API_KEY": "sk-cut o',
        b'{"OPENAI_API_KEY": "\xff\xfe"}',
        b"[]",
        b'"sk-test"',
        b"[" * 100_000,
        {},
        {"OPENAI_API_KEY": ""},
        {"OPENAI_API_KEY": 5},
        {"OPENAI_API_KEY": ["sk-test"]},
        {"auth_mode": "of tomorrow", "OPENAI_API_KEY": "sk-test"},
        {"auth_mode": 5, "OPENAI_API_KEY": "sk-test"},
        {"auth_mode": "apikey"},
        {**managed, "auth_mode": "apikey"},
        {"auth_mode": "chatgpt", "OPENAI_API_KEY": "sk-test"},
        {"tokens": []},
        {"tokens": {}},
        with_tokens(managed, access_token=None),
        with_tokens(managed, id_token="no token"),
        with_tokens(managed, account_id=5),
        {**managed, "last_refresh": "yesterday"},
    ]


async def test_what_is_not_understood_logs_nobody_in_and_is_no_error(fake: FakeOpenAI, server: ServerProcess) -> None:
    for content in not_understood(fake.mint()):
        store(server.home, content)

        # What needs a login looks for one, however often it is asked.
        assert await server.error(LIMITS) == NOT_LOGGED_IN, content
        assert await server.result("account/read", {}) == NOBODY, content
        assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS, content
        assert await server.barrier() == [], content
    assert list(fake.requests) == []


async def test_a_file_that_is_not_understood_does_not_keep_the_server_from_starting(home: Path, start: Start) -> None:
    store(home, b'{"OPENAI_API_KEY": "sk-cut o')

    async with start() as server:
        assert await server.result("account/read", {}) == NOBODY
        assert await server.barrier() == []


async def test_a_login_replaces_what_is_not_understood_and_keeps_it_beside(home: Path, start: Start) -> None:
    store(home, b'{"OPENAI_API_KEY": "sk-cut o')

    async with start() as server:
        assert await server.result(LOGIN, KEY) == {"type": "apiKey"}

        assert stored(home) == {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-new"}
        (kept,) = files(home, "auth.json.corrupt-*")
        assert kept.read_bytes() == b'{"OPENAI_API_KEY": "sk-cut o'
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600


# Stored ChatGPT logins


async def test_a_stored_chatgpt_login_is_announced_once_its_backend_is_known(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    store(home, managed_login(fake.mint()))
    fake.fault("accounts_check", hang=True)

    async with start() as server:
        await asked(fake, "accounts_check")
        assert await server.barrier() == []
        fake.release()

        assert await server.notification(UPDATED) == {"authMode": "chatgpt", "planType": "plus"}
        assert await server.barrier() == []
        assert len(fake.requests.of("accounts_check")) == 1


async def test_without_its_backend_a_stored_chatgpt_login_is_not_announced(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    store(home, managed_login(fake.mint()))
    fake.fault("accounts_check", status=500, times=2)

    async with start() as server:
        await asked(fake, "accounts_check")
        # Either it shares that lookup, or makes the second; none is left that could still succeed.
        assert await server.error("account/read", {}) == ROUTING_FAILED
        assert await server.barrier() == []


async def test_a_stored_chatgpt_login_that_is_logged_out_before_its_backend_is_known_is_never_announced(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    store(home, managed_login(fake.mint()))
    fake.fault("accounts_check", hang=True)

    async with start() as server:
        await asked(fake, "accounts_check")
        assert await server.result("account/logout") == {}
        fake.release()
        await server.close_input()

        assert await server.exit_status() == 0
        announced = [message["params"] for message in await server.rest() if message.get("method") == UPDATED]
        assert announced == [{"authMode": None, "planType": None}]


async def test_a_chatgpt_login_without_an_account_id_has_no_workspace(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    store(home, with_tokens(managed_login(fake.mint()), account_id=None))

    async with start() as server:
        read = await server.result("account/read", {})
        assert read["account"] == {
            "type": "chatgpt",
            "email": "user@example.com",
            "planType": "plus",
            "workspaceName": None,
        }
        assert (read["userId"], read["workspaceRouting"]) == ("user-1", None)

        assert (await server.result(LIMITS))["rateLimits"]["planType"] == "plus"
        (request,) = fake.requests.of("usage")
        assert request.headers.get("chatgpt-account-id") is None
        assert fake.requests.of("accounts_check") == []
        # Nor is it announced, as in the reference.
        assert await server.barrier() == []


# Other programs


async def test_a_login_by_another_program_is_noticed_while_nobody_is_logged_in(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    assert await server.result("account/read", {}) == NOBODY
    store(server.home, {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-theirs"})

    await token_comes_into_force(server, "sk-theirs")
    assert (await server.result("account/read", {}))["account"] == {"type": "apiKey"}


async def test_what_another_program_makes_of_a_login_is_noticed_and_announced(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    # The reference looks only while nobody is logged in, and announces nothing.
    await server.result(LOGIN, KEY)
    await server.barrier()

    tokens = fake.mint()
    store(server.home, managed_login(tokens))
    await token_comes_into_force(server, tokens.access_token)
    assert await server.notification(UPDATED) == {"authMode": "chatgpt", "planType": "plus"}

    (server.home / "auth.json").unlink()
    await token_comes_into_force(server, None)
    assert await server.result("account/read", {}) == NOBODY
    assert await server.notification(UPDATED) == {"authMode": None, "planType": None}
    assert await server.barrier() == []


async def test_a_file_that_another_program_is_about_to_write_is_not_a_logout(server: ServerProcess) -> None:
    await server.result(LOGIN, KEY)
    await server.barrier()

    store(server.home, b'{"OPENAI_API_KEY": "sk-thei')
    assert (await server.error(LIMITS))["message"].startswith("chatgpt authentication required")
    assert await token_in_force(server) == "sk-new"
    assert await server.barrier() == []

    store(server.home, {"OPENAI_API_KEY": "sk-theirs"})
    await token_comes_into_force(server, "sk-theirs")


# What a login leaves of the file


@pytest.mark.parametrize("exists", [True, False])
async def test_behind_a_link_the_target_is_written_and_the_link_is_kept(
    tmp_path: Path, server: ServerProcess, exists: bool
) -> None:
    target = tmp_path / "elsewhere" / "login.json"
    target.parent.mkdir()
    if exists:
        target.write_text('{"OPENAI_API_KEY": "sk-old"}')
        target.chmod(0o644)
    link_login(server.home, target)

    await token_comes_into_force(server, "sk-old" if exists else None)
    await server.result(LOGIN, KEY)

    assert await token_in_force(server) == "sk-new"
    assert (server.home / "auth.json").readlink() == target
    assert stored(server.home)["OPENAI_API_KEY"] == "sk-new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


async def test_what_belongs_to_no_login_survives_one_and_the_old_login_does_not(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    # The reference loses what it does not know (wire.md section 15.12).
    theirs: Json = {"of_another_program": {"list": [1, None, "\u00fc"], "number": 1.5}, "zz": False}
    file = store(server.home, {**managed_login(fake.mint()), **theirs})
    file.chmod(0o644)

    await server.result(LOGIN, KEY)

    assert stored(server.home) == {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-new", **theirs}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_what_a_crash_has_left_half_written_is_swept_up_by_the_next_login(server: ServerProcess) -> None:
    store(server.home, {})
    (server.home / ".auth-a1b2c3").write_text('{"OPENAI_API_KEY": "sk-half')
    (server.home / ".author").write_text("of somebody else")

    await server.result(LOGIN, KEY)

    assert not (server.home / ".auth-a1b2c3").exists()
    assert (server.home / ".author").exists()
