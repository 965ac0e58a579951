"""Keeping a login in a keyring if it works, else in the file; what happens when a keyring comes and goes."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey
from app_server.auth.stores.auto_store import FELL_BACK, LEFT_BEHIND, AutoStore
from app_server.auth.stores.file_store import FileStore
from app_server.auth.stores.keyring_backend import LimitedKeyring
from app_server.auth.stores.keyring_store import KeyringStore
from app_server.auth.stores.store_errors import StoreError, StoreUnavailable, StoreUnreadable
from tests.unit.auth.keyring_support import FakeKeyring
from tests.unit.auth.samples import managed_tokens

KEY = ApiKey(SecretStr("key-1"))
OTHER_KEY = ApiKey(SecretStr("key-2"))
GONE = "there is none"

Warnings = list[tuple[str, str]]


@pytest.fixture
def keyring() -> FakeKeyring:
    return FakeKeyring()


@pytest.fixture
def warnings() -> Warnings:
    return []


@pytest.fixture
def store(home: Path, keyring: FakeKeyring, warnings: Warnings) -> AutoStore:
    return AutoStore(home, lambda summary, details: warnings.append((summary, details)), backend=keyring.found)


def again(home: Path, keyring: FakeKeyring) -> AutoStore:
    """The same store in another process."""
    return AutoStore(home, lambda _summary, _details: None, backend=keyring.found)


def write(home: Path, key: str) -> None:
    (home / "auth.json").write_text(json.dumps({"OPENAI_API_KEY": key}))


def leftovers(home: Path) -> list[Path]:
    return list(home.glob(".auth-*"))


# A keyring that works


async def test_the_keyring_comes_first_and_then_the_file(home: Path, keyring: FakeKeyring, store: AutoStore) -> None:
    write(home, "key-2")
    assert await store.load() == OTHER_KEY
    await KeyringStore(home, backend=keyring.found).save(KEY)
    write(home, "key-2")
    assert await store.load() == KEY


async def test_a_login_is_saved_to_the_keyring_and_the_file_goes(
    home: Path, keyring: FakeKeyring, store: AutoStore, warnings: Warnings
) -> None:
    write(home, "key-2")
    await store.save(KEY)
    assert keyring.text == '{"auth_mode":"apikey","OPENAI_API_KEY":"key-1"}'
    assert not (home / "auth.json").exists()
    assert warnings == []


async def test_logging_out_removes_the_login_from_both(home: Path, keyring: FakeKeyring, store: AutoStore) -> None:
    await store.save(KEY)
    write(home, "key-2")
    assert await store.delete() is True
    assert keyring.texts == {}
    assert not (home / "auth.json").exists()
    assert await store.delete() is False


async def test_an_entry_that_is_not_understood_makes_way_for_the_file(
    home: Path, keyring: FakeKeyring, store: AutoStore
) -> None:
    await store.save(KEY)
    keyring.text = "nonsense"
    with pytest.raises(StoreUnreadable):
        await store.load()
    write(home, "key-2")
    assert await store.load() == OTHER_KEY


async def test_a_change_in_either_place_is_noticed_without_asking_the_keyring(
    home: Path, keyring: FakeKeyring, store: AutoStore
) -> None:
    seen = [store.fingerprint()]
    await KeyringStore(home, backend=FakeKeyring().found).save(KEY)
    seen.append(store.fingerprint())
    await FileStore(home).save(KEY)
    seen.append(store.fingerprint())
    (home / "auth.json").unlink()
    assert store.fingerprint() == seen[1]
    assert len(set(seen)) == 3
    assert keyring.calls == []


@pytest.mark.parametrize("gone", [None, GONE])
async def test_the_fingerprint_of_a_save_lasts_until_something_changes(
    keyring: FakeKeyring, store: AutoStore, gone: str | None
) -> None:
    keyring.gone = gone
    saved = await store.save(KEY)
    assert await store.load() == KEY
    assert store.fingerprint() == saved
    await store.delete()
    assert store.fingerprint() != saved


# Without one


async def test_without_a_keyring_the_file_is_used_and_that_is_said_once(
    home: Path, keyring: FakeKeyring, store: AutoStore, warnings: Warnings
) -> None:
    keyring.gone = GONE
    assert await store.load() is None
    await store.save(KEY)
    assert await store.load() == KEY
    assert await FileStore(home).load() == KEY
    assert await store.delete() is True
    assert await store.load() is None
    assert await store.delete() is False
    assert warnings == [(FELL_BACK, GONE)]


async def test_a_login_that_the_keyring_does_not_take_is_saved_to_the_file(
    home: Path, keyring: FakeKeyring, store: AutoStore, warnings: Warnings
) -> None:
    keyring.refusal = RuntimeError("it is full")
    await store.save(KEY)
    assert await FileStore(home).load() == KEY
    assert await store.load() == KEY
    assert warnings == [(FELL_BACK, "failed to write OAuth tokens to keyring: it is full")]


async def test_a_login_that_fits_neither_place_is_an_error(home: Path, keyring: FakeKeyring, store: AutoStore) -> None:
    keyring.gone = GONE
    (home / "auth.json").mkdir()
    with pytest.raises(StoreError):
        await store.save(KEY)


async def test_a_login_too_large_for_the_keyring_takes_the_place_of_the_one_in_it(
    home: Path, keyring: FakeKeyring, warnings: Warnings
) -> None:
    def found() -> LimitedKeyring:
        return LimitedKeyring(keyring, "Credential Manager", 200)

    store = AutoStore(home, lambda summary, details: warnings.append((summary, details)), backend=found)
    await store.save(KEY)
    await store.save(managed_tokens())
    assert keyring.texts == {}
    assert await store.load() == managed_tokens()
    assert await again(home, keyring).load() == managed_tokens()
    (summary, details) = warnings[0]
    assert summary == FELL_BACK
    assert details.startswith("failed to write OAuth tokens to keyring: the login takes ")
    assert details.endswith(" bytes, and the Credential Manager at most 200")


async def test_a_keyring_that_takes_only_short_texts_says_how_short(home: Path, keyring: FakeKeyring) -> None:
    limited = LimitedKeyring(keyring, "Credential Manager", 200)
    store = KeyringStore(home, backend=lambda: limited)
    await store.save(KEY)
    with pytest.raises(StoreUnavailable, match=r"the login takes \d+ bytes, and the Credential Manager at most 200$"):
        await store.save(managed_tokens())
    assert await store.load() == KEY
    assert await store.delete() is True


# One that comes and goes


async def test_a_keyring_that_is_away_for_a_moment_logs_nobody_out(
    home: Path, keyring: FakeKeyring, store: AutoStore
) -> None:
    await store.save(KEY)
    keyring.gone = GONE
    for who in (store, again(home, keyring)):
        with pytest.raises(StoreUnreadable):
            await who.load()
    keyring.gone = None
    assert await store.load() == KEY


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_newer_login_in_the_file_counts_when_the_keyring_comes_back(
    home: Path, keyring: FakeKeyring, store: AutoStore, restarted: bool
) -> None:
    await store.save(KEY)
    keyring.gone = GONE
    if restarted:
        store = again(home, keyring)
    await store.save(OTHER_KEY)
    assert await store.load() == OTHER_KEY
    keyring.gone = None
    for who in (store, again(home, keyring)):
        assert await who.load() == OTHER_KEY
    # The same key again as before is a newer login, too.
    await store.save(KEY)
    assert await again(home, keyring).load() == KEY
    assert not (home / "auth.json").exists()


@pytest.mark.parametrize("restarted", [False, True])
async def test_whoever_logs_out_stays_logged_out_when_the_keyring_comes_back(
    home: Path, keyring: FakeKeyring, store: AutoStore, warnings: Warnings, restarted: bool
) -> None:
    await store.save(KEY)
    keyring.gone = GONE
    if restarted:
        assert await again(home, keyring).delete() is True
    else:
        assert await store.delete() is True
        assert [summary for summary, _ in warnings] == [LEFT_BEHIND]
    assert await store.delete() is False
    assert await store.load() is None
    keyring.gone = None
    for who in (store, again(home, keyring), KeyringStore(home, backend=keyring.found)):
        assert await who.load() is None
    assert len(keyring.texts) == 1
    assert await store.delete() is True
    assert keyring.texts == {}


async def test_what_another_program_has_put_there_since_counts(
    home: Path, keyring: FakeKeyring, store: AutoStore
) -> None:
    await store.save(KEY)
    keyring.gone = GONE
    await store.delete()
    keyring.gone = None
    keyring.text = '{"OPENAI_API_KEY":"key-2"}'
    assert await store.load() == OTHER_KEY


async def test_what_another_program_had_put_there_is_outdated_if_it_was_seen(
    home: Path, keyring: FakeKeyring, store: AutoStore
) -> None:
    await store.save(KEY)
    keyring.text = '{"OPENAI_API_KEY":"key-2"}'
    assert await store.load() == OTHER_KEY
    keyring.gone = GONE
    await store.delete()
    keyring.gone = None
    assert await store.load() is None


async def test_logging_out_twice_is_no_less_than_once(home: Path, keyring: FakeKeyring, store: AutoStore) -> None:
    other = again(home, keyring)
    await store.save(KEY)
    await other.save(OTHER_KEY)
    keyring.gone = GONE
    assert await other.delete() is True
    assert await store.delete() is True  # of what it knows of, which has been replaced meanwhile
    keyring.gone = None
    assert await again(home, keyring).load() is None


async def test_logging_out_fails_if_it_would_not_last(home: Path, keyring: FakeKeyring, store: AutoStore) -> None:
    await store.save(KEY)
    (home / "auth.keyring.json").unlink()
    (home / "auth.keyring.json").mkdir()
    keyring.gone = GONE
    with pytest.raises(StoreError):
        await store.delete()
    assert leftovers(home) == []
