"""A browser, an issuer, and logins under way, for the tests of interactive logins.

The browser is a socket: nothing of what it does can end up in a log, so that whatever is found there is ours.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import anyio
from anyio.abc import SocketStream, TaskGroup

from app_server.auth.credentials import ManagedTokens
from app_server.auth.errors import LoginFailed
from app_server.auth.login.browser import BrowserLogin
from app_server.auth.login.device_code import DeviceCodeLogin
from app_server.auth.login.oauth import OAuthClient
from app_server.backend.http import HttpClient
from app_server.fake_openai.server import FakeOpenAI

CLIENT_ID = "app_test"
DEADLINE = 10.0
"""Seconds for any one test; far more than it takes."""


@dataclass(frozen=True)
class Answer:
    """What a server sent."""

    status: int
    headers: dict[str, str]
    text: str


async def get(url: str, headers: dict[str, str] | None = None, *, method: str = "GET") -> Answer:
    """One request on a connection of its own, as this machine's browser makes it."""
    parts = urlsplit(url)
    assert parts.port is not None
    async with await anyio.connect_tcp("127.0.0.1", parts.port) as stream:
        await stream.send(head(url, headers, method=method))
        return await read_answer(stream)


def head(url: str, headers: dict[str, str] | None = None, *, method: str = "GET") -> bytes:
    """The bytes of a request without a body."""
    parts = urlsplit(url)
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    fields = {"Host": parts.netloc, "Connection": "close", **(headers or {})}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def read_answer(stream: SocketStream) -> Answer:
    received = b""
    try:
        while True:
            received += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        pass
    if not received:
        raise EOFError
    top, _, body = received.partition(b"\r\n\r\n")
    status_line, *lines = top.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(status_line.split()[1]), headers, body.decode())


async def authorize(auth_url: str) -> str:
    """The user signs in; the URL that the browser is sent back to."""
    answer = await get(auth_url)
    assert answer.status == 302, answer.text
    return answer.headers["location"]


async def sign_in(auth_url: str) -> Answer:
    """The user signs in, and the browser goes where it is sent."""
    return await get(await authorize(auth_url))


def parameters(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def callback(login: BrowserLogin, **changes: str) -> str:
    """A callback URL of this login, with these parameters beside the right state."""
    own = parameters(login.auth_url)
    return f"{own['redirect_uri']}?{urlencode({'state': own['state'], **changes})}"


async def is_listening(login: BrowserLogin) -> bool:
    port = urlsplit(parameters(login.auth_url)["redirect_uri"]).port
    assert port is not None
    try:
        async with await anyio.connect_tcp("127.0.0.1", port):
            return True
    except OSError:
        return False


async def until_closed(login: BrowserLogin) -> None:
    """Wait until nobody listens for this login."""
    while await is_listening(login):  # noqa: ASYNC110 - nobody tells a stranger
        await anyio.sleep(0.01)


@dataclass
class Running:
    """A login that is being carried out."""

    login: Any
    committed: list[ManagedTokens] = field(default_factory=list)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    over: anyio.Event = field(default_factory=anyio.Event)
    failure: LoginFailed | None = None
    cancelled: bool = False

    async def result(self) -> str | None:
        """Wait for the end: None for success, else the text of the failure."""
        await self.over.wait()
        assert not self.cancelled
        return None if self.failure is None else self.failure.message

    async def cancel(self) -> None:
        """Cancel it, and wait until that is done."""
        self.scope.cancel()
        await self.over.wait()


Commit = Callable[[ManagedTokens], Awaitable[None]]


class Logins:
    """Starts logins at one issuer."""

    def __init__(self, fake: FakeOpenAI, client: HttpClient, tasks: TaskGroup) -> None:
        self.fake = fake
        self.client = client
        self.tasks = tasks

    def oauth(self, *workspaces: str) -> OAuthClient:
        return OAuthClient(self.client.send, self.fake.base_url, CLIENT_ID, workspaces)

    async def browser(self, *, workspaces: tuple[str, ...] = (), **options: Any) -> BrowserLogin:
        """A login that has been started."""
        options = {"originator": "test", "ports": (0,), **options}
        return await BrowserLogin.start(self.oauth(*workspaces), self.tasks, **options)

    async def device(self, *, workspaces: tuple[str, ...] = (), **options: Any) -> DeviceCodeLogin:
        """A login that has been started, and asks as often as it can."""
        return await DeviceCodeLogin.start(self.oauth(*workspaces), **{"sleep": no_time, **options})

    def carry_out(self, login: BrowserLogin | DeviceCodeLogin, commit: Commit | None = None) -> Running:
        """Let a login run; by default, what it commits is kept in memory."""
        running = Running(login)

        async def keep(tokens: ManagedTokens) -> None:
            if commit is not None:
                await commit(tokens)
            running.committed.append(tokens)

        self.tasks.start_soon(_run, running, keep)
        return running


async def _run(running: Running, commit: Commit) -> None:
    try:
        with running.scope:
            await running.login.run(commit)
        running.cancelled = running.scope.cancelled_caught
    except LoginFailed as failure:
        running.failure = failure
    finally:
        running.over.set()


async def no_time(_: float) -> None:
    """Waits as little as can be."""
    await anyio.sleep(0.005)


class Stepwise:
    """Awaits a coroutine and calls something at its n-th suspension, just before it is suspended."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], number: int, call: Callable[[], None]) -> None:
        self._coroutine = coroutine
        self._number = number
        self._call = call
        self.suspensions = 0

    def __await__(self) -> Generator[Any, Any, None]:
        step: Callable[[], Any] = partial(self._coroutine.send, None)
        while True:
            try:
                suspended_on = step()
            except StopIteration:
                return
            if self.suspensions == self._number:
                self._call()
            self.suspensions += 1
            try:
                step = partial(self._coroutine.send, (yield suspended_on))
            except BaseException as error:  # whatever it is, it is the coroutine's
                step = partial(self._coroutine.throw, error)


async def commit_after_a_while(committed: list[ManagedTokens], tokens: ManagedTokens) -> None:
    """Saves as a store does: with awaits before and behind."""
    await anyio.lowlevel.checkpoint()
    await anyio.lowlevel.checkpoint()
    committed.append(tokens)


@asynccontextmanager
async def logins() -> AsyncIterator[Logins]:
    """An issuer, and what it takes to log in there; fails a test that takes too long."""
    # With a file of its own it does not read the system's certificates, 65 ms for each test, all over plain HTTP.
    client = HttpClient(ca_certificate=os.devnull)
    with anyio.fail_after(DEADLINE):
        async with FakeOpenAI.running() as fake, anyio.create_task_group() as tasks:
            try:
                yield Logins(fake, client, tasks)
            finally:
                tasks.cancel_scope.cancel()
                with anyio.CancelScope(shield=True):
                    await client.aclose()
