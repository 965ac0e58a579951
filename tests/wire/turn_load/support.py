"""Many turns, or long ones: what is said of them, sorted by thread, and what they cost the server's process.

How one turn goes is the business of ``tests.wire.turns``.
"""

import os
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import orjson

from tests.support.server import DEADLINE, Json, ServerProcess
from tests.wire.turns.support import COMPLETED, DELTA, text_input, thread_of, turn_of

MIB: Final = 1024 * 1024

LIMIT: Final = 120.0
"""Seconds for a whole load, on a machine that is busy with other tests."""

WORDS: Final = ("plain ", "naïve ", "日本語 ", "🦆🪶 ", '\\" \n', "e\u0301 ")
"""Characters of one to four bytes, and those that JSON escapes."""

Requests = Callable[[Json], Awaitable[Json | None]]
"""What the parent says to a request of the server: a result; nothing, for now, with None."""


def text_of_length(pieces: int, name: str = "") -> str:
    """A text of so many words that repeat nowhere: whatever is lost or out of order changes it."""
    return name + "".join(f"{number:x}{WORDS[number % len(WORDS)]}" for number in range(pieces))


class FastServer(ServerProcess):
    """A server under test whose lines can be had all at once: a deadline for each costs more than to read it."""

    async def lines(self) -> list[bytes]:
        """The lines that have come, at least one."""
        with anyio.fail_after(DEADLINE):
            while not self._lines:
                self._keep(await self.output.receive())
        lines = list(self._lines)
        self._lines.clear()
        return lines


@dataclass
class Heard:
    """What was said of one thread.

    :param pieces: of the model's messages, in order.
    :param texts: the model's messages that were completed.
    :param turns: as they ended, in order.
    :param items: those that were completed, by turn.
    :param begun: the turns that were said to begin.
    :param late: what was said of a turn after its end.
    """

    pieces: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    turns: list[Json] = field(default_factory=list)
    items: dict[str, list[Json]] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    late: list[Json] = field(default_factory=list)

    @property
    def streamed(self) -> str:
        """The pieces together."""
        return "".join(self.pieces)

    @property
    def statuses(self) -> list[str]:
        """How its turns ended."""
        return [turn["status"] for turn in self.turns]


class Listener:
    """Hears everything that a server says. To be asked from one task at a time.

    :param on_request: answers the server's requests; without it, one is a failure.
    """

    def __init__(self, server: FastServer, on_request: Requests | None = None) -> None:
        self.server = server
        self.threads: defaultdict[str, Heard] = defaultdict(Heard)
        self.answers: dict[Any, Json] = {}
        self.notices: list[Json] = []
        """Notifications that are about no turn."""
        self._on_request = on_request
        self._next_id = 0
        self._over: set[str] = set()
        self._lines: deque[bytes] = deque()

    @property
    def turns(self) -> list[Json]:
        """All turns that have ended."""
        return [turn for heard in self.threads.values() for turn in heard.turns]

    async def until(self, done: Callable[[], bool], limit: float = LIMIT) -> None:
        """Hear on until this holds."""
        with anyio.fail_after(limit):
            while not done():
                if not self._lines:
                    self._lines.extend(await self.server.lines())
                while self._lines:
                    await self._take(orjson.loads(self._lines.popleft()))

    async def until_ended(self, turns: int, limit: float = LIMIT) -> None:
        """Hear on until so many turns have ended since this listener exists."""
        await self.until(lambda: len(self._over) >= turns, limit)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Hear everything that is said meanwhile."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.until, lambda: False)
            yield
            tasks.cancel_scope.cancel()

    async def for_seconds(self, seconds: float) -> None:
        """Hear on for so long."""
        with anyio.move_on_after(seconds):
            await self.until(lambda: False)

    async def to_the_end(self) -> None:
        """Hear what a server that has died has said; the last line may have no end."""
        with suppress(anyio.EndOfStream):
            await self.until(lambda: False)

    async def ask(self, method: str, params: Iterable[Any]) -> list[Json]:
        """Send requests at once, and hear on until all have been answered; the answers in the order of the requests."""
        ids = [await self.send(method, one) for one in params]
        await self.until(lambda: all(request_id in self.answers for request_id in ids))
        return [self.answers.pop(request_id) for request_id in ids]

    async def send(self, method: str, params: Any) -> str:
        """Send a request; its id."""
        self._next_id += 1
        request_id = f"load-{self._next_id}"
        await self.server.send({"id": request_id, "method": method, "params": params})
        return request_id

    async def start_threads(self, count: int, **params: Any) -> list[str]:
        """Begin threads; their ids."""
        answers = await self.ask("thread/start", [params] * count)
        return [answer["result"]["thread"]["id"] for answer in answers]

    async def begin(self, threads: Sequence[str], texts: Sequence[str]) -> list[str]:
        """Begin a turn in each thread, at once; the ids of the turns."""
        params = [{"threadId": thread, "input": text_input(text)} for thread, text in zip(threads, texts, strict=True)]
        answers = await self.ask("turn/start", params)
        return [answer["result"]["turn"]["id"] for answer in answers]

    async def nothing_more(self) -> None:
        """Once everything has been answered, nothing was said of any turn after its end."""
        await self.ask("getAuthStatus", [{}])
        assert [late for heard in self.threads.values() for late in heard.late] == []

    async def _take(self, message: Json) -> None:
        method = message.get("method")
        if method is None:
            assert message["id"] not in self.answers, message
            self.answers[message["id"]] = message
        elif "id" in message:
            assert self._on_request is not None, message
            result = await self._on_request(message)
            if result is not None:
                await self.server.send({"id": message["id"], "result": result})
        else:
            self._hear(method, message)

    def _hear(self, method: str, message: Json) -> None:
        turn_id = turn_of(message)
        if turn_id is None:
            self.notices.append(message)
            return
        params, heard = message["params"], self.threads[str(thread_of(message))]
        if turn_id in self._over:
            heard.late.append(message)
        elif method == DELTA:
            heard.pieces.append(params["delta"])
        elif method == "turn/started":
            heard.begun.append(turn_id)
        elif method == "item/completed":
            heard.items.setdefault(turn_id, []).append(params["item"])
            if params["item"]["type"] == "agentMessage":
                heard.texts.append(params["item"]["text"])
        elif method == COMPLETED:
            self._over.add(turn_id)
            heard.turns.append(params["turn"])


async def one_turn(listener: Listener, thread: str, text: str = "Hello") -> Heard:
    """A turn from its beginning to its end."""
    heard = listener.threads[thread]
    before = len(heard.turns)
    await listener.begin([thread], [text])
    await listener.until(lambda: len(heard.turns) > before)
    return heard


# What the process costs


def memory(server: ServerProcess, name: str = "VmRSS") -> int:
    """Bytes that the process has now, or with ``VmHWM`` the most so far."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024


def cpu_seconds(server: ServerProcess) -> float:
    """CPU time of all its threads so far; one that has ended no longer counts."""
    tasks = Path(f"/proc/{server.process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def io_counts(server: ServerProcess) -> dict[str, int]:
    """Calls of read(2) and write(2) so far and their bytes: files and pipes, not sockets."""
    lines = Path(f"/proc/{server.process.pid}/io").read_text().splitlines()
    counts = {name: int(value) for name, value in (line.split(": ") for line in lines)}
    return {name: counts[name] for name in ("syscr", "syscw", "rchar", "wchar")}


def open_files(server: ServerProcess) -> list[str]:
    """What its descriptors are, connections aside: some of them are kept for the next turn."""
    links = [os.readlink(path) for path in Path(f"/proc/{server.process.pid}/fd").iterdir()]  # noqa: PTH115 - text
    return sorted(link.partition(":")[0] for link in links if not link.startswith("socket:"))
