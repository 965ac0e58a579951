"""``app-server fake-openai`` as a process: what it prints, and how it ends."""

import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import anyio
import httpx2
import orjson
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from app_server.config import load_configuration
from app_server.fake_openai.main import run
from app_server.fake_openai.server import FakeOpenAI

PROGRAM = (
    "import sys; from pathlib import Path; from app_server.fake_openai.main import run; "
    "sys.exit(run(0, json=sys.argv[1] == 'json', home=Path(sys.argv[2]) if sys.argv[2:] else None))"
)


async def start(form: str, *home: str) -> Process:
    return await anyio.open_process([sys.executable, "-c", PROGRAM, form, *home], stdin=subprocess.DEVNULL, stdout=PIPE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
async def test_it_announces_itself_in_json_serves_and_ends_with_0_on_a_signal(number: signal.Signals) -> None:
    with anyio.fail_after(10):
        async with await start("json") as process, httpx2.AsyncClient(trust_env=False) as client:
            assert process.stdout is not None
            announced = orjson.loads(await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 10_000))
            described = (await client.get(announced["control_url"])).json()
            assert described["environment"] == announced["environment"]
            assert described["config_overrides"] == announced["config_overrides"]
            process.send_signal(number)
            assert await process.wait() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no such shell there")
async def test_a_shell_can_read_the_exports() -> None:
    with anyio.fail_after(10):
        async with await start("shell") as process:
            assert process.stdout is not None
            exports = await BufferedByteReceiveStream(process.stdout).receive_until(b"# app-server", 10_000)
            script = exports + b'\necho "$CODEX_AUTHAPI_BASE_URL"'
            shell = await anyio.run_process(["sh"], input=script)
            assert shell.stdout.startswith(b"http://127.0.0.1:")
            process.terminate()


async def test_with_a_home_the_environment_alone_leads_there(tmp_path: Path) -> None:
    with anyio.fail_after(10):
        async with await start("json", str(tmp_path / "home")) as process:
            assert process.stdout is not None
            announced = orjson.loads(await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 10_000))
            process.terminate()
    configuration = load_configuration([], announced["environment"])
    assert not configuration.warnings
    assert configuration.settings.provider.base_url == f"{announced['base_url']}/v1"
    assert announced["environment"]["CODEX_HOME"] == str(tmp_path / "home")


def test_a_home_that_somebody_uses_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "auth.json").touch()
    assert run(0, home=tmp_path) == 1
    assert f"{tmp_path} cannot be a home" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["auth.json"]


async def test_a_busy_port_is_an_error_message_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    async with FakeOpenAI.running() as fake:
        assert await anyio.to_thread.run_sync(run, fake.port) == 1
    assert f"cannot listen on 127.0.0.1:{fake.port}" in capsys.readouterr().err


async def test_a_port_that_is_none_is_an_error_message_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert await anyio.to_thread.run_sync(run, 99_999) == 1
    assert "cannot listen on" in capsys.readouterr().err
