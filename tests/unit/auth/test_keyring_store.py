"""Keeping a login in a keyring, here one in memory; a real one is asked in ``tests/keyring``."""

import hashlib
import json
import os
import stat
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey
from app_server.auth.stores.keyring_note import Note, NoteFile
from app_server.auth.stores.keyring_store import KeyringStore
from app_server.auth.stores.store_errors import StoreError, StoreUnavailable, StoreUnreadable
from tests.unit.auth.keyring_support import FakeKeyring
from tests.unit.auth.samples import ACCESS_TOKEN, ID_TOKEN, managed_tokens

DEADLINE = 20.0
AT_ONCE = 0.05
"""Seconds for a deadline that is meant to pass."""

KEY = ApiKey(SecretStr("key-1"))
OTHER_KEY = ApiKey(SecretStr("key-2"))
KEY_TEXT = '{"auth_mode":"apikey","OPENAI_API_KEY":"key-1"}'


@pytest.fixture
def keyring() -> FakeKeyring:
    return FakeKeyring()


@pytest.fixture
def store(home: Path, keyring: FakeKeyring) -> KeyringStore:
    return KeyringStore(home, backend=keyring.found)


@pytest.fixture
def hasty(home: Path, keyring: FakeKeyring) -> KeyringStore:
    """A store of the same home that gives a keyring hardly any time."""
    return KeyringStore(home, backend=keyring.found, timeout=AT_ONCE)


def entry_of(home: Path) -> tuple[str, str]:
    return "Codex Auth", f"cli|{hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]}"


def names(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir())


async def later_than(store: KeyringStore, fingerprint: object) -> None:
    """Wait until the store says that there is something new to be seen."""
    with anyio.fail_after(DEADLINE):
        while store.fingerprint() == fingerprint:
            await anyio.lowlevel.checkpoint()


# What is kept, and where


async def test_the_entry_is_the_one_of_the_reference(home: Path, keyring: FakeKeyring, store: KeyringStore) -> None:
    await store.save(KEY)
    assert keyring.texts == {entry_of(home): KEY_TEXT}


async def test_a_login_is_one_entry_whatever_way_leads_to_the_home(
    home: Path, keyring: FakeKeyring, store: KeyringStore, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(home)
    other = KeyringStore(tmp_path / "link", backend=keyring.found)
    await other.save(KEY)
    assert await store.load() == KEY
    assert list(keyring.texts) == [entry_of(home)]


async def test_another_home_has_another_entry(keyring: FakeKeyring, store: KeyringStore, tmp_path: Path) -> None:
    other = KeyringStore(tmp_path / "other", backend=keyring.found)
    await other.save(OTHER_KEY)
    await store.save(KEY)
    assert await other.load() == OTHER_KEY
    assert await store.delete() is True
    assert await other.load() == OTHER_KEY


async def test_no_secret_is_in_any_file(home: Path, store: KeyringStore) -> None:
    await store.save(managed_tokens("refresh-canary"))
    await store.save(ApiKey(SecretStr("key-canary")))
    assert names(home) == ["auth.json.lock", "auth.keyring.json", "auth.lock"]
    text = "".join((home / name).read_text() for name in names(home))
    assert "entry_sha256" in text
    assert "canary" not in text
    assert ACCESS_TOKEN not in text


async def test_only_the_owner_may_read_what_lies_beside(home: Path, store: KeyringStore) -> None:
    await store.save(KEY)
    assert stat.S_IMODE((home / "auth.keyring.json").stat().st_mode) == 0o600


async def test_the_file_is_not_looked_at(home: Path, keyring: FakeKeyring, store: KeyringStore) -> None:
    (home / "auth.json").write_text('{"OPENAI_API_KEY":"in the file"}')
    assert await store.load() is None


async def test_a_login_in_the_keyring_replaces_the_one_in_the_file(
    home: Path, keyring: FakeKeyring, store: KeyringStore
) -> None:
    (home / "auth.json").write_text('{"OPENAI_API_KEY":"in the file","theirs":1}')
    await store.save(KEY)
    assert not (home / "auth.json").exists()
    assert json.loads(keyring.text or "") == {"auth_mode": "apikey", "OPENAI_API_KEY": "key-1", "theirs": 1}


async def test_a_login_is_saved_although_the_one_in_the_file_cannot_be_removed(
    home: Path, keyring: FakeKeyring, store: KeyringStore
) -> None:
    (home / "auth.json").mkdir()
    await store.save(KEY)
    assert keyring.text == KEY_TEXT


async def test_what_others_have_added_survives_logins_and_renewals(keyring: FakeKeyring, store: KeyringStore) -> None:
    await store.save(KEY)
    tokens = {"id_token": ID_TOKEN, "access_token": ACCESS_TOKEN, "refresh_token": "r", "account_id": "account-1"}
    keyring.text = json.dumps({"theirs": 1, "tokens": {**tokens, "theirs": 2}})
    await store.save(managed_tokens("refresh-2"))
    document = json.loads(keyring.text or "")
    assert (document["theirs"], document["tokens"]["theirs"]) == (1, 2)
    await store.save(KEY)
    assert json.loads(keyring.text or "") == {"auth_mode": "apikey", "OPENAI_API_KEY": "key-1", "theirs": 1}


async def test_the_text_is_ascii_whatever_the_login_holds(keyring: FakeKeyring, store: KeyringStore) -> None:
    odd = ApiKey(SecretStr("schlüssel 🔑"))
    await store.save(odd)
    assert keyring.text is not None
    assert keyring.text.isascii()
    assert await store.load() == odd


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"OPENAI_API_KEY":canary}', '{"tokens":{"id_token":"canary"}}'])
async def test_an_entry_that_is_not_understood_is_an_error_until_the_next_login(
    keyring: FakeKeyring, store: KeyringStore, text: str
) -> None:
    await store.save(KEY)
    keyring.text = text
    with pytest.raises(StoreUnreadable, match=r"^failed to deserialize CLI auth from keyring: ") as caught:
        await store.load()
    assert "canary" not in str(caught.value)
    await store.save(OTHER_KEY)
    assert await store.load() == OTHER_KEY


async def test_logging_out_removes_the_login_from_the_keyring_and_from_the_file(
    home: Path, keyring: FakeKeyring, store: KeyringStore
) -> None:
    await store.save(KEY)
    (home / "auth.json").write_text('{"OPENAI_API_KEY":"in the file"}')
    assert await store.delete() is True
    assert keyring.texts == {}
    assert not (home / "auth.json").exists()
    assert await store.delete() is False
    (home / "auth.json").write_text('{"OPENAI_API_KEY":"in the file"}')
    assert await store.delete() is True


# Who else changes it


async def test_another_process_notices_every_change_without_asking_the_keyring(home: Path) -> None:
    theirs, ours = FakeKeyring(), FakeKeyring()
    other = KeyringStore(home, backend=theirs.found)
    store = KeyringStore(home, backend=ours.found)
    seen = [store.fingerprint()]
    for _ in range(2):
        await other.save(KEY)
        seen.append(store.fingerprint())
    await other.delete()
    seen.append(store.fingerprint())
    assert len(set(seen)) == 4
    assert ours.calls == []


async def test_a_fingerprint_is_the_one_of_the_save_until_something_changes(store: KeyringStore) -> None:
    saved = await store.save(KEY)
    await store.load()
    assert store.fingerprint() == saved
    await store.save(KEY)
    assert store.fingerprint() != saved


async def test_removing_what_another_program_has_put_there_is_noticed(home: Path, keyring: FakeKeyring) -> None:
    keyring.texts[entry_of(home)] = KEY_TEXT
    store, other = (KeyringStore(home, backend=keyring.found) for _ in range(2))
    before = other.fingerprint()
    assert await store.delete() is True
    assert other.fingerprint() != before


async def test_a_note_that_is_not_understood_says_nothing(home: Path, store: KeyringStore) -> None:
    await store.save(KEY)
    for nonsense in (b"", b"\xff", b"[]", b'{"entry_sha256":1}', b'{"entry_sha256":1,"outdated_sha256":[[]]}'):
        (home / "auth.keyring.json").write_bytes(nonsense)
        assert await store.load() == KEY


async def test_a_login_is_saved_although_the_note_cannot_be_written(home: Path, store: KeyringStore) -> None:
    (home / "auth.keyring.json").mkdir()
    await store.save(KEY)
    assert await store.load() == KEY
    assert [name for name in names(home) if name.startswith(".auth-")] == []


# Keyrings that fail


async def test_without_a_keyring_nothing_is_saved_and_the_file_stays(
    home: Path, keyring: FakeKeyring, store: KeyringStore
) -> None:
    (home / "auth.json").write_text('{"OPENAI_API_KEY":"in the file"}')
    keyring.gone = "there is none"
    with pytest.raises(StoreUnavailable) as caught:
        await store.save(KEY)
    assert str(caught.value) == "failed to write OAuth tokens to keyring: there is none"
    with pytest.raises(StoreUnreadable) as unreadable:
        await store.load()
    assert str(unreadable.value) == "failed to load CLI auth from keyring: there is none"
    assert (home / "auth.json").exists()
    keyring.gone = None
    await store.save(KEY)
    assert await store.load() == KEY


@pytest.mark.parametrize("refusal", [OSError("it is full"), RuntimeError("it is full"), SystemExit("it is full")])
async def test_what_a_keyring_raises_is_an_error_of_the_store(
    keyring: FakeKeyring, store: KeyringStore, refusal: BaseException
) -> None:
    await store.save(KEY)
    keyring.refusal = refusal
    why = "it is full" if isinstance(refusal, Exception) else "the keyring failed: SystemExit"
    with pytest.raises(StoreUnavailable, match=f"^failed to write OAuth tokens to keyring: {why}$"):
        await store.save(OTHER_KEY)
    assert await store.load() == KEY


async def test_a_keyring_that_keeps_nothing_is_found_out(keyring: FakeKeyring, store: KeyringStore) -> None:
    keyring.forgetful = True
    with pytest.raises(StoreUnavailable, match="does not keep what it is given"):
        await store.save(KEY)


async def test_logging_out_fails_while_a_known_login_is_out_of_reach(
    home: Path, keyring: FakeKeyring, store: KeyringStore
) -> None:
    await store.save(KEY)
    keyring.gone = "there is none"
    for who in (store, KeyringStore(home, backend=keyring.found)):
        with pytest.raises(StoreUnavailable) as caught:
            await who.delete()
        assert str(caught.value) == "failed to delete auth from keyring: there is none"
    keyring.gone = None
    assert await store.load() == KEY


async def test_logging_out_works_without_a_keyring_that_was_never_used(
    home: Path, keyring: FakeKeyring, store: KeyringStore
) -> None:
    (home / "auth.json").write_text('{"OPENAI_API_KEY":"in the file"}')
    keyring.gone = "there is none"
    assert await store.delete() is True
    assert not (home / "auth.json").exists()
    assert await store.delete() is False


async def test_a_login_that_another_program_has_removed_keeps_nobody_in(
    keyring: FakeKeyring, store: KeyringStore
) -> None:
    await store.save(KEY)
    keyring.texts.clear()
    assert await store.delete() is False
    keyring.gone = "there is none"
    assert await store.delete() is False


async def test_a_home_that_cannot_be_locked_is_an_error(home: Path, store: KeyringStore) -> None:
    (home / "auth.lock").mkdir()
    with pytest.raises(StoreError, match=r"^Is a directory \(os error 21\)$"):
        await store.save(KEY)


# Keyrings that wait for their user


@asynccontextmanager
async def given_up(store: KeyringStore) -> AsyncIterator[None]:
    """What happens inside, after a load has been given up."""
    with pytest.raises(StoreUnreadable, match=r"^failed to load CLI auth from keyring: .* did not answer within"):
        await store.load()
    yield


async def test_a_prompt_blocks_nobody(keyring: FakeKeyring, store: KeyringStore) -> None:
    prompt = keyring.ask_before("get")
    ticks = 0
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.load)
            while not prompt.shown.is_set() or ticks < 100:
                await anyio.lowlevel.checkpoint()
                ticks += 1
            prompt.answer()


async def test_an_answer_that_comes_too_late_is_noticed(keyring: FakeKeyring, hasty: KeyringStore) -> None:
    await hasty.save(KEY)
    prompt = keyring.ask_before("get")
    async with given_up(hasty):
        before = hasty.fingerprint()
        prompt.answer()
        await later_than(hasty, before)
    assert await hasty.load() == KEY


async def test_whoever_asks_while_a_prompt_is_open_opens_no_other(keyring: FakeKeyring, hasty: KeyringStore) -> None:
    prompt = keyring.ask_before("get")
    for _ in range(3):
        async with given_up(hasty):
            pass
    assert keyring.calls == ["get"]
    # One thread, which the end of the process does not wait for.
    assert [thread.daemon for thread in threading.enumerate() if thread.name == "app-server keyring"] == [True]
    before = hasty.fingerprint()
    prompt.answer()
    await later_than(hasty, before)
    assert keyring.calls == ["get"]


async def test_a_login_that_was_given_up_at_the_prompt_is_never_saved(
    keyring: FakeKeyring, hasty: KeyringStore
) -> None:
    prompt = keyring.ask_before("get")
    with pytest.raises(StoreUnavailable, match=r"^failed to write OAuth tokens to keyring: .* did not answer within"):
        await hasty.save(KEY)
    before = hasty.fingerprint()
    prompt.answer()
    await later_than(hasty, before)
    assert (keyring.texts, keyring.calls) == ({}, ["get"])


async def test_a_login_that_is_cancelled_at_the_prompt_is_given_up_at_once(
    keyring: FakeKeyring, store: KeyringStore
) -> None:
    prompt = keyring.ask_before("get")
    with anyio.fail_after(1):  # far less than the keyring is given
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.save, KEY)
            await anyio.to_thread.run_sync(prompt.shown.wait, DEADLINE)
            tasks.cancel_scope.cancel()
    before = store.fingerprint()
    prompt.answer()
    await later_than(store, before)
    assert (keyring.texts, keyring.calls) == ({}, ["get"])


async def test_a_login_that_is_cancelled_while_it_is_written_is_saved_whole(
    home: Path, keyring: FakeKeyring, store: KeyringStore
) -> None:
    (home / "auth.json").write_text('{"OPENAI_API_KEY":"in the file"}')
    prompt = keyring.ask_before("set")
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.save, KEY)
            await anyio.to_thread.run_sync(prompt.shown.wait, DEADLINE)
            tasks.cancel_scope.cancel()
            prompt.answer()
    assert await store.load() == KEY
    assert names(home) == ["auth.json.lock", "auth.keyring.json", "auth.lock"]


async def test_a_logout_that_is_cancelled_while_it_is_carried_out_is_carried_out_whole(
    home: Path, keyring: FakeKeyring, store: KeyringStore
) -> None:
    await store.save(KEY)
    prompt = keyring.ask_before("delete")
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.delete)
            await anyio.to_thread.run_sync(prompt.shown.wait, DEADLINE)
            tasks.cancel_scope.cancel()
            prompt.answer()
    assert keyring.texts == {}
    assert NoteFile(home).read() == Note()


async def test_the_locks_are_free_again_once_a_prompt_was_given_up(
    home: Path, keyring: FakeKeyring, hasty: KeyringStore
) -> None:
    prompt = keyring.ask_before("get")
    with pytest.raises(StoreUnavailable):
        await hasty.save(KEY)
    other = FakeKeyring()
    with anyio.fail_after(DEADLINE):
        await KeyringStore(home, backend=other.found).save(OTHER_KEY)
    prompt.answer()
    assert other.text is not None
