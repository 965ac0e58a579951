"""Logins in a real Secret Service, shared with the reference (issue 3, section 4; ``make test-keyring``).

The attributes of an item are those that Codex 0.169.0 gives it on Debian 12. What is expected of a keyring that is
hard to come by is tested with one that is easy to come by, beside the other tests of stores and of logins.
"""

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from tests.keyring.conftest import Bus
from tests.support.server import Json
from tests.support.upstream import LOGIN, NOBODY, Start, stored, token_in_force

pytestmark = pytest.mark.keyring

KEYRING = 'cli_auth_credentials_store="keyring"'
AUTO = 'cli_auth_credentials_store="auto"'
BOTH = pytest.mark.parametrize("kind", [KEYRING, AUTO])
KEY: Json = {"type": "apiKey", "apiKey": "sk-canary"}
TEXT = '{"auth_mode":"apikey","OPENAI_API_KEY":"sk-canary"}'
OTHERS = '{"auth_mode":"apikey","OPENAI_API_KEY":"sk-theirs"}'
NOT_SAVED = "failed to save api key: failed to write OAuth tokens to keyring: "

Item = tuple[dict[str, str], str]


def attributes(home: Path) -> dict[str, str]:
    """Those of the reference's item."""
    home.mkdir(exist_ok=True)
    return {
        "application": "rust-keyring",
        "service": "Codex Auth",
        "target": "default",
        "username": f"cli|{hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]}",
    }


def items(bus: Bus) -> list[Item]:
    """What is in the keyring: attributes and secrets."""
    with bus.collection() as collection:
        found = [(dict(item.get_attributes()), item.get_secret().decode()) for item in collection.get_all_items()]
    for named, _ in found:
        named.pop("xdg:schema", None)  # gnome-keyring's own
    return found


def put(bus: Bus, named: dict[str, str], text: str) -> None:
    """Store an item as another program."""
    with bus.collection() as collection:
        collection.create_item("of another program", named, text.encode())


@BOTH
async def test_a_login_is_kept_by_the_secret_service_until_somebody_logs_out(
    secret_service: Bus, home: Path, start: Start, kind: str
) -> None:
    async with start(kind, env=secret_service.environment) as server:
        assert await server.result("account/read", {}) == NOBODY
        assert await server.result(LOGIN, KEY) == {"type": "apiKey"}
        await server.close_input()
        assert await server.exit_status() == 0
    assert items(secret_service) == [(attributes(home), TEXT)]
    assert not (home / "auth.json").exists()
    assert "canary" not in server.log.read_text()

    async with start(kind, env=secret_service.environment) as server:
        assert await token_in_force(server) == "sk-canary"
        assert await server.result("account/logout") == {}
        assert await server.result("account/read", {}) == NOBODY
    assert items(secret_service) == []

    async with start(kind, env=secret_service.environment) as server:
        assert await server.result("account/read", {}) == NOBODY


@BOTH
async def test_an_item_of_the_reference_is_used_changed_and_removed(
    secret_service: Bus, home: Path, start: Start, kind: str
) -> None:
    put(secret_service, attributes(home), OTHERS)
    async with start(kind, env=secret_service.environment) as server:
        assert await token_in_force(server) == "sk-theirs"
        await server.result(LOGIN, KEY)
        assert items(secret_service) == [(attributes(home), TEXT)]
        assert await server.result("account/logout") == {}
    assert items(secret_service) == []


async def test_an_item_without_a_target_is_changed_in_place_too(secret_service: Bus, home: Path, start: Start) -> None:
    named = attributes(home)
    del named["target"]
    put(secret_service, {**named, "application": "Python keyring library"}, OTHERS)
    async with start(KEYRING, env=secret_service.environment) as server:
        assert await token_in_force(server) == "sk-theirs"
        await server.result(LOGIN, KEY)
    assert items(secret_service) == [({**named, "application": "Python keyring library"}, TEXT)]


async def test_of_two_items_the_one_of_the_reference_counts_and_logging_out_removes_both(
    secret_service: Bus, home: Path, start: Start
) -> None:
    named = attributes(home)
    put(secret_service, {**named, "application": "Python keyring library", "target": "another"}, "nonsense")
    put(secret_service, named, OTHERS)
    put(secret_service, {**named, "application": "Python keyring library", "target": "a third"}, "nonsense")
    async with start(KEYRING, env=secret_service.environment) as server:
        assert await token_in_force(server) == "sk-theirs"
        await server.result(LOGIN, KEY)
        assert (named, TEXT) in items(secret_service)
        await server.result("account/logout")
    assert items(secret_service) == []


async def test_other_items_are_left_alone(secret_service: Bus, home: Path, start: Start) -> None:
    others = [{**attributes(home), "service": "Codex MCP"}, {**attributes(home), "username": "cli|0123456789abcdef"}]
    for named in others:
        put(secret_service, named, OTHERS)
    async with start(KEYRING, env=secret_service.environment) as server:
        assert await server.result("account/read", {}) == NOBODY
        await server.result(LOGIN, KEY)
        await server.result("account/logout")
    assert sorted(map(str, items(secret_service))) == sorted(map(str, [(named, OTHERS) for named in others]))


async def test_a_large_login_fits(secret_service: Bus, home: Path, start: Start) -> None:
    key = "k" * 100_000
    async with start(KEYRING, env=secret_service.environment) as server:
        await server.result(LOGIN, {"type": "apiKey", "apiKey": key})
    ((_, text),) = items(secret_service)
    assert json.loads(text)["OPENAI_API_KEY"] == key


async def test_a_keyring_that_is_locked_is_an_error_until_it_is_unlocked(
    secret_service: Bus, home: Path, start: Start
) -> None:
    put(secret_service, attributes(home), OTHERS)
    with secret_service.collection() as collection:
        collection.lock()
    async with start(KEYRING, env=secret_service.environment) as server:
        assert await server.result("account/read", {}) == NOBODY
        error = await server.error(LOGIN, KEY)
        assert error["code"] == -32603
        assert error["message"].startswith(NOT_SAVED)
        assert await server.result("account/read", {}) == NOBODY


async def test_auto_makes_do_with_the_file_while_the_keyring_is_locked(
    secret_service: Bus, home: Path, start: Start
) -> None:
    with secret_service.collection() as collection:
        collection.lock()
    async with start(AUTO, env=secret_service.environment) as server:
        await server.notification("configWarning")
        await server.result(LOGIN, KEY)
        assert await token_in_force(server) == "sk-canary"
    assert stored(home)["OPENAI_API_KEY"] == "sk-canary"


async def test_a_session_without_a_secret_service_is_an_error_of_the_login_and_of_nothing_else(
    no_secret_service: Bus, home: Path, start: Start
) -> None:
    async with start(KEYRING, env=no_secret_service.environment) as server:
        error = await server.error(LOGIN, KEY)
        assert error["code"] == -32603
        assert error["message"].startswith(f"{NOT_SAVED}no secret service provider or dbus session found: ")
        assert await server.result("account/read", {}) == NOBODY


async def test_a_secret_service_that_does_not_answer_holds_up_neither_the_server_nor_its_end(
    silent_secret_service: Bus, home: Path, start: Start
) -> None:
    async with start(AUTO, env=silent_secret_service.environment) as server:
        details = (await server.notification("configWarning"))["details"]
        assert details == "the keyring did not answer within 3 s"
        await server.result(LOGIN, KEY)
        assert await token_in_force(server) == "sk-canary"
        before = time.monotonic()
        await server.close_input()
        assert await server.exit_status() == 0
        assert time.monotonic() - before < 2
    assert stored(home)["OPENAI_API_KEY"] == "sk-canary"
