"""Homes that cannot be written to, and what that may cost (issue 2 section 3; wire.md section 15, item 29).

They never stop a server from starting. What cannot be saved is a clear error, and what was before stays.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.server import COMMAND, Finished, Json, run_to_end, running_server
from tests.support.upstream import LOGIN

NO_MORE_BYTES = ("sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *COMMAND)
"""A server that can create files and write nothing into them, as on a disk that is full."""

CONVERSATION = "".join(
    json.dumps(message) + "\n"
    for message in (
        {"id": "hello", "method": "initialize", "params": {"clientInfo": {"name": "x", "version": "1"}}},
        {"id": "before", "method": "getAuthStatus", "params": {"includeToken": True}},
        {"id": "login", "method": LOGIN, "params": {"type": "apiKey", "apiKey": "sk-new"}},
        {"id": "after", "method": "getAuthStatus", "params": {"includeToken": True}},
        {"id": "account", "method": "account/read", "params": {}},
    )
).encode()


async def converse(home: Path | str, command: Sequence[str] = COMMAND) -> Finished:
    ended = await run_to_end(Path(home), CONVERSATION, command=command)
    assert ended.status == 0, ended.log
    assert "Traceback" not in ended.log
    return ended


def assert_login_failed_and_nothing_changed(ended: Finished, key_before: str | None) -> None:
    answers = ended.answers()
    assert answers["login"]["error"]["code"] == -32603
    assert answers["login"]["error"]["message"].startswith("failed to save api key: ")
    assert answers["before"]["result"]["authToken"] == answers["after"]["result"]["authToken"] == key_before
    assert not [message for message in ended.messages if message.get("method") == "account/updated"]


@pytest.fixture
def below_a_file(tmp_path: Path) -> Path:
    """A home that cannot be, because what is above it is no directory."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "home"


@pytest.fixture
def with_a_login(home: Path) -> Path:
    """A home with a key in it."""
    home.mkdir()
    (home / "auth.json").write_text('{"auth_mode":"apikey","OPENAI_API_KEY":"sk-old"}')
    return home


async def test_a_home_that_cannot_be_created_stops_nothing_but_saving(below_a_file: Path) -> None:
    assert_login_failed_and_nothing_changed(await converse(below_a_file), None)


@pytest.mark.parametrize("path", ["/proc", "/dev/null"])
async def test_a_home_where_nothing_can_be_written_stops_nothing_but_saving(path: str) -> None:
    assert_login_failed_and_nothing_changed(await converse(path), None)


async def test_a_full_home_keeps_the_login_that_was_there(with_a_login: Path) -> None:
    content = (with_a_login / "auth.json").read_bytes()
    assert_login_failed_and_nothing_changed(await converse(with_a_login, NO_MORE_BYTES), "sk-old")
    assert (with_a_login / "auth.json").read_bytes() == content
    assert not temporary_files(with_a_login)


async def test_what_is_full_today_can_be_saved_tomorrow(with_a_login: Path) -> None:
    await converse(with_a_login, NO_MORE_BYTES)
    assert (await converse(with_a_login)).answers()["after"]["result"]["authToken"] == "sk-new"


async def test_a_home_that_is_not_there_yet_is_created_when_something_is_saved(home: Path) -> None:
    """And not before."""
    deep = home / "deep" / "down"
    async with running_server(home, env={"CODEX_HOME": str(deep)}, forked=True) as server:
        await server.result("account/read", {})
        assert not exists(home)
        await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-first"})
        assert exists(deep / "auth.json")


async def test_logging_out_where_nothing_can_be_written_is_fine_when_nobody_is_logged_in(below_a_file: Path) -> None:
    env = {"CODEX_HOME": str(below_a_file)}
    async with running_server(below_a_file.parent.with_name("home"), env=env, forked=True) as server:
        assert await server.result("account/logout") == {}
        assert await server.notification("account/updated") == {"authMode": None, "planType": None}


@pytest.mark.parametrize("content", [b"{broken", b"[" * 100_000])
async def test_a_stored_login_that_makes_no_sense_is_no_login(home: Path, content: bytes) -> None:
    put(home / "auth.json", content)
    answers = (await converse(home)).answers()
    assert answers["before"]["result"]["authToken"] is None
    assert answers["after"]["result"]["authToken"] == "sk-new"


async def test_a_stored_login_that_is_a_directory_stops_nothing_but_saving(home: Path) -> None:
    put(home / "auth.json" / "file", b"")
    assert_login_failed_and_nothing_changed(await converse(home), None)


async def test_a_configuration_that_cannot_be_read_is_warned_about(home: Path) -> None:
    put(home / "config.toml" / "file", b"")
    warnings: list[Json] = [message for message in (await converse(home)).messages if "method" in message]
    assert warnings[0]["method"] == "configWarning"
    assert "config.toml" in str(warnings[0]["params"])


def temporary_files(home: Path) -> list[Path]:
    return [path for path in home.iterdir() if path.name.startswith(".")]


def exists(path: Path) -> bool:
    return path.exists()


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


async def test_a_login_behind_a_link_keeps_the_link_and_leaves_no_key_in_the_target(home: Path) -> None:
    """The reference removes the link at logout and leaves the key where it is."""
    target = home.with_name("elsewhere.json")
    link(home / "auth.json", target)
    async with running_server(home, forked=True) as server:
        assert (await server.result("getAuthStatus", {"includeToken": True}))["authToken"] == "sk-behind"
        await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-after"})
        assert is_link_to(home / "auth.json", target)
        assert "sk-after" in (home / "auth.json").read_text()
        await server.result("account/logout")
        assert is_link_to(home / "auth.json", target)
        assert "sk-" not in (home / "auth.json").read_text()
    async with running_server(home, forked=True) as server:
        assert (await server.result("getAuthStatus", {"includeToken": True}))["authMethod"] is None


def link(path: Path, target: Path) -> None:
    put(path, b"")
    path.unlink()
    target.write_text('{"auth_mode":"apikey","OPENAI_API_KEY":"sk-behind"}')
    path.symlink_to(target)


def is_link_to(path: Path, target: Path) -> bool:
    return path.is_symlink() and path.resolve() == target
