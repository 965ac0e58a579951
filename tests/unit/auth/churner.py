"""Logs in and out, over and over, until it is killed: ``python churner.py HOME SEED``.

It writes one byte for every step that is done, so that whoever watches knows when there is something to see.
"""

import random
import sys
from pathlib import Path

import anyio
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey
from app_server.auth.stores.file_store import FileStore
from tests.unit.auth.samples import managed_tokens

LOCK_TIMEOUT = 60.0


async def main(home: str, seed: str) -> None:
    store = FileStore(Path(home), lock_timeout=LOCK_TIMEOUT)
    chance = random.Random(seed)  # noqa: S311 - to be repeatable, not secret
    while True:
        match chance.randrange(4):
            case 0:
                await store.delete()
            case 1:
                await store.save(managed_tokens("r" * chance.randrange(20_000)))
            case 2:
                await store.save(ApiKey(SecretStr("k" * chance.randrange(1, 20_000))))
            case 3:
                async with store.exclusive(LOCK_TIMEOUT) as held:
                    credential = await held.load()
                    if credential is not None:
                        await held.save(credential)
        sys.stdout.write(".")
        sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2])
