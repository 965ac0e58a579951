"""Loads, saves and loads again in a process that is handicapped: ``python saver.py HOME HANDICAP``.

It prints what came of the three steps.
"""

import os
import resource
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey
from app_server.auth.stores.file_store import FileStore
from app_server.auth.stores.store_errors import StoreError

NOBODY = 65534


async def main(home: str, handicap: str) -> None:
    store = FileStore(Path(home))
    key = "new"
    if "not root" in handicap and os.geteuid() == 0:
        os.setuid(NOBODY)
    if "small files" in handicap:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        key = "new" * 1000
    if "large" in handicap:
        key = "new" * 10_000

    async def load() -> str:
        credential = await store.load()
        return "nobody" if credential is None else credential.bearer.get_secret_value()

    async def save() -> str:
        if "log out" in handicap:
            return "removed" if await store.delete() else "nothing to remove"
        await store.save(ApiKey(SecretStr(key)))
        return "saved"

    outcomes = [await outcome(step) for step in (load, save, load)]
    sys.stdout.write(", then ".join(outcomes) + "\n")


async def outcome(step: Callable[[], Awaitable[str]]) -> str:
    try:
        return await step()
    except StoreError as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2])
