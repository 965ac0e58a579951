"""A server in the test's own process, and a clock that the test sets forward: nobody waits for minutes.

The server is all there, over a transport without pipes; issuer, browser and sockets are real. Only the event loop's
clock is not: what it shows is the machine's time and whatever was leapt over.
"""

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio

from app_server.compose import serve
from app_server.config import Configuration, Settings
from app_server.fake_openai.server import FakeOpenAI
from app_server.transport.memory import MemoryTransport
from tests.support.server import DEADLINE, INITIALIZE, Json
from tests.support.upstream import LOGIN, NO_STATUS, without_times
from tests.wire.login.support import BROWSER, DEVICE, BrowserLogin, DeviceLogin


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock can be set forward, and need not go by itself."""

    leapt = 0.0
    stopped_at: float | None = None

    def time(self) -> float:
        return (super().time() if self.stopped_at is None else self.stopped_at) + self.leapt

    @contextmanager
    def clock_stopped(self) -> Iterator[None]:
        """Meanwhile, time passes in leaps only, however long things take."""
        before = self.stopped_at
        self.stopped_at = super().time() if before is None else before
        try:
            yield
        finally:
            self.stopped_at = before


LEAPING_BACKEND = ("asyncio", {"loop_factory": LeapingLoop})
"""For the fixture ``anyio_backend`` of a module."""


async def leap(seconds: float) -> None:
    """So much time passes at once."""
    _loop().leapt += seconds
    await anyio.lowlevel.checkpoint()


def _loop() -> LeapingLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LeapingLoop)
    return loop


@asynccontextmanager
async def time_flying() -> AsyncIterator[None]:
    """Meanwhile, time passes about as fast as the server, the issuer and the sockets between them can keep up with."""

    async def fly() -> None:
        while True:
            await leap(0.1)
            for _ in range(10):
                await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        with _loop().clock_stopped():
            tasks.start_soon(fly)
            yield
            tasks.cancel_scope.cancel()


@contextmanager
def _deadline() -> Iterator[None]:
    """Fail when DEADLINE has passed on the clock of the machine."""
    with anyio.CancelScope() as scope:
        watchdog = threading.Timer(DEADLINE, _loop().call_soon_threadsafe, [scope.cancel])
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()
    if scope.cancelled_caught:
        raise TimeoutError


class EmbeddedServer:
    """The client's end of a server in this process."""

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport

    async def send(self, request_id: int, method: str, params: Json) -> None:
        """Ask."""
        message = {"id": request_id, "method": method, "params": params}
        await self._transport.send(json.dumps(message).encode() + b"\n")

    async def messages(self, count: int) -> list[Json]:
        """So many messages in the order in which they came, without their times. No time passes until they are there,
        unless it leaps: what is due at a certain time must not come because this has waited for it.
        """
        messages = []
        with _loop().clock_stopped(), _deadline():
            for _ in range(count):
                line = await self._transport.receive()
                assert line is not None
                messages.append(json.loads(line))
        return without_times(messages)

    async def result(self, method: str, params: Json) -> Any:
        """Ask, and expect a result before anything else."""
        await self.send(1, method, params)
        (answer,) = await self.messages(1)
        assert answer.keys() == {"id", "result"}, answer
        return answer["result"]

    async def browser_login(self) -> BrowserLogin:
        """Begin one."""
        result = await self.result(LOGIN, BROWSER)
        return BrowserLogin(result["loginId"], result["authUrl"])

    async def device_login(self) -> DeviceLogin:
        """Begin one."""
        result = await self.result(LOGIN, DEVICE)
        return DeviceLogin(result["loginId"], result["verificationUrl"], result["userCode"])

    async def says_nothing(self) -> None:
        """Nobody is logged in, and nothing was said before that."""
        assert await self.result("getAuthStatus", {"includeToken": True}) == NO_STATUS


@asynccontextmanager
async def embedded_server(fake: FakeOpenAI, home: Path) -> AsyncIterator[EmbeddedServer]:
    """A server with this home, which takes the fake for its issuer and upstream."""
    settings = Settings(
        codex_home=home,
        issuer=fake.base_url,
        chatgpt_base_url=f"{fake.base_url}/backend-api",
        login_callback_ports=(0,),
        ca_certificate=os.devnull,  # everything is plain HTTP, and reading the system's takes a while
    )
    there, here = MemoryTransport.pair()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve, there, Configuration(settings))
        server = EmbeddedServer(here)
        await server.result("initialize", INITIALIZE)
        yield server
        await here.aclose()
