"""The programs of the README do what it says, copied out of it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
DEADLINE = 60


def program(language: str) -> str:
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1
    return blocks[0]


def run(command: list[str], home: Path) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "CODEX_HOME": str(home), "PATH": path}
    ended = subprocess.run(
        command, env=environment, cwd=home, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_python_program_logs_in_and_shows_the_account(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(program("python"))
    printed = run([sys.executable, "-m", "parent"], tmp_path)
    assert printed.startswith('{"account":{"type":"apiKey"}')


@pytest.mark.tsc
def test_the_node_program_shows_the_handshake_and_the_account(tmp_path: Path) -> None:
    (tmp_path / "parent.mjs").write_text(program("js"))
    printed = run(["node", "parent.mjs"], tmp_path)
    assert "userAgent: 'my-editor/" in printed
    assert "requiresOpenaiAuth: true" in printed
