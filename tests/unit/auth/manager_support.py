"""An owner of credentials with everything around it made up, and a login that is about to be saved."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey, Claims, Credential, ExternalTokens, ManagedTokens, PersonalAccessToken
from app_server.auth.errors import (
    CredentialsNotSaved,
    LoginNotAllowed,
)
from app_server.auth.manager import AuthManager
from app_server.auth.policy import LoginPolicy
from app_server.auth.stores.store_errors import StoreError
from app_server.auth.token_endpoint import HttpAnswer, TokenEndpoint
from tests.unit.auth.fakes import (
    DEADLINE,
    FakeIssuer,
    FakeJournal,
    FakeStore,
    tokens,
)

KEY, OTHER_KEY = ApiKey(SecretStr("sk-1")), ApiKey(SecretStr("sk-2"))
MANAGED, NEWER = tokens(1), tokens(2)
EXTERNAL = ExternalTokens(SecretStr("parents-1"), "account-1", "plus", Claims())
PERSONAL = PersonalAccessToken(SecretStr("at-1"), account_id="account-1")

FULL = StoreError("No space left on device (os error 28)")


class Bench:
    """A manager with everything around it made up, and what it has told."""

    def __init__(
        self,
        tasks: TaskGroup,
        stored: Credential | None,
        answers: tuple[HttpAnswer, ...],
        policy: LoginPolicy,
        environment: Callable[[], Awaitable[PersonalAccessToken | None]] | None,
    ) -> None:
        self.tasks = tasks
        self.store = FakeStore(stored)
        self.journal = FakeJournal()
        self.issuer = FakeIssuer(*answers)
        self.from_parent = EXTERNAL
        self.asked_parent: list[ExternalTokens] = []
        self.told: list[Credential | None] = []
        self.manager = AuthManager(
            self.store,
            self.journal,
            policy,
            TokenEndpoint(self.issuer.post, lambda _: "https://issuer.example", "app"),
            self._ask_parent,
            environment,
            lambda: self.told.append(self.manager.usable),
            lambda _summary, _details: None,
            tasks,
            parent_timeout=1,
        )

    async def _ask_parent(self, used: ExternalTokens, timeout: float) -> ExternalTokens:
        self.asked_parent.append(used)
        await anyio.lowlevel.checkpoint()
        return self.from_parent


@asynccontextmanager
async def bench(
    stored: Credential | None = None,
    *answers: HttpAnswer,
    policy: LoginPolicy = LoginPolicy(),  # noqa: B008 - it is immutable
    environment: Callable[[], Awaitable[PersonalAccessToken | None]] | None = None,
) -> AsyncIterator[Bench]:
    """A manager that has been loaded."""
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            b = Bench(tasks, stored, answers, policy, environment)
            await b.manager.load()
            yield b
            tasks.cancel_scope.cancel()


class Commit:
    """A login that has gone through and is about to be saved."""

    def __init__(self, b: Bench, login: ManagedTokens) -> None:
        self.wanted = True
        self.asked = 0
        self.scope = anyio.CancelScope()
        self.over = anyio.Event()
        self.refusal: LoginNotAllowed | CredentialsNotSaved | None = None
        b.tasks.start_soon(self._run, b.manager, login)

    def still_wanted(self) -> bool:
        self.asked += 1
        return self.wanted

    async def _run(self, manager: AuthManager, login: ManagedTokens) -> None:
        with self.scope:
            try:
                await manager.use_managed(login, self.still_wanted)
            except (LoginNotAllowed, CredentialsNotSaved) as error:
                self.refusal = error
        self.over.set()
