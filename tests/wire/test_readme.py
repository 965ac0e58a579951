"""Every block of the README does what it says, copied out of it. What its tables and sentences name is looked at in
``test_readme_tables``."""

import json
import os
import re
import sys
import tomllib
import venv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import anyio
import pytest

from app_server.config import load_configuration
from app_server.fake_openai.server import FakeOpenAI
from tests.support.cli import browser, was_opened
from tests.support.documents import INDENTED, ROOT, Block, blocks, read
from tests.support.server import environment
from tests.wire.login.support import ANY_PORT

README: Final = blocks(read("README.md"))
DEADLINE: Final = 60
INSTALLING: Final = 300


def block(heading: str) -> Block:
    """The one in this section."""
    [found] = [each for each in README if each.heading == heading]
    return found


async def run(
    command: list[str],
    home: Path,
    more: Mapping[str, str] | None = None,
    *,
    programs: Path = Path(sys.executable).parent,
    cwd: Path | None = None,
    deadline: float = DEADLINE,
) -> str:
    """What a command prints that must end well.

    :param programs: where those are found that have no path.
    """
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    variables = {**environment(home, more), "PATH": path, "NO_PROXY": "127.0.0.1"}
    with anyio.fail_after(deadline):
        ended = await anyio.run_process(command, env=variables, cwd=cwd or home, check=False)
    assert ended.returncode == 0, (ended.stdout + ended.stderr).decode()
    return ended.stdout.decode()


async def run_shell(text: str, home: Path, more: Mapping[str, str] | None = None) -> str:
    return await run(["sh", "-euc", text], home, more)


@pytest.fixture
def upstream(fake: FakeOpenAI, tmp_path: Path) -> FakeOpenAI:
    """The upstream of whatever is run in ``tmp_path``."""
    fake.configure(accept_any_token=True)
    settings = [*fake.config_overrides(), ANY_PORT]
    (tmp_path / "config.toml").write_text("\n".join(settings))
    return fake


async def run_python(heading: str, home: Path) -> str:
    (home / "parent.py").write_text(block(heading).text)
    return await run([sys.executable, "-m", "parent"], home)


async def test_the_python_program_logs_in_and_shows_the_answer_as_it_comes(
    upstream: FakeOpenAI, tmp_path: Path
) -> None:
    assert await run_python("Embed it from Python", tmp_path) == "Hello, model"
    assert [request.bearer for request in upstream.requests.of("responses")] == ["sk-demo"]


async def test_the_python_program_with_a_tool_answers_its_calls(upstream: FakeOpenAI, tmp_path: Path) -> None:
    await run_python("Embed it from Python", tmp_path)
    upstream.script(tool_calls=[{"name": "weather", "arguments": {"city": "Lisbon"}}])
    assert await run_python("Give the model a tool", tmp_path) == "The tool said: It rains in Lisbon.\n"


async def test_the_test_of_an_application_passes(tmp_path: Path) -> None:
    (tmp_path / "test_parent.py").write_text(block("Testing your application").text)
    report = await run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error"], tmp_path)
    assert re.search(r"= \d passed in", report)  # one for each event loop that is installed


async def test_the_offline_upstream_is_programmed_with_curl(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app_server", "fake-openai", "--json"]
    async with await anyio.open_process(command, stderr=None) as fake:
        assert fake.stdout is not None
        try:
            with anyio.fail_after(DEADLINE):
                url = json.loads(await fake.stdout.receive())["base_url"]
            said = await run_shell(block("The offline upstream").text, tmp_path, {"URL": url})
        finally:
            fake.terminate()
    assert '"access_token":"ey' in said
    assert "curl $URL/__fake__/help" in said


@pytest.mark.tsc
async def test_the_node_program_logs_in_and_shows_the_answer_as_it_comes(upstream: FakeOpenAI, tmp_path: Path) -> None:
    (tmp_path / "parent.mjs").write_text(block("Embed it from Node").text)
    assert await run(["node", "parent.mjs"], tmp_path) == "Hello, model [completed]\n"


def test_the_configuration_of_providers_is_taken_as_it_is(tmp_path: Path) -> None:
    text = block("Other providers").text
    (tmp_path / "config.toml").write_text(text)
    configuration = load_configuration([], {"CODEX_HOME": str(tmp_path)})
    assert not configuration.warnings
    providers: Mapping[str, Mapping[str, object]] = tomllib.loads(text)["model_providers"]
    for name, told in providers.items():
        assert configuration.settings.model_providers[name].base_url == told["base_url"]
    assert configuration.settings.provider.name == "vLLM"


async def test_the_commands_at_a_terminal_log_in_look_log_out_and_show_the_demo(
    upstream: FakeOpenAI, tmp_path: Path
) -> None:
    program = browser(tmp_path)
    variables = {**upstream.environment(), "BROWSER": str(program)}
    said = await run_shell(block("At a terminal").text, tmp_path, variables)
    told = ("Logged in as user@", "Logged in: ", "  ok   store", "Logged out.", "Everything happened as promised.")
    assert [each for each in told if each not in said] == []
    assert was_opened(program)


def commands(heading: str) -> list[str]:
    """The lines of a block, without their comments."""
    return [line.partition("#")[0].strip() for line in block(heading).text.splitlines() if line.strip()]


MADE: Final = {
    "make demo": "app-server demo",
    "make test": "pytest -q",
    "make dist": "-m shipping.check_dist dist",
    "make zipapp": "-m shipping.check_zipapp dist/app-server.pyz",
}
"""What is made, with what that ends in. The demo is run above, the others by CI, which ends with them if they fail."""

IN_CI: Final = {"make test": "make test", "make dist": "make zipapp # and dist before it", "make zipapp": "make zipapp"}


@pytest.mark.parametrize("command", MADE)
async def test_what_is_made_ends_in_what_tries_it_and_ci_makes_it(command: str, tmp_path: Path) -> None:
    steps = await run([*command.split(), "--dry-run", "--no-print-directory"], tmp_path, cwd=ROOT)
    assert MADE[command] in steps.splitlines()[-1]
    ci = read(".ci/run")
    assert "set -euo pipefail" in ci
    assert command not in IN_CI or f"\n{IN_CI[command]}" in ci


@pytest.mark.examples
async def test_it_is_installed_and_run_as_it_says(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    installing = [line for line in commands("Installation") if line not in MADE]
    more = {"PIPX_HOME": str(tmp_path / "pipx"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    script = "\n".join(["python -m pip install --quiet pipx", *installing, "app-server --version"])
    said = await run(["sh", "-euc", script], tmp_path, more, programs=programs, cwd=ROOT, deadline=INSTALLING)
    assert "Everything happened as promised." in said
    assert said.splitlines()[-1].startswith("app-server ")


RUN_BY: Final = {
    ("Two commands", INDENTED): test_what_is_made_ends_in_what_tries_it_and_ci_makes_it,
    ("Installation", INDENTED): test_it_is_installed_and_run_as_it_says,
    ("Embed it from Python", "python"): test_the_python_program_logs_in_and_shows_the_answer_as_it_comes,
    ("Embed it from Node", "js"): test_the_node_program_logs_in_and_shows_the_answer_as_it_comes,
    ("Give the model a tool", "python"): test_the_python_program_with_a_tool_answers_its_calls,
    ("Other providers", "toml"): test_the_configuration_of_providers_is_taken_as_it_is,
    ("At a terminal", INDENTED): test_the_commands_at_a_terminal_log_in_look_log_out_and_show_the_demo,
    ("Testing your application", "python"): test_the_test_of_an_application_passes,
    ("The offline upstream", "sh"): test_the_offline_upstream_is_programmed_with_curl,
}
"""Each block, by its section, with the test that runs it."""


def test_every_block_is_run_by_a_test() -> None:
    assert Counter((each.heading, each.kind) for each in README) == Counter(RUN_BY.keys())
    made = [line for line in commands("Two commands") + commands("Installation") if line.startswith("make ")]
    assert made == list(MADE)
