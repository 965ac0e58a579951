"""A store, a journal and an issuer in memory, which can be made to fail or to stop at any point.

They stand in for ``Store``, ``Journal`` and the ``PostJson`` of the token endpoint. The tokens are worth nothing.
"""

import dataclasses
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from pydantic import SecretStr

from app_server.auth.credentials import Credential, ManagedTokens
from app_server.auth.stores.auth_file import Fingerprint
from app_server.auth.stores.store_errors import LockTimeout, StoreError
from app_server.auth.token_endpoint import HttpAnswer
from tests.unit.auth.samples import jwt, managed_tokens

DEADLINE = 5.0
"""Seconds for any one test; far more than it takes."""


def tokens(generation: int = 1, account_id: str | None = "account-1") -> ManagedTokens:
    """The login of an account after so many refreshes; its access token does not run out."""
    return dataclasses.replace(
        managed_tokens(f"refresh-{generation}", account_id),
        access_token=SecretStr(jwt({"exp": 4_000_000_000, "generation": generation})),
    )


def issued(newer: ManagedTokens) -> HttpAnswer:
    """The answer with which an issuer gives these tokens."""
    return HttpAnswer(
        200,
        "OK",
        {
            "access_token": newer.access_token.get_secret_value(),
            "refresh_token": newer.refresh_token.get_secret_value(),
        },
    )


def refused(code: str = "refresh_token_expired") -> HttpAnswer:
    """The answer with which an issuer refuses for good."""
    return HttpAnswer(401, "Unauthorized", {"error": {"code": code}})


async def others_run() -> None:
    """Let every task go on until it waits for something. Nothing here waits for time or threads, so that is soon."""
    for _ in range(50):
        await anyio.lowlevel.checkpoint()


class Gate:
    """A point that whoever passes waits at until it is opened."""

    def __init__(self) -> None:
        self.reached = anyio.Event()
        self._open = anyio.Event()

    def open(self) -> None:
        self._open.set()

    async def passed(self) -> None:
        self.reached.set()
        await self._open.wait()


class FakeStore:
    """Keeps one login, under a lock.

    :param stored: what is stored at first.
    """

    def __init__(self, stored: Credential | None = None) -> None:
        self.stored = stored
        self.version = 1
        self.saved: list[Credential] = []
        self.failure: StoreError | None = None
        """With which loading fails, if it does."""
        self.save_failure: StoreError | None = None
        """With which saving and deleting fail, if they do."""
        self.save_gate: Gate | None = None
        self.load_gate: Gate | None = None
        self.lock_waits: list[float] = []
        """How long the lock would have been waited for, each time."""
        self.somebody_else_is_at_it = False
        self._lock = anyio.Semaphore(1)

    @property
    def locked(self) -> bool:
        """Whether somebody holds the lock."""
        return self._lock.value == 0

    def put(self, credential: Credential | None) -> None:
        """Another process stores this, or removes what is there."""
        self.stored = credential
        self.version += 1

    def fingerprint(self) -> Fingerprint | None:
        return None if self.stored is None else Fingerprint(1, self.version, 1)

    async def load(self) -> Credential | None:
        if self.load_gate is not None:
            await self.load_gate.passed()
        await anyio.lowlevel.checkpoint()
        if self.failure is not None:
            raise self.failure
        return self.stored

    async def save(self, credential: Credential) -> Fingerprint | None:
        async with self.exclusive(10) as held:
            return await held.save(credential)

    async def delete(self) -> bool:
        async with self.exclusive(10) as held:
            return await held.delete()

    @asynccontextmanager
    async def exclusive(self, timeout: float) -> AsyncIterator["_Held"]:
        self.lock_waits.append(timeout)
        if self.somebody_else_is_at_it:
            raise LockTimeout("auth.lock", timeout, 4711)
        await self._lock.acquire()
        try:
            yield _Held(self)
        finally:
            self._lock.release()


class _Held:
    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def load(self) -> Credential | None:
        return await self._store.load()

    async def save(self, credential: Credential) -> Fingerprint | None:
        await self._begin()
        self._store.put(credential)
        self._store.saved.append(credential)
        return self._store.fingerprint()

    async def delete(self) -> bool:
        await self._begin()
        was = self._store.stored
        self._store.put(None)
        return was is not None

    async def _begin(self) -> None:
        if self._store.save_gate is not None:
            await self._store.save_gate.passed()
        await anyio.lowlevel.checkpoint()
        if self._store.save_failure is not None:
            raise self._store.save_failure


class FakeJournal:
    """Keeps the note, and what has been done to it.

    :param done: where the steps of a refresh are written down in their order.
    """

    def __init__(self, done: list[str] | None = None) -> None:
        self.note: tuple[str, str] | None = None
        """The refresh token, and ``presented`` or the text of the refusal."""
        self.done: list[str] = [] if done is None else done

    async def begin(self, refresh_token: SecretStr) -> None:
        await anyio.lowlevel.checkpoint()
        self.done.append("begin")
        self.note = (refresh_token.get_secret_value(), "presented")

    async def refused(self, refresh_token: SecretStr, message: str) -> None:
        await anyio.lowlevel.checkpoint()
        self.done.append("refused")
        self.note = (refresh_token.get_secret_value(), message)

    async def end(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.done.append("end")
        self.note = None

    async def interrupted(self, refresh_token: SecretStr) -> bool:
        await anyio.lowlevel.checkpoint()
        return self.note == (refresh_token.get_secret_value(), "presented")

    async def refusal(self, refresh_token: SecretStr) -> str | None:
        await anyio.lowlevel.checkpoint()
        if self.note is None or self.note[0] != refresh_token.get_secret_value() or self.note[1] == "presented":
            return None
        return self.note[1]


class FakeIssuer:
    """Answers the token endpoint as it is told to, in order.

    :param answers: what it answers, or the error with which the exchange fails.
    """

    def __init__(self, *answers: HttpAnswer | OSError) -> None:
        self.answers = deque(answers)
        self.asked: list[dict[str, str]] = []
        self.urls: list[str] = []
        self.timeouts: list[float] = []
        self.gate: Gate | None = None
        """Where it stops before it answers."""

    async def post(self, url: str, body: dict[str, str], timeout: float) -> HttpAnswer:
        self.asked.append(body)
        self.urls.append(url)
        self.timeouts.append(timeout)
        if self.gate is not None:
            await self.gate.passed()
        await anyio.lowlevel.checkpoint()
        answer = self.answers.popleft()
        if isinstance(answer, OSError):
            raise answer
        return answer
