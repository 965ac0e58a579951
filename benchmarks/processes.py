"""A server under measurement, spoken to over real pipes by blocking calls, with nothing between it and the clock.

This is a client of its own that shares no code with the server. What is measured stands in ``rows``; reading /proc
stands in ``procfs``.
"""

import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

DEADLINE: Final = 60.0
"""Seconds for any one thing to happen."""

INITIALIZE: Final = (
    b'{"id":0,"method":"initialize","params":{"clientInfo":{"name":"bench","version":"1"},'
    b'"capabilities":{"experimentalApi":true}}}\n'
)
ACCOUNT_READ: Final = b'{"id":1,"method":"account/read","params":{}}\n'

Json = dict[str, Any]

_CLOSED_PORT: Final = "http://127.0.0.1:9"
_LEFT_OUT: Final = ("CODEX_", "OPENAI_", "APP_SERVER_", "PYTHON")


class MeasurementFailed(Exception):
    """A server did something with which nothing can be measured."""


@dataclass(frozen=True)
class Subject:
    """A program to measure.

    :param name: ``ours`` or ``peer``.
    :param home: its CODEX_HOME, kept from start to start as a user's is.
    """

    name: str
    command: tuple[str, ...]
    home: Path

    @property
    def workspace(self) -> Path:
        """An empty directory for its threads to work in."""
        return self.home.with_suffix(".workspace")

    @property
    def log(self) -> Path:
        """Where its stderr goes."""
        return self.home.with_suffix(".log")


class Server:
    """A running server and the two pipes to it."""

    def __init__(self, subject: Subject, pid: int, stdin: int, stdout: int, started: float) -> None:
        self.pid = pid
        self.workspace = subject.workspace
        self.stdin = stdin
        self.stdout = stdout
        self._name = subject.name
        self._log = subject.log
        self._started = started
        self._rest = b""
        self._lines: list[bytes] = []

    def seconds(self) -> float:
        """How long ago it was started."""
        return time.perf_counter() - self._started

    def send(self, data: bytes) -> None:
        """Write all of it."""
        view = memoryview(data)
        while view:
            view = view[os.write(self.stdin, view) :]

    def read(self) -> bytes:
        """What there is to read, at least one byte.

        :raises MeasurementFailed: nothing came within the deadline, or the output has ended.
        """
        poller = select.poll()
        poller.register(self.stdout, select.POLLIN)
        if not poller.poll(DEADLINE * 1000):
            raise MeasurementFailed(f"{self._name} said nothing for {DEADLINE:.0f} s")
        chunk = os.read(self.stdout, 1 << 20)
        if not chunk:
            raise MeasurementFailed(f"{self._name} ended too early; its last words:\n{self._last_words()}")
        return chunk

    def line(self) -> bytes:
        """The next line."""
        while not self._lines:
            *lines, self._rest = (self._rest + self.read()).split(b"\n")
            self._lines = lines
        return self._lines.pop(0)

    def wait_for(self, wanted: Callable[[Json], bool], on_request: Callable[[Json], Json] | None = None) -> Json:
        """The first message for which ``wanted`` holds; those before it are dropped.

        :param on_request: gives the result for each request that the server makes meanwhile.
        """
        while True:
            message: Json = json.loads(self.line())
            if on_request is not None and "method" in message and "id" in message:
                self.send(_line({"id": message["id"], "result": on_request(message)}))
            elif wanted(message):
                return message

    def answer(self, request_id: int) -> Json:
        """The result of the request with this id.

        :raises MeasurementFailed: it is an error.
        """
        message = self.wait_for(lambda message: message.get("id") == request_id and "method" not in message)
        if "result" not in message:
            raise MeasurementFailed(f"request {request_id} failed: {message}")
        result: Json = message["result"]
        return result

    def _last_words(self) -> str:
        return self._log.read_text(errors="replace")[-1000:]

    def request(self, request_id: int, method: str, params: Json) -> Json:
        """Ask, and wait for the result."""
        self.send(request_line(request_id, method, params))
        return self.answer(request_id)


@contextlib.contextmanager
def running(subject: Subject, options: Sequence[str] = (), first: bytes = INITIALIZE) -> Iterator[Server]:
    """A started server, ended when the block is left.

    :param options: appended to the command.
    :param first: stands in its standard input before it starts; must fit into a pipe.
    """
    theirs_in, stdin = os.pipe()
    stdout, theirs_out = os.pipe()
    os.write(stdin, first)
    command = [*subject.command, *options]
    env = environment(subject.home)
    try:
        with subject.log.open("wb") as log:
            started = time.perf_counter()
            process = subprocess.Popen(command, stdin=theirs_in, stdout=theirs_out, stderr=log, env=env)
    except OSError as error:
        raise MeasurementFailed(f"{command[0]} cannot be started: {error.strerror}") from None
    finally:
        os.close(theirs_in)
        os.close(theirs_out)
    try:
        yield Server(subject, process.pid, stdin, stdout, started)
    finally:
        os.close(stdin)
        end(process)
        os.close(stdout)


def warm_up(subject: Subject) -> str:
    """Start it once, so that byte code is compiled and its home is laid out, as after any first use.

    :returns: its userAgent.
    """
    with running(subject, first=INITIALIZE + ACCOUNT_READ) as server:
        user_agent = str(server.answer(0)["userAgent"])
        server.answer(1)
    return user_agent


def environment(home: Path) -> dict[str, str]:
    """The same environment for every program: none of the user's settings, and no way out of this machine."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_LEFT_OUT) and not name.lower().endswith("_proxy")
    }
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _CLOSED_PORT)
    homes = {"HOME": str(home), "CODEX_HOME": str(home)}
    return {**kept, **proxies, **homes, "NO_PROXY": "127.0.0.1,localhost"}


def request_line(request_id: int, method: str, params: Json) -> bytes:
    """A request as it stands on the wire."""
    return _line({"id": request_id, "method": method, "params": params})


def _line(message: Json) -> bytes:
    return json.dumps(message).encode() + b"\n"


def end(process: "subprocess.Popen[bytes]") -> None:
    """Wait for a process that was told to end; one that does not is killed."""
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
