"""The examples for Node and VS Code are accepted by ``tsc --strict`` and do what they say.

Runs with ``pytest -m tsc`` only (make test-typescript), which brings the compiler and the types of Node and VS Code.
"""

import os
import shutil
from pathlib import Path

import pytest

from protocol.export import generate_ts
from tests.examples.conftest import EXAMPLES, Offline

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


@pytest.mark.parametrize("example", ["vscode"], indirect=True)
async def test_the_extension_compiles_and_its_logic_passes_its_own_tests(offline: Offline, example: Path) -> None:
    await compile_strictly(offline, example, "src/wire")
    told = await offline.run("node", "--test", "out/test/", cwd=example)
    assert "# pass 5\n# fail 0\n" in told
