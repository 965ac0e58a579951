"""Servers that are killed in the middle of turns, over and over, and what the next one finds."""

import itertools
import random
from dataclasses import dataclass, field

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json
from tests.wire.conversations.support import LOOKUP, TOOL_CALL, call, result, without_item_times
from tests.wire.turn_load.conftest import Start
from tests.wire.turn_load.support import FastServer, Heard, Listener, text_of_length
from tests.wire.turns.support import RESPONSES

THREADS = 4

SECONDS = 0.6
"""Within which the server dies, counted from when the turns were asked for; most turns are shorter."""

PIECES = 30

PACE = 0.003
"""Seconds between the pieces of an answer, so that there is a middle."""


@dataclass
class Known:
    """What clients have been told of a thread, over all servers.

    :param turns: those that have ended and how, in order.
    :param items: those that were completed, by turn.
    :param accepted: the turns that were begun.
    """

    turns: dict[str, Json] = field(default_factory=dict)
    items: dict[str, list[Json]] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)

    def note(self, heard: Heard) -> None:
        """Take over what one server has said."""
        self.turns |= {turn["id"]: turn for turn in heard.turns}
        self.items |= heard.items
        self.accepted += heard.begun

    def check(self, thread: Json) -> None:
        """What is stored is what was said; a turn whose end nobody has heard is there as far as it got."""
        stored = {turn["id"]: turn for turn in thread["turns"]}
        assert len(stored) == len(thread["turns"])
        for turn_id in self.accepted:
            assert turn_id in stored, (turn_id, list(stored))
            found = [without_item_times(item) for item in stored[turn_id]["items"]]
            told = [without_item_times(item) for item in self.items.get(turn_id, [])]
            if (ended := self.turns.get(turn_id)) is not None:
                assert (stored[turn_id]["status"], stored[turn_id]["error"]) == (ended["status"], ended["error"])
                assert found == told
            else:
                assert stored[turn_id]["status"] in ("interrupted", "completed")
                # What has been written when a server dies can be more than what it has said.
                assert found[: len(told)] == told


class Crashes:
    """Threads that outlive their servers.

    :param chance: of when the servers die.
    """

    def __init__(self, fake: FakeOpenAI, start: Start, chance: random.Random) -> None:
        self._fake = fake
        self._start = start
        self._chance = chance
        self._known: dict[str, Known] = {}
        self._numbers = itertools.count()
        self._answered = 0.7
        """How many of the calls the parent answers; the server dies while it waits for the others."""
        self.in_the_middle = 0
        """Turns whose end nobody has heard."""
        self.ended = 0

    async def run(self, kills: int) -> None:
        """So many servers die; the next one dies when all turns have gone well, and the last finds them whole."""
        for _ in range(kills):
            async with self._start(forked=True) as server:
                listener = await self._begin(server)
                await listener.for_seconds(SECONDS * self._chance.random())
                await self._die(listener)
        self._answered = 1.0
        async with self._start(forked=True) as server:
            listener = await self._begin(server)
            await listener.until_ended(THREADS)
            assert {turn["status"] for turn in listener.turns} == {"completed"}
            await self._die(listener)
        check_calls(self._fake)
        async with self._start(forked=True) as server:
            await self._resume(Listener(server))

    async def _begin(self, server: FastServer) -> Listener:
        listener = Listener(server, self._answer)
        await self._resume(listener)
        for thread in await listener.start_threads(THREADS - len(self._known), dynamicTools=[LOOKUP]):
            self._known[thread] = Known()
        await listener.begin(list(self._known), self._ask(f"Tell me for the {next(self._numbers)}. time"))
        return listener

    async def _die(self, listener: Listener) -> None:
        server = listener.server
        server.process.kill()
        await listener.to_the_end()
        await server.exit_status()

        for thread, known in self._known.items():
            heard = listener.threads[thread]
            known.note(heard)
            self.ended += len(heard.turns)
            self.in_the_middle += len(heard.begun) - len(heard.turns)

    async def _resume(self, listener: Listener) -> None:
        answers = await listener.ask("thread/resume", [{"threadId": thread} for thread in self._known])
        for answer, known in zip(answers, self._known.values(), strict=True):
            assert "result" in answer, answer
            known.check(answer["result"]["thread"])

    async def _answer(self, request: Json) -> Json | None:
        """The parent's tool."""
        assert request["method"] == TOOL_CALL
        return result("found") if self._chance.random() < self._answered else None

    def _ask(self, text: str) -> list[str]:
        """What the user says in each thread; the answer is a call of a tool, and then a text, at a pace at which there
        is a middle."""
        check_calls(self._fake)
        self._fake.reset()
        said = [f"{text}, {number}." for number in range(THREADS)]
        for number, one in enumerate(said):
            answer = text_of_length(PIECES, f"{number}: ")
            self._fake.script(contains=one, tool_calls=[call(f"call-{next(self._numbers)}")])
            self._fake.script(contains=one, reasoning="Let me see", text=answer, deltas=PIECES, delay=PACE)
        return said


def check_calls(fake: FakeOpenAI) -> None:
    """Every call of a tool that the model is reminded of has its output: without one, the request would be refused."""
    for request in fake.requests.of(RESPONSES):
        items = request.json["input"]
        called = [item["call_id"] for item in items if item["type"] == "function_call"]
        answered = [item["call_id"] for item in items if item["type"] == "function_call_output"]
        assert sorted(called) == sorted(answered), items
