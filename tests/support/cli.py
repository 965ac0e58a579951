"""The commands of people as people and scripts run them: as subprocesses, at the end of pipes or of a terminal.

Everything that waits has a deadline.
"""

import os
import pty
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import anyio
from anyio.abc import Process

from app_server.fake_openai.server import FakeOpenAI
from tests.support.forked import can_fork, fork_at_terminal, fork_with_pipes
from tests.support.server import COMMAND

DEADLINE = 20.0
"""Seconds for any one thing to happen; far more than it takes."""

_INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "PYTHONPATH", "COVERAGE_PROCESS_START", "SSL_CERT_DIR")

# It makes its standard input the terminal that Ctrl-C and questions come from, and becomes the command.
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything that anybody could read."""
        return self.out + self.err


class Running:
    """A command that runs, and what it has said so far."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.out = ""

    async def until(self, text: str) -> str:
        """Wait until the command has said this; returns everything so far."""
        assert self.process.stdout is not None
        with anyio.fail_after(DEADLINE):
            while text not in self.out:
                self.out += (await self.process.stdout.receive()).decode()
        return self.out

    async def type(self, text: str) -> None:
        """Write to its standard input."""
        assert self.process.stdin is not None
        await self.process.stdin.send(text.encode())

    async def close_input(self) -> None:
        """End its standard input."""
        assert self.process.stdin is not None
        await self.process.stdin.aclose()

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    async def outcome(self) -> Outcome:
        """Wait for the end."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        err = ""
        with anyio.fail_after(DEADLINE):
            async for chunk in self.process.stdout:
                self.out += chunk.decode()
            async for chunk in self.process.stderr:
                err += chunk.decode()
            return Outcome(await self.process.wait(), self.out, err)


class Terminal:
    """A command at a terminal, seen from its keyboard and its screen."""

    def __init__(self, process: Process, master: int) -> None:
        self.process = process
        self.screen = ""
        """Everything that was written to it."""
        self._master = master

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    async def until(self, text: str) -> str:
        """Wait until the screen has shown this; returns everything so far."""
        with anyio.fail_after(DEADLINE):
            while text not in self.screen:
                assert await self._read(), f"the terminal was closed; it had shown {self.screen!r}"
        return self.screen

    async def status(self) -> int:
        """Wait for the end; the exit status."""
        with anyio.fail_after(DEADLINE):
            while await self._read():
                pass
            return await self.process.wait()

    async def _read(self) -> bool:
        await anyio.wait_readable(self._master)
        try:
            chunk = os.read(self._master, 64 * 1024)
        except OSError:  # how Linux tells that nobody is left at the other end
            return False
        self.screen += chunk.decode()
        return bool(chunk)


class Commands:
    """Runs commands in one home, with the fake for their upstream.

    :param fake: None for an upstream that does not exist.
    """

    def __init__(self, fake: FakeOpenAI | None, home: Path) -> None:
        self.home = home
        self._overrides = ["app_server.login_callback_ports=[0]"]
        self._environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        self._environment |= {"CODEX_HOME": str(home), "NO_PROXY": "127.0.0.1", "TERM": "xterm"}
        nowhere = "http://127.0.0.1:1"
        if fake is not None:
            self._overrides += fake.config_overrides()
            self._environment |= fake.environment()
        else:
            self._overrides.append(f"chatgpt_base_url={nowhere}/backend-api")
            self._environment["CODEX_APP_SERVER_LOGIN_ISSUER"] = nowhere

    async def run(
        self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None, overrides: tuple[str, ...] = ()
    ) -> Outcome:
        """Run a command to its end.

        :param stdin: all of its standard input.
        :param overrides: further ``key=value`` for ``-c``.
        """
        async with self.running(*words, env=env, overrides=overrides) as command:
            if stdin:
                with suppress(anyio.BrokenResourceError):  # it may have ended without reading
                    await command.type(stdin)
            await command.close_input()
            return await command.outcome()

    @asynccontextmanager
    async def running(
        self, *words: str, env: Mapping[str, str] | None = None, overrides: tuple[str, ...] = ()
    ) -> AsyncIterator[Running]:
        """A command at the end of pipes."""
        arguments = self._arguments(words, overrides)
        process: Process
        if can_fork(env or {}):
            process = fork_with_pipes(arguments, self._env(env))
        else:
            process = await anyio.open_process([*COMMAND, *arguments], env=self._env(env))
        try:
            yield Running(process)
        finally:
            await _end(process)

    @asynccontextmanager
    async def at_terminal(
        self, *words: str, env: Mapping[str, str] | None = None, overrides: tuple[str, ...] = ()
    ) -> AsyncIterator[Terminal]:
        """A command at a terminal of its own."""
        arguments = self._arguments(words, overrides)
        master, slave = pty.openpty()
        try:
            try:
                process: Process
                if can_fork(env or {}):
                    process = fork_at_terminal(arguments, self._env(env), slave)
                else:
                    process = await anyio.open_process(
                        [sys.executable, "-c", _TAKE_TERMINAL, *COMMAND, *arguments],
                        stdin=slave,
                        stdout=slave,
                        stderr=slave,
                        env=self._env(env),
                        start_new_session=True,
                    )
            finally:
                os.close(slave)
            try:
                yield Terminal(process, master)
            finally:
                await _end(process)
        finally:
            os.close(master)

    def _arguments(self, words: tuple[str, ...], overrides: tuple[str, ...]) -> list[str]:
        options = [word for override in (*self._overrides, *overrides) for word in ("-c", override)]
        return [*options, *words]

    def _env(self, env: Mapping[str, str] | None) -> dict[str, str]:
        return {**self._environment, **(env or {})}


async def _end(process: Process) -> None:
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            process.kill()
        await process.aclose()


# The user, in a browser of this process


async def authorize(address: str) -> str:
    """Sign in at this address; the address that the browser is sent back to."""
    head, _ = await _get(address)
    location = [line for line in head.splitlines() if line.lower().startswith("location: ")]
    assert location, head
    return location[0].partition(": ")[2]


async def sign_in(address: str) -> str:
    """Sign in, and go where the browser is sent; the page there."""
    _, page = await _get(await authorize(address))
    return page


async def is_refused(address: str) -> bool:
    """Whether nobody listens there any more."""
    try:
        await _get(address)
    except OSError:
        return True
    return False


async def _get(address: str) -> tuple[str, str]:
    """The head and the body of the answer."""
    parts = urlsplit(address)
    answer = b""
    with anyio.fail_after(DEADLINE):
        async with await anyio.connect_tcp("127.0.0.1", parts.port or 80) as stream:
            lines = (f"GET {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close", "", "")
            await stream.send("\r\n".join(lines).encode())
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    answer += await stream.receive()
    head, _, body = answer.decode().partition("\r\n\r\n")
    return head, body


BROWSER = f"""#!{sys.executable}
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
with opener.open(sys.argv[1], timeout=10) as page, open(sys.argv[0] + ".page", "wb") as seen:
    seen.write(page.read())
"""
"""A browser that signs in at the fake, goes where it is sent, and keeps the page that it ends on."""


def browser(directory: Path, text: str = BROWSER) -> Path:
    """A program for ``$BROWSER``."""
    path = directory / "browser"
    path.write_text(text)
    path.chmod(0o755)
    return path


def was_opened(browser: Path) -> bool:
    """Whether the browser has been anywhere."""
    return Path(f"{browser}.page").exists()


def page_of(browser: Path) -> str:
    """The page that the browser has ended on."""
    return Path(f"{browser}.page").read_text()
