"""What clients do to turns: when one begins, when the one that runs takes more, and what is refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup

from app_server.rollouts.store import ThreadStore
from app_server.threads.input_queue import MAX_WAITING_INPUTS
from app_server.threads.registry import LoadedThreads
from app_server.threads.thread import LiveThread
from app_server.threads.turns import Begun, Turns
from protocol.errors import InvalidRequest
from protocol.turn import TurnInterruptParams, TurnStartParams, TurnSteerParams
from tests.unit.threads.support import (
    DEADLINE,
    OTHER,
    THREAD,
    Client,
    Hang,
    Model,
    Parent,
    added,
    delta,
    said,
    thread,
)

MAIL = {"name": "mail", "output": "You have mail"}


class Talk:
    """One thread, and what a client asks for."""

    def __init__(self, tmp_path: Path, tasks: TaskGroup, model: Model) -> None:
        self.client = Client()
        self.model = model
        self.loaded = LoadedThreads(tasks, ThreadStore(tmp_path / "home"), 3600)
        self.turns = Turns(self.loaded, model, Parent(), tasks)
        self.live: LiveThread = thread(tmp_path, self.client)
        self.loaded.add(self.live)

    async def start(self, *texts: str, **more: Any) -> Begun:
        given = [{"type": "text", "text": text} for text in texts]
        wish = {"threadId": THREAD, "input": given, **more}
        return await self.turns.start(TurnStartParams.model_validate(wish))

    async def begin(self, *texts: str, **more: Any) -> str:
        """Begin a turn as a handler does; returns its id."""
        begun = await self.start(*texts, **more)
        begun.then()
        return begun.turn.id

    async def steer(self, turn_id: str, *texts: str, **more: Any) -> str:
        given = [{"type": "text", "text": text} for text in texts]
        wish = {"threadId": THREAD, "expectedTurnId": turn_id, "input": given, **more}
        return await self.turns.steer(TurnSteerParams.model_validate(wish))

    def interrupt(self, turn_id: str) -> None:
        wish = {"threadId": THREAD, "turnId": turn_id}
        self.turns.interrupt(TurnInterruptParams.model_validate(wish))()

    async def ended(self) -> None:
        """Wait until the turn that runs has ended."""
        if self.live.turn is not None:
            await self.live.turn.ended.wait()

    @property
    def ends(self) -> list[tuple[str, str]]:
        """Id and status of the turns that have ended."""
        return [(params["turn"]["id"], params["turn"]["status"]) for params in self.client.of("turn/completed")]


@asynccontextmanager
async def talk(tmp_path: Path, *answers: Any) -> AsyncIterator[Talk]:
    """A thread whose model gives these answers."""
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            yield Talk(tmp_path, tasks, Model(*answers))
            tasks.cancel_scope.cancel()


# Beginning


async def test_a_turn_begins_after_the_answer(tmp_path: Path) -> None:
    async with talk(tmp_path, said("Hello")) as made:
        begun = await made.start("Hi", clientUserMessageId="mine")
        assert (begun.turn.status, begun.turn.items, begun.turn.started_at) == ("inProgress", [], None)
        assert (made.client.told, made.live.turn) == ([], None)
        begun.then()
        await made.ended()
        assert made.ends == [(begun.turn.id, "completed")]
        assert made.client.items("userMessage")[0]["clientId"] == "mine"


async def test_what_a_turn_changes_stays_changed(tmp_path: Path) -> None:
    async with talk(tmp_path, said("A"), said("B")) as made:
        await made.begin("Hi", model="other", outputSchema={"type": "object"})
        await made.ended()
        await made.begin("Hi")
        await made.ended()
        assert [body["model"] for body in made.model.bodies] == ["other", "other"]
        assert ["text" in body for body in made.model.bodies] == [True, False]


async def test_a_turn_without_input_asks_the_model_all_the_same(tmp_path: Path) -> None:
    async with talk(tmp_path, said("A")) as made:
        await made.begin()
        await made.ended()
        assert (made.client.items("userMessage"), made.model.texts()) == ([], [])


async def test_files_are_looked_for_in_the_folder_of_the_thread(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "skill.md").write_text("Contents")
    async with talk(tmp_path, said("A")) as made:
        skill = {"type": "skill", "name": "s", "path": "skill.md"}
        begun = await made.turns.start(
            TurnStartParams.model_validate({"threadId": THREAD, "cwd": "sub", "input": [skill]})
        )
        begun.then()
        await made.ended()
        assert "Contents" in made.model.texts()[0][1]


async def test_what_the_client_adds_comes_before_the_input_and_as_whose_it_is(tmp_path: Path) -> None:
    async with talk(tmp_path, said("A")) as made:
        context = {"b": {"value": "V", "kind": "untrusted"}, "a": {"value": "W", "kind": "application"}}
        await made.begin("Hi", additionalContext=context)
        await made.ended()
        assert made.model.texts() == [("developer", "<a>W</a>"), ("function_call_output", "V"), ("user", "Hi")]
        assert len(made.client.items()) == 2


async def test_what_a_tool_delivers_begins_a_turn_in_place_of_the_user(tmp_path: Path) -> None:
    async with talk(tmp_path, said("A"), said("B")) as made:
        await made.begin(toolOutput=MAIL)
        await made.ended()
        begun, *_ = [method for method in made.client.methods if method.startswith(("turn", "item"))]
        (item,) = made.client.items("functionCallOutput")
        assert begun == "turn/started"
        assert (item["name"], item["namespace"], item["output"]) == ("mail", None, "You have mail")
        assert [given["type"] for given in made.client.items()] == ["functionCallOutput", "agentMessage"]
        assert made.live.preview == ""
        await made.begin("What is new?")
        await made.ended()
        _, sent, *_ = made.model.bodies[1]["input"]
        assert sent == {"type": "function_call_output", "id": item["id"], "name": "mail", "output": "You have mail"}
        assert made.live.preview == "What is new?"


async def test_what_a_tool_delivers_waits_for_the_end_of_the_answer_and_the_user_does_not(tmp_path: Path) -> None:
    hang = Hang()
    async with talk(tmp_path, ([added(), delta("One ")], hang, said("One two")[1:]), said("Three")) as made:
        turn = await made.begin("Hi")
        await hang.reached.wait()
        assert (await made.start(toolOutput=MAIL)).turn.id == turn
        assert made.client.items("functionCallOutput") == []
        hang.go_on.set()
        await made.ended()
        assert [item["type"] for item in made.client.items()][1:3] == ["agentMessage", "functionCallOutput"]
        assert made.model.texts()[1:] == [("assistant", "One two"), ("function_call_output", "You have mail")]
    hang = Hang()
    async with talk(tmp_path, ([added(), delta("One ")], hang), said("Two")) as made:
        await made.begin("Hi")
        await hang.reached.wait()
        await made.start(toolOutput=MAIL)
        await made.start("Now!")
        await made.ended()
        assert made.model.texts()[1:] == [
            ("assistant", "One "),
            ("function_call_output", "You have mail"),
            ("user", "Now!"),
        ]


async def test_what_a_tool_has_delivered_is_not_lost_with_the_answer(tmp_path: Path) -> None:
    hang = Hang()
    async with talk(tmp_path, ([added(), delta("One ")], hang)) as made:
        turn = await made.begin("Hi")
        await hang.reached.wait()
        await made.start(toolOutput=MAIL)
        made.interrupt(turn)
        assert made.ends == [(turn, "interrupted")]
        assert len(made.client.items("functionCallOutput")) == 1


@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        ({"threadId": OTHER}, f"thread not found: {OTHER}"),
        ({"threadId": "zz"}, "invalid thread id: "),
        ({"input": [{"type": "image", "url": "https://example.test/x"}]}, "remote image URLs are not supported"),
        ({"toolOutput": MAIL}, "`toolOutput` cannot be combined with nonempty `input`"),
        ({"input": [], "toolOutput": {"name": "", "output": "x"}}, "`toolOutput.name` must not be empty"),
        (
            {"additionalContext": {"a": {"value": "", "kind": "application", "name": "b"}}},
            "only supported for untrusted",
        ),
    ],
)
async def test_what_cannot_be_begun_is_refused(tmp_path: Path, wish: Any, problem: str) -> None:
    async with talk(tmp_path) as made:
        with pytest.raises(InvalidRequest, match=problem):
            await made.start("Hi", **wish)
        assert made.client.told == []


# A turn that runs


async def test_a_second_start_is_more_input_for_the_turn_that_runs(tmp_path: Path) -> None:
    hang = Hang()
    async with talk(tmp_path, ([added(), delta("Half")], hang), said("Whole"), said("Next")) as made:
        first = await made.begin("First")
        await hang.reached.wait()
        second = await made.start("Second", model="other")
        assert (second.turn.id, second.turn.status) == (first, "inProgress")
        second.then()
        await made.ended()
        assert made.ends == [(first, "completed")]
        assert made.model.texts() == [("user", "First"), ("assistant", "Half"), ("user", "Second")]
        # What else it changes counts from the next turn on.
        await made.begin("Third")
        await made.ended()
        assert [body["model"] for body in made.model.bodies] == ["test-model", "test-model", "other"]


async def test_two_that_begin_at_once_are_one_turn(tmp_path: Path) -> None:
    async with talk(tmp_path, said("One"), said("Two")) as made:
        ids: list[str] = []

        async def begin(text: str) -> None:
            ids.append(await made.begin(text))

        async with anyio.create_task_group() as clients:
            for text in ("First", "Second"):
                clients.start_soon(begin, text)
        await made.ended()
        assert len(set(ids)) == 1
        assert made.ends == [(ids[0], "completed")]
        assert [text for role, text in made.model.texts() if role == "user"] == ["First", "Second"]


async def test_a_steer_goes_to_the_turn_that_it_names(tmp_path: Path) -> None:
    hang = Hang()
    async with talk(tmp_path, (hang,), said("Whole")) as made:
        turn = await made.begin("First")
        await hang.reached.wait()
        assert await made.steer(turn, "Second", clientUserMessageId="mine") == turn
        await made.ended()
        assert made.client.items("userMessage")[1]["clientId"] == "mine"
        assert made.ends == [(turn, "completed")]


async def test_a_steer_that_names_no_turn_or_another_one_is_refused(tmp_path: Path) -> None:
    hang = Hang()
    async with talk(tmp_path, (hang, said("Whole"))) as made:
        with pytest.raises(InvalidRequest, match=r"^no active turn to steer$"):
            await made.steer("zz", "x")
        turn = await made.begin("First")
        await hang.reached.wait()
        for wish, problem in (
            (made.steer("zz", "x"), f"expected active turn id `zz` but found `{turn}`"),
            (made.steer("", "x"), "expectedTurnId must not be empty"),
            (made.steer(turn), "input must not be empty"),
            (made.steer(turn, "x", threadId=OTHER), f"thread not found: {OTHER}"),
        ):
            with pytest.raises(InvalidRequest, match=problem):
                await wish
        hang.go_on.set()
        await made.ended()
        assert len(made.client.items("userMessage")) == 1


async def test_more_than_a_turn_can_hold_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    async with talk(tmp_path) as made:
        begun = await made.start("First")
        begun.then()
        for _ in range(MAX_WAITING_INPUTS - 1):
            await made.steer(begun.turn.id, "More")
        for wish in (made.steer(begun.turn.id, "x"), made.start("x", model="other")):
            with pytest.raises(InvalidRequest, match="more input waiting than it can take"):
                await wish
        assert made.live.settings.model == "test-model"


# Interrupting


@pytest.mark.parametrize("named", [True, False])
async def test_an_interruption_ends_the_turn_and_another_can_begin_at_once(tmp_path: Path, named: bool) -> None:
    hang = Hang()
    async with talk(tmp_path, (hang,), said("Next")) as made:
        first = await made.begin("First")
        await hang.reached.wait()
        made.interrupt(first if named else "")
        second = await made.begin("Second")
        await made.ended()
        assert made.ends == [(first, "interrupted"), (second, "completed")]


async def test_an_interruption_of_another_turn_or_of_none_is_refused(tmp_path: Path) -> None:
    hang = Hang()
    async with talk(tmp_path, (hang, said("Whole"))) as made:
        with pytest.raises(InvalidRequest, match=r"^no active turn to interrupt$"):
            made.interrupt("")
        turn = await made.begin("First")
        with pytest.raises(InvalidRequest, match=f"^expected active turn id zz but found {turn}$"):
            made.interrupt("zz")
        hang.go_on.set()
        await made.ended()
        assert made.ends == [(turn, "completed")]


async def test_an_interruption_that_comes_too_late_does_nothing(tmp_path: Path) -> None:
    hang = Hang()
    async with talk(tmp_path, (hang, said("Whole")), said("Next")) as made:
        turn = await made.begin("First")
        end_it = made.turns.interrupt(TurnInterruptParams(thread_id=THREAD, turn_id=turn))
        hang.go_on.set()
        await made.ended()
        end_it()
        assert made.ends == [(turn, "completed")]


# Compacting


async def test_compacting_ends_the_turn_that_runs_and_is_a_turn_of_its_own(tmp_path: Path) -> None:
    hang = Hang()
    async with talk(tmp_path, (hang,), said("Summary")) as made:
        first = await made.begin("First")
        await hang.reached.wait()
        made.turns.compact(THREAD)()
        await made.ended()
        assert [status for _, status in made.ends] == ["interrupted", "completed"]
        assert made.ends[0][0] == first
        assert len(made.client.items("contextCompaction")) == 1


async def test_a_turn_that_compacts_takes_no_input_but_can_be_interrupted(tmp_path: Path) -> None:
    hang = Hang()
    async with talk(tmp_path, (hang,)) as made:
        made.turns.compact(THREAD)()
        await hang.reached.wait()
        assert made.live.turn is not None
        with pytest.raises(InvalidRequest, match="cannot steer a compact turn"):
            await made.start("x", model="other")
        with pytest.raises(InvalidRequest, match="cannot steer a compact turn"):
            await made.steer(made.live.turn.id, "x")
        made.interrupt(made.live.turn.id)
        assert [status for _, status in made.ends] == ["interrupted"]
        assert made.live.settings.model == "test-model"


async def test_there_is_nothing_to_compact_in_a_thread_that_is_not_loaded(tmp_path: Path) -> None:
    async with talk(tmp_path) as made:
        with pytest.raises(InvalidRequest, match="thread not found"):
            made.turns.compact(OTHER)
