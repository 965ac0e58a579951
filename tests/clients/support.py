"""Published clients at work, each in a process of its own, with a deadline around everything that they do.

They have no timeouts of their own, or long ones: what does not answer them would hang the tests. What a client does is
a function of ``programs``; the process that runs one after the other is ``worker``. Here is the test's end of it.
"""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import COMMAND, Json, environment

DEADLINE: Final = 60.0
"""Seconds for one program, the start of the client included; far more than it takes on a machine that is busy."""

_MAX_ANSWER: Final = 1024 * 1024
_SHOWN_OF_STDERR: Final = 4000


class ClientProcess:
    """A client's process, started when it is first needed; its servers are of the same process group.

    :param programs: module with what the client can be asked to do.
    :param log: where its stderr goes.
    """

    def __init__(self, programs: str, log: Path) -> None:
        self._programs = programs
        self._log = log
        self._process: Process | None = None

    async def run(self, program: str, client: Json) -> Any:
        """Let the client do something; what it says about it. A process that is late is killed, its servers as well.

        :param client: the members of ``worker.Task`` beside the program's name.
        """
        try:
            with anyio.fail_after(DEADLINE):
                answer = await self._ask({"program": program, **client})
        except (TimeoutError, anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError) as error:
            await self.kill()
            raise AssertionError(f"{program} did not come to its end: {error!r}\n{self._stderr()}") from None
        assert "failed" not in answer, f"{program} failed:\n{answer['failed']}\n{self._stderr()}"
        return answer["said"]

    async def kill(self) -> None:
        """End it and its servers at once."""
        process, self._process = self._process, None
        if process is None:
            return
        with anyio.CancelScope(shield=True):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.aclose()

    async def _ask(self, task: Json) -> Json:
        if self._process is None:
            with self._log.open("ab") as stderr:
                self._process = await anyio.open_process(
                    [sys.executable, "-m", "tests.clients.worker", self._programs],
                    stderr=stderr,
                    cwd=Path(__file__).parents[2],
                    start_new_session=True,
                )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdin.send(json.dumps(task).encode() + b"\n")
        line = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", _MAX_ANSWER)
        answer: Json = json.loads(line)
        return answer

    def _stderr(self) -> str:
        return self._log.read_text(errors="replace")[-_SHOWN_OF_STDERR:] if self._log.exists() else ""


@asynccontextmanager
async def client_process(programs: str, log: Path) -> AsyncIterator[ClientProcess]:
    """A client's process until the block is left."""
    client = ClientProcess(programs, log)
    try:
        yield client
    finally:
        await client.kill()


@dataclass(frozen=True, slots=True)
class Client:
    """A client whose servers take the fake for their upstream, and all have the same home.

    :param command: what starts a server, without the word ``app-server`` and what follows it.
    """

    process: ClientProcess
    fake: FakeOpenAI
    home: Path
    command: Sequence[str] = COMMAND

    async def __call__(self, program: str, **given: Any) -> Any:
        """What a program of the client says; ``given`` are its own arguments."""
        self.home.mkdir(parents=True, exist_ok=True)
        env = environment(self.home, {"NO_PROXY": "127.0.0.1", **self.fake.environment()})
        return await self.process.run(
            program,
            {
                "command": list(self.command),
                "overrides": self.fake.config_overrides(),
                "home": str(self.home),
                "env": env,
                "given": given,
            },
        )


EVENTS_UP_TO_THE_FIRST_DELTA: Final = 4
"""What the fake sends up to the first piece of a message."""


def pause_after_first_delta(fake: FakeOpenAI, text: str = "One two three") -> None:
    """The next answer stops after its first word, until the server lets go of it."""
    fake.script(text=text, deltas=len(text.split()))
    fake.fault("responses", hang_after_events=EVENTS_UP_TO_THE_FIRST_DELTA)


def bearers(fake: FakeOpenAI) -> list[str | None]:
    """With what the model was asked, each time."""
    return [request.bearer for request in fake.requests.of("responses")]


def told(fake: FakeOpenAI) -> list[tuple[str, str]]:
    """What the model was given last: who said what, without the context that comes before."""
    items = [item for item in fake.requests.of("responses")[-1].json["input"] if item["type"] == "message"]
    said = [(item["role"], "".join(part["text"] for part in item["content"])) for item in items]
    return [(role, text) for role, text in said if role != "developer" and not text.startswith("<environment_context>")]


def tool_outputs(fake: FakeOpenAI) -> dict[str, Any]:
    """What the model was told that its tools have said, by the id of the call."""
    items = fake.requests.of("responses")[-1].json["input"]
    return {item["call_id"]: item["output"] for item in items if item["type"] == "function_call_output"}
