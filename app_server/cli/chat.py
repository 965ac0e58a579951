"""``app-server demo --chat``: a person types, the fake model repeats it piece by piece, and what the server says to its
parent can be watched.

The server runs in this process, so that Ctrl-C reaches the person's turn and not the server. What is typed while an
answer is under way waits for its end, except for what is meant for the running turn: ``/interrupt`` and ``/steer``.
"""

import os
import signal
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from app_server.cli.console import Console
from app_server.cli.demo_parent import DemoParent
from app_server.cli.narration import Narrator
from app_server.cli.own_server import INTERRUPTED, leaves
from app_server.cli.own_server import run as run_to_the_end
from app_server.client import FollowedTurn, OpenThread, ServerError, ServerGone, in_process
from app_server.config import load_configuration
from app_server.fake_openai.server import FakeOpenAI
from app_server.logs import LEVEL_VARIABLE, configure_logging
from app_server.version import __version__
from protocol.thread import ThreadStartParams

PROMPT: Final = "you> "

HELP: Final = """\
  TEXT           the model repeats it, with a tool's help or without
  /tool TEXT     the model calls the tool that this program lends it, which puts the text into capitals
  /expire        the token expires: what you say next meets 401, and the server asks this program for another one
  /steer TEXT    more for the answer that is under way
  /interrupt     end the answer that is under way; so does Ctrl-C
  /help          this
  /quit          leave; so do the end of the input, and Ctrl-C where no answer is under way"""

_SHOWN: Final = frozenset({"turn/start", "turn/steer", "turn/interrupt", "thread/start"})
"""Requests whose sending is told of, beside everything that the server says."""

_MAX_WAITING: Final = 64
"""Lines that are typed ahead; more are left in the terminal."""

_SECONDS_PER_ANSWER: Final = 1.5
"""About how long a long answer takes, so that there is time to watch it and to break in."""

_SECONDS_PER_PIECE: Final = 0.1
"""At most."""

_MAX_PIECES: Final = 30


def run() -> int:
    """Talk until the person leaves; returns the exit status."""
    configure_logging({LEVEL_VARIABLE: "error", **os.environ})
    return run_to_the_end(_run, Console())


async def _run(console: Console) -> int:
    with tempfile.TemporaryDirectory() as home:
        async with FakeOpenAI.running() as fake:
            parent = DemoParent(fake, "capitals", "Puts a text into capitals.", "text", str.upper)
            environ = {**_without_ours(os.environ), **fake.environment(), "CODEX_HOME": home}
            environ["NO_PROXY"] = "127.0.0.1"
            configuration = load_configuration(fake.config_overrides(), environ)
            trace = Narrator(console, _is_told)
            async with in_process(configuration, handlers=parent.handlers, trace=trace) as client:
                await client.initialize("app-server-chat", __version__)
                await parent.log_in(client)
                console.say("An offline model that repeats what you say. /help tells what else there is.\n")
                thread = await client.start_thread(ThreadStartParams(dynamic_tools=parent.tools))
                try:
                    return await _Chat(console, fake, thread).run()
                except* (ServerError, ServerGone, TimeoutError) as errors:
                    for error in leaves(errors):
                        console.fail(str(error))
    return 1


def _without_ours(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would point the server somewhere else, or log it in."""
    return {name: value for name, value in environ.items() if not name.startswith(("CODEX_", "APP_SERVER_"))}


def _is_told(direction: str, message: dict[str, Any]) -> bool:
    if direction == "sent":
        return message.get("method") in _SHOWN or "method" not in message
    return "method" in message and not message["method"].startswith(("account/login/", "account/updated"))


class _Chat:
    def __init__(self, console: Console, fake: FakeOpenAI, thread: OpenThread) -> None:
        self._console = console
        self._fake = fake
        self._thread = thread
        self._turn: FollowedTurn | None = None
        self._interrupting = False
        self._status = 0

    async def run(self) -> int:
        """Talk; returns the exit status."""
        into, lines = anyio.create_memory_object_stream[str](_MAX_WAITING)
        with into, lines:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch_interrupts, tasks.cancel_scope)
                tasks.start_soon(self._read, into)
                await self._talk(lines)
                tasks.cancel_scope.cancel()
        return self._status

    async def _talk(self, lines: MemoryObjectReceiveStream[str]) -> None:
        while True:
            self._console.begin(PROMPT)
            try:
                line = await lines.receive()
            except anyio.EndOfStream:
                self._console.close_line()
                return
            if self._console.in_line:  # nobody saw it typed
                self._console.end(line)
            word, _, rest = line.strip().partition(" ")
            match word:
                case "/quit":
                    return
                case "/help":
                    self._console.say(HELP)
                case "/expire":
                    self._fake.expire_tokens()
                    self._console.say("  The token has expired. Say something.")
                case "/tool" if rest:
                    self._fake.script(tool_calls=[{"name": "capitals", "arguments": {"text": rest}}])
                    await self._say(f"Put this into capitals: {rest}")
                case "/interrupt" | "/steer":
                    self._console.say("  No answer is under way.")
                case _ if word.startswith("/"):
                    self._console.say("  /help tells which commands there are, and what they need.")
                case _ if word:
                    await self._say(line.strip())

    async def _say(self, text: str) -> None:
        self._script_answer(text)
        self._turn = await self._thread.ask(text)
        try:
            await self._turn.completed()
        finally:
            self._turn, self._interrupting = None, False
        self._console.say()

    def _script_answer(self, text: str) -> None:
        pieces = min(_MAX_PIECES, max(1, len(text.split())))
        self._fake.script(deltas=pieces, delay=min(_SECONDS_PER_PIECE, _SECONDS_PER_ANSWER / pieces))

    async def _read(self, into: MemoryObjectSendStream[str]) -> None:
        """Take in what is typed, also while an answer is under way."""
        with into:
            while (line := await self._console.line()) is not None:
                word, _, rest = line.strip().partition(" ")
                if self._turn is not None and word == "/interrupt":
                    await self._interrupt()
                elif self._turn is not None and word == "/steer" and rest:
                    self._script_answer(rest)
                    with suppress(ServerError):  # it has just ended
                        await self._turn.steer(rest)
                else:
                    await into.send(line)

    async def _interrupt(self) -> None:
        if self._turn is not None:
            self._interrupting = True
            with suppress(ServerError):  # it has just ended
                await self._turn.interrupt()

    async def _watch_interrupts(self, everything: anyio.CancelScope) -> None:
        try:
            with anyio.open_signal_receiver(signal.SIGINT) as signals:
                async for _ in signals:
                    if self._turn is None or self._interrupting:
                        self._status = INTERRUPTED
                        self._console.close_line()
                        everything.cancel()
                    else:
                        await self._interrupt()
        except NotImplementedError:  # Windows
            return
