"""A refresh of managed tokens with everything around it made up, and somebody who waits for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import TaskGroup

from app_server.auth.credentials import Credential, ManagedTokens
from app_server.auth.errors import RecoveryFailed
from app_server.auth.managed import ManagedRefresh
from app_server.auth.stores.auth_file import Fingerprint
from app_server.auth.token_endpoint import HttpAnswer, RefreshReason, TokenEndpoint
from tests.unit.auth.fakes import DEADLINE, FakeIssuer, FakeJournal, FakeStore, tokens

OLD, NEW, NEWEST = tokens(1), tokens(2), tokens(3)


class Bench:
    """A refresh with everything around it made up, and what it has told."""

    def __init__(self, tasks: TaskGroup, *answers: HttpAnswer | OSError) -> None:
        self.tasks = tasks
        self.done: list[str] = []
        self.store = FakeStore(OLD)
        self.journal = FakeJournal(self.done)
        self.issuer = FakeIssuer(*answers)
        self.adopted: list[tuple[ManagedTokens, Fingerprint | None]] = []
        self.rejected = 0
        self.warnings: list[tuple[str, str]] = []
        self.refresh = ManagedRefresh(
            self.store,
            self.journal,
            TokenEndpoint(self.issuer.post, lambda _: "https://issuer.example", "app", timeout=3),
            lambda newer, seen: self.adopted.append((newer, seen)),
            self._on_rejected,
            lambda summary, details: self.warnings.append((summary, details)),
            tasks,
        )

    def _on_rejected(self) -> None:
        self.rejected += 1

    async def fails(self, used: ManagedTokens = OLD) -> RecoveryFailed:
        """Ask for newer tokens, in vain."""
        with pytest.raises(RecoveryFailed) as raised:
            await self.refresh.newer_than(used, "forced")
        return raised.value

    def waiter(self, used: ManagedTokens = OLD, reason: RefreshReason = "unauthorized_recovery") -> "Waiter":
        """Somebody who asks for newer tokens in a task of their own."""
        waiter = Waiter()
        self.tasks.start_soon(waiter.wait, self.refresh, used, reason)
        return waiter


class Waiter:
    """What came of somebody's wait."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.over = anyio.Event()
        self.newer: ManagedTokens | None = None
        self.error: RecoveryFailed | None = None

    async def wait(self, refresh: ManagedRefresh, used: ManagedTokens, reason: RefreshReason) -> None:
        with self.scope:
            try:
                self.newer = await refresh.newer_than(used, reason)
            except RecoveryFailed as error:
                self.error = error
        self.over.set()


@asynccontextmanager
async def bench(*answers: HttpAnswer | OSError) -> AsyncIterator[Bench]:
    """A refresh whose issuer answers like this; fails a test that takes too long."""
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            yield Bench(tasks, *answers)
            tasks.cancel_scope.cancel()


def generation(saved: ManagedTokens | None) -> str | None:
    """Which tokens these are: their refresh token."""
    return None if saved is None else saved.refresh_token.get_secret_value()


def generations(saved: list[Credential]) -> list[str | None]:
    """The same of all that was saved."""
    return [generation(login) for login in saved if isinstance(login, ManagedTokens)]
