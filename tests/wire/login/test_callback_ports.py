"""The port of the callback: who gets it, what is asked of whoever has it, and who does not wait meanwhile.

Logins use 1455 and 1457, as the issuer knows no others. Here they are given ports that nobody else wants
(``app_server.login_callback_ports``); that the former are the default is a row of ``test_the_ports_of_the_reference``.
"""

import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from app_server.config import Settings
from app_server.fake_openai.server import FakeOpenAI
from app_server.http_server import HttpServer, Request, Response, bind_loopback
from tests.support.server import Json, ServerProcess
from tests.support.upstream import LOGIN, NO_STATUS, Start, completed, next_messages, server_with, updated
from tests.wire.login.support import (
    BROWSER,
    CANCEL,
    CANCELLED,
    SUCCESS_PAGE,
    BrowserLogin,
    authorize,
    ended,
    exchanges,
    get,
    sign_in,
    start_browser_login,
    until_closed,
)


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    """Closes what is put on it."""
    with ExitStack() as stack:
        yield stack


def free_port() -> int:
    """One that nobody has at this moment."""
    with bind_loopback(0) as listener:
        return int(listener.getsockname()[1])


def taken_port(sockets: ExitStack) -> int:
    """One that can neither be had nor connected to."""
    taken = sockets.enter_context(socket.socket())
    taken.bind(("127.0.0.1", 0))
    return int(taken.getsockname()[1])


def ports(*numbers: int) -> str:
    """The override that names them."""
    return f"app_server.login_callback_ports={list(numbers)}"


def name_of_this_process() -> str:
    """As the system shows it."""
    return Path("/proc/self/comm").read_text(encoding="utf-8").rstrip("\n")


class Visitors:
    """An HTTP server on a port, and the requests that it was sent."""

    def __init__(self, port: int, tasks: anyio.abc.TaskGroup) -> None:
        self.port = port
        self.tasks = tasks
        self.requests: list[Request] = []
        self.came = anyio.Event()
        self.let_go = anyio.Event()

    async def answer(self, request: Request) -> Response:
        """Answer once it is let go."""
        self.requests.append(request)
        self.came.set()
        await self.let_go.wait()
        return Response.text(200, "This is something else.", ("connection", "close"))


@asynccontextmanager
async def visited() -> AsyncIterator[Visitors]:
    """A server that has nothing to do with logins."""
    with bind_loopback(0) as listener:
        async with anyio.create_task_group() as tasks:
            visitors = Visitors(listener.getsockname()[1], tasks)
            await tasks.start(HttpServer(visitors.answer).serve, listener)
            yield visitors
            tasks.cancel_scope.cancel()


def test_the_ports_of_the_reference_are_the_default() -> None:
    assert Settings(codex_home=Path("/home")).login_callback_ports == (1455, 1457)


# One server


async def test_a_new_login_has_the_port_of_the_one_before(start: Start) -> None:
    port = free_port()
    async with start(ports(port)) as server:
        logins = [await start_browser_login(server) for _ in range(5)]

        assert {login.port for login in logins} == {port}
        assert SUCCESS_PAGE in (await sign_in(logins[-1])).text
        # The listener of a login that is over stays for the reload of its page, but not in the way of another login.
        again = await start_browser_login(server)
        assert again.port == port
        assert SUCCESS_PAGE in (await sign_in(again)).text


async def test_the_login_before_is_closed_before_the_port_is_bound_even_if_it_is_being_exchanged(
    fake: FakeOpenAI, start: Start
) -> None:
    port = free_port()
    fake.fault("token", hang=True)
    async with start(ports(port)) as server:
        first = await start_browser_login(server)
        url = await authorize(first)
        closed = anyio.Event()

        async def browse() -> None:
            with pytest.raises(EOFError):  # nobody answers it any more
                await get(url)
            closed.set()

        async with anyio.create_task_group() as browser:
            browser.start_soon(browse)
            await exchanges(fake)
            second = await start_browser_login(server)
            await closed.wait()

        assert second.port == port
        assert await next_messages(server, 1) == [ended(first, CANCELLED)]
        fake.release()
        assert SUCCESS_PAGE in (await sign_in(second)).text
        assert (await next_messages(server, 2))[0] == ended(second)


async def test_logins_that_are_asked_for_in_one_breath_end_in_one_that_works(fake: FakeOpenAI, start: Start) -> None:
    port = free_port()
    async with start(ports(port)) as server:
        await server.send(*({"id": number, "method": LOGIN, "params": BROWSER} for number in range(5)))
        answers = [await server.answer(number) for number in range(5)]
        said = await server.barrier()

        for answer in answers[:-1]:
            if "error" in answer:  # it was replaced before it had begun, and there is nothing to announce
                assert answer["error"] == {"code": -32600, "message": "Login was not completed"}
        announced = [message["params"]["loginId"] for message in said]
        assert announced == [answer["result"]["loginId"] for answer in answers[:-1] if "result" in answer]
        last = BrowserLogin(answers[-1]["result"]["loginId"], answers[-1]["result"]["authUrl"])
        assert SUCCESS_PAGE in (await sign_in(last)).text


# Two servers


async def test_a_login_of_another_server_is_asked_to_leave_and_does(
    fake: FakeOpenAI, start: Start, tmp_path: Path
) -> None:
    port = free_port()
    async with start(ports(port)) as one, server_with(fake, tmp_path / "other", ports(port)) as other:
        first = await start_browser_login(one)
        second = await start_browser_login(other)

        assert (first.port, second.port) == (port, port)
        assert await next_messages(one, 1) == [ended(first, CANCELLED)]
        assert SUCCESS_PAGE in (await sign_in(second)).text
        assert await next_messages(other, 2) == [ended(second), updated("chatgpt", "plus")]
        assert await one.barrier() == []


async def test_the_port_of_a_server_whose_login_is_over_can_be_had(
    fake: FakeOpenAI, start: Start, tmp_path: Path
) -> None:
    port = free_port()
    async with start(ports(port)) as one, server_with(fake, tmp_path / "other", ports(port)) as other:
        first = await start_browser_login(one)
        await sign_in(first)
        second = await start_browser_login(other)

        assert second.port == port
        assert await next_messages(one, 2) == [ended(first), updated("chatgpt", "plus")]


# Ports of somebody else


async def test_whoever_has_the_first_port_is_asked_once_and_the_next_one_is_taken(start: Start) -> None:
    second = free_port()
    async with visited() as visitors, start(ports(visitors.port, second)) as server:
        visitors.let_go.set()
        login = await start_browser_login(server)

        assert login.port == second
        (request,) = visitors.requests
        assert (request.method, request.target) == ("GET", "/cancel")
        assert request.headers.get("host") == f"127.0.0.1:{visitors.port}"
        assert request.headers.get("connection") == "close"
        assert SUCCESS_PAGE in (await sign_in(login)).text


async def test_whoever_has_the_second_port_is_not_asked(start: Start, sockets: ExitStack) -> None:
    async with visited() as visitors, start(ports(taken_port(sockets), visitors.port)) as server:
        await server.error(LOGIN, BROWSER)

        assert visitors.requests == []


async def test_when_no_port_can_be_had_the_error_says_who_has_them_and_what_to_do(start: Start) -> None:
    me = name_of_this_process()
    async with visited() as one, visited() as other, start(ports(one.port, other.port)) as server:
        one.let_go.set()
        error = await server.error(LOGIN, BROWSER)

        assert error == {
            "code": -32603,
            "message": f"failed to start login server: Port 127.0.0.1:{other.port} is already in use by {me} "
            f"(pid {os.getpid()}), and port {one.port} is already in use by {me} (pid {os.getpid()}). Sign in with a "
            "device code, or without listening, by pasting the callback URL; or end what holds the port and try again.",
            "data": {
                "reason": "portInUse",
                "retryable": True,
                "remedy": "useDeviceCode",
                "holder": {"pid": os.getpid(), "name": me},
            },
        }
        assert await server.barrier() == []


async def test_a_holder_that_the_system_does_not_tell_is_left_out(start: Start, sockets: ExitStack) -> None:
    port = taken_port(sockets)
    async with start(ports(port)) as server:
        error = await server.error(LOGIN, BROWSER)

        assert error["message"].startswith(f"failed to start login server: Port 127.0.0.1:{port} is already in use. ")
        assert error["data"] == {"reason": "portInUse", "retryable": True, "remedy": "useDeviceCode"}


async def test_a_login_that_finds_no_port_leaves_nothing_behind(start: Start, sockets: ExitStack) -> None:
    async with start(ports(taken_port(sockets))) as server:
        await server.error(LOGIN, BROWSER)

        assert await server.result("account/logout") == {}
        (said,) = await next_messages(server, 1)
        assert said == updated(None)
        sockets.close()
        assert SUCCESS_PAGE in (await sign_in(await start_browser_login(server))).text


# While a port is searched for


@asynccontextmanager
async def searching(start: Start) -> AsyncIterator[tuple[ServerProcess, Visitors]]:
    """A server whose request 1 is a login, which waits for whoever has the first port to answer."""
    async with visited() as visitors, start(ports(visitors.port, 0)) as server:
        await server.send({"id": 1, "method": LOGIN, "params": BROWSER})
        await visitors.came.wait()
        yield server, visitors


async def test_account_requests_do_not_wait_for_the_search(start: Start) -> None:
    async with searching(start) as (server, visitors):
        assert await server.result("getAuthStatus", {"includeToken": True}) == NO_STATUS
        assert (await server.result("account/read", {}))["account"] is None
        assert await server.barrier() == []
        visitors.let_go.set()
        result = (await server.answer(1))["result"]
        assert SUCCESS_PAGE in (await sign_in(BrowserLogin(result["loginId"], result["authUrl"]))).text


@pytest.mark.parametrize(
    "then",
    [
        {"method": "account/logout"},
        {"method": LOGIN, "params": {"type": "apiKey", "apiKey": "sk-test"}},
        {"method": LOGIN, "params": {"type": "chatgptDeviceCode"}},
    ],
)
async def test_whatever_replaces_it_ends_the_search_and_there_is_nothing_to_announce(start: Start, then: Json) -> None:
    # Its client has never been told of it, so the answer says it all.
    async with searching(start) as (server, visitors):
        await server.send({"id": 2, **then})

        assert (await server.answer(1))["error"] == {"code": -32600, "message": "Login was not completed"}
        assert "result" in await server.answer(2)
        visitors.let_go.set()
        assert all(message["params"].get("success", True) for message in await server.barrier())


async def test_a_second_login_ends_the_search_of_the_first(start: Start) -> None:
    async with searching(start) as (server, visitors):
        await server.send({"id": 2, "method": LOGIN, "params": BROWSER})
        assert (await server.answer(1))["error"] == {"code": -32600, "message": "Login was not completed"}
        visitors.let_go.set()
        result = (await server.answer(2))["result"]

        assert await server.barrier() == []
        assert SUCCESS_PAGE in (await sign_in(BrowserLogin(result["loginId"], result["authUrl"]))).text


async def test_the_end_of_the_input_ends_the_search(start: Start) -> None:
    async with searching(start) as (server, _):
        await server.close_input()

        assert await server.rest() == [{"error": {"code": -32600, "message": "Login was not completed"}, "id": 1}]
        assert await server.exit_status() == 0


async def test_a_cancelled_login_gives_its_port_back_at_once(start: Start) -> None:
    port = free_port()
    async with start(ports(port)) as server:
        login = await start_browser_login(server)
        await server.result(CANCEL, {"loginId": login.login_id})
        await until_closed(port)

        with bind_loopback(port):
            pass
        await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-test"})
        assert (await next_messages(server, 3))[1:] == [completed(), updated("apikey")]
