"""Keeping a login in auth.json, while all goes well."""

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey, Credential, PersonalAccessToken
from app_server.auth.stores.auto_store import AutoStore
from app_server.auth.stores.ephemeral_store import EphemeralStore
from app_server.auth.stores.file_store import FileStore
from app_server.auth.stores.keyring_store import KeyringStore
from app_server.auth.stores.opening import StoreKind, open_store
from app_server.auth.stores.store import Store
from app_server.auth.stores.store_errors import LockTimeout
from tests.unit.auth.conftest import Hold
from tests.unit.auth.keyring_support import FakeKeyring
from tests.unit.auth.samples import ACCESS_TOKEN, ID_TOKEN, managed_tokens

DEADLINE = 20.0
KEY = ApiKey(SecretStr("key-1"))
OTHER_KEY = ApiKey(SecretStr("key-2"))

EVERY_STORE = pytest.mark.parametrize("kind", ["file", "ephemeral", "keyring", "auto", "auto without a keyring"])


def store_of(kind: str, home: Path) -> Store:
    """A store of each kind; a keyring is one in memory."""
    keyring = FakeKeyring()
    match kind:
        case "keyring":
            return KeyringStore(home, backend=keyring.found)
        case "auto":
            return AutoStore(home, lambda _summary, _details: None, backend=keyring.found)
        case "auto without a keyring":
            keyring.gone = "there is none"
            return AutoStore(home, lambda _summary, _details: None, backend=keyring.found)
        case _:
            return open_store(kind, home)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write(path: Path, text: str) -> None:
    path.write_text(text)


def content(path: Path) -> bytes:
    return path.read_bytes()


def inode(path: Path) -> int:
    return path.stat().st_ino


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def temporary_files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob(".auth-*"))


# What every store does


@EVERY_STORE
@pytest.mark.parametrize("credential", [KEY, managed_tokens(), PersonalAccessToken(SecretStr("at-1"))], ids=type)
async def test_a_login_is_kept_until_it_is_deleted(home: Path, kind: str, credential: Credential) -> None:
    store = store_of(kind, home)
    assert await store.load() is None
    await store.save(credential)
    assert await store.load() == credential
    assert await store.delete() is True
    assert await store.load() is None
    assert await store.delete() is False


@EVERY_STORE
async def test_a_login_takes_the_place_of_another(home: Path, kind: str) -> None:
    store = store_of(kind, home)
    await store.save(managed_tokens())
    await store.save(KEY)
    assert await store.load() == KEY


@EVERY_STORE
async def test_nobody_saves_between_the_steps_of_exclusive_work(home: Path, kind: str) -> None:
    store = store_of(kind, home)
    steps: list[str] = []

    async def log_in_elsewhere() -> None:
        await store.save(OTHER_KEY)
        steps.append("saved")

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks, store.exclusive(DEADLINE) as held:
            tasks.start_soon(log_in_elsewhere)
            await anyio.wait_all_tasks_blocked()
            assert await held.load() is None
            await held.save(KEY)
            assert await held.load() == KEY
            assert await held.delete() is True
            await held.save(KEY)
            steps.append("done")
    assert steps == ["done", "saved"]
    assert await store.load() == OTHER_KEY


@EVERY_STORE
async def test_whoever_waits_too_long_for_exclusive_work_is_told(home: Path, kind: str) -> None:
    store = store_of(kind, home)
    with anyio.fail_after(DEADLINE):
        async with store.exclusive(DEADLINE):
            with pytest.raises(LockTimeout):
                async with store.exclusive(0.01):
                    pytest.fail("two at once")
        async with store.exclusive(0.01) as held:
            await held.save(KEY)


@EVERY_STORE
async def test_exclusive_work_that_fails_lets_the_next_one_in(home: Path, kind: str) -> None:
    store = store_of(kind, home)
    with pytest.raises(ZeroDivisionError):
        async with store.exclusive(DEADLINE):
            raise ZeroDivisionError
    with anyio.fail_after(DEADLINE):
        await store.save(KEY)


async def test_the_ephemeral_store_touches_no_file(home: Path) -> None:
    (home / "auth.json").write_text('{"OPENAI_API_KEY":"somebody else"}')
    store = open_store("ephemeral", home)
    assert isinstance(store, EphemeralStore)
    assert await store.load() is None
    await store.save(KEY)
    assert await store.delete() is True
    assert store.fingerprint() is None
    assert names(home) == ["auth.json"]
    assert (home / "auth.json").read_text() == '{"OPENAI_API_KEY":"somebody else"}'


@pytest.mark.parametrize(("kind", "store"), [("keyring", KeyringStore), ("auto", AutoStore)])
def test_opening_a_store_that_uses_a_keyring_touches_nothing(home: Path, kind: StoreKind, store: type[Store]) -> None:
    opened = open_store(kind, home)
    assert isinstance(opened, store)
    opened.fingerprint()
    assert names(home) == []


# The file


@pytest.fixture
def store(home: Path) -> Store:
    return FileStore(home)


async def test_the_file_is_the_one_of_the_reference(home: Path, store: Store) -> None:
    await store.save(KEY)
    assert (home / "auth.json").read_bytes() == b'{\n  "auth_mode": "apikey",\n  "OPENAI_API_KEY": "key-1"\n}'


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
async def test_nobody_else_may_read_or_write_the_file_whatever_the_umask(home: Path, store: Store, umask: int) -> None:
    before = os.umask(umask)
    try:
        await store.save(KEY)
    finally:
        os.umask(before)
    assert mode(home / "auth.json") == 0o600


async def test_a_file_that_others_may_read_is_closed_to_them_by_the_next_save(home: Path, store: Store) -> None:
    (home / "auth.json").write_text("{}")
    (home / "auth.json").chmod(0o666)
    await store.save(KEY)
    assert mode(home / "auth.json") == 0o600


async def test_a_home_that_is_missing_is_created_for_its_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    await FileStore(home).save(KEY)
    assert mode(home) == 0o700
    assert await FileStore(home).load() == KEY


async def test_what_others_have_added_survives_logins_and_renewals(home: Path, store: Store) -> None:
    tokens = {"id_token": ID_TOKEN, "access_token": ACCESS_TOKEN, "refresh_token": "r", "account_id": "account-1"}
    (home / "auth.json").write_text(json.dumps({"theirs": 1, "tokens": {**tokens, "theirs": 2}}))
    await store.save(managed_tokens("refresh-2"))
    document = json.loads((home / "auth.json").read_bytes())
    assert (document["theirs"], document["tokens"]["theirs"]) == (1, 2)
    await store.save(KEY)
    document = json.loads((home / "auth.json").read_bytes())
    assert document == {"auth_mode": "apikey", "OPENAI_API_KEY": "key-1", "theirs": 1}


async def test_a_login_of_another_program_is_seen(home: Path, store: Store) -> None:
    await store.save(KEY)
    await FileStore(home).save(OTHER_KEY)
    assert await store.load() == OTHER_KEY


async def test_logging_out_leaves_a_home_alone_in_which_nobody_is_logged_in(tmp_path: Path) -> None:
    assert await FileStore(tmp_path / "missing").delete() is False
    assert await FileStore(tmp_path).delete() is False
    (tmp_path / "file").touch()
    assert await FileStore(tmp_path / "file").delete() is False
    assert names(tmp_path) == ["file"]


async def test_where_there_is_no_home_nobody_is_logged_in(tmp_path: Path) -> None:
    assert await FileStore(tmp_path / "missing").load() is None
    (tmp_path / "file").touch()
    assert await FileStore(tmp_path / "file").load() is None


# Noticing changes


async def test_a_fingerprint_tells_every_version_from_the_next(home: Path, store: Store) -> None:
    assert store.fingerprint() is None
    saved = await store.save(KEY)
    assert saved is not None
    assert store.fingerprint() == saved
    await store.load()
    assert store.fingerprint() == saved
    await FileStore(home).save(OTHER_KEY)
    changed = store.fingerprint()
    assert changed not in (saved, None)
    with (home / "auth.json").open("ab") as file:
        file.write(b"\n")
    assert store.fingerprint() not in (saved, changed, None)
    await FileStore(home).delete()
    assert store.fingerprint() is None


# Symbolic links


@pytest.fixture
def target(home: Path, tmp_path: Path) -> Path:
    """What auth.json leads to."""
    target = tmp_path / "elsewhere" / "real.json"
    target.parent.mkdir()
    (home / "auth.json").symlink_to(target)
    return target


async def test_saving_behind_a_link_replaces_what_it_leads_to(home: Path, store: Store, target: Path) -> None:
    write(target, '{"OPENAI_API_KEY":"old","theirs":1}')
    before = inode(target)
    saved = await store.save(KEY)
    assert (home / "auth.json").is_symlink()
    assert json.loads(content(target)) == {"auth_mode": "apikey", "OPENAI_API_KEY": "key-1", "theirs": 1}
    assert inode(target) != before
    assert mode(target) == 0o600
    assert store.fingerprint() == saved
    assert temporary_files(home) == temporary_files(target.parent) == []


async def test_saving_behind_a_link_to_nothing_creates_what_it_leads_to(home: Path, store: Store, target: Path) -> None:
    await store.save(KEY)
    assert (home / "auth.json").is_symlink()
    assert names(target.parent) == ["real.json", "real.json.lock"]
    assert await store.load() == KEY


async def test_logging_out_behind_a_link_empties_what_it_leads_to(home: Path, store: Store, target: Path) -> None:
    await store.save(KEY)
    hard_link = target.with_name("second name")
    hard_link.hardlink_to(target)
    assert await store.delete() is True
    assert (home / "auth.json").is_symlink()
    assert content(target) == content(hard_link) == b""
    assert await store.load() is None
    assert await store.delete() is False
    await store.save(OTHER_KEY)
    assert await store.load() == OTHER_KEY
    assert [path for path in target.parent.iterdir() if "corrupt" in path.name] == []


async def test_logging_out_behind_a_link_to_nothing_does_nothing(home: Path, store: Store, target: Path) -> None:
    assert await store.delete() is False
    assert (home / "auth.json").is_symlink()


async def test_a_chain_of_links_keeps_every_link(home: Path, store: Store, tmp_path: Path) -> None:
    (home / "auth.json").symlink_to(tmp_path / "first")
    (tmp_path / "first").symlink_to("last")
    await store.save(KEY)
    assert (home / "auth.json").is_symlink()
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "last").is_file()


async def test_a_home_that_is_a_link_is_like_any_other(home: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(home)
    (home / ".auth-stale1").touch()
    store = FileStore(tmp_path / "link")
    await store.save(KEY)
    assert not (home / "auth.json").is_symlink()
    assert temporary_files(home) == []
    await store.delete()
    assert not (home / "auth.json").exists()


# What crashes leave


@pytest.mark.parametrize("end", ["save", "delete"])
async def test_temporary_files_of_a_crash_are_removed_and_nothing_else(home: Path, store: Store, end: str) -> None:
    for name in (".auth-abc123", ".auth-XyZ789"):
        (home / name).write_text("canary")
    others = [".auth-toolong", ".auth-ab", ".auth-abc12_", "auth-abc123", ".auth-abc123.bak"]
    for name in others:
        (home / name).touch()
    (home / ".auth-linked").symlink_to(home / "auth-abc123")
    (home / ".auth-folder").mkdir()
    await (store.save(KEY) if end == "save" else store.delete())
    assert temporary_files(home) == sorted([".auth-linked", ".auth-folder", *others[:3], others[4]])
    assert (home / "auth-abc123").exists()


async def test_behind_a_link_only_old_temporary_files_are_removed(store: Store, target: Path) -> None:
    old, young = target.with_name(".auth-old000"), target.with_name(".auth-young0")
    for path in (old, young):
        path.touch()
    os.utime(old, (time.time() - 3600,) * 2)
    await store.save(KEY)
    assert temporary_files(target.parent) == [".auth-young0"]


# Other programs


async def test_saving_and_deleting_wait_for_other_programs_but_not_forever(home: Path, hold: Hold) -> None:
    store = FileStore(home, lock_timeout=0.02)
    await store.save(KEY)
    holder = hold(home / "auth.json.lock")
    for attempt in (lambda: store.save(OTHER_KEY), store.delete):
        with pytest.raises(LockTimeout):
            await attempt()
    assert await store.load() == KEY
    holder.kill()
    await FileStore(home).save(OTHER_KEY)


async def test_tasks_that_save_at_once_all_succeed(home: Path) -> None:
    keys: list[Any] = [ApiKey(SecretStr(f"key-{number}")) for number in range(8)]
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            for key in keys:
                tasks.start_soon(FileStore(home).save, key)
    assert await FileStore(home).load() in keys
    assert temporary_files(home) == []
