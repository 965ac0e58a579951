"""The examples as people run them: the offline upstream in one process, the example in another one, and between them
nothing but the environment that the first one prints.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import httpx2
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

EXAMPLES = Path(__file__).parents[2] / "examples"
DEADLINE = 30
"""Seconds for any one thing to happen."""


@dataclass(frozen=True)
class Offline:
    """An upstream, and the environment that leads there."""

    environment: dict[str, str]

    @property
    def url(self) -> str:
        return self.environment["CODEX_APP_SERVER_LOGIN_ISSUER"]

    async def asked(self, route: str) -> int:
        """How often something was asked for."""
        async with httpx2.AsyncClient(trust_env=False) as http:
            recorded = (await http.get(f"{self.url}/__fake__/requests", params={"route": route})).json()
        return len(recorded["requests"])

    async def start(self, *command: str) -> Process:
        """A program in that environment. What it writes to stderr is shown if the test fails."""
        return await anyio.open_process(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=None, env=self.environment
        )

    async def ends(self, *command: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[bytes]":
        """How a program ends, and what it printed."""
        with anyio.fail_after(DEADLINE):
            return await anyio.run_process(command, env=self.environment, cwd=cwd, check=False)

    async def run(self, *command: str, cwd: Path | None = None) -> str:
        """What a program prints that must end well."""
        ended = await self.ends(*command, cwd=cwd)
        assert ended.returncode == 0, (ended.stdout + ended.stderr).decode()
        return ended.stdout.decode()


@pytest.fixture
async def offline(tmp_path: Path) -> AsyncIterator[Offline]:
    """What ``app-server fake-openai --home DIR`` leads to."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CODEX_", "OPENAI_"))}
    environment = {**inherited, "PATH": path, "NO_PROXY": "127.0.0.1"}
    command = ["app-server", "fake-openai", "--home", str(tmp_path / "home")]
    async with await anyio.open_process(command, stdin=subprocess.DEVNULL, stderr=None, env=environment) as process:
        assert process.stdout is not None
        with anyio.fail_after(DEADLINE):
            exports = await BufferedByteReceiveStream(process.stdout).receive_until(b"# app-server", 10_000)
        yield Offline(environment | dict(exported(exports.decode().splitlines())))
        process.terminate()


def exported(lines: Sequence[str]) -> list[tuple[str, str]]:
    """The variables that a shell would have after these lines."""
    assignments = [shlex.split(line)[1] for line in lines if line.startswith("export ")]
    return [(name, value) for name, _, value in (each.partition("=") for each in assignments)]
