"""One request to the model: sent again where that helps, and cut off whenever that is wanted."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from app_server.backend.response_failures import UpstreamFailure
from app_server.backend.responses import ResponseStream
from app_server.backend.retries import Pause
from app_server.threads.sampling import Sampling
from tests.unit.threads.support import (
    DEADLINE,
    Event,
    Hang,
    Model,
    added,
    completed,
    delta,
    failure,
    said,
    settings,
)


class Asking:
    """Asks a model, and remembers what happened."""

    def __init__(self, tmp_path: Path, model: Model, retries: int = 0) -> None:
        made = settings(tmp_path, retries)
        self.sampling = Sampling(model, made.config, made.provider, {}, self._broken)
        self.events: list[Event] = []
        self.opened = 0
        self.bodies = 0
        self.failures: list[str] = []
        self.waiting = anyio.Event()
        self.on_room: Callable[[], None] = lambda: None

    async def run(self) -> bool:
        with anyio.fail_after(DEADLINE):
            return await self.sampling.run(self._body, self._opened, self.events.extend, self._room)

    async def _body(self) -> Mapping[str, Any]:
        self.bodies += 1
        return {"number": self.bodies}

    def _opened(self, stream: ResponseStream) -> None:
        self.opened += 1

    async def _room(self) -> None:
        self.on_room()

    def _broken(self, failed: UpstreamFailure, pause: Pause) -> None:
        self.failures.append(f"{pause.notice}: {failed.message}")
        self.waiting.set()


AT_ONCE = failure("gone", "stream", retry_after=0)
LATER = failure("gone", "stream", retry_after=3600)


async def test_a_whole_response_is_received_in_its_pieces(tmp_path: Path) -> None:
    asking = Asking(tmp_path, Model(([added(), delta("A")], [completed()])))
    assert await asking.run() is True
    assert asking.events == [added(), delta("A"), completed()]
    assert (asking.opened, asking.failures) == (1, [])


async def test_each_attempt_has_a_body_of_its_own_and_the_reason_is_told(tmp_path: Path) -> None:
    model = Model(AT_ONCE, ([added()], AT_ONCE), said("A"))
    asking = Asking(tmp_path, model, retries=2)
    assert await asking.run() is True
    assert model.bodies == [{"number": 1}, {"number": 2}, {"number": 3}]
    assert asking.failures == ["Reconnecting... 1/2: gone", "Reconnecting... 2/2: gone"]
    assert asking.opened == 2


@pytest.mark.parametrize("answers", [[failure("no")], [AT_ONCE, AT_ONCE, failure("no", "stream")]])
async def test_a_failure_that_no_attempt_helps_against_is_raised(
    tmp_path: Path, answers: list[UpstreamFailure]
) -> None:
    asking = Asking(tmp_path, Model(*answers), retries=2)
    with pytest.raises(UpstreamFailure, match="no"):
        await asking.run()
    assert len(asking.failures) == len(answers) - 1


async def test_each_request_has_its_own_attempts(tmp_path: Path) -> None:
    asking = Asking(tmp_path, Model(AT_ONCE, said("A"), AT_ONCE, said("B")), retries=1)
    assert [await asking.run(), await asking.run()] == [True, True]


# Cutting it off


async def cut_when(asking: Asking, reached: anyio.Event) -> bool:
    """Run until then, and cut it off."""
    results: list[bool] = []

    async def run() -> None:
        results.append(await asking.run())

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await reached.wait()
            asking.sampling.cut()
    [result] = results
    return result


async def test_a_cut_before_the_request_ends_nothing(tmp_path: Path) -> None:
    asking = Asking(tmp_path, Model(said("A")))
    asking.sampling.cut()
    assert await asking.run() is True


async def test_a_cut_in_the_middle_leaves_what_has_come(tmp_path: Path) -> None:
    hang = Hang()
    asking = Asking(tmp_path, Model(([added(), delta("A")], hang)))
    assert await cut_when(asking, hang.reached) is False
    assert asking.events == [added(), delta("A")]


async def test_a_cut_before_the_first_event_ends_the_request(tmp_path: Path) -> None:
    hang = Hang()
    asking = Asking(tmp_path, Model((hang,)))
    assert await cut_when(asking, hang.reached) is False


async def test_a_cut_while_the_next_attempt_is_waited_for_ends_the_wait(tmp_path: Path) -> None:
    model = Model(LATER, said("never"))
    asking = Asking(tmp_path, model, retries=1)
    assert await cut_when(asking, asking.waiting) is False
    assert len(model.bodies) == 1


async def test_after_a_cut_the_next_request_is_whole_again(tmp_path: Path) -> None:
    hang = Hang()
    asking = Asking(tmp_path, Model((hang,), said("A")))
    assert await cut_when(asking, hang.reached) is False
    assert await asking.run() is True
    asking.sampling.cut()


async def test_a_cut_after_the_response_ends_nothing(tmp_path: Path) -> None:
    asking = Asking(tmp_path, Model(said("A"), said("B")))
    assert await asking.run() is True
    asking.sampling.cut()
    assert await asking.run() is True


async def test_a_cut_after_a_failure_ends_nothing(tmp_path: Path) -> None:
    asking = Asking(tmp_path, Model(failure("no"), AT_ONCE, said("B")), retries=1)
    with pytest.raises(UpstreamFailure):
        await asking.run()
    asking.sampling.cut()
    assert await asking.run() is True


async def test_a_response_that_ends_in_the_instant_of_the_cut_is_whole(tmp_path: Path) -> None:
    asking = Asking(tmp_path, Model(said("A")))
    asking.on_room = asking.sampling.cut
    assert await asking.run() is True
    assert asking.events == said("A")


@pytest.mark.parametrize("failed", [failure("no"), LATER])
async def test_a_failure_in_the_instant_of_the_cut_is_of_no_interest(tmp_path: Path, failed: UpstreamFailure) -> None:
    asking = Asking(tmp_path, Model(([added()], failed)), retries=1)
    asking.on_room = asking.sampling.cut
    assert await asking.run() is False
    assert asking.failures == []


# Cancelling it


@pytest.mark.parametrize("steps", [[], [failure("no")], [LATER]])
async def test_nothing_follows_a_cancellation_even_if_all_has_come(tmp_path: Path, steps: list[Any]) -> None:
    asking = Asking(tmp_path, Model(([added()], *steps)), retries=1)
    with anyio.CancelScope() as scope:
        asking.on_room = scope.cancel
        await asking.run()
    assert scope.cancelled_caught
    assert asking.failures == []


async def test_what_was_cancelled_before_it_began_asks_nobody(tmp_path: Path) -> None:
    model = Model(said("A"))
    asking = Asking(tmp_path, model)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await asking.run()
    assert (scope.cancelled_caught, model.bodies) == (True, [])
