"""Finding a port for the callback: who is asked to leave, who is waited for, and what is said when none is free."""

import errno
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager

import anyio
import pytest
from anyio.abc import TaskGroup

from app_server.auth.errors import PortUnavailable
from app_server.auth.login.port import bind_callback_port
from app_server.http_server import HttpServer, Request, Response, bind_loopback

Port = int


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as sockets:
        yield sockets


@pytest.fixture
async def tasks() -> AsyncIterator[TaskGroup]:
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            yield tasks
            tasks.cancel_scope.cancel()


def port_of(listener: socket.socket) -> Port:
    return int(listener.getsockname()[1])


def busy(sockets: ExitStack) -> Port:
    """A port that this process listens on without ever answering."""
    return port_of(sockets.enter_context(bind_loopback(0)))


def free(sockets: ExitStack) -> Port:
    """A port that was free a moment ago, and that the system gives to nobody else so soon."""
    with bind_loopback(0) as listener:
        return port_of(listener)


class Server:
    """Somebody else's server on a port."""

    def __init__(self, tasks: TaskGroup, answer: Response, *, leaves_after: float | None = None) -> None:
        self.requests: list[Request] = []
        self._tasks = tasks
        self._answer = answer
        self._leaves_after = leaves_after
        self._scope = anyio.CancelScope()
        self._listener = bind_loopback(0)
        self.port = port_of(self._listener)

    async def start(self) -> Port:
        await self._tasks.start(self._serve)
        return self.port

    async def _serve(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        with self._scope:
            await HttpServer(self._handle).serve(self._listener, task_status=task_status)

    async def _handle(self, request: Request) -> Response:
        self.requests.append(request)
        if self._leaves_after is not None:
            self._scope.deadline = anyio.current_time() + self._leaves_after
        return self._answer


GOODBYE = Response(200, (("connection", "close"),), b"Login cancelled")
"""As the reference says it."""


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    with anyio.fail_after(seconds):
        yield


async def test_a_free_first_port_is_had_at_once(sockets: ExitStack) -> None:
    first = free(sockets)
    listener = sockets.enter_context(await bind_callback_port((first, busy(sockets))))
    assert listener.getsockname() == ("127.0.0.1", first)


async def test_a_login_server_that_is_asked_leaves_and_its_port_is_had(sockets: ExitStack, tasks: TaskGroup) -> None:
    server = Server(tasks, GOODBYE, leaves_after=0.1)
    first = await server.start()
    listener = sockets.enter_context(await bind_callback_port((first, free(sockets)), retry_interval=0.05))
    assert port_of(listener) == first
    (request,) = server.requests
    assert (request.method, request.target) == ("GET", "/cancel")
    assert request.headers.pairs == (("host", f"127.0.0.1:{first}"), ("connection", "close"))


async def test_one_that_says_so_but_stays_is_not_waited_for_without_end(sockets: ExitStack, tasks: TaskGroup) -> None:
    server = Server(tasks, GOODBYE)
    first, second = await server.start(), free(sockets)
    listener = sockets.enter_context(await bind_callback_port((first, second), retry_interval=0.01))
    assert port_of(listener) == second
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Response.text(404, "Login cancelled"),
        Response.text(200, "", ("x-header", "Login cancelled"), ("connection", "close")),
        Response.text(200, "x" * 10_000, ("connection", "keep-alive")),
        Response(200, (("content-type", "text/html"), ("connection", "close")), b"<!doctype html>"),
        Response(302, (("location", "/"),)),
    ],
)
async def test_a_server_of_another_kind_is_not_waited_for(
    sockets: ExitStack, tasks: TaskGroup, answer: Response
) -> None:
    server = Server(tasks, answer)
    first, second = await server.start(), free(sockets)
    async with within(1):
        listener = sockets.enter_context(await bind_callback_port((first, second), retry_interval=60))
    assert port_of(listener) == second


async def test_a_silent_listener_is_given_up_after_the_time_to_answer(sockets: ExitStack) -> None:
    first, second = busy(sockets), free(sockets)
    async with within(1):
        listener = sockets.enter_context(
            await bind_callback_port((first, second), cancel_timeout=0.05, retry_interval=60)
        )
    assert port_of(listener) == second


async def test_the_holder_of_the_second_port_is_not_asked(sockets: ExitStack, tasks: TaskGroup) -> None:
    server = Server(tasks, GOODBYE)
    second = await server.start()
    with pytest.raises(PortUnavailable):
        await bind_callback_port((busy(sockets), second), cancel_timeout=0.05)
    assert server.requests == []


async def test_when_all_are_busy_the_error_says_who_holds_them_and_what_to_do(sockets: ExitStack) -> None:
    first, second = busy(sockets), busy(sockets)
    with pytest.raises(PortUnavailable) as failure:
        await bind_callback_port((first, second), cancel_timeout=0.05)
    message = failure.value.message
    assert message.startswith(f"failed to start login server: Port 127.0.0.1:{second} is already in use")
    assert f"port {first} is already in use" in message
    assert "device code" in message
    assert "callback URL" in message
    data = failure.value.data()
    assert (data["reason"], data["retryable"], data["remedy"]) == ("portInUse", True, "useDeviceCode")
    if os.access("/proc/self/fd", os.R_OK):
        assert message.count(f"(pid {os.getpid()})") == 2
        assert data["holder"]["pid"] == os.getpid()


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "Permission denied"), OSError(10013, "WSAEACCES")])
async def test_a_port_that_the_system_reserves_is_told_apart_from_a_busy_one(error: OSError) -> None:
    asked = []

    def bind(port: int) -> socket.socket:
        asked.append(port)
        raise error

    with pytest.raises(PortUnavailable) as failure:
        await bind_callback_port((1455, 1457), bind=bind)
    assert failure.value.message.startswith(
        f"failed to start login server: Port 127.0.0.1:1457 is reserved by the operating system ({error.strerror})"
    )
    assert failure.value.data() == {"reason": "portReserved", "retryable": False, "remedy": "useDeviceCode"}
    assert asked == [1455, 1457], "nobody leaves a reserved port"


async def test_any_other_failure_is_named_by_the_system() -> None:
    def bind(_: int) -> socket.socket:
        raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")

    with pytest.raises(PortUnavailable) as failure:
        await bind_callback_port((1455,), bind=bind)
    assert failure.value.message.startswith(
        "failed to start login server: Port 127.0.0.1:1455 cannot be used (Cannot assign requested address). "
    )
    assert failure.value.data()["reason"] == "portUnavailable"


async def test_cancelling_the_search_leaves_no_socket_behind(sockets: ExitStack) -> None:
    first, second = busy(sockets), free(sockets)
    with anyio.move_on_after(0.05) as scope:
        await bind_callback_port((first, second), cancel_timeout=5)
    assert scope.cancelled_caught
    sockets.enter_context(bind_loopback(second))
