"""A server in the test's own process, and a clock that the test sets forward: nobody waits for minutes.

The server is all there, over a transport without pipes; issuer, browser and sockets are real. Only the event loop's
clock is not: what it shows is the machine's time and whatever was leapt over.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from app_server.compose import serve
from app_server.config import Settings
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

    def stop_clock(self) -> None:
        """From now on time passes in leaps only, however long things take."""
        self.stopped_at = super().time()

    def start_clock(self) -> None:
        """Time passes by itself again."""
        self.stopped_at = None


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

    _loop().stop_clock()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fly)
            yield
            tasks.cancel_scope.cancel()
    finally:
        _loop().start_clock()


class EmbeddedServer:
    """The client's end of a server in this process."""

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport

    async def send(self, request_id: int, method: str, params: Json) -> None:
        """Ask."""
        message = {"id": request_id, "method": method, "params": params}
        await self._transport.send(json.dumps(message).encode() + b"\n")

    async def messages(self, count: int, deadline: float = DEADLINE) -> list[Json]:
        """So many messages in the order in which they came, without their times.

        :param deadline: seconds for all of them, on the clock that leaps.
        """
        messages = []
        with anyio.fail_after(deadline):
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
        tasks.start_soon(serve, there, settings)
        server = EmbeddedServer(here)
        await server.result("initialize", INITIALIZE)
        yield server
        await here.aclose()
