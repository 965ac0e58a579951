"""A turn that is interrupted or given more input, at any moment: one conclusion, and nothing that was said is lost."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from app_server.threads.input_queue import MAX_WAITING_INPUTS, TooMuchInput
from app_server.threads.turn import RunningTurn
from protocol.tools import (
    DynamicToolCallParams,
    DynamicToolCallResponse,
    ToolRequestUserInputParams,
    ToolRequestUserInputResponse,
)
from protocol.turn import CollaborationMode
from tests.unit.threads.support import (
    ASK,
    DEADLINE,
    Client,
    Hang,
    Model,
    Parent,
    added,
    begin,
    call_done,
    completed,
    course,
    delta,
    failure,
    said,
    settings,
    text_input,
    the_end,
    thread,
    turn_of,
)

# Interrupting


async def test_an_interrupted_turn_keeps_the_partial_answer_and_the_model_is_told(
    client: Client, tmp_path: Path
) -> None:
    live, hang = thread(tmp_path, client), Hang()
    model = Model(([added(), delta("Half")], hang), said("Whole"))
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            turn = begin(live, model, tasks)
            await hang.reached.wait()
            turn.interrupt()
            assert the_end(client)["status"] == "interrupted"
            turn.interrupt()
    assert the_end(client)["items"][0]["text"] == "Half"
    await course(live, model, "Again")
    told = model.texts()
    assert (told[0], told[1], told[3]) == (("user", "Hi"), ("assistant", "Half"), ("user", "Again"))
    assert told[2][1].startswith("<turn_aborted>")


async def test_a_turn_that_is_interrupted_before_it_does_anything_keeps_what_the_user_said(
    client: Client, tmp_path: Path
) -> None:
    live, model = thread(tmp_path, client), Model()
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            begin(live, model, tasks).interrupt()
    assert the_end(client)["status"] == "interrupted"
    assert [item["content"][0]["text"] for item in client.items("userMessage")] == ["Hi"]
    assert next(iter(live.window.history))["content"][0]["text"] == "Hi"
    assert model.bodies == []


@pytest.mark.parametrize("steps", [[said("Late", 5)], [failure("late", "stream")], [failure("late")], []])
async def test_what_comes_in_the_instant_of_the_interruption_is_not_heard_any_more(
    client: Client, tmp_path: Path, steps: list[Any]
) -> None:
    live = thread(tmp_path, client, with_settings=settings(tmp_path, retries=1))
    turns: list[RunningTurn] = []
    # The piece that ends the response has been received when the interruption comes: nothing is waited for any more.
    model = Model((lambda: turns.pop().interrupt(), *steps), said("never"))
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            turns.append(begin(live, model, tasks))
    assert the_end(client)["status"] == "interrupted"
    assert len(live.turns) == 1
    assert live.window.usage.total.total_tokens == 0
    assert len(model.bodies) == 1


async def test_a_summary_that_comes_in_the_instant_of_the_interruption_replaces_nothing(
    client: Client, tmp_path: Path
) -> None:
    live = thread(tmp_path, client)
    await course(live, Model(said("Hello", 10)))
    before = list(live.window.history)
    turns: list[RunningTurn] = []
    client.told.clear()
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            model = Model((lambda: turns.pop().interrupt(), said("Summary", 7)))
            turns.append(begin(live, model, tasks, None))
    assert the_end(client)["status"] == "interrupted"
    assert list(live.window.history)[: len(before)] == before
    assert live.window.usage.last.total_tokens == 10


async def test_a_turn_begun_while_the_old_one_unwinds_has_the_thread_to_itself(client: Client, tmp_path: Path) -> None:
    unwinding, let_go = anyio.Event(), anyio.Event()

    async def slow(_: DynamicToolCallParams) -> DynamicToolCallResponse:
        try:
            await anyio.sleep_forever()
        finally:
            unwinding.set()
            with anyio.CancelScope(shield=True):
                await let_go.wait()
        raise AssertionError("unreachable")

    live, hang = thread(tmp_path, client), Hang()
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            first = begin(live, Model(([call_done()], hang)), tasks, parent=Parent(slow))
            await hang.reached.wait()
            first.interrupt()
            model = Model(said("Second", 9))
            second = begin(live, model, tasks, "Again")
            await unwinding.wait()
            await second.ended.wait()
            let_go.set()
    ends = [(params["turn"]["id"], params["turn"]["status"]) for params in client.of("turn/completed")]
    assert ends == [(first.id, "interrupted"), (second.id, "completed")]
    assert [kind for kind, _ in model.texts()] == ["user", "function_call", "function_call_output", "user", "user"]
    assert (live.turn, live.window.usage.total.total_tokens) == (None, 9)


async def test_a_question_of_the_old_turn_that_unwinds_is_not_taken_for_one_of_the_new_turn(
    client: Client, tmp_path: Path
) -> None:
    first_asked, both_asked, let_go = anyio.Event(), anyio.Event(), anyio.Event()

    async def user(params: ToolRequestUserInputParams) -> ToolRequestUserInputResponse:
        if first_asked.is_set():
            both_asked.set()
            await anyio.sleep_forever()
        first_asked.set()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await let_go.wait()
        raise AssertionError("unreachable")

    mode = CollaborationMode.model_validate({"mode": "plan", "settings": {"model": "m"}})
    live = thread(tmp_path, client, with_settings=replace(settings(tmp_path), mode=mode))
    ask = call_done(name="request_user_input", arguments=ASK)
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            model, parent = Model([ask, completed()], [ask, completed()]), Parent(user=user)
            first = begin(live, model, tasks, parent=parent)
            await first_asked.wait()
            first.interrupt()
            begin(live, model, tasks, "Again", parent)
            await both_asked.wait()
            before = list(client.told)
            let_go.set()
            await anyio.wait_all_tasks_blocked()
            assert client.told == before
            assert client.of("thread/status/changed")[-1]["status"]["activeFlags"] == ["waitingOnUserInput"]
            tasks.cancel_scope.cancel()


async def test_the_end_of_the_server_ends_the_turn(client: Client, tmp_path: Path) -> None:
    live, hang = thread(tmp_path, client), Hang()
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            begin(live, Model(([added(), delta("Half")], hang)), tasks)
            await hang.reached.wait()
            tasks.cancel_scope.cancel()
    assert (the_end(client)["status"], the_end(client)["items"][0]["text"]) == ("interrupted", "Half")


# More input


async def test_a_steer_cuts_the_answer_off_and_goes_out_with_what_was_said(client: Client, tmp_path: Path) -> None:
    live, hang = thread(tmp_path, client), Hang()
    model = Model(([added(), delta("Half")], hang), said("Whole"))
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            turn = begin(live, model, tasks)
            await hang.reached.wait()
            turn.steer(text_input("More", "mine"))
    assert model.texts() == [("user", "Hi"), ("assistant", "Half"), ("user", "More")]
    assert client.items("userMessage")[1]["clientId"] == "mine"
    assert the_end(client)["items"][0]["text"] == "Whole"


@pytest.mark.parametrize("steps", [[said("One")], [failure("final")], [failure("broken", "stream")]])
async def test_a_steer_in_the_instant_in_which_the_answer_ends_gets_its_own_answer(
    client: Client, tmp_path: Path, steps: list[Any]
) -> None:
    live = thread(tmp_path, client)
    turns: list[RunningTurn] = []
    model = Model((lambda: turns[0].steer(text_input("More")), *steps), said("Two"))
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            turns.append(begin(live, model, tasks))
    assert model.texts()[-1] == ("user", "More")
    assert (the_end(client)["status"], the_end(client)["items"][0]["text"]) == ("completed", "Two")


async def test_a_steer_during_a_compaction_waits_for_the_summary(client: Client, tmp_path: Path) -> None:
    live, hang = thread(tmp_path, client, compact_at=100), Hang()
    await course(live, Model(said("Hello", 100)))
    model = Model((hang, said("Summary", 20)), said("Answer", 20))
    client.told.clear()
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            turn = begin(live, model, tasks, "First")
            await hang.reached.wait()
            turn.steer(text_input("Second"))
            hang.go_on.set()
    assert len(model.bodies) == 2
    assert model.texts()[-2:] == [("user", "First"), ("user", "Second")]
    assert the_end(client)["status"] == "completed"


async def test_a_turn_that_fails_keeps_what_it_was_given_and_had_not_taken_in(client: Client, tmp_path: Path) -> None:
    live, hang = thread(tmp_path, client, compact_at=100), Hang()
    await course(live, Model(said("Hello", 100)))
    client.told.clear()
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            turn = begin(live, Model((hang, failure("no summary"))), tasks, "First")
            await hang.reached.wait()
            turn.steer(text_input("Second"))
            hang.go_on.set()
    assert the_end(client)["status"] == "failed"
    assert [item["content"][0]["text"] for item in client.items("userMessage")] == ["First", "Second"]
    model = Model(said("Summary"), said("Answer"))
    await course(live, model, "Third")
    assert [text for _, text in model.texts()][:3] == ["Hi", "First", "Second"]
    assert model.texts()[-1] == ("user", "Third")


async def test_a_turn_takes_only_so_much_input_at_once(client: Client, tmp_path: Path) -> None:
    turn = turn_of(thread(tmp_path, client), Model(), text="First")
    for _ in range(MAX_WAITING_INPUTS - 1):
        turn.steer(text_input("More"))
    with pytest.raises(TooMuchInput):
        turn.steer(text_input("Too much"))
