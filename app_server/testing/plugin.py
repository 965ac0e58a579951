"""The pytest plugin: a fake upstream, a server and clients for the tests of a parent application.

==========================  ====================================================================================
fixture
==========================  ====================================================================================
``fake_openai``             a running ``ThreadedFakeOpenAI``, new for each test
``app_server``              a ``ServerUnderTest`` that is led to it: ``command`` and ``environment`` for a parent in
                            any language, ``connect()`` for a typed client
``logged_in_client``        a typed ``Client``, logged in with ``app_server_tokens``
``app_server_handlers``     *override it*: what the clients answer to the server; by default the fake's next tokens
``app_server_tokens``       *override it*: the tokens to log in with; by default new ones of the fake
``app_server_command``      *override it*: what starts the server
``app_server_config``       *override it*: further settings, ``key=value``
``app_server_environment``  *override it*: further environment variables
==========================  ====================================================================================

The same in the ini file: ``app_server_command``, ``app_server_config`` (a line for each), ``app_server_in_process``,
``app_server_timeout`` (seconds). For single tests, classes and modules::

    @pytest.mark.app_server('model="gpt-5"', in_process=True, timeout=5)

Async tests and fixtures are run by the pytest plugin of anyio, which is installed anyway; ``logged_in_client`` says so
by itself, other async tests need ``@pytest.mark.anyio`` or ``anyio_mode = "auto"``. Under another runner, such as
pytest-asyncio, use ``fake_openai`` and ``app_server.connect()``, which need no plugin. Open it in the test itself: the
task that enters a client has to leave it, and such runners begin and end a fixture in different tasks. Without an event
loop, as in ``unittest``, there is ``app_server.client``.

Nothing waits for ever: an async test that uses ``app_server`` fails after ``app_server_timeout``, too. What servers
wrote to stderr is shown in the report of a test that fails.
"""

import functools
import inspect
import sys
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

# Everything else is imported by the fixtures: pytest loads this in runs that use none of it.
if TYPE_CHECKING:
    from app_server.client import Client, Handlers
    from app_server.fake_openai.tokens import TokenSet
    from app_server.testing.server_under_test import ServerUnderTest
    from app_server.testing.threaded_fake import ThreadedFakeOpenAI
    from protocol.account import ChatgptAuthTokensRefreshParams, ChatgptAuthTokensRefreshResponse

MARKER: Final = "app_server"
MAX_SHOWN: Final = 64 * 1024
"""Bytes of a log that a report shows: its end."""

_STDERR: Final = pytest.StashKey[Path]()


@dataclass(frozen=True)
class Options:
    """What ini file and markers say.

    :param timeout: seconds; 0: none, for debugging.
    """

    timeout: float
    in_process: bool


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare what the ini file may say."""
    parser.addini("app_server_command", "what starts the server; empty: the one installed here", type="args")
    parser.addini("app_server_config", "further settings of the server, key=value on each line", type="linelist")
    parser.addini("app_server_in_process", "run servers in the event loop of the test", type="bool", default=False)
    parser.addini("app_server_timeout", "seconds for a server, and for an async test that uses one", default="30")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers", f"{MARKER}(*settings, in_process=..., timeout=...): how the server of this test is started"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Give an async test with a server a deadline, where it hangs: what it waits for is then in its traceback.

    Here, because other runners than anyio's put a function of their own in its place later on.
    """
    __tracebackhide__ = True
    if not isinstance(item, pytest.Function) or "app_server" not in item.fixturenames:
        return (yield)
    test = item.obj
    timeout = options(item).timeout
    if not inspect.iscoroutinefunction(test) or not timeout or item.config.getoption("usepdb", default=False):
        return (yield)

    @functools.wraps(test)
    async def with_deadline(*args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        import anyio  # noqa: PLC0415

        where = None
        with anyio.move_on_after(timeout) as deadline:
            try:
                await test(*args, **kwargs)
            except anyio.get_cancelled_exc_class() as cancelled:
                where = cancelled.__traceback__
                raise
        if deadline.cancelled_caught:
            raise TimeoutError(f"the test took longer than {timeout:g} s (app_server_timeout)").with_traceback(where)

    item.obj = with_deadline
    try:
        return (yield)
    finally:
        item.obj = test


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what servers wrote to stderr, if the test failed."""
    report = yield
    log = item.stash.get(_STDERR, None)
    if report.failed and log is not None and log.exists() and (text := _end_of(log)):
        report.sections.append(("app-server stderr", text))
    return report


@pytest.fixture
def fake_openai() -> "Iterator[ThreadedFakeOpenAI]":
    """An offline issuer and backend on loopback, in a thread of its own: ``fault``, ``script``, ``expire_tokens``,
    ``requests`` and the rest of ``ThreadedFakeOpenAI``.
    """
    from app_server.testing.threaded_fake import ThreadedFakeOpenAI  # noqa: PLC0415

    with ThreadedFakeOpenAI.running() as fake:
        yield fake


@pytest.fixture
def app_server_command(pytestconfig: pytest.Config) -> Sequence[str]:
    """What starts the server, and its arguments. Override it to test with another one."""
    return pytestconfig.getini("app_server_command") or [sys.executable, "-m", "app_server"]


@pytest.fixture
def app_server_config(pytestconfig: pytest.Config) -> Sequence[str]:
    """Further settings for ``config.toml``, ``key=value`` as for ``-c``. Override it; those of markers come on top."""
    settings: list[str] = pytestconfig.getini("app_server_config")
    return settings


@pytest.fixture
def app_server_environment() -> Mapping[str, str]:
    """Further environment variables of the server. Override it."""
    return {}


@pytest.fixture
def app_server_tokens(fake_openai: "ThreadedFakeOpenAI") -> "TokenSet":
    """The tokens that ``logged_in_client`` logs in with. Override it to log in with those of the application."""
    return fake_openai.mint()


@pytest.fixture
def app_server_handlers(fake_openai: "ThreadedFakeOpenAI") -> "Handlers":
    """What clients answer to the server. Override it to test those of the application.

    By default a refresh is answered with new tokens of the fake's current account.
    """
    from pydantic import SecretStr  # noqa: PLC0415

    from protocol.account import REFRESH_AUTH_TOKENS, ChatgptAuthTokensRefreshResponse  # noqa: PLC0415

    async def refresh(_: "ChatgptAuthTokensRefreshParams") -> "ChatgptAuthTokensRefreshResponse":
        tokens = fake_openai.mint()
        return ChatgptAuthTokensRefreshResponse(
            access_token=SecretStr(tokens.access_token), chatgpt_account_id=tokens.account.account_id
        )

    return {REFRESH_AUTH_TOKENS: refresh}


@pytest.fixture
def app_server(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    fake_openai: "ThreadedFakeOpenAI",
    app_server_command: Sequence[str],
    app_server_config: Sequence[str],
    app_server_environment: Mapping[str, str],
    app_server_handlers: "Handlers",
) -> "ServerUnderTest":
    """What starts a server that is led to ``fake_openai``, in a CODEX_HOME of its own below ``tmp_path``."""
    from app_server.testing.homes import environment, make_home  # noqa: PLC0415
    from app_server.testing.server_under_test import ServerUnderTest  # noqa: PLC0415

    chosen = options(request.node)
    folder = tmp_path.resolve()
    home, stderr = folder / "codex-home", folder / "app-server.stderr"
    try:
        make_home(home, fake_openai, [*app_server_config, *_marked_settings(request.node)])
    except ValueError as error:
        raise pytest.UsageError(f"settings of app_server: {error}") from None
    request.node.stash[_STDERR] = stderr
    return ServerUnderTest(
        command=tuple(app_server_command),
        home=home,
        environment=environment(home, fake_openai, app_server_environment),
        handlers=app_server_handlers,
        timeout=chosen.timeout or float("inf"),
        in_process=chosen.in_process,
        stderr=stderr,
    )


@pytest.fixture
async def logged_in_client(
    anyio_backend: object,
    request: pytest.FixtureRequest,
    app_server: "ServerUnderTest",
    app_server_tokens: "TokenSet",
) -> "AsyncIterator[Client]":
    """A typed client whose server has a login with ``app_server_tokens``; what was announced of it has been read.

    That it asks for ``anyio_backend`` makes anyio's plugin run it, and the tests that use it.
    """
    from app_server.client import ServerError, ServerGone  # noqa: PLC0415

    if _is_for_pytest_asyncio(request.node):
        # It takes the test away from anyio's plugin, and runs it in another event loop than this.
        raise pytest.UsageError("logged_in_client and pytest-asyncio: use app_server.connect(tokens=...) instead")
    try:
        async with app_server.connect(tokens=app_server_tokens) as client:
            yield client
    except (ServerGone, ServerError, TimeoutError) as error:
        # A traceback through three packages would hide what matters. Those of the test never come here.
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        raise pytest.fail.Exception(f"{type(error).__name__}: {error}{notes}", pytrace=False) from None


def _is_for_pytest_asyncio(item: pytest.Item) -> bool:
    if item.get_closest_marker("asyncio") is not None:
        return True
    if not item.config.pluginmanager.has_plugin("asyncio"):
        return False
    return "auto" in (item.config.getoption("asyncio_mode", default=None), item.config.getini("asyncio_mode"))


def options(item: pytest.Item) -> Options:
    """What ini file and markers say, the closest marker first.

    :raises pytest.UsageError: a value makes no sense.
    """
    chosen: dict[str, object] = {
        "timeout": item.config.getini("app_server_timeout"),
        "in_process": item.config.getini("app_server_in_process"),
    }
    known = [field.name for field in fields(Options)]
    for marker in reversed(list(item.iter_markers(MARKER))):
        for name, value in marker.kwargs.items():
            if name not in known:
                raise pytest.UsageError(f"@pytest.mark.{MARKER} knows {' and '.join(known)}, not {name}")
            chosen[name] = value
    return Options(timeout=_seconds(chosen["timeout"]), in_process=bool(chosen["in_process"]))


def _marked_settings(item: pytest.Item) -> list[str]:
    """The settings of markers, those closest to the test last, where they win."""
    return [str(setting) for marker in reversed(list(item.iter_markers(MARKER))) for setting in marker.args]


def _seconds(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise pytest.UsageError(f"app_server_timeout is a number of seconds, not {value!r}")
    return seconds


def _end_of(log: Path) -> str:
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - MAX_SHOWN))
        text = file.read().decode(errors="replace")
    return f"(the last {MAX_SHOWN} bytes)\n{text}" if size > MAX_SHOWN else text
