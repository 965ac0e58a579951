"""An upstream that says byte for byte what a test wants, and the Responses API in front of it or of the fake.

The upstream speaks HTTP on a raw socket, because what matters here is what no HTTP server would do.
"""

import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import orjson
from anyio.abc import SocketAttribute, SocketStream, TaskGroup
from pydantic import SecretStr

from app_server.auth.credentials import Credential, ExternalTokens
from app_server.auth.errors import RecoveryFailed
from app_server.auth.manager import AuthManager
from app_server.auth.policy import LoginPolicy
from app_server.auth.token_endpoint import TokenEndpoint
from app_server.backend.authorized import AuthorizedHttp
from app_server.backend.http import HttpClient
from app_server.backend.paths import backend_paths
from app_server.backend.response_failures import UpstreamFailure
from app_server.backend.responses import AccountPin, ResponsesApi
from app_server.backend.routing import WorkspaceRouting
from app_server.config.settings import BUILT_IN_PROVIDERS, ModelProvider, Settings
from tests.unit.auth.fakes import FakeIssuer, FakeJournal, FakeStore

DEADLINE = 10.0
"""Seconds for any one test."""

CREATED = {"type": "response.created", "response": {"id": "resp_1"}}
COMPLETED = {"type": "response.completed", "response": {"id": "resp_1", "usage": None}}

DROP = "drop"
"""The connection is reset."""
CLOSE = "close"
"""The connection is closed."""
HANG = "hang"
"""Nothing more is said."""
WAIT = "wait"
"""Nothing is said until the test lets it go on."""

Step = bytes | str


def sse(*events: dict[str, Any]) -> bytes:
    """Events as a server sends them."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event)) for event in events)


def head(status: str = "200 OK", *headers: str) -> bytes:
    """The head of an answer whose body comes in chunks."""
    lines = [f"HTTP/1.1 {status}", "content-type: text/event-stream", "transfer-encoding: chunked", *headers, "", ""]
    return "\r\n".join(lines).encode()


def chunk(data: bytes) -> bytes:
    """One chunk of a body (RFC 9112 section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def whole(status: str, body: bytes = b"", *headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def error(status: str, *headers: str, **members: Any) -> bytes:
    """An error as the API has it."""
    return whole(status, orjson.dumps({"error": members}), *headers)


def streamed(*events: dict[str, Any], headers: tuple[str, ...] = ()) -> bytes:
    """A whole stream of these events, each in a chunk of its own."""
    return head("200 OK", *headers) + b"".join(chunk(sse(event)) for event in events) + chunk(b"")


@dataclass
class Asked:
    """One request as it came."""

    target: str
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    connection: int = 0


class RawUpstream:
    """Answers each request with the next of its answers, the last of which stays.

    :param answers: each a piece of bytes, or several with DROP, CLOSE or HANG at the end.
    """

    def __init__(self, port: int, answers: Iterable[Step | tuple[Step, ...]]) -> None:
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self.url = f"{self.base_url}/responses"
        self.asked: list[Asked] = []
        self.connections = 0
        self.left = anyio.Event()
        """Set when a client has closed its connection."""
        self.go_on = anyio.Event()
        self.hanging = anyio.Event()
        """Set when a request has come to a HANG."""
        self._answers = [answer if isinstance(answer, tuple) else (answer,) for answer in answers]

    async def serve(self, stream: SocketStream) -> None:
        """Answer on one connection."""
        self.connections += 1
        number, received = self.connections, b""
        async with stream:
            while True:
                try:
                    while b"\r\n\r\n" not in received:
                        received += await stream.receive()
                    top, _, received = received.partition(b"\r\n\r\n")
                    first, *lines = top.decode().split("\r\n")
                    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                    length = int(headers.get("content-length", 0))
                    while len(received) < length:
                        received += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    self.left.set()
                    return
                body, received = received[:length], received[length:]
                self.asked.append(Asked(first.split(" ")[1], headers, body, number))
                if not await self._answer(stream):
                    return

    async def _answer(self, stream: SocketStream) -> bool:
        steps = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        for step in steps:
            if isinstance(step, bytes):
                try:
                    await stream.send(step)
                except anyio.BrokenResourceError:
                    self.left.set()
                    return False
            elif step == WAIT:
                await self.go_on.wait()
            elif step == HANG:
                self.hanging.set()
                try:
                    await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    self.left.set()
                return False
            else:
                if step == DROP:
                    raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - no Django
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                return False
        return True


@asynccontextmanager
async def raw_upstream(*answers: Step | tuple[Step, ...]) -> AsyncIterator[RawUpstream]:
    """An upstream with these answers; fails a test that takes longer than ``DEADLINE``."""
    with anyio.fail_after(DEADLINE):
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            upstream = RawUpstream(listener.extra(SocketAttribute.local_port), answers)  # noqa: S610 - no Django
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listener.serve, upstream.serve)
                yield upstream
                tasks.cancel_scope.cancel()


def provider(base_url: str, **members: Any) -> ModelProvider:
    """A provider that nothing is tried twice with."""
    return ModelProvider("Mine", base_url, **{"request_max_retries": 0, "stream_max_retries": 0, **members})


class Bench:
    """The Responses API with everything behind it but the network real, and a parent that is told what to answer."""

    def __init__(
        self,
        tasks: TaskGroup,
        mine: ModelProvider,
        environ: Mapping[str, str],
        settings: Mapping[str, Any],
        stored: Credential | None,
    ) -> None:
        self.settings = Settings(
            Path("home"), model_providers={**BUILT_IN_PROVIDERS, "mine": mine}, model_provider="mine"
        )._replace(**settings)
        self.client = HttpClient(identity=lambda: {"User-Agent": "me/1", "originator": "me"})
        self.parents_answers: list[ExternalTokens | RecoveryFailed | Callable[[], ExternalTokens]] = []
        self.asked_parent = 0
        issuer = FakeIssuer()
        self.auth = AuthManager(
            FakeStore(stored),
            FakeJournal(),
            LoginPolicy(),
            TokenEndpoint(issuer.post, lambda _: "https://issuer.example", "app"),
            self._ask_parent,
            None,
            lambda: None,
            lambda _summary, _details: None,
            tasks,
            parent_timeout=DEADLINE,
        )
        paths = backend_paths(self.settings.chatgpt_base_url)
        http = AuthorizedHttp(self.client, self.auth)
        routing = WorkspaceRouting(http, paths.base_url, paths.accounts_check, tasks, DEADLINE)
        self.slept: list[float] = []
        self.api = ResponsesApi(self.client, http, self.auth, routing, environ, uniform=lambda low, high: 0.01)

    async def _ask_parent(self, used: ExternalTokens, timeout: float) -> ExternalTokens:
        self.asked_parent += 1
        await anyio.lowlevel.checkpoint()
        answer = self.parents_answers.pop(0)
        if isinstance(answer, RecoveryFailed):
            raise answer
        return answer if isinstance(answer, ExternalTokens) else answer()

    async def events(
        self, provider_id: str = "mine", pin: AccountPin | None = None, **body: Any
    ) -> list[dict[str, Any]]:
        """All events of one response."""
        return [event for batch in await self.batches(provider_id, pin, **body) for event in batch]

    async def batches(
        self, provider_id: str = "mine", pin: AccountPin | None = None, **body: Any
    ) -> list[list[dict[str, Any]]]:
        """All batches of one response."""
        body = {"model": "m", "input": "hi", "stream": True, **body}
        async with self.api.open(self.settings, provider_id, body, {}, pin) as stream:
            return [batch async for batch in stream.batches()]

    async def failure(self, provider_id: str = "mine", pin: AccountPin | None = None) -> "Failed":
        """How a response fails, and what came before."""
        came: list[dict[str, Any]] = []
        try:
            async with self.api.open(
                self.settings, provider_id, {"model": "m", "input": "hi", "stream": True}, {}, pin
            ) as stream:
                async for batch in stream.batches():
                    came += batch
        except UpstreamFailure as failure:
            return Failed(failure, came)
        raise AssertionError("it did not fail")


@dataclass
class Failed:
    """A failure and the events before it."""

    failure: UpstreamFailure
    came: list[dict[str, Any]]

    @property
    def message(self) -> str:
        return self.failure.message

    @property
    def info(self) -> Any:
        """The kind, in plain values."""
        return orjson.loads(self.failure.info.to_json())


@asynccontextmanager
async def bench(
    mine: ModelProvider,
    environ: Mapping[str, str] | None = None,
    stored: Credential | None = None,
    **settings: Any,
) -> AsyncIterator[Bench]:
    """The API with a provider ``mine``.

    :param settings: members of ``Settings``.
    :param stored: the login that is stored.
    """
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            b = Bench(tasks, mine, environ or {}, settings, stored)
            await b.auth.load()
            try:
                yield b
            finally:
                with anyio.CancelScope(shield=True):
                    await b.client.aclose()
            tasks.cancel_scope.cancel()


def secrets(**values: str) -> dict[str, SecretStr]:
    """A table of the configuration that can hold keys."""
    return {name: SecretStr(value) for name, value in values.items()}
