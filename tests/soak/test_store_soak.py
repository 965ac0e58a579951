"""Eight programs share a home for a minute (``SOAK_SECONDS``) while some are killed (``make soak``)."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey
from app_server.auth.stores.file_store import FileStore
from tests.unit.auth.crowd import watch_crowd

SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))


@pytest.mark.soak
async def test_the_file_is_absent_or_whole_and_private_for_as_long_as_it_takes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    seen = watch_crowd(home, tmp_path / "log", processes=8, seconds=SECONDS, kills=8)
    assert min(seen.steps, seen.whole, seen.absent) > 0
    await FileStore(home).save(ApiKey(SecretStr("k")))
    assert sorted(path.name for path in home.iterdir()) == ["auth.json", "auth.json.lock", "auth.lock"]
