"""What is found out about the files of a store, without changing any."""

import os
import sys
import time
from pathlib import Path

import anyio
import pytest

from app_server.config import Settings
from app_server.diagnosis.store import examine, examine_locks
from protocol.diagnosis import DiagnosisFinding

needs_modes = pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
needs_a_user = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may do anything")
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who holds a lock")


def stored(home: Path, mode: int = 0o600) -> Path:
    file = home / "auth.json"
    file.write_text("{}")
    file.chmod(mode)
    return file


def permit(path: Path, mode: int) -> None:
    path.chmod(mode)


def left_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def told(findings: list[DiagnosisFinding]) -> list[tuple[str, str]]:
    return [(finding.status, finding.summary) for finding in findings]


async def test_an_empty_home_is_in_order(settings: Settings, home: Path) -> None:
    assert told(await examine(settings)) == [("ok", f"{home / 'auth.json'} is not there: nothing is stored.")]


async def test_a_home_that_is_not_there_yet_is_in_order_and_not_made(tmp_path: Path) -> None:
    home = tmp_path / "not" / "there"
    assert told(await examine(Settings(home))) == [("ok", f"{home} is not there yet; the first login makes it.")]
    assert left_in(tmp_path) == []


async def test_a_home_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    home = tmp_path / "file" / "home"
    findings = await examine(Settings(home))
    assert [finding.status for finding in findings] == ["error"]


async def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert told(await examine(Settings(tmp_path / "file"))) == [("error", f"{tmp_path / 'file'} is not a directory.")]


async def test_a_file_as_it_is_saved_is_in_order(settings: Settings, home: Path) -> None:
    file = stored(home)
    assert told(await examine(settings)) == [("ok", f"Logins are kept in {file} (mode 0600).")]


@needs_modes
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
async def test_a_file_that_others_may_read_is_told_with_a_remedy(settings: Settings, home: Path, mode: int) -> None:
    file = stored(home, mode)
    findings = await examine(settings)
    assert told(findings) == [("warning", f"Other users may get at {file}.")]
    assert f"chmod 600 '{file}'" in (findings[0].details or "")


@needs_modes
async def test_a_home_that_others_may_change_is_told(settings: Settings, home: Path) -> None:
    permit(home, 0o777)
    findings = await examine(settings)
    assert ("warning", f"Other users can change files in {home}.") in told(findings)


@needs_modes
async def test_a_read_only_file_keeps_logins_from_being_saved(settings: Settings, home: Path) -> None:
    file = stored(home, 0o400)
    assert ("error", f"{file} is read-only, so no login is saved.") in told(await examine(settings))


@needs_modes
@needs_a_user
async def test_a_home_that_is_not_writable_stands_in_the_way(settings: Settings, home: Path) -> None:
    permit(home, 0o500)
    assert ("error", f"{home} is not writable for this user.") in told(await examine(settings))


@needs_modes
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
async def test_a_file_of_another_user_is_told(settings: Settings, home: Path) -> None:
    file = stored(home)
    os.chown(file, 12345, -1)
    assert ("warning", f"{file} belongs to user 12345 and not to this one.") in told(await examine(settings))


async def test_a_directory_in_the_place_of_the_file_stands_in_the_way(settings: Settings, home: Path) -> None:
    (home / "auth.json").mkdir()
    assert told(await examine(settings)) == [("error", f"{home / 'auth.json'} is not a file.")]


async def test_where_a_symbolic_link_leads_is_told(settings: Settings, home: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.json"
    (home / "auth.json").symlink_to(target)
    (absent,) = await examine(settings)
    stored(home)
    target.chmod(0o600)
    (present,) = await examine(settings)
    assert absent.status == present.status == "ok"
    assert absent.details == present.details == f"It is a symbolic link to {target}."


async def test_what_crashes_have_left_is_named(settings: Settings, home: Path) -> None:
    stored(home)
    for name in (".auth-0a1b2c", ".auth-young1", ".auth-0a1b2c3", "auth.json.corrupt-20260101T000000.000000Z"):
        (home / name).write_text("canary")
    os.utime(home / ".auth-0a1b2c", (0, time.time() - 3600))
    summaries = [summary for status, summary in told(await examine(settings)) if status == "warning"]
    assert summaries == [
        f"A crash has left .auth-0a1b2c in {home}.",
        f"{home} holds what could not be understood as a login: auth.json.corrupt-20260101T000000.000000Z.",
    ]


async def test_a_store_in_memory_looks_at_no_file(settings: Settings, home: Path) -> None:
    (home / "auth.json").mkdir()
    (finding,) = await examine(settings._replace(credentials_store="ephemeral"))
    assert finding.status == "ok"
    assert "memory" in finding.summary
    assert await examine_locks(settings._replace(credentials_store="ephemeral")) == []


@pytest.mark.parametrize(("kind", "status"), [("keyring", "error"), ("auto", "warning")])
async def test_without_a_keyring_only_auto_has_somewhere_to_go(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, kind: str, status: str
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    keyring, *rest = await examine(settings._replace(credentials_store=kind))  # type: ignore[arg-type]
    assert keyring.status == status
    assert keyring.summary.startswith("The keyring of the system cannot be used")
    assert keyring.details == "no keyring was found on this system"
    assert [finding.status for finding in rest] == ([] if kind == "keyring" else ["ok"])


async def test_a_keyring_is_named_and_not_asked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    assert told(await examine(settings._replace(credentials_store="keyring"))) == [
        ("ok", "Logins are kept in the keyring of the system (null Keyring).")
    ]


async def test_a_keyring_that_cannot_even_be_loaded_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "no.such.Keyring")
    (finding,) = await examine(settings._replace(credentials_store="keyring"))
    assert finding.status == "error"


HOLDER = (
    "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); print(flush=True); input()"
)


@needs_proc
@pytest.mark.parametrize("lock", ["auth.lock", "auth.json.lock"])
async def test_whoever_holds_a_lock_for_long_is_named(settings: Settings, home: Path, lock: str) -> None:
    async with await anyio.open_process([sys.executable, "-c", HOLDER, str(home / lock)]) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        await process.stdout.receive()
        (finding,) = await examine_locks(settings)
        await process.stdin.send(b"\n")
    assert finding.status == "warning"
    assert finding.summary.startswith(f"{home / lock} is held by ")
    assert f"(pid {process.pid})" in finding.summary


@needs_proc
async def test_a_lock_that_nobody_holds_is_not_taken(settings: Settings, home: Path) -> None:
    (finding,) = await examine_locks(settings)
    assert finding.status == "ok"
    assert left_in(home) == []
