"""The pytest plugin (``app_server.testing``) in projects of its users: pytest runs on them in folders of their own."""

import contextlib
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from app_server.client import Client, ServerError
from app_server.testing.server_under_test import ServerUnderTest
from app_server.testing.threaded_fake import ThreadedFakeOpenAI
from protocol.account import ACCOUNT_READ, ChatgptAccount, GetAccountParams
from protocol.rate_limits import RATE_LIMITS_READ, GetAccountRateLimitsParams

DEADLINE = 60

INI = """\
[pytest]
filterwarnings = error
markers = asyncio
app_server_config =
    model="of the ini file"
    model_verbosity="low"
"""

IMPORTS = """\
import json, os, signal, subprocess, sys
import anyio, pytest
from app_server.client import ServerError
from protocol.config import CONFIG_READ, ConfigReadParams
from protocol.rate_limits import RATE_LIMITS_READ, GetAccountRateLimitsParams

LIMITS = GetAccountRateLimitsParams()
"""

PASSING = (
    IMPORTS
    + """
def test_without_an_event_loop(fake_openai, app_server):
    '''A parent in any language: it has the command and the environment, and blocks.'''
    tokens = fake_openai.mint()
    parent = subprocess.Popen(app_server.command, env=app_server.environment, text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    login = {"type": "chatgptAuthTokens", "accessToken": tokens.access_token, "chatgptAccountId": "acct-1"}
    capabilities = {"experimentalApi": True}
    fake_openai.fault("usage", hang=True)
    with parent:
        for number, (method, params) in enumerate([
            ("initialize", {"clientInfo": {"name": "parent", "version": "1"}, "capabilities": capabilities}),
            ("account/login/start", login),
            ("account/rateLimits/read", None),
        ]):
            print(json.dumps({"id": number, "method": method, "params": params}), file=parent.stdin, flush=True)
        [asked] = fake_openai.requests.wait_for_sync("usage", timeout=20)
        fake_openai.wait_hanging_sync(timeout=20)
        fake_openai.release()
        answer = next(json.loads(line) for line in parent.stdout if '"id":2' in line)
        parent.stdin.close()
    assert asked.bearer == tokens.access_token
    assert answer["result"]["rateLimits"]["planType"] == "plus"


@pytest.mark.app_server(in_process=True)
async def test_the_default_handler_brings_new_tokens(logged_in_client, fake_openai):
    fake_openai.expire_tokens()
    await logged_in_client.request(RATE_LIMITS_READ, LIMITS)
    old, new = await fake_openai.requests.wait_for("usage", count=2)
    assert old.bearer != new.bearer


@pytest.mark.app_server('model="of the class"', "developer_instructions=plain words", in_process=True)
class TestSettings:
    @pytest.fixture
    def app_server_environment(self):
        return {"APP_SERVER_DRAIN_TIMEOUT": "2"}

    async def check(self, client, model):
        read = json.loads((await client.request(CONFIG_READ, ConfigReadParams())).to_json())["config"]
        assert read["model"] == model
        assert read["model_verbosity"] == "low"
        assert read["developer_instructions"] == "plain words"

    async def test_of_the_class(self, logged_in_client, app_server):
        await self.check(logged_in_client, "of the class")
        assert app_server.environment["APP_SERVER_DRAIN_TIMEOUT"] == "2"
        assert not app_server.stderr.exists()

    @pytest.mark.app_server('model="of the test"', timeout=0)
    async def test_of_the_test(self, logged_in_client):
        await self.check(logged_in_client, "of the test")


@pytest.mark.anyio
async def test_nothing_of_the_developer_reaches_a_server(app_server):
    assert "CODEX_ACCESS_TOKEN" in os.environ
    assert "CODEX_ACCESS_TOKEN" not in app_server.environment
    async with app_server.connect() as client:
        with pytest.raises(ServerError, match="authentication required"):
            await client.request(RATE_LIMITS_READ, LIMITS)
"""
)

FAILING = (
    IMPORTS
    + """
@pytest.fixture
def app_server_environment():
    return {"APP_SERVER_LOG": "loud"}


async def test_that_fails(logged_in_client):
    assert "this" == "that"


async def test_that_passes(logged_in_client):
    pass


@pytest.mark.anyio
@pytest.mark.app_server(timeout=0.5)
async def test_that_hangs(app_server, fake_openai):
    await fake_openai.requests.wait_for("usage", timeout=3600)  # the line that hangs


@pytest.mark.app_server(timeout=0.5)
class TestCommands:
    @pytest.fixture(params=[["no-such-server"], ["sh", "-c", "echo No licence. >&2; exit 3"], ["sh", "-c", "cat >&2"]])
    def app_server_command(self, request):
        return request.param

    async def test_that_has_no_server(self, logged_in_client):
        raise AssertionError("this is never run")


@pytest.mark.app_server(port=1)
async def test_with_a_marker_that_is_wrong(logged_in_client):
    pass


@pytest.mark.app_server("model")
async def test_with_a_setting_that_is_none(logged_in_client):
    pass


@pytest.mark.asyncio
async def test_for_another_runner(logged_in_client):
    pass
"""
)

INTERRUPTED = """\
import os, signal, sys
import anyio, pytest

@pytest.fixture
def app_server_command(pytestconfig):
    return ["sh", "-c", 'echo $$ >"$0"; exec "$@"', "pid", sys.executable, "-m", "app_server"]

async def test_that_is_interrupted(logged_in_client):
    os.kill(os.getpid(), signal.SIGINT)
    await anyio.sleep_forever()
"""


@dataclass(frozen=True)
class Run:
    """What pytest said about a project."""

    status: int
    report: str

    def about(self, test: str) -> str:
        """The report's section about a test that did not pass."""
        [found] = re.findall(
            rf"^_+ (?:ERROR at setup of )?{test} _+\n(.*?)(?=^_+ (?:ERROR|[Tt]est)|^=====)",
            self.report,
            re.MULTILINE | re.DOTALL,
        )
        return str(found)


ONE_LOOP = """
import pytest

@pytest.fixture(params=["asyncio"])
def anyio_backend(request):
    return request.param
"""
"""Otherwise the plugin of anyio runs each test on trio as well, where that is installed."""


async def run_pytest(folder: Path, test: str, *arguments: str) -> Run:
    """Run it on a project of one file, as its user would, whatever surrounds us."""
    (folder / "pytest.ini").write_text(INI)
    (folder / "test_parent.py").write_text(test)
    (folder / "conftest.py").write_text(ONE_LOOP)
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "--color=no", *arguments]
    with anyio.fail_after(DEADLINE):
        ended = await anyio.run_process(
            command, check=False, cwd=folder, env={**own, "CODEX_ACCESS_TOKEN": "at-of-the-developer"}
        )
    return Run(ended.returncode, (ended.stdout + ended.stderr).decode())


async def test_a_project_uses_it_with_and_without_an_event_loop(tmp_path: Path) -> None:
    run = await run_pytest(tmp_path, PASSING)
    assert run.status == 0, run.report
    assert "5 passed" in run.report


async def test_what_went_wrong_is_told_clearly_and_nothing_hangs(tmp_path: Path) -> None:
    run = await run_pytest(tmp_path, FAILING)
    assert "2 failed, 1 passed, 6 errors" in run.report, run.report

    warning = "APP_SERVER_LOG=LOUD is no level"
    assert warning in run.about(r"test_that_fails\[asyncio\]").partition("app-server stderr")[2]
    assert run.report.count(warning) == 1  # the test that passes does not show what its server said

    hung = run.about(r"test_that_hangs\[asyncio\]")
    assert "TimeoutError: the test took longer than 0.5 s (app_server_timeout)" in hung
    assert re.search(r"^> .*the line that hangs", hung, re.MULTILINE)

    missing, ended, mute = (
        run.about(rf"TestCommands.test_that_has_no_server\[asyncio-app_server_command{n}\]") for n in range(3)
    )
    assert missing.splitlines() == [
        "ServerGone: the server cannot be started: [Errno 2] No such file or directory: 'no-such-server'",
        "server: no-such-server",
    ]
    assert ended.startswith("ServerGone: the server exited with status 3\nserver: sh -c echo No licence.")
    assert ended.partition("app-server stderr")[2].splitlines()[1] == "No licence."
    assert mute.startswith("TimeoutError: the server did not answer within 0.5 s\nserver: sh -c cat")
    assert '"method":"initialize"' in mute.partition("app-server stderr")[2]

    assert "@pytest.mark.app_server knows timeout and in_process, not port" in run.report
    assert "logged_in_client and pytest-asyncio: use app_server.connect(tokens=...)" in run.report
    assert "settings of app_server: Invalid override (missing '=')" in run.report


async def test_a_run_that_is_interrupted_leaves_no_server_behind(tmp_path: Path) -> None:
    run = await run_pytest(tmp_path, INTERRUPTED)
    assert run.status != 0
    assert "KeyboardInterrupt" in run.report
    with contextlib.suppress(ProcessLookupError), anyio.fail_after(DEADLINE):
        ended = os.pidfd_open(int((tmp_path / "pid").read_text()))
        await anyio.wait_readable(ended)
        os.close(ended)


# In this project it is used, too


@pytest.mark.app_server(in_process=True)
async def test_a_server_in_the_same_event_loop_is_led_to_a_fake_in_another_thread(
    logged_in_client: Client, fake_openai: ThreadedFakeOpenAI
) -> None:
    fake_openai.fault("usage", status=500, times=None)
    with pytest.raises(ServerError):
        await logged_in_client.request(RATE_LIMITS_READ, GetAccountRateLimitsParams())
    assert fake_openai.requests.of("usage")


@pytest.mark.app_server(in_process=True)
async def test_a_client_logs_in_with_tokens_that_it_is_given(
    app_server: ServerUnderTest, fake_openai: ThreadedFakeOpenAI
) -> None:
    async with app_server.connect(tokens=fake_openai.mint(claims={"email": "me@example.com"})) as client:
        account = (await client.request(ACCOUNT_READ, GetAccountParams())).account
        assert account is not None
        assert isinstance(account.root, ChatgptAccount)
        assert account.root.email == "me@example.com"
    async with app_server.connect() as client:
        assert (await client.request(ACCOUNT_READ, GetAccountParams())).account is None
