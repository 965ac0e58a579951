"""The stream breaks at every point: before each event, inside each event, after the last one, and at many bytes.

Each time the turn ends exactly once, with the right error, or goes on when it has retries left; what was said until
then is kept; and the next turn works. The reference keeps nothing of a message that was not done, and never completes
its item.
"""

from dataclasses import dataclass
from typing import Final

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.wire.turns.support import (
    DROPPED,
    ENDED,
    Course,
    asked,
    begin,
    conversation,
    courses,
    start_thread,
    talk,
    works,
)

TEXT: Final = "Grüße, €, 🙂."  # characters of one to four bytes
DELTAS: Final = 3
PIECES: Final = (TEXT[:4], TEXT[:8], TEXT)
"""What has been said after each of the deltas."""

EVENTS: Final = 10
"""created, added, part added, three deltas, text done, part done, item done, completed."""

ERRORS: Final = {"drop": DROPPED, "end": ENDED}


@dataclass(frozen=True)
class Point:
    """A place in the stream, and what happens there.

    :param events: so many have come whole.
    """

    effect: str
    place: str
    events: int

    def __str__(self) -> str:
        return f"{self.effect} {self.place} {self.events}"

    @property
    def fault(self) -> Json:
        return {f"{self.effect}_{self.place}": self.events}

    @property
    def whole(self) -> bool:
        """Whether the response has come to its end before."""
        return self.events == EVENTS

    @property
    def said(self) -> list[str]:
        """The messages that the turn ends with, if it ends here: one that was begun is there, though it be empty."""
        if self.events < 2:
            return []
        return ["" if self.events == 2 else ("", *PIECES)[min(self.events - 3, 3)]]


def points(effect: str) -> list[Point]:
    after = [Point(effect, "after_events", events) for events in range(EVENTS + 1)]
    return [*after, *(Point(effect, "inside_event", events) for events in range(EVENTS))]


POINTS = [*points("drop"), *points("end")]


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_without_retries_the_turn_fails_and_keeps_what_was_said(
    fake: FakeOpenAI, server: ServerProcess, point: Point
) -> None:
    fake.script(text=TEXT, deltas=DELTAS)
    fake.fault("responses", **point.fault)
    thread = await start_thread(server, "once")

    turn = await talk(server, thread)

    assert turn.spoken == point.said
    if point.whole:
        assert (turn.status, turn.turn["error"]) == ("completed", None)
    else:
        assert (turn.error["message"], turn.error["codexErrorInfo"]) == (ERRORS[point.effect], "other")
        assert len(turn.params("thread/tokenUsage/updated")) == 0
    assert turn.notices == []
    assert [item["text"] for item in turn.turn["items"]] == point.said
    assert conversation(await works(server, fake, thread)) == [
        ("user", "Hello"),
        *(("assistant", text) for text in point.said if text),
        ("user", "And now?"),
    ]


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_with_a_retry_the_turn_goes_on(fake: FakeOpenAI, server: ServerProcess, point: Point) -> None:
    fake.script(text=TEXT, deltas=DELTAS)
    fake.script(text="Again.")
    fake.fault("responses", **point.fault)
    thread = await start_thread(server, "again")

    turn = await talk(server, thread)

    assert (turn.status, turn.turn["error"]) == ("completed", None)
    if point.whole:
        assert (turn.spoken, turn.notices, len(asked(fake))) == ([TEXT], [], 1)
        return
    done = [TEXT] if point.events == EVENTS - 1 else []
    assert turn.spoken == [*done, "Again."]
    assert [item["text"] for item in turn.turn["items"]] == ["Again."]
    (notice,) = turn.notices
    assert notice["message"] == "Reconnecting... 1/2"
    assert notice["codexErrorInfo"] == {"responseStreamDisconnected": {"httpStatusCode": None}}
    assert notice["additionalDetails"] == ERRORS[point.effect]
    assert conversation(asked(fake)[1]) == [("user", "Hello"), *(("assistant", text) for text in done)]


@pytest.mark.parametrize("effect", ERRORS)
async def test_at_any_byte(fake: FakeOpenAI, server: ServerProcess, effect: str) -> None:
    """Also in the middle of a line, of a character, and right before the end of the last event."""
    thread = await start_thread(server, "once", ephemeral=True)
    position, broken = 0, 0
    while True:
        fake.script(text=TEXT, deltas=DELTAS)
        fake.fault("responses", **{f"{effect}_after_bytes": position})
        turn = await talk(server, thread, f"at {position}")
        said = "".join(turn.spoken)
        assert TEXT.startswith(said)
        if turn.status == "completed":
            break
        assert (turn.error["message"], turn.error["codexErrorInfo"]) == (ERRORS[effect], "other")
        broken += 1
        position += 53
    assert turn.spoken == [TEXT]
    assert broken > 30
    await works(server, fake, thread)


async def test_the_stream_may_come_in_pieces_of_any_size(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    for size in (1, 2, 3, 7, 64, 1000):
        fake.script(text=TEXT, deltas=DELTAS, chunk_bytes=size)

        turn = await talk(server, thread)

        assert (turn.status, turn.spoken, turn.streamed) == ("completed", [TEXT], TEXT), size


async def test_whatever_was_begun_is_completed_when_a_stream_of_thoughts_and_words_breaks(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    total = 20
    for events in range(total):
        fake.script(reasoning="Hm.", raw_reasoning="Hmm.", text="Yes.", deltas=2)
        fake.fault("responses", drop_after_events=events)
        thread = await start_thread(server, "once")

        turn = await talk(server, thread)

        if turn.status == "completed":
            break
        assert turn.error["message"] == DROPPED
        assert_all_completed(turn)
    assert events > 10
    assert turn.spoken == ["Yes."]
    await works(server, fake, thread)


async def test_many_streams_break_at_once_and_each_turn_ends_once(fake: FakeOpenAI, server: ServerProcess) -> None:
    threads = {await start_thread(server, "once"): point for point in POINTS}
    fake.script(text=TEXT, deltas=DELTAS, times=None)
    for point in POINTS:
        fake.fault("responses", contains=f"<{point}>", **point.fault)
    turns = {thread: await begin(server, thread, f"<{point}>") for thread, point in threads.items()}

    ended = await courses(server, turns)

    for thread, point in threads.items():
        turn = ended[thread]
        assert turn.spoken == point.said, point
        assert turn.status == ("completed" if point.whole else "failed"), point
        assert point.whole or turn.error["message"] == ERRORS[point.effect]


def assert_all_completed(turn: Course) -> None:
    started = [params["item"]["id"] for params in turn.params("item/started")]
    completed = [params["item"]["id"] for params in turn.params("item/completed")]
    assert sorted(started) == sorted(completed)
