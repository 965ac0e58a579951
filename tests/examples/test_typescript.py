"""The examples for Node and VS Code are accepted by ``tsc --strict`` and do what they say.

Runs with ``pytest -m tsc`` only (make test-typescript), which brings the compiler and the types of Node and VS Code.
"""

import json
import os
import shutil
import signal
from pathlib import Path

import anyio
import httpx2
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from protocol.export import generate_ts
from tests.examples.conftest import DEADLINE, EXAMPLES, Offline

pytestmark = pytest.mark.tsc


def compiler() -> tuple[Path, Path]:
    """``tsc``, and the types that are installed beside it."""
    found = os.environ.get("APP_SERVER_TSC")
    assert found, "APP_SERVER_TSC names no compiler: run make test-typescript"
    return Path(found), Path(found).parents[1] / "@types"


@pytest.fixture
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of an example, without what somebody has built in it."""
    built = shutil.ignore_patterns("node_modules", "out", "wire")
    return Path(shutil.copytree(EXAMPLES / request.param, tmp_path / request.param, ignore=built))


async def compile_strictly(offline: Offline, example: Path, wire: str) -> None:
    generate_ts(example / wire, experimental=True)
    tsc, types = compiler()
    assert '"strict": true' in (example / "tsconfig.json").read_text()
    assert await offline.run(str(tsc), "--project", str(example), "--typeRoots", str(types)) == ""


@pytest.mark.parametrize("example", ["node-parent"], indirect=True)
async def test_the_parent_in_node_gives_fresh_tokens_and_carries_out_the_tool(offline: Offline, example: Path) -> None:
    await compile_strictly(offline, example, "wire")
    assert (await offline.run("node", str(example / "main.mjs"))).splitlines() == [
        "Logged in",
        "Hello, model [completed]",
        "(fresh tokens, because: unauthorized)",
        "(the model calls weather for Lisbon)",
        "The tool said: It rains in Lisbon. [completed]",
    ]


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ("no-such-program", "initialize: the server cannot be started: spawn no-such-program ENOENT"),
        ("exit 3", "initialize: the server ended with 3"),
        ("exec 0<&-; echo Welcome!; exit 0", "initialize: the server ended with 0"),
    ],
    ids=["missing", "ends", "deaf"],
)
async def test_the_parent_in_node_says_why_there_is_no_server(offline: Offline, server: str, told: str) -> None:
    command = [server] if " " not in server else ["sh", "-c", server]
    ended = await offline.ends("node", str(EXAMPLES / "node-parent" / "main.mjs"), *command)
    assert ended.returncode == 1
    assert ended.stderr.decode().splitlines()[-1] == told


async def test_the_parent_in_node_passes_over_what_is_no_message(offline: Offline) -> None:
    noisy = 'for each in null 42 Welcome! \'{"method":"turn/completed"}\'; do echo "$each"; done; exec app-server'
    printed = await offline.run("node", str(EXAMPLES / "node-parent" / "main.mjs"), "sh", "-c", noisy)
    assert printed.splitlines()[0] == "Logged in"


async def test_the_parent_in_node_takes_separators_of_unicode_for_text(offline: Offline) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        await http.post(f"{offline.url}/__fake__/script", json={"text": "one\u2028two\u2029three"})
    printed = await offline.run("node", str(EXAMPLES / "node-parent" / "main.mjs"))
    assert printed.split("\n")[1] == "one\u2028two\u2029three [completed]"


async def test_the_parent_in_node_ends_with_its_server_in_the_middle_of_a_turn(
    offline: Offline, tmp_path: Path
) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        await http.post(f"{offline.url}/__fake__/faults", json={"route": "responses", "hang_after_events": 5})
    noted = tmp_path / "pids"
    # What the command has started besides holds the pipe after its end.
    command = ["sh", "-c", f"sleep 90 & echo $! $$ > {noted}; exec app-server"]
    with anyio.fail_after(DEADLINE):
        async with await offline.start("node", str(EXAMPLES / "node-parent" / "main.mjs"), *command) as parent:
            assert parent.stdout is not None
            await BufferedByteReceiveStream(parent.stdout).receive_until(b"Hello", 1000)
            other, server = (int(pid) for pid in noted.read_text().split())
            try:
                os.kill(server, signal.SIGKILL)
                assert await parent.wait() == 1
            finally:
                os.kill(other, signal.SIGKILL)


async def test_a_refresh_that_fails_in_the_parent_in_node_is_told_with_its_reason(
    offline: Offline, tmp_path: Path
) -> None:
    shutil.copy(EXAMPLES / "node-parent" / "client.mjs", tmp_path)
    text = (EXAMPLES / "node-parent" / "main.mjs").read_text()
    broken = text.replace("      return freshTokens();", '      throw new Error("The token service is down.");')
    assert broken != text
    (tmp_path / "main.mjs").write_text(broken)
    ended = await offline.ends("node", str(tmp_path / "main.mjs"))
    assert ended.returncode == 1
    [told] = ended.stderr.decode().splitlines()
    assert told.endswith("The token service is down.")


@pytest.mark.parametrize("example", ["vscode"], indirect=True)
async def test_the_extension_compiles_and_its_logic_passes_its_own_tests(offline: Offline, example: Path) -> None:
    await compile_strictly(offline, example, "src/wire")
    scripts = json.loads((example / "package.json").read_text())["scripts"]
    node, *arguments = scripts["test"].rpartition("&& ")[2].split()
    told = await offline.run(node, "--test-reporter=tap", *arguments, cwd=example)
    assert "# pass 16\n# fail 0\n" in told
