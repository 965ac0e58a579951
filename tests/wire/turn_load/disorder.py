"""Everything that can happen to turns, at random: what the upstream does, the user, and the parent's tools."""

import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json
from tests.wire.conversations.support import LOOKUP, call, result, without_item_times
from tests.wire.turn_load.crashes import check_calls
from tests.wire.turn_load.support import FastServer, Heard, Listener, text_of_length
from tests.wire.turns.support import text_input

THREADS: Final = 12

STEP: Final = 0.01
"""Seconds between two things that happen, at most."""

FAULTS: Final[list[Json]] = [
    {"status": 500},
    {"status": 400},
    {"retry_after": 0.05},
    {"drop": True},
    {"drop_after_events": 0},
    {"drop_inside_event": 5},
    {"end_after_events": 12},
    {"end_inside_event": 3},
    {"hang_after_events": 8},
    {"hang": True},
    {"drop_after_bytes": 777},
]

ANSWERS: Final[list[Json]] = [
    {"result": result("found")},
    {"result": result("not found", success=False)},
    {"result": {"contentItems": "nonsense"}},
    {"error": {"code": -32000, "message": "no"}},
]


class Disorder:
    """Threads of one server, and what the client knows of them."""

    def __init__(self, fake: FakeOpenAI, chance: random.Random) -> None:
        self._fake = fake
        self._chance = chance
        self._numbers = itertools.count()
        self._done: Counter[str] = Counter()
        self._calls: list[Json] = []
        self._threads: list[str] = []
        self._accepted: dict[str, set[str]] = {}
        self._listener: Listener

    def summary(self) -> str:
        """What has happened."""
        statuses = Counter(turn["status"] for turn in self._listener.turns)
        return f"{dict(statuses)} after {dict(self._done)}"

    async def run(self, server: FastServer, seconds: float) -> None:
        """Let things happen for so long; then every turn that was begun ends, once."""
        self._listener = Listener(server, self._keep_call)
        params = {"modelProvider": "again", "dynamicTools": [LOOKUP]}
        self._threads = await self._listener.start_threads(THREADS, **params)
        self._accepted = {thread: set() for thread in self._threads}
        actions: list[tuple[Callable[[], Awaitable[None]], float]] = [
            (self._say, 6),
            (self._steer, 2),
            (self._interrupt, 1),
            (self._compact, 0.2),
            (self._answer, 6),
            (self._break, 1),
            (self._release, 1),
        ]
        kinds, weights = zip(*actions, strict=True)
        end = anyio.current_time() + seconds
        while anyio.current_time() < end:
            await self._listener.for_seconds(STEP * self._chance.random())
            (act,) = self._chance.choices(kinds, weights)
            await act()
            self._done[act.__name__.strip("_")] += 1
        await self._settle()

    async def check_stored(self, server: FastServer) -> None:
        """What another process reads is what was said."""
        listener = Listener(server)
        params = [{"threadId": thread, "includeTurns": True} for thread in self._threads]
        for answer in await listener.ask("thread/read", params):
            thread = answer["result"]["thread"]
            heard = self._listener.threads[thread["id"]]
            assert [turn["id"] for turn in thread["turns"]] == [turn["id"] for turn in heard.turns]
            for stored, told in zip(thread["turns"], heard.turns, strict=True):
                assert (stored["status"], stored["error"]) == (told["status"], told["error"])
                said = [without_item_times(item) for item in heard.items.get(told["id"], [])]
                assert [without_item_times(item) for item in stored["items"]] == said

    async def _settle(self) -> None:
        self._fake.clear_faults()
        for heard in self._listener.threads.values():
            await self._listener.until(lambda heard=heard: not running(heard))  # type: ignore[misc]
        await self._listener.nothing_more()
        for thread, heard in self._listener.threads.items():
            ended = [turn["id"] for turn in heard.turns]
            assert heard.begun == ended
            assert len(set(ended)) == len(ended)
            assert self._accepted[thread] <= set(ended)
        check_calls(self._fake)

    async def _keep_call(self, request: Json) -> None:
        self._calls.append(request)

    # What happens

    async def _say(self) -> None:
        thread = self._chance.choice(self._threads)
        number = next(self._numbers)
        marker = f"Number {number}!"
        if self._chance.random() < 0.4:
            calls = [call(f"call-{number}-{index}") for index in range(self._chance.randint(1, 3))]
            self._fake.script(contains=marker, tool_calls=calls)
        self._fake.script(
            contains=marker,
            text=text_of_length(40, f"{number}: "),
            deltas=40,
            delay=self._chance.choice([0.0, 0.0, 0.002]),
            chunk_bytes=self._chance.choice([None, None, 501]),
        )
        params = {"threadId": thread, "input": text_input(marker)}
        (answer,) = await self._listener.ask("turn/start", [params])
        if "result" in answer:
            self._accepted[thread].add(answer["result"]["turn"]["id"])
        self._note(answer)

    async def _steer(self) -> None:
        if (found := self._one_that_runs()) is not None:
            thread, turn_id = found
            given = text_input(f"And {next(self._numbers)}.")
            await self._ask("turn/steer", {"threadId": thread, "expectedTurnId": turn_id, "input": given})

    async def _interrupt(self) -> None:
        if (found := self._one_that_runs()) is not None:
            await self._ask("turn/interrupt", {"threadId": found[0], "turnId": found[1]})

    async def _compact(self) -> None:
        await self._ask("thread/compact/start", {"threadId": self._chance.choice(self._threads)})

    async def _answer(self) -> None:
        if self._calls:
            request = self._calls.pop(self._chance.randrange(len(self._calls)))
            if self._chance.random() < 0.9:  # else never
                await self._listener.server.send({"id": request["id"], **self._chance.choice(ANSWERS)})

    async def _break(self) -> None:
        self._fake.fault("responses", **self._chance.choice(FAULTS))

    async def _release(self) -> None:
        self._fake.release()

    async def _ask(self, method: str, params: Any) -> None:
        (answer,) = await self._listener.ask(method, [params])
        self._note(answer)

    def _note(self, answer: Json) -> None:
        if "error" in answer:
            assert answer["error"]["code"] == -32600, answer
            self._done["refused"] += 1

    def _one_that_runs(self) -> tuple[str, str] | None:
        found = [(thread, heard.begun[-1]) for thread, heard in self._listener.threads.items() if running(heard)]
        return self._chance.choice(found) if found else None


def running(heard: Heard) -> bool:
    """Whether a turn has begun and not ended."""
    return len(heard.begun) > len(heard.turns)
