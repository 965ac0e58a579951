"""Logging in with an API key (wire.md section 4)."""

import json
import stat
import sys
from pathlib import Path

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import (
    LOGIN,
    NO_STATUS,
    Start,
    asked,
    completed,
    files,
    log_in_with_tokens,
    managed_login,
    next_messages,
    server_with,
    store,
    stored,
    token_in_force,
    updated,
)

KEY: Json = {"type": "apiKey", "apiKey": "sk-new"}


async def test_the_answer_comes_first_then_the_login_then_the_account(server: ServerProcess) -> None:
    await server.send({"id": "a", "method": LOGIN, "params": KEY})

    assert await next_messages(server, 3) == [
        {"id": "a", "result": {"type": "apiKey"}},
        completed(),
        updated("apikey"),
    ]
    assert await server.barrier() == []


async def test_the_key_is_stored_as_the_reference_stores_it(server: ServerProcess) -> None:
    await server.result(LOGIN, KEY)

    text = (server.home / "auth.json").read_text()
    assert text == json.dumps({"auth_mode": "apikey", "OPENAI_API_KEY": "sk-new"}, indent=2)


async def test_the_file_is_for_its_owner_alone_whatever_the_umask(start: Start, home: Path) -> None:
    anything_goes = ("sh", "-c", 'umask 0; exec "$0" "$@"', sys.executable, "-m", "app_server")

    async with start(command=anything_goes) as server:
        await server.result(LOGIN, KEY)

        assert stat.S_IMODE((home / "auth.json").stat().st_mode) == 0o600


async def test_a_key_is_taken_verbatim(server: ServerProcess) -> None:
    for key in (" sk-spaces \n", "no key at all", "sk-\u00fc\U0001f511", "k" * 100_000):
        await server.result(LOGIN, {"type": "apiKey", "apiKey": key})

        assert await token_in_force(server) == key
        assert stored(server.home)["OPENAI_API_KEY"] == key


async def test_an_empty_key_is_refused_and_what_was_in_force_stays(server: ServerProcess) -> None:
    # The reference accepts it, and account/read and getAuthStatus then disagree (wire.md section 15.20).
    await server.result(LOGIN, KEY)
    await server.barrier()

    for empty in ("", " ", "\t\n"):
        error = await server.error(LOGIN, {"type": "apiKey", "apiKey": empty})
        assert error == {"code": -32600, "message": "Invalid request: the API key is empty"}
    assert await server.barrier() == []
    assert await token_in_force(server) == "sk-new"
    assert stored(server.home)["OPENAI_API_KEY"] == "sk-new"


async def test_nothing_goes_over_the_network(fake: FakeOpenAI, own_server: ServerProcess) -> None:
    await own_server.result(LOGIN, KEY)
    await own_server.result("account/read", {"refreshToken": True})
    await own_server.close_input()

    # What it had begun upstream it would have finished by now.
    assert await own_server.exit_status() == 0
    assert list(fake.requests) == []


async def test_a_key_outlives_the_process(start: Start) -> None:
    async with start() as server:
        await server.result(LOGIN, KEY)

    async with start() as server:
        assert await token_in_force(server) == "sk-new"
        # Stored keys are not announced.
        assert await server.barrier() == []


async def test_a_newer_key_takes_the_place_of_the_older(server: ServerProcess) -> None:
    await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-old"})
    await server.result(LOGIN, KEY)

    assert await token_in_force(server) == "sk-new"
    assert stored(server.home)["OPENAI_API_KEY"] == "sk-new"


async def test_a_key_in_the_place_of_a_chatgpt_login_has_its_tokens_revoked(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    # The reference leaves them valid (wire.md section 15.18).
    tokens = fake.mint()
    store(home, managed_login(tokens))

    async with start() as server:
        await server.result(LOGIN, KEY)

        (revocation,) = await asked(fake, "revoke")
        assert revocation.fields()["token"] == tokens.refresh_token
        assert stored(home) == {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-new"}


async def test_a_key_has_to_wait_until_the_tokens_of_the_parent_are_gone(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    await log_in_with_tokens(server, fake.mint())

    assert await server.error(LOGIN, KEY) == {
        "code": -32600,
        "message": "External auth is active. Use account/login/start (chatgptAuthTokens) to update it or "
        "account/logout to clear it.",
    }
    await server.result("account/logout")
    assert await server.result(LOGIN, KEY) == {"type": "apiKey"}


async def test_what_cannot_be_written_is_an_error_and_nothing_has_happened(home: Path, start: Start) -> None:
    (home / "auth.json").mkdir(parents=True)

    async with start() as server:
        error = await server.error(LOGIN, KEY)
        assert error == {"code": -32603, "message": "failed to save api key: Is a directory (os error 21)"}
        assert await server.barrier() == []
        assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS


async def test_a_file_that_its_owner_has_made_read_only_is_left_alone(home: Path, start: Start) -> None:
    file = store(home, {"OPENAI_API_KEY": "sk-old"})
    file.chmod(0o400)

    async with start() as server:
        error = await server.error(LOGIN, KEY)
        assert error == {"code": -32603, "message": "failed to save api key: credential file is read-only"}
        assert await server.barrier() == []
        assert await token_in_force(server) == "sk-old"
        assert stored(home) == {"OPENAI_API_KEY": "sk-old"}


async def test_a_full_disk_leaves_the_old_login_in_place(home: Path, start: Start) -> None:
    store(home, {"OPENAI_API_KEY": "sk-old"})
    no_space = ("sh", "-c", 'ulimit -f 0; exec "$0" "$@"', sys.executable, "-m", "app_server")

    async with start(command=no_space) as server:
        error = await server.error(LOGIN, KEY)
        assert error == {"code": -32603, "message": "failed to save api key: File too large (os error 27)"}
        assert await token_in_force(server) == "sk-old"
        assert stored(home) == {"OPENAI_API_KEY": "sk-old"}
        assert files(home, ".auth-*") == []


async def test_a_home_that_cannot_exist_does_not_keep_the_server_from_starting(
    fake: FakeOpenAI, tmp_path: Path
) -> None:
    # The reference does not start in a home that it cannot write to (wire.md section 15.29).
    home = tmp_path / "a file where the directory should be"
    home.touch()

    async with server_with(fake, home) as server:
        error = await server.error(LOGIN, KEY)
        assert error["code"] == -32603
        assert error["message"].startswith("failed to save api key: ")
        # It cannot hold a config.toml either.
        assert {message["method"] for message in await server.barrier()} <= {"configWarning"}
        assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS

        await log_in_with_tokens(server, fake.mint())
        assert (await server.result("account/read", {}))["userId"] == "user-1"


async def test_a_key_shows_up_in_no_log(own_server: ServerProcess) -> None:
    # The reference logs a login without an id, key and all (wire.md section 15.27).
    secret = "sk-" + "s3cret" * 5
    login = {"method": LOGIN, "params": {"type": "apiKey", "apiKey": secret}}
    await own_server.send(
        login,
        {**login, "id": None},
        {**login, "id": 1.5},
        {**login, "params": {"type": "apiKey", "apiKey": [secret]}, "id": 2},
        {**login, "params": {"type": secret}, "id": 3},
        {**login, "params": [secret], "id": 4},
        json.dumps(login).encode()[:-1] + b"\n",
        {**login, "id": 5},
    )
    assert (await own_server.answer(5))["result"] == {"type": "apiKey"}
    await own_server.close_input()

    assert await own_server.exit_status() == 0
    log = own_server.log.read_text()
    assert log, "the server logged nothing at its most talkative, so this proves nothing"
    assert secret not in log
