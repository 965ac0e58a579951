"""The note about a refresh under way: what it says, what it does not, and that it never gets in the way."""

import json
import os
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from app_server.auth.journal import NAME, FileJournal, Journal, NoJournal

TOKEN = SecretStr("canary-refresh-token")
OTHER = SecretStr("another-refresh-token")


async def state(journal: Journal, token: SecretStr = TOKEN) -> tuple[bool, str | None]:
    return await journal.interrupted(token), await journal.refusal(token)


async def test_a_token_that_was_presented_is_interrupted_until_the_end(home: Path) -> None:
    journal = FileJournal(home)
    assert await state(journal) == (False, None)
    await journal.begin(TOKEN)
    assert await state(journal) == (True, None)
    # For every process that looks.
    assert await state(FileJournal(home)) == (True, None)
    await journal.end()
    assert await state(journal) == (False, None)
    assert os.listdir(home) == []  # noqa: PTH208


async def test_a_refusal_is_kept_with_its_text(home: Path) -> None:
    journal = FileJournal(home)
    await journal.begin(TOKEN)
    await journal.refused(TOKEN, "gone for good, “ü”")
    assert await state(FileJournal(home)) == (False, "gone for good, “ü”")


async def test_it_is_about_one_token(home: Path) -> None:
    journal = FileJournal(home)
    await journal.begin(TOKEN)
    assert await state(journal, OTHER) == (False, None)
    await journal.refused(OTHER, "no")
    assert await state(journal, TOKEN) == (False, None)
    assert await state(journal, OTHER) == (False, "no")


async def test_it_is_for_its_owner_only_and_holds_no_secret(home: Path) -> None:
    journal = FileJournal(home)
    for write in (journal.begin(TOKEN), journal.refused(TOKEN, "no")):
        await write
        file = home / NAME
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert TOKEN.get_secret_value() not in file.read_text()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"refresh_token_sha256": "',
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"state": "presented"}',
        b'{"refresh_token_sha256": 5, "state": "refused"}',
        b"[" * 100_000,
    ],
)
async def test_a_note_that_cannot_be_read_counts_as_none(home: Path, content: bytes) -> None:
    (home / NAME).write_bytes(content)
    assert await state(FileJournal(home)) == (False, None)


async def test_a_refusal_without_its_text_counts_as_none(home: Path) -> None:
    journal = FileJournal(home)
    await journal.refused(TOKEN, "no")
    note = json.loads((home / NAME).read_text())
    broken: tuple[object, ...] = (None, 5, {})
    for message in broken:
        (home / NAME).write_text(json.dumps({**note, "message": message}))
        assert await state(journal) == (False, None)


async def test_where_it_cannot_be_written_nothing_is_raised(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "missing")
    await journal.begin(TOKEN)
    await journal.refused(TOKEN, "no")
    await journal.end()
    assert await state(journal) == (False, None)
    (tmp_path / NAME).mkdir()
    journal = FileJournal(tmp_path)
    await journal.begin(TOKEN)
    await journal.end()
    assert await state(journal) == (False, None)


async def test_a_token_with_half_a_character_in_it_has_a_note_too(home: Path) -> None:
    journal = FileJournal(home)
    half = SecretStr("\ud800")
    await journal.begin(half)
    assert await state(journal, half) == (True, None)


async def test_no_journal_remembers_nothing() -> None:
    journal = NoJournal()
    await journal.begin(TOKEN)
    assert await state(journal) == (False, None)
    await journal.refused(TOKEN, "no")
    assert await state(journal) == (False, None)
    await journal.end()
