"""One turn: whatever happens and whenever, it is concluded once, and nothing that was said to it is lost."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from app_server.threads.turn import MAX_WAITING_INPUTS, RunningTurn, TooMuchInput
from protocol.tools import DynamicToolCallParams, DynamicToolCallResponse
from tests.unit.threads.support import (
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
    message_done,
    output,
    said,
    settings,
    text_input,
    thread,
)


@pytest.fixture
def client() -> Client:
    return Client()


def the_end(client: Client) -> dict[str, Any]:
    """The one conclusion, after which nothing more is said of the turn."""
    [ended] = client.of("turn/completed")
    assert client.told[-1][0] == "turn/completed"
    turn: dict[str, Any] = ended["turn"]
    return turn


async def test_a_plain_turn_goes_from_active_to_idle_in_the_order_of_the_wire(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client)
    await course(live, Model(said("Hello", 120)))
    assert client.methods == [
        "thread/status/changed",
        "turn/started",
        "item/started userMessage",
        "item/completed userMessage",
        "item/started agentMessage",
        "item/agentMessage/delta",
        "item/completed agentMessage",
        "thread/tokenUsage/updated",
        "account/rateLimits/updated",
        "thread/status/changed",
        "turn/completed",
    ]
    ended = the_end(client)
    assert (ended["status"], ended["itemsView"], [item["text"] for item in ended["items"]]) == (
        "completed",
        "summary",
        ["Hello"],
    )
    assert (live.turn, [turn.status for turn in live.turns]) == (None, ["completed"])


async def test_a_turn_without_a_message_ends_without_items(client: Client, tmp_path: Path) -> None:
    await course(thread(tmp_path, client), Model([completed()]))
    ended = the_end(client)
    assert (ended["items"], ended["itemsView"]) == ([], "notLoaded")


async def test_a_failure_is_told_before_the_end_and_the_same_there(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client)
    await course(live, Model(failure("no", details="why")))
    assert client.methods[-3:] == ["thread/status/changed", "error", "turn/completed"]
    [error] = client.of("error")
    assert (error["willRetry"], error["error"]["message"], error["error"]["additionalDetails"]) == (False, "no", "why")
    assert (the_end(client)["status"], the_end(client)["error"]) == ("failed", error["error"])
    assert client.statuses == ["active", "systemError"]
    assert Model(said("x")).answers
    assert [item["role"] for item in live.history if item["type"] == "message"] == ["user", "user"]


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
    assert next(iter(live.history))["content"][0]["text"] == "Hi"
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
    assert live.usage.total.total_tokens == 0
    assert len(model.bodies) == 1


async def test_a_summary_that_comes_in_the_instant_of_the_interruption_replaces_nothing(
    client: Client, tmp_path: Path
) -> None:
    live = thread(tmp_path, client)
    await course(live, Model(said("Hello", 10)))
    before = list(live.history)
    turns: list[RunningTurn] = []
    client.told.clear()
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            model = Model((lambda: turns.pop().interrupt(), said("Summary", 7)))
            turns.append(begin(live, model, tasks, None))
    assert the_end(client)["status"] == "interrupted"
    assert list(live.history)[: len(before)] == before
    assert live.usage.last.total_tokens == 10


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
    assert (live.turn, live.usage.total.total_tokens) == (None, 9)


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
    turn = RunningTurn(thread(tmp_path, client), Model(), Parent(), text_input("First"))
    for _ in range(MAX_WAITING_INPUTS - 1):
        turn.steer(text_input("More"))
    with pytest.raises(TooMuchInput):
        turn.steer(text_input("Too much"))


# Tools


async def test_the_outputs_of_tools_go_back_in_the_order_of_the_calls(client: Client, tmp_path: Path) -> None:
    second = anyio.Event()

    async def tool(params: DynamicToolCallParams) -> DynamicToolCallResponse:
        if params.call_id == "call_1":
            await second.wait()
        else:
            second.set()
        return output(params.call_id)

    live = thread(tmp_path, client)
    model = Model([call_done("call_1"), call_done("call_2"), completed()], said("Done"))
    await course(live, model, parent=Parent(tool))
    assert [item["id"] for item in client.items("dynamicToolCall")] == ["call_2", "call_1"]
    assert [text for kind, text in model.texts() if kind == "function_call_output"] == ["call_1", "call_2"]


async def test_an_internal_error_in_a_tool_is_told_to_the_model_and_the_turn_goes_on(
    client: Client, tmp_path: Path
) -> None:
    async def broken(_: DynamicToolCallParams) -> DynamicToolCallResponse:
        raise RuntimeError("a fault of ours")

    live, model = thread(tmp_path, client), Model([call_done(), completed()], said("Done"))
    await course(live, model, parent=Parent(broken))
    assert (the_end(client)["status"], the_end(client)["items"][0]["text"]) == ("completed", "Done")
    [item] = client.items("dynamicToolCall")
    assert (item["status"], item["success"]) == ("failed", False)
    assert "a fault of ours" not in str(client.told) + str(model.bodies)


async def test_an_internal_error_fails_the_turn_and_nothing_else(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client)

    def broken() -> None:
        raise RuntimeError("a fault of ours")

    await course(live, Model(([added(), delta("Half")], broken)))
    ended = the_end(client)
    assert (ended["status"], ended["error"]["message"], ended["items"][0]["text"]) == (
        "failed",
        "internal error",
        "Half",
    )
    assert "a fault of ours" not in str(client.told)


async def test_a_stream_that_breaks_after_a_call_is_begun_again_with_the_output(client: Client, tmp_path: Path) -> None:
    async def tool(params: DynamicToolCallParams) -> DynamicToolCallResponse:
        return output("found")

    live = thread(tmp_path, client, with_settings=settings(tmp_path, retries=1))
    model = Model(([call_done()], failure("gone", "stream", retry_after=0)), said("Done"))
    await course(live, model, parent=Parent(tool))
    assert model.texts() == [("user", "Hi"), ("function_call", "{}"), ("function_call_output", "found")]
    assert [params["willRetry"] for params in client.of("error")] == [True]
    assert the_end(client)["status"] == "completed"


async def test_a_response_that_is_not_the_end_of_the_turn_is_followed_by_another(
    client: Client, tmp_path: Path
) -> None:
    model = Model([*said("One")[:-1], completed(end_turn=False)], said("Two"))
    await course(thread(tmp_path, client), model)
    assert [item["text"] for item in client.items("agentMessage")] == ["One", "Two"]
    assert model.texts() == [("user", "Hi"), ("assistant", "One")]


# A broken stream


async def test_what_a_broken_stream_had_finished_stays_and_the_rest_is_forgotten(
    client: Client, tmp_path: Path
) -> None:
    live = thread(tmp_path, client, with_settings=settings(tmp_path, retries=1))
    broken = ([message_done("Kept", "msg_0"), added(), delta("Lost")], failure("gone", "stream", retry_after=0))
    model = Model(broken, said("Good"))
    await course(live, model)
    assert [item["text"] for item in client.items("agentMessage")] == ["Kept", "Good"]
    assert model.texts() == [("user", "Hi"), ("assistant", "Kept")]


async def test_an_answer_that_was_filtered_is_explained_to_the_model(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client, with_settings=settings(tmp_path, retries=1))
    model = Model(failure("filtered", "stream", retry_after=0, code="content_filter"), said("Good"))
    await course(live, model)
    [(role, text)] = model.texts()[1:]
    assert role == "developer"
    assert text.startswith("<content_filter>")


# The size of the history


async def test_a_full_history_is_summarised_before_the_user_is_heard(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client, compact_at=100)
    await course(live, Model(said("Hello", 100)))
    client.told.clear()
    model = Model(said("All of it", 20), said("Answer", 30))
    await course(live, model, "Next")
    assert client.methods[2:7] == [
        "item/started contextCompaction",
        "thread/tokenUsage/updated",
        "account/rateLimits/updated",
        "thread/tokenUsage/updated",
        "item/completed contextCompaction",
    ]
    assert [text for _, text in model.texts()][0::2] == ["Hi", "Next"]
    assert model.texts()[1][1].endswith("All of it")


async def test_one_token_less_is_not_full(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client, compact_at=100)
    model = Model(said("Hello", 99), said("Answer", 100))
    await course(live, model)
    await course(live, model, "Next")
    assert client.items("contextCompaction") == []


async def test_a_history_that_the_model_could_not_take_is_summarised_at_the_next_turn(
    client: Client, tmp_path: Path
) -> None:
    live = thread(tmp_path, client)
    await course(live, Model(failure("too long", kind="contextWindowExceeded")))
    assert live.must_compact
    await course(live, Model(said("Summary"), said("Answer")), "Next")
    assert not live.must_compact
    assert len(client.items("contextCompaction")) == 1


async def test_a_failed_compaction_changes_nothing_of_the_history(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client)
    await course(live, Model(said("Hello")))
    before = list(live.history)
    client.told.clear()
    await course(live, Model(failure("no")), None)
    assert list(live.history) == before
    assert the_end(client)["status"] == "failed"


async def test_a_turn_that_only_compacts_says_nothing_of_its_own(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client)
    await course(live, Model(said("Hello")))
    client.told.clear()
    await course(live, Model(said("Summary")), None)
    assert client.items("agentMessage") == []
    assert (the_end(client)["status"], the_end(client)["items"]) == ("completed", [])


async def test_the_turn_can_be_seen_while_it_runs_and_afterwards(client: Client, tmp_path: Path) -> None:
    live, hang = thread(tmp_path, client), Hang()
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            turn = begin(live, Model((hang, said("Hello"))), tasks)
            await hang.reached.wait()
            running = turn.snapshot()
            assert (running.status, [item.root.type for item in running.items]) == ("inProgress", ["userMessage"])
            hang.go_on.set()
    assert turn.snapshot() == live.turns[0]
    assert [item.root.type for item in live.turns[0].items] == ["userMessage", "agentMessage"]
