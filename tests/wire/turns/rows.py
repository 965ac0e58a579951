"""What an upstream can do to a request, and what becomes of the turn: rows for the tests beside this file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app_server.fake_openai.faults import Fault
from app_server.fake_openai.script import Script
from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.wire.turns.support import Course, asked, begin, courses, start_thread


@dataclass(frozen=True)
class Row:
    """One failure.

    :param name: of the test.
    :param text: the turn's error; ``$URL`` stands for what was asked.
    :param info: its kind.
    :param requests: how many there are at a provider with one resend and two retries of the stream.
    :param status: what the notices about retries say.
    :param fault: members of the fake's ``Fault``.
    :param script: members of its ``Script``.
    :param details: the error's ``additionalDetails``.
    """

    name: str
    text: str
    info: Any
    requests: int
    status: int | None = None
    fault: Json = field(default_factory=dict)
    script: Json = field(default_factory=dict)
    details: str | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def marker(self) -> str:
        """What the user says, by which the fake knows the row."""
        return f"row {self.name}."

    def declare(self, fake: FakeOpenAI) -> None:
        """Have it happen to every request that holds the marker."""
        if self.fault:
            fake.add_fault(Fault(route="responses", contains=self.marker, times=None, **self.fault))
        if self.script:
            fake.add_script(Script(contains=self.marker, times=None, **self.script))


@dataclass(frozen=True)
class Outcome:
    """What became of a row.

    :param once: the turn at a provider that is asked once.
    :param retried: the turn at the one that is asked up to six times.
    """

    once: Course
    retried: Course
    once_requests: int
    retried_requests: int


async def all_at_once(server: ServerProcess, fake: FakeOpenAI, rows: Sequence[Row]) -> dict[str, Outcome]:
    """Try every row, all of them at the same time: most of it is waiting between attempts."""
    fake.reset()
    threads: dict[tuple[str, str], str] = {}
    turns: dict[str, str] = {}
    for row in rows:
        row.declare(fake)
        for provider in ("once", "resend"):
            threads[row.name, provider] = await start_thread(server, provider)
    for row in rows:
        for provider in ("once", "resend"):
            thread = threads[row.name, provider]
            turns[thread] = await begin(server, thread, f"{row.marker} {provider}")
    ended = await courses(server, turns)
    found = {}
    for row in rows:
        once, retried = threads[row.name, "once"], threads[row.name, "resend"]
        counts = [len(asked(fake, f"{row.marker} {provider}")) for provider in ("once", "resend")]
        found[row.name] = Outcome(ended[once], ended[retried], *counts)
    await server.barrier()
    return found


def check(row: Row, outcome: Outcome, url: str) -> None:
    """Text, kind, retries and notices are those of the row."""
    text = row.text.replace("$URL", url)
    error: Json = {
        "message": text,
        "codexErrorInfo": row.info,
        "additionalDetails": row.details,
        "misalignment": None,
    }
    assert outcome.once.error == error
    assert outcome.once.notices == []
    assert outcome.once_requests == 1

    assert outcome.retried.error == error
    assert outcome.retried_requests == row.requests
    streams = 0 if row.requests <= 2 else 2
    assert outcome.retried.notices == [
        {
            "message": f"Reconnecting... {number}/2",
            "codexErrorInfo": {"responseStreamDisconnected": {"httpStatusCode": row.status}},
            "additionalDetails": text,
            "misalignment": None,
        }
        for number in range(1, streams + 1)
    ]
