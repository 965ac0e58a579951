"""What a turn costs grows neither with the age of the process nor with the number of stored threads, and a list of
10,000 of them stays interactive (issue 4, section 3)."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.wire.turn_load.conftest import Start, load_server
from tests.wire.turn_load.support import FastServer, Listener, cpu_seconds, io_counts, one_turn

SAMPLE: Final = 10
"""Turns that are measured together, so that the clock of the scheduler is fine enough."""

OLD: Final = 280
"""Turns after which a process is old."""

AT_MOST: Final = 3.0
"""How much more CPU time an old turn may take: more than the noise, less than whatever grows."""

INTERACTIVE: Final = 10.0
"""Seconds until a list of 10,000 comes, on a machine that is busy: 2 s without an index, 0.1 s with one."""


@dataclass(frozen=True)
class Cost:
    """Of so many turns, each in a thread of its own.

    :param cpu: seconds.
    :param io: calls of read(2) and write(2), and their bytes.
    """

    cpu: float
    io: dict[str, int]

    def check_grows_not(self, later: "Cost") -> None:
        """The counts are the same but for how they happen to be batched; for the time there are generous limits."""
        for name, count in self.io.items():
            assert later.io[name] < 1.2 * count + 2 * SAMPLE, (name, self, later)
        assert later.cpu < AT_MOST * self.cpu, (self, later)


async def turns(listener: Listener, count: int) -> None:
    """So many turns, one after the other, each in a new thread."""
    for _ in range(count):
        (thread,) = await listener.start_threads(1)
        assert (await one_turn(listener, thread)).statuses == ["completed"]


async def turns_at_once(listener: Listener, count: int) -> None:
    """The same at once, which is faster."""
    threads = await listener.start_threads(count)
    before = len(listener.turns)
    await listener.begin(threads, ["Hello"] * count)
    await listener.until_ended(before + count)


async def cost_of_turns(listener: Listener) -> Cost:
    """What a sample costs now: the cheapest of some, because others use the machine too."""
    return min([await cost_of_sample(listener) for _ in range(3)], key=lambda cost: cost.cpu)


async def cost_of_sample(listener: Listener) -> Cost:
    cpu, io = cpu_seconds(listener.server), io_counts(listener.server)
    await turns(listener, SAMPLE)
    after = io_counts(listener.server)
    return Cost(cpu_seconds(listener.server) - cpu, {name: count - io[name] for name, count in after.items()})


async def cost_in_new_process(start: Start) -> Cost:
    """What a sample costs once everything has been imported."""
    async with start() as server:
        listener = Listener(server)
        await turns(listener, 5)
        return await cost_of_turns(listener)


def store_threads(home: Path, template: Path, count: int) -> list[str]:
    """Multiply a stored thread; the ids of the copies, oldest first."""
    text, original = template.read_text(), template.stem[-36:]
    ids = []
    for number in range(count):
        day = number * 28 // count + 1
        thread_id = f"019b0000-{number:04x}-7000-8000-{number:012x}"
        directory = home / "sessions" / "2026" / "01" / f"{day:02}"
        directory.mkdir(parents=True, exist_ok=True)
        stamp = f"2026-01-{day:02}T00-00-{number % 60:02}"
        (directory / f"rollout-{stamp}-{thread_id}.jsonl").write_text(text.replace(original, thread_id))
        ids.append(thread_id)
    return ids


@pytest.mark.soak
async def test_a_turn_in_an_old_process_costs_what_one_in_a_young_process_does(measured_server: FastServer) -> None:
    listener = Listener(measured_server)
    await turns(listener, 5)

    young = await cost_of_turns(listener)
    for _ in range(4):
        await turns_at_once(listener, (OLD - 5 - 3 * SAMPLE) // 4)
    old = await cost_of_turns(listener)

    young.check_grows_not(old)


@pytest.mark.parametrize("stored", [1_000, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_with_many_stored_threads_a_turn_costs_the_same_and_they_are_listed_soon(
    fake: FakeOpenAI, tmp_path: Path, stored: int
) -> None:
    home, start = tmp_path / "home", partial(load_server, fake)
    alone = await cost_in_new_process(partial(start, home))
    template = next(home.glob("sessions/**/*.jsonl"))
    full = tmp_path / "full"
    ids = store_threads(full, template, stored)

    alone.check_grows_not(await cost_in_new_process(partial(start, full)))

    async with start(full) as server:
        await first_page(server, ids)  # there is no index yet
        await first_page(server, ids)
        listener = Listener(server)
        await turns(listener, 5)
        alone.check_grows_not(await cost_of_turns(listener))

    async with start(full) as server:
        await first_page(server, ids)  # it is that of another process


async def first_page(server: FastServer, ids: list[str]) -> None:
    """The oldest threads, in good time."""
    with anyio.fail_after(INTERACTIVE):
        page = await server.result("thread/list", {"limit": 50, "sortDirection": "asc", "sortKey": "created_at"})
    assert [thread["id"] for thread in page["data"]] == ids[:50]
    assert page["nextCursor"]
