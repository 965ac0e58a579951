"""One turn: its course, from what the user says to the conclusion."""

from pathlib import Path

import anyio

from app_server.threads.history import is_context
from protocol.tools import (
    DynamicToolCallParams,
    DynamicToolCallResponse,
)
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
    the_end,
    thread,
)


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
    assert [item["role"] for item in live.window.history if item["type"] == "message"] == ["user", "user"]


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


# What the model is told besides


async def test_the_surroundings_are_told_once_and_again_when_they_change(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client)
    told = []
    for folder in (tmp_path, tmp_path, tmp_path / "other", tmp_path / "other"):
        live.settings = settings(folder)
        await course(live, Model(said("Hello")))
        told.append(sum(is_context(item) for item in live.window.history))
    assert told == [1, 1, 2, 2]


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
    assert live.window.overflowed
    await course(live, Model(said("Summary"), said("Answer")), "Next")
    assert not live.window.overflowed
    assert len(client.items("contextCompaction")) == 1


async def test_a_failed_compaction_changes_nothing_of_the_history(client: Client, tmp_path: Path) -> None:
    live = thread(tmp_path, client)
    await course(live, Model(said("Hello")))
    before = list(live.window.history)
    client.told.clear()
    await course(live, Model(failure("no")), None)
    assert list(live.window.history) == before
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
