"""The programs of the README do what it says, copied out of it; and its tables name what there is."""

import json
import os
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from app_server.config import load_configuration
from app_server.config.environment import OWN_NAMES
from app_server.config.known import CHECKS
from app_server.fake_openai.server import FakeOpenAI
from protocol.catalogue import CLIENT_REQUESTS, SERVER_NOTIFICATIONS, SERVER_REQUESTS

README = (Path(__file__).parents[2] / "README.md").read_text()
DEADLINE = 60


def programs(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def program(language: str, about: str) -> str:
    """The one that has this text in it."""
    [found] = [text for text in programs(language) if about in text]
    return found


async def run(command: list[str], home: Path) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "CODEX_HOME": str(home), "PATH": path, "NO_PROXY": "127.0.0.1"}
    with anyio.fail_after(DEADLINE):
        ended = await anyio.run_process(command, env=environment, cwd=home, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode()


@pytest.fixture
def upstream(fake: FakeOpenAI, tmp_path: Path) -> FakeOpenAI:
    """The upstream of whatever is run in ``tmp_path``."""
    fake.configure(accept_any_token=True)
    (tmp_path / "config.toml").write_text("\n".join(fake.config_overrides()))
    return fake


def write(path: Path, text: str) -> None:
    path.write_text(text)


async def run_python(about: str, home: Path) -> str:
    write(home / "parent.py", program("python", about))
    return await run([sys.executable, "-m", "parent"], home)


async def test_the_python_program_logs_in_and_shows_the_answer_as_it_comes(
    upstream: FakeOpenAI, tmp_path: Path
) -> None:
    assert await run_python("LOGIN_START", tmp_path) == "Hello, model [completed]\n"
    assert [request.bearer for request in upstream.requests.of("responses")] == ["sk-demo"]


async def test_the_python_program_with_a_tool_answers_its_calls(upstream: FakeOpenAI, tmp_path: Path) -> None:
    await run_python("LOGIN_START", tmp_path)
    upstream.script(tool_calls=[{"name": "weather", "arguments": {"city": "Lisbon"}}])
    assert await run_python("TOOL_CALL", tmp_path) == "The tool said: It rains in Lisbon.\n"


async def test_the_test_of_an_application_passes(tmp_path: Path) -> None:
    write(tmp_path / "test_parent.py", program("python", "async def test_"))
    report = await run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error"], tmp_path)
    assert "1 passed" in report


async def test_the_offline_upstream_is_programmed_with_curl(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app_server", "fake-openai", "--json"]
    async with await anyio.open_process(command, stderr=None) as fake:
        assert fake.stdout is not None
        try:
            with anyio.fail_after(DEADLINE):
                url = json.loads(await fake.stdout.receive())["base_url"]
            said = await run(["sh", "-euc", f"URL={url}\n{program('sh', '/__fake__/')}"], tmp_path)
        finally:
            fake.terminate()
    assert '"access_token":"ey' in said
    assert "curl $URL/__fake__/help" in said


@pytest.mark.tsc
async def test_the_node_program_logs_in_and_shows_the_answer_as_it_comes(upstream: FakeOpenAI, tmp_path: Path) -> None:
    write(tmp_path / "parent.mjs", program("js", "turn/start"))
    assert await run(["node", "parent.mjs"], tmp_path) == "Hello, model [completed]\n"


def test_every_program_is_run() -> None:
    assert [len(programs(language)) for language in ("python", "js", "toml", "sh")] == [3, 1, 1, 1]
    assert len(re.findall(r"^```\w", README, re.MULTILINE)) == 6


def test_the_configuration_of_providers_is_taken_as_it_is(tmp_path: Path) -> None:
    text = program("toml", "model_providers")
    write(tmp_path / "config.toml", text)
    configuration = load_configuration([], {"CODEX_HOME": str(tmp_path)})
    assert not configuration.warnings
    providers: Mapping[str, Mapping[str, object]] = tomllib.loads(text)["model_providers"]
    for name, told in providers.items():
        assert configuration.settings.model_providers[name].base_url == told["base_url"]
    assert configuration.settings.provider.name == "vLLM"


def test_every_method_is_named() -> None:
    declared = {each.method for each in CLIENT_REQUESTS}
    declared |= {each.method for each in SERVER_REQUESTS}
    declared |= {each.method for each in SERVER_NOTIFICATIONS}
    assert [method for method in sorted(declared) if f"`{method}`" not in README] == []


def test_every_setting_is_named() -> None:
    assert [name for name in (*CHECKS, *OWN_NAMES) if f"`{name}`" not in README] == []
