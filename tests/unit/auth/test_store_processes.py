"""Several programs that share a home, and die when it suits nobody."""

from pathlib import Path

import anyio
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey
from app_server.auth.stores.file_store import FileStore
from tests.unit.auth.crowd import watch_crowd


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def test_the_file_is_absent_or_whole_and_private_whoever_dies_whenever(home: Path, tmp_path: Path) -> None:
    seen = await anyio.to_thread.run_sync(
        lambda: watch_crowd(home, tmp_path / "log", processes=4, seconds=3.0, kills=5)
    )
    assert min(seen.steps, seen.whole, seen.absent, seen.killed) > 0

    # The dead hold no lock, and what they have left is cleaned up.
    key = ApiKey(SecretStr("k"))
    with anyio.fail_after(20):
        await FileStore(home).save(key)
    assert await FileStore(home).load() == key
    assert names(home) == ["auth.json", "auth.json.lock", "auth.lock"]
