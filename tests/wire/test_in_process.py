"""The Python client, with a server in the same event loop and with one in a subprocess (``app_server.client``)."""

import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from app_server.client import Client, Handlers, ServerError, ServerGone, in_process, spawn
from app_server.config import Configuration, load_configuration
from app_server.fake_openai.server import FakeOpenAI
from protocol.account import (
    ACCOUNT_READ,
    ACCOUNT_UPDATED,
    GET_AUTH_STATUS,
    LOGIN_COMPLETED,
    LOGIN_START,
    LOGOUT,
    REFRESH_AUTH_TOKENS,
    ApiKeyAccount,
    ApiKeyLogin,
    ApiKeyLoginStarted,
    ChatgptAuthTokensLogin,
    ChatgptAuthTokensRefreshParams,
    ChatgptAuthTokensRefreshResponse,
    GetAccountParams,
    GetAuthStatusParams,
    LoginAccountParams,
)
from protocol.errors import InvalidRequest
from protocol.lifecycle import CONFIG_WARNING
from protocol.method import Empty
from protocol.rate_limits import RATE_LIMITS_READ, GetAccountRateLimitsParams
from tests.support.server import environment

Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def embed(home: Path) -> Connect:
    """Opens a client with a server in this process; takes handlers, and ``key=value`` overrides."""

    @asynccontextmanager
    async def connect(*overrides: str, handlers: Handlers | None = None) -> AsyncIterator[Client]:
        async with in_process(load_configuration(overrides, environment(home)), handlers=handlers) as client:
            yield client

    return connect


@pytest.fixture(params=["in process", "subprocess"])
def connect(request: pytest.FixtureRequest, home: Path, embed: Connect) -> Connect:
    """As ``embed``, and the same for a server in a subprocess."""

    @asynccontextmanager
    async def connect(*overrides: str, handlers: Handlers | None = None) -> AsyncIterator[Client]:
        arguments = [word for override in overrides for word in ("-c", override)]
        command = [sys.executable, "-m", "app_server", *arguments]
        async with spawn(command, env=environment(home), handlers=handlers) as client:
            yield client

    return embed if request.param == "in process" else connect


def api_key(key: str) -> LoginAccountParams:
    return LoginAccountParams(ApiKeyLogin(type="apiKey", api_key=SecretStr(key)))


async def log_in_with_tokens(client: Client, fake: FakeOpenAI) -> None:
    tokens = fake.mint()
    login = ChatgptAuthTokensLogin(
        type="chatgptAuthTokens",
        access_token=SecretStr(tokens.access_token),
        chatgpt_account_id=tokens.account.account_id,
    )
    await client.request(LOGIN_START, LoginAccountParams(login))
    assert (await client.notification(LOGIN_COMPLETED)).success


async def test_a_server_in_this_process_is_set_up_by_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    async with in_process() as client:
        assert (await client.initialize("embedder", "1.0")).codex_home == str(tmp_path)


async def test_requests_and_notifications_are_typed(connect: Connect, home: Path) -> None:
    async with connect() as client:
        who = await client.initialize("typed", "1.0")
        assert who.codex_home == str(home)
        assert who.user_agent.startswith("typed/0.169.0 ")
        started = await client.request(LOGIN_START, api_key("sk-typed"))
        assert isinstance(started.root, ApiKeyLoginStarted)
        completed = await client.notification(LOGIN_COMPLETED)
        assert (completed.success, completed.error) == (True, None)
        assert (await client.notification(ACCOUNT_UPDATED)).auth_mode == "apikey"
        account = (await client.request(ACCOUNT_READ, GetAccountParams())).account
        assert account is not None
        assert isinstance(account.root, ApiKeyAccount)
        status = await client.request(GET_AUTH_STATUS, GetAuthStatusParams(include_token=True))
        assert status.auth_token is not None
        assert status.auth_token.get_secret_value() == "sk-typed"
        assert "sk-typed" not in repr(status)


async def test_an_error_of_the_server_is_an_exception_with_its_code_and_message(connect: Connect) -> None:
    async with connect() as client:
        with pytest.raises(ServerError, match="Not initialized") as early:
            await client.request(LOGOUT, Empty())
        assert (early.value.code, early.value.message, early.value.data) == (-32600, "Not initialized", None)
        await client.initialize("x", "1")
        with pytest.raises(ServerError, match="account authentication required"):
            await client.request(RATE_LIMITS_READ, GetAccountRateLimitsParams())
        await client.request(LOGOUT, Empty())


async def test_what_is_raised_in_the_block_comes_out_of_it_as_it_is(connect: Connect) -> None:
    """Not within an exception group, however many tasks work behind the client."""

    async def fail() -> None:
        async with connect() as client:
            await client.initialize("x", "1")
            raise LookupError("mine")

    async def be_refused() -> None:
        async with connect() as client:
            await client.request(LOGOUT, Empty())

    with pytest.raises(LookupError, match="mine"):
        await fail()
    with pytest.raises(ServerError, match="Not initialized"):
        await be_refused()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, StopAsyncIteration])
async def test_what_ends_a_program_comes_out_as_it_is(connect: Connect, kind: type[BaseException]) -> None:
    """``sys.exit`` in the block ends the program, with the status that it was given."""
    error = kind(3)
    with pytest.raises(kind) as raised:
        async with connect():
            raise error
    assert raised.value is error


async def test_handlers_answer_what_the_server_asks(connect: Connect, fake: FakeOpenAI) -> None:
    asked: list[ChatgptAuthTokensRefreshParams] = []

    async def refresh(params: ChatgptAuthTokensRefreshParams) -> ChatgptAuthTokensRefreshResponse:
        asked.append(params)
        tokens = fake.mint()
        return ChatgptAuthTokensRefreshResponse(
            access_token=SecretStr(tokens.access_token), chatgpt_account_id=tokens.account.account_id
        )

    async with connect(*fake.config_overrides(), handlers={REFRESH_AUTH_TOKENS: refresh}) as client:
        await client.initialize("x", "1")
        await log_in_with_tokens(client, fake)
        fake.fault("usage", status=401)
        limits = await client.request(RATE_LIMITS_READ, GetAccountRateLimitsParams())
        assert limits.rate_limits.limit_id == "codex"
    assert [params.reason for params in asked] == ["unauthorized"]


async def test_a_handler_that_raises_answers_with_an_error_and_nothing_hangs(
    connect: Connect, fake: FakeOpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    failures = iter([InvalidRequest("ask me later"), RuntimeError("a bug of the parent's")])

    async def refuse(params: Any) -> ChatgptAuthTokensRefreshResponse:
        raise next(failures)

    async with connect(*fake.config_overrides(), handlers={REFRESH_AUTH_TOKENS: refuse}) as client:
        await client.initialize("x", "1")
        await log_in_with_tokens(client, fake)
        fake.fault("usage", status=401, times=None)
        limits = GetAccountRateLimitsParams(exclude_reset_credit_details=True)
        with pytest.raises(ServerError) as told:
            await client.request(RATE_LIMITS_READ, limits)
        assert "ask me later" in str(told.value.data)
        with pytest.raises(ServerError) as untold:
            await client.request(RATE_LIMITS_READ, limits)
        assert "a bug of the parent's" not in f"{untold.value} {untold.value.data}"
        fake.clear_faults()
        await client.request(RATE_LIMITS_READ, limits)
    assert "a bug of the parent's" in caplog.text


async def test_a_client_without_a_handler_refuses_and_nothing_hangs(embed: Connect, fake: FakeOpenAI) -> None:
    async with embed(*fake.config_overrides()) as client:
        await client.initialize("x", "1")
        await log_in_with_tokens(client, fake)
        fake.fault("usage", status=401)
        with pytest.raises(ServerError):
            await client.request(RATE_LIMITS_READ, GetAccountRateLimitsParams(exclude_reset_credit_details=True))


async def test_an_answer_that_does_not_come_in_time_is_a_timeout_and_the_rest_goes_on(
    connect: Connect, fake: FakeOpenAI
) -> None:
    async with connect(*fake.config_overrides(), "app_server.drain_timeout=0.1") as client:
        await client.initialize("x", "1")
        await log_in_with_tokens(client, fake)
        fake.fault("usage", hang=True)
        with pytest.raises(TimeoutError, match="account/rateLimits/read"):
            await client.request(RATE_LIMITS_READ, GetAccountRateLimitsParams(), timeout=0.1)
        with pytest.raises(TimeoutError):
            await client.notification(CONFIG_WARNING, timeout=0.1)
        await client.request(LOGOUT, Empty())


async def test_many_requests_at_once_each_get_their_own_answer(embed: Connect) -> None:
    """Also when all of them together are more than is ever on its way."""
    seen: dict[int, str] = {}

    async def log_in(client: Client, number: int) -> None:
        try:
            await client.request(LOGIN_START, api_key(" " * (number + 1) if number % 2 else f"sk-{number}" + "k" * 500))
        except ServerError as error:
            seen[number] = error.message
        else:
            seen[number] = "logged in"

    async with embed("cli_auth_credentials_store=ephemeral") as client:
        await client.initialize("x", "1")
        async with anyio.create_task_group() as tasks:
            for number in range(400):
                tasks.start_soon(log_in, client, number)
    assert len(seen) == 400
    assert {seen[number] for number in range(0, 400, 2)} == {"logged in"}
    assert "logged in" not in {seen[number] for number in range(1, 400, 2)}


async def test_warnings_of_the_configuration_arrive_typed(embed: Connect) -> None:
    async with embed("forced_login_method=nonsense") as client:
        await client.initialize("x", "1")
        assert "nonsense" in str((await client.notification(CONFIG_WARNING)).details)


async def test_a_client_can_opt_out_of_notifications(embed: Connect) -> None:
    async with embed() as client:
        await client.initialize("x", "1", opt_out=["account/login/completed"])
        await client.request(LOGIN_START, api_key("sk-quiet"))
        async for declaration, _ in client.notifications():
            assert declaration is ACCOUNT_UPDATED
            break


async def test_two_servers_in_one_process_do_not_know_of_each_other(tmp_path: Path) -> None:
    first, second = (load_configuration([], {"CODEX_HOME": str(tmp_path / name)}) for name in ("one", "two"))
    async with in_process(first) as one, in_process(second) as two:
        await one.initialize("one", "1")
        with pytest.raises(ServerError, match="Not initialized"):
            await two.request(LOGOUT, Empty())
        await two.initialize("two", "1")
        await one.request(LOGIN_START, api_key("sk-one"))
        assert (await two.request(ACCOUNT_READ, GetAccountParams())).account is None


async def test_a_server_in_process_that_fails_is_gone_with_a_log_line(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = load_configuration([], {"CODEX_HOME": str(home)}).settings
    impossible = Configuration(settings._replace(model_provider="not among the providers"))
    async with in_process(impossible) as client:
        with pytest.raises(ServerGone):
            await client.initialize("x", "1")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


# A subprocess


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


async def test_a_command_that_does_not_exist_is_a_clear_error(home: Path) -> None:
    with pytest.raises(ServerGone, match="No such file"):
        async with spawn([str(home / "no-such-program")]):
            pytest.fail("there is nothing to talk to")


@pytest.mark.parametrize(
    "script",
    ["import sys; sys.exit(3)", "import sys; sys.stdin.readline(); sys.exit(3)", "import os; os.close(1); os._exit(3)"],
)
async def test_a_command_that_is_no_server_is_gone_with_its_status(script: str) -> None:
    with anyio.fail_after(10):
        async with spawn(python(script)) as client:
            for _ in range(2):
                with pytest.raises(ServerGone, match="status 3") as gone:
                    await client.initialize("x", "1")
                assert gone.value.status == 3
            with pytest.raises(ServerGone):
                await client.notification(CONFIG_WARNING)


async def test_a_command_that_writes_something_else_is_no_reason_to_crash(caplog: pytest.LogCaptureFixture) -> None:
    script = "import sys; print('Welcome!'); print('[]'); sys.stdin.readline()"
    async with spawn(python(script)) as client:
        with pytest.raises(ServerGone):
            await client.initialize("x", "1")
    assert caplog.text.count("no message") == 2


async def test_a_server_that_is_killed_fails_whoever_waits_for_it(home: Path, fake: FakeOpenAI) -> None:
    pids: list[int] = []
    others = set(children())

    def note(direction: str, line: bytes) -> None:
        pids.extend(set(children()) - others)

    arguments = [word for override in fake.config_overrides() for word in ("-c", override)]
    async with spawn([sys.executable, "-m", "app_server", *arguments], env=environment(home), trace=note) as client:
        await client.initialize("x", "1")
        await log_in_with_tokens(client, fake)
        fake.fault("usage", hang=True)

        async def kill() -> None:
            await fake.requests.wait_for("usage")
            os.kill(pids[0], signal.SIGKILL)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(kill)
            with pytest.raises(ServerGone, match="status -9"):
                await client.request(RATE_LIMITS_READ, GetAccountRateLimitsParams())


def children() -> list[int]:
    """Processes that this one has started and not buried."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


async def test_no_process_is_left_when_the_block_is_left_whatever_way(home: Path) -> None:
    before = set(children())
    async with spawn(env=environment(home)) as client:
        await client.initialize("x", "1")
    with pytest.raises(LookupError):
        async with spawn(env=environment(home)) as client:
            raise LookupError
    with anyio.CancelScope() as scope:
        async with spawn(env=environment(home)) as client:
            await client.initialize("x", "1")
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert set(children()) <= before


async def test_a_server_that_does_not_read_holds_nobody_up_for_longer_than_a_request_may_take() -> None:
    async with spawn(python("import sys, select; select.select([], [], [], 1)")) as client:
        with pytest.raises(TimeoutError):
            await client.request(LOGIN_START, api_key("k" * 1_000_000), timeout=0.1)


async def test_the_trace_sees_every_line_in_both_directions(home: Path) -> None:
    seen: list[tuple[str, bytes]] = []
    env = environment(home)
    async with spawn(env=env, trace=lambda direction, line: seen.append((direction, line))) as client:
        await client.initialize("x", "1")
        await client.request(LOGOUT, Empty())
        await client.notification(ACCOUNT_UPDATED)
    assert [direction for direction, _ in seen] == ["sent", "received", "sent", "received", "received"]
