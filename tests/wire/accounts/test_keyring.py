"""Logins in a keyring, with one or the other that does not work (wire.md section 6; issue 3, section 4)."""

import json
import time
from pathlib import Path

import anyio
import pytest

from app_server.auth.journal import NAME as JOURNAL
from app_server.fake_openai.server import FakeOpenAI
from tests.support.keyrings import NO_KEYRING, hanging_keyring, keyring_in
from tests.support.server import DEADLINE, Json, ServerProcess
from tests.support.upstream import (
    LIMITS,
    LOGIN,
    NOBODY,
    UPDATED,
    Start,
    completed,
    log_in_with_tokens,
    managed_login,
    next_messages,
    store,
    stored,
    token_in_force,
    updated,
)

KEYRING = 'cli_auth_credentials_store="keyring"'
AUTO = 'cli_auth_credentials_store="auto"'
KEY: Json = {"type": "apiKey", "apiKey": "sk-canary"}
WARNING = "configWarning"

NOT_SAVED = "failed to save api key: failed to write OAuth tokens to keyring: "
FELL_BACK = "The system's keyring cannot be used. Logins are kept in auth.json instead."
LEFT_BEHIND = "The system's keyring cannot be reached. The login in it is not used any more, but is still there."


@pytest.fixture
def keyring(tmp_path: Path) -> Path:
    """A keyring that works, as a file outside of the home."""
    return tmp_path / "keyring.json"


def texts(keyring: Path) -> list[str]:
    """What the keyring holds."""
    return list(json.loads(keyring.read_bytes()).values())


def lock(keyring: Path) -> Path:
    """Lock the keyring; gives what unlocks it again when it is renamed to it."""
    kept = keyring.with_suffix(".kept")
    keyring.rename(kept)
    keyring.mkdir()
    return kept


def unlock(keyring: Path, kept: Path) -> None:
    keyring.rmdir()
    kept.rename(keyring)


async def leave(server: ServerProcess) -> None:
    await server.close_input()
    assert await server.exit_status() == 0


async def until_in_force(server: ServerProcess, token: str | None) -> None:
    """Wait until this is in force; a server looks only now and then what others have done."""
    with anyio.fail_after(DEADLINE):
        while await token_in_force(server) != token:
            pass


def mentions(path: Path, text: str) -> list[Path]:
    """The files below a directory that have the text in them."""
    return [file for file in path.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


# A keyring that works


@pytest.mark.parametrize("kind", [KEYRING, AUTO])
async def test_a_login_is_in_the_keyring_and_survives_the_server(
    home: Path, keyring: Path, start: Start, kind: str
) -> None:
    store(home, {"OPENAI_API_KEY": "sk-stale"})
    async with start(kind, env=keyring_in(keyring)) as server:
        assert await token_in_force(server) == ("sk-stale" if kind == AUTO else None)
        await server.barrier()
        await server.send({"id": 1, "method": LOGIN, "params": KEY})
        assert await next_messages(server, 3) == [
            {"id": 1, "result": {"type": "apiKey"}},
            completed(),
            updated("apikey"),
        ]
        await leave(server)
    assert texts(keyring) == ['{"auth_mode":"apikey","OPENAI_API_KEY":"sk-canary"}']
    assert mentions(home, "sk-") == []
    assert "canary" not in server.log.read_text()

    async with start(kind, env=keyring_in(keyring)) as server:
        assert await token_in_force(server) == "sk-canary"
        await server.barrier()
        await server.send({"id": 1, "method": "account/logout"})
        assert await next_messages(server, 2) == [{"id": 1, "result": {}}, updated(None)]
        assert await server.result("account/read", {}) == NOBODY
    assert texts(keyring) == []

    async with start(kind, env=keyring_in(keyring)) as server:
        assert await server.result("account/read", {}) == NOBODY


async def test_a_login_of_another_server_is_noticed(home: Path, keyring: Path, start: Start) -> None:
    async with start(KEYRING, env=keyring_in(keyring)) as server, start(KEYRING, env=keyring_in(keyring)) as other:
        assert await token_in_force(server) is None
        await other.result(LOGIN, KEY)
        await until_in_force(server, "sk-canary")
        await other.result("account/logout")
        await until_in_force(server, None)


async def test_refreshed_tokens_are_saved_to_the_keyring(
    fake: FakeOpenAI, home: Path, keyring: Path, start: Start
) -> None:
    tokens = fake.mint()
    store(home, managed_login(tokens))
    async with start(AUTO, env=keyring_in(keyring)) as server:
        await server.notification(UPDATED)
        fake.expire(tokens.access_token)
        assert (await server.result(LIMITS, {"excludeResetCreditDetails": True}))["accountId"] is not None
        newer = await token_in_force(server)
        await leave(server)

    (text,) = texts(keyring)
    saved = json.loads(text)["tokens"]
    assert saved["access_token"] == newer != tokens.access_token
    assert saved["refresh_token"] != tokens.refresh_token
    assert not (home / "auth.json").exists()
    assert not (home / JOURNAL).exists()
    async with start(AUTO, env=keyring_in(keyring)) as server:
        assert await token_in_force(server) == newer


async def test_a_refresh_that_dies_before_it_is_saved_is_recognised(
    fake: FakeOpenAI, home: Path, keyring: Path, start: Start
) -> None:
    tokens = fake.mint()
    store(home, managed_login(tokens))
    async with start(AUTO, env=keyring_in(keyring)) as server:
        await server.notification(UPDATED)
        fake.expire(tokens.access_token)
        fake.fault("token", hang=True)
        await server.send({"id": 1, "method": LIMITS, "params": {"excludeResetCreditDetails": True}})
        await fake.requests.wait_for("token")
        server.process.kill()
        await server.exit_status()
    assert (home / JOURNAL).exists()
    assert mentions(home, tokens.refresh_token) == [home / "auth.json"]


# None at all


async def test_without_a_keyring_a_login_is_an_error_and_the_server_goes_on(
    fake: FakeOpenAI, home: Path, start: Start
) -> None:
    async with start(KEYRING, env=NO_KEYRING) as server:
        error = await server.error(LOGIN, KEY)
        assert error == {"code": -32603, "message": f"{NOT_SAVED}no keyring was found on this system"}
        assert await server.barrier() == []
        assert await server.result("account/read", {}) == NOBODY

        # What the parent owns needs no store.
        await log_in_with_tokens(server, fake.mint())
        assert await server.result("account/logout") == {}
        assert await server.notification(UPDATED) == {"authMode": None, "planType": None}
        await leave(server)
    assert not (home / "auth.json").exists()
    assert "canary" not in server.log.read_text()


async def test_without_the_package_the_error_says_how_to_install_it(tmp_path: Path, start: Start) -> None:
    package = tmp_path / "shadow" / "keyring"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'keyring'\", name='keyring')")
    async with start(KEYRING, env={"PYTHONPATH": str(package.parent)}) as server:
        error = await server.error(LOGIN, KEY)
        assert error["code"] == -32603
        assert error["message"].startswith(
            f"{NOT_SAVED}the keyring package is not installed: pip install 'app-server[keyring]'"
        )
        assert await server.result("account/read", {}) == NOBODY


async def test_without_a_keyring_auto_uses_the_file_and_says_so_once(home: Path, start: Start) -> None:
    for _ in range(2):
        async with start(AUTO, env=NO_KEYRING) as server:
            warning = await server.notification(WARNING)
            assert (warning["summary"], warning["details"]) == (FELL_BACK, "no keyring was found on this system")
            await server.result(LOGIN, KEY)
            await server.result(LOGIN, KEY)
            assert await token_in_force(server) == "sk-canary"
            assert WARNING not in [message["method"] for message in await server.barrier()]
            assert stored(home)["OPENAI_API_KEY"] == "sk-canary"

    # The reference cannot log out here: it insists on the keyring.
    async with start(AUTO, env=NO_KEYRING) as server:
        assert await token_in_force(server) == "sk-canary"
        assert await server.result("account/logout") == {}
        assert await server.result("account/read", {}) == NOBODY
    assert not (home / "auth.json").exists()


# One that comes and goes


async def test_logging_out_lasts_although_the_keyring_is_locked(home: Path, keyring: Path, start: Start) -> None:
    async with start(AUTO, env=keyring_in(keyring)) as server:
        await server.result(LOGIN, KEY)
        kept = lock(keyring)
        assert await server.result("account/logout") == {}
        assert (await server.notification(WARNING))["summary"] == LEFT_BEHIND
        assert await server.result("account/read", {}) == NOBODY

    unlock(keyring, kept)
    async with start(AUTO, env=keyring_in(keyring)) as server:
        assert await server.result("account/read", {}) == NOBODY
        assert len(texts(keyring)) == 1
        assert await server.result("account/logout") == {}
    assert texts(keyring) == []


async def test_where_there_is_only_the_keyring_logging_out_fails_while_it_is_locked(
    home: Path, keyring: Path, start: Start
) -> None:
    async with start(KEYRING, env=keyring_in(keyring)) as server:
        await server.result(LOGIN, KEY)
        await server.barrier()
        kept = lock(keyring)
        error = await server.error("account/logout")
        assert error == {
            "code": -32603,
            "message": "logout failed: failed to delete auth from keyring: it is locked",
        }
        assert await server.barrier() == []
        assert await token_in_force(server) == "sk-canary"

        unlock(keyring, kept)
        assert await server.result("account/logout") == {}
        assert await token_in_force(server) is None


# One that does not answer


async def test_a_keyring_that_does_not_answer_holds_up_neither_the_server_nor_its_end(home: Path, start: Start) -> None:
    async with start(KEYRING, env=hanging_keyring(), initialize=False) as server:
        before = time.monotonic()
        await server.initialize()
        assert await server.result("account/read", {}) == NOBODY
        assert time.monotonic() - before < 10

        before = time.monotonic()
        error = await server.error(LOGIN, KEY)
        assert error == {"code": -32603, "message": f"{NOT_SAVED}the keyring did not answer within 3 s"}
        assert 2.5 < time.monotonic() - before < 10
        assert await server.result("account/read", {}) == NOBODY
        before = time.monotonic()
        await leave(server)
        assert time.monotonic() - before < 2
