"""What the server on the callback port answers, and what it takes for a callback (wire.md sections 7 and 15).

Every refusal here is followed by the true callback, which has to go through: a login survives its visitors.
"""

import sys

import anyio
import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import DEADLINE, ServerProcess
from tests.support.upstream import COMPLETED, UPDATED, asked, next_messages, updated
from tests.unit.auth.login_support import Answer, head, read_answer
from tests.wire.login.support import (
    SUCCESS_PAGE,
    BrowserLogin,
    authorize,
    ended,
    exchanges,
    get,
    is_listening,
    sign_in,
    start_browser_login,
)


@pytest.fixture
async def login(server: ServerProcess) -> BrowserLogin:
    """A login that waits for its callback."""
    return await start_browser_login(server)


async def assert_it_goes_on(fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin) -> None:
    """Nothing was announced or exchanged, and the login can still be completed."""
    assert await server.barrier() == []
    assert fake.requests.of("token") == []
    assert SUCCESS_PAGE in (await sign_in(login)).text
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]


# Refused


async def test_another_state_is_refused_whatever_else_is_there(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin
) -> None:
    for query in (
        "",
        "?",
        "?code=a-code",
        "?state=",
        "?state=wrong&code=a-code",
        "?state=wrong&error=access_denied",
        f"?state={login.state[:-1]}&code=a-code",
        f"?state={login.state}x&code=a-code",
        f"?state={login.state.swapcase()}&code=a-code",
        f"?state=wrong&state={login.state}&code=a-code",
        "?state=%ff%00&code=a-code",
        f"?State={login.state}&code=a-code",
    ):
        answer = await get(f"{login.redirect_uri}{query}")
        assert (answer.status, answer.text) == (400, "State mismatch"), query
        assert login.state not in answer.text
    await assert_it_goes_on(fake, server, login)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_any_method_but_get_is_refused_and_spends_nothing(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin, method: str
) -> None:
    url = await authorize(login)

    for target in (url, login.url("/cancel")):
        answer = await get(target, method=method)
        assert answer.status == 405
        assert answer.headers["allow"] == "GET"
    assert await server.barrier() == []
    assert fake.requests.of("token") == []
    assert SUCCESS_PAGE in (await get(url)).text  # with the same code


@pytest.mark.parametrize("path", ["/", "/success", "/success?id_token=x", "/auth", "/auth/callback/", "/favicon.ico"])
async def test_other_paths_do_not_exist_and_complete_nothing(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin, path: str
) -> None:
    # In the reference whoever asks for /success completes the login (wire.md section 15.5).
    answer = await get(login.url(path))

    assert (answer.status, answer.text) == (404, "Not Found")
    await assert_it_goes_on(fake, server, login)


@pytest.mark.parametrize(
    "host", ["example.com", "127.0.0.1", "127.0.0.1:1", "127.0.0.2:{port}", "example.com:{port}", ""]
)
async def test_a_request_for_another_host_is_refused(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin, host: str
) -> None:
    host = host.format(port=login.port)

    for target in (login.callback(code="a-code"), login.url("/cancel"), login.url("/success")):
        assert (await get(target, {"Host": host})).status == 421
    await assert_it_goes_on(fake, server, login)


async def test_the_other_name_of_this_machine_will_do(server: ServerProcess, login: BrowserLogin) -> None:
    url = await authorize(login)

    assert SUCCESS_PAGE in (await get(url, {"Host": f"LocalHost:{login.port}"})).text
    assert (await server.notification(COMPLETED))["success"] is True


async def test_it_listens_on_this_machine_only(login: BrowserLogin) -> None:
    assert await is_listening(login.port)
    assert not await is_listening(login.port, "::1")
    if sys.platform == "linux":  # where all of 127.0.0.0/8 is this machine
        assert not await is_listening(login.port, "127.0.0.2")


async def test_a_request_that_is_none_or_too_large_is_refused(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin
) -> None:
    for request, status in (
        (b"no HTTP at all\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (head(login.callback(code="c" * 20_000)), 431),
        (head(login.callback(code="a-code"), {"X-Long": "x" * 20_000}), 431),
        (head(login.callback(code="a-code"), {"Content-Length": "2000"}), 413),
    ):
        with anyio.fail_after(DEADLINE):
            async with await anyio.connect_tcp("127.0.0.1", login.port) as stream:
                await stream.send(request)
                assert (await read_answer(stream)).status == status, request[:40]
    await assert_it_goes_on(fake, server, login)


# Repeated


async def test_a_repeated_callback_is_shown_the_success_again_and_changes_nothing(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin
) -> None:
    # In the reference a reload fails the login with "unknown code" (wire.md section 15.7).
    url = await authorize(login)
    first = await get(url)
    await server.notification(UPDATED)
    await server.barrier()
    file = server.home / "auth.json"
    content, asked_before = file.read_bytes(), len(fake.requests)

    again = await get(url)

    assert (again.status, again.text) == (first.status, first.text)
    assert SUCCESS_PAGE in again.text
    assert (await get(f"{login.redirect_uri}?state=wrong&code=a-code")).status == 400
    assert SUCCESS_PAGE in (await get(login.callback(error="access_denied"))).text
    assert await server.barrier() == []
    assert len(fake.requests) == asked_before
    assert file.read_bytes() == content


async def test_a_repeated_callback_is_shown_the_failure_again(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin
) -> None:
    fake.fault("token", status=500)
    url = await authorize(login)
    first = await get(url)
    again = await get(url)

    assert "Token exchange failed" in first.text
    assert again.text == first.text
    assert (await server.notification(COMPLETED))["success"] is False
    assert await server.barrier() == []
    assert len(await exchanges(fake)) == 1


async def test_callbacks_that_come_together_spend_the_code_once(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin
) -> None:
    fake.fault("token", hang=True, contains="authorization_code")
    url = await authorize(login)
    pages: list[Answer] = []

    async def read(stream: anyio.abc.SocketStream) -> None:
        pages.append(await read_answer(stream))

    with anyio.fail_after(DEADLINE):
        streams = [await anyio.connect_tcp("127.0.0.1", login.port) for _ in range(3)]
        for stream in streams:
            await stream.send(head(url))
        await exchanges(fake)
        # What came before this has been read, too, by the time that this is answered.
        assert (await get(login.redirect_uri)).status == 400
        fake.release()
        async with anyio.create_task_group() as tasks:
            for stream in streams:
                tasks.start_soon(read, stream)
    for stream in streams:
        await stream.aclose()

    assert [SUCCESS_PAGE in page.text for page in pages] == [True, True, True]
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]
    assert await server.barrier() == []
    grants = [exchange["grant_type"] for exchange in await exchanges(fake, 2)]
    assert grants.count("authorization_code") == 1
    assert len(grants) == 2


async def test_the_first_code_counts_when_another_comes_behind_it(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin
) -> None:
    fake.fault("token", hang=True, contains="authorization_code")
    url = await authorize(login)
    pages: list[Answer] = []

    async def follow(target: str) -> None:
        pages.append(await get(target))

    async with anyio.create_task_group() as browser:
        browser.start_soon(follow, url)
        await exchanges(fake)
        browser.start_soon(follow, login.callback(code="another-code"))
        browser.start_soon(follow, login.callback(error="access_denied"))
        fake.release()

    assert [SUCCESS_PAGE in page.text for page in pages] == [True, True, True]
    assert (await server.notification(COMPLETED))["success"] is True
    assert all(exchange.get("code") != "another-code" for exchange in await exchanges(fake, 2))


# Asked to leave


async def test_another_login_server_may_ask_it_to_leave(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin
) -> None:
    answer = await get(login.url("/cancel"))

    assert (answer.status, answer.text) == (200, "Login cancelled")
    assert await next_messages(server, 1) == [ended(login, "Login server error: Login cancelled")]
    assert await server.barrier() == []
    assert not (server.home / "auth.json").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Origin", "https://example.com"),
        ("Origin", "null"),
        ("Origin", "http://127.0.0.1:{port}"),
        ("Referer", "https://example.com/"),
        ("Cookie", "a=b"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "no-cors"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"),
    ],
)
async def test_a_web_page_may_not(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin, name: str, value: str
) -> None:
    # In the reference it may (wire.md section 15.5).
    assert (await get(login.url("/cancel"), {name: value.format(port=login.port)})).status == 403
    await assert_it_goes_on(fake, server, login)


async def test_asked_to_leave_after_the_login_it_leaves_and_the_login_stays(
    fake: FakeOpenAI, server: ServerProcess, login: BrowserLogin
) -> None:
    fake.fault("accounts_check", hang=True)
    await sign_in(login)
    await asked(fake, "accounts_check")

    assert (await get(login.url("/cancel"))).text == "Login cancelled"
    fake.release()
    assert await next_messages(server, 2) == [ended(login), updated("chatgpt", "plus")]
