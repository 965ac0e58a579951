"""A client for the one way out, which stalls or refuses when told to, and what is said to it."""

from typing import Any, Final

import anyio
from anyio.abc import TaskGroup

from app_server.outgoing import Outgoing
from app_server.pending import RequestFailed
from app_server.transport.base import TransportClosed
from protocol.account import REFRESH_AUTH_TOKENS, AccountUpdatedNotification, ChatgptAuthTokensRefreshParams
from protocol.json_codec import loads

DEADLINE: Final = 5.0
ASK: Final = ChatgptAuthTokensRefreshParams(reason="unauthorized", previous_account_id="acct-1")
UPDATED: Final = AccountUpdatedNotification()


class Client:
    """A transport that keeps what is written, and stalls or refuses when told to."""

    def __init__(self) -> None:
        self.written = b""
        self.writes = 0
        self.reading = anyio.Event()
        self.reading.set()
        self.gone = False

    def stall(self) -> None:
        self.reading = anyio.Event()

    @property
    def messages(self) -> list[Any]:
        return [loads(line) for line in self.written.splitlines()]

    async def receive(self) -> bytes | None:
        raise NotImplementedError

    async def send(self, data: bytes) -> None:
        self.writes += 1
        await self.reading.wait()
        if self.gone:
            raise TransportClosed
        self.written += data

    async def wait_input_ended(self) -> None:
        raise NotImplementedError

    async def wait_closed(self) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError


class Asking:
    """Requests under way, and what became of them by the order in which they were made."""

    def __init__(self, outgoing: Outgoing, tasks: TaskGroup) -> None:
        self._outgoing = outgoing
        self._tasks = tasks
        self.outcomes: dict[int, Any] = {}

    async def ask(self) -> None:
        number = len(self.outcomes)
        self.outcomes[number] = None

        async def request() -> None:
            try:
                self.outcomes[number] = await self._outgoing.request(REFRESH_AUTH_TOKENS, ASK, DEADLINE)
            except RequestFailed as failure:
                self.outcomes[number] = failure

        self._tasks.start_soon(request)
        await anyio.wait_all_tasks_blocked()


async def write(outgoing: Outgoing) -> None:
    """Write out what has been said."""
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(outgoing.run)
            await outgoing.flush()
            tasks.cancel_scope.cancel()
