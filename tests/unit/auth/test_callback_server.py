"""The guards of the callback server: who is let through to the login, and who is not."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import anyio
import pytest

from app_server.auth.login.callback_pages import text_answer
from app_server.auth.login.callback_server import callback_server
from app_server.http_server import Response, bind_loopback
from tests.unit.auth.login_support import get


@dataclass
class Login:
    """A login that remembers what it was told."""

    port: int = 0
    told: list[object] = field(default_factory=list)
    closed: anyio.Event = field(default_factory=anyio.Event)

    async def called_back(self, query: tuple[tuple[str, str], ...]) -> Response:
        self.told.append(query)
        return text_answer(200, "answered")

    def withdraw(self) -> None:
        self.told.append("withdraw")

    def close(self) -> None:
        self.closed.set()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@pytest.fixture
async def login() -> AsyncIterator[Login]:
    listener = bind_loopback(0)
    login = Login(listener.getsockname()[1])
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            await tasks.start(callback_server(login.port, login).serve, listener)
            yield login
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost"])
async def test_a_callback_reaches_the_login_under_both_names_of_this_machine(login: Login, host: str) -> None:
    answer = await get(login.url("/auth/callback?code=a%20b&state=c&empty="), {"Host": f"{host}:{login.port}"})
    assert (answer.status, answer.text) == (200, "answered")
    assert login.told == [(("code", "a b"), ("state", "c"), ("empty", ""))]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.2:{port}", ""]
)
@pytest.mark.parametrize("path", ["/auth/callback?code=c", "/cancel", "/"])
async def test_another_host_is_refused_before_anything_else(login: Login, host: str, path: str) -> None:
    answer = await get(login.url(path), {"Host": host.format(port=login.port)})
    assert answer.status == 421
    assert login.told == []


async def test_a_target_that_names_another_host_itself_is_refused(login: Login) -> None:
    async with await anyio.connect_tcp("127.0.0.1", login.port) as stream:
        await stream.send(f"GET http://evil.example/cancel HTTP/1.1\r\nHost: 127.0.0.1:{login.port}\r\n\r\n".encode())
        assert (await stream.receive()).startswith(b"HTTP/1.1 421 ")
    assert login.told == []


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS", "DELETE", "get"])
@pytest.mark.parametrize("path", ["/auth/callback?code=c", "/cancel"])
async def test_no_other_method_spends_or_cancels_anything(login: Login, method: str, path: str) -> None:
    answer = await get(login.url(path), method=method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET"
    assert login.told == []


@pytest.mark.parametrize(
    "path", ["/", "/success", "/success?id_token=x", "/auth/callback/", "/Auth/Callback", "/cancel/"]
)
async def test_other_paths_do_not_exist_and_complete_nothing(login: Login, path: str) -> None:
    answer = await get(login.url(path))
    assert (answer.status, answer.text) == (404, "Not Found")
    assert login.told == []


async def test_another_login_server_may_cancel_and_is_answered_before_the_end(login: Login) -> None:
    answer = await get(login.url("/cancel"))
    assert (answer.status, answer.text) == (200, "Login cancelled")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-length"] == "15"
    assert login.told == ["withdraw"]
    assert login.closed.is_set()


@pytest.mark.parametrize(
    "header",
    [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Referer", "https://evil.example/"),
        ("Cookie", "a=b"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "none"),
        ("Sec-CH-UA", '"Chromium"'),
        ("User-Agent", "Mozilla/5.0"),
    ],
)
async def test_a_web_page_cannot_cancel(login: Login, header: tuple[str, str]) -> None:
    answer = await get(login.url("/cancel"), dict([header]))
    assert answer.status == 403
    assert login.told == []
    assert not login.closed.is_set()


async def test_a_header_block_that_is_too_large_is_refused(login: Login) -> None:
    answer = await get(login.url(f"/auth/callback?code={'c' * 20_000}"))
    assert answer.status == 431
    assert login.told == []
