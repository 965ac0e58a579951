"""A plan in a message is an item of its own, in plan mode. Which lines count as tags is tested with the splitter."""

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.wire.conversations.support import (
    DEFAULT_MODE,
    PLAN_MODE,
    completed_items,
    in_order,
    last_body,
    started_items,
    told,
)
from tests.wire.turns.support import DELTA, Course, begin, course, delta, start_thread, talk

PLAN_DELTA = "item/plan/delta"
BLOCK = "<proposed_plan>\n# Plan\n- a\n</proposed_plan>\n"


async def planned(fake: FakeOpenAI, server: ServerProcess, text: str, deltas: int = 1000) -> Course:
    """A turn in plan mode in which the model says this."""
    fake.script(text=text, deltas=deltas)
    return await talk(server, await start_thread(server, "once"), collaborationMode=PLAN_MODE)


def plan_of(done: Course) -> Json:
    """The only plan of a turn."""
    (plan,) = completed_items(done, "plan")
    return plan


def streamed_plan(done: Course) -> str:
    """The plan as it came, piece by piece."""
    return "".join(params["delta"] for params in done.params(PLAN_DELTA))


@pytest.mark.parametrize("deltas", [1, 3, 1000])
async def test_a_plan_is_taken_out_of_the_message(fake: FakeOpenAI, server: ServerProcess, deltas: int) -> None:
    done = await planned(fake, server, f"Intro\n{BLOCK}Outro", deltas)

    item = {"type": "plan", "id": f"{done.turn_id}-plan"}
    assert started_items(done, "plan") == [{**item, "text": ""}]
    assert plan_of(done) == {**item, "text": "# Plan\n- a\n"}
    assert streamed_plan(done) == "# Plan\n- a\n"
    assert {params["itemId"] for params in done.params(PLAN_DELTA)} == {item["id"]}
    assert (done.spoken, done.streamed) == (["Intro\nOutro"], "Intro\nOutro")
    assert [item["text"] for item in done.turn["items"]] == ["Intro\nOutro"]


async def test_a_plan_is_told_in_order(fake: FakeOpenAI, server: ServerProcess) -> None:
    done = await planned(fake, server, f"Intro\n{BLOCK}Outro", 1000)
    said = [what for what in in_order(done.messages) if what.startswith("item/") and "userMessage" not in what]
    assert [what for number, what in enumerate(said) if what != said[number - 1]] == [
        "item/started agentMessage",
        DELTA,
        "item/started plan",
        PLAN_DELTA,
        DELTA,
        "item/completed plan",
        "item/completed agentMessage",
    ]


async def test_a_message_that_is_nothing_but_a_plan_is_no_message(fake: FakeOpenAI, server: ServerProcess) -> None:
    done = await planned(fake, server, f"\n{BLOCK}\n")
    assert plan_of(done)["text"] == "# Plan\n- a\n"
    assert (done.spoken, started_items(done, "agentMessage")) == ([], [])
    assert (done.turn["items"], done.turn["itemsView"]) == ([], "notLoaded")


async def test_a_plan_that_is_not_closed_goes_to_the_end(fake: FakeOpenAI, server: ServerProcess) -> None:
    done = await planned(fake, server, "Intro\n<proposed_plan>\n- a\n- b")
    assert (plan_of(done)["text"], done.spoken) == ("- a\n- b", ["Intro\n"])


async def test_of_two_plans_the_last_one_counts(fake: FakeOpenAI, server: ServerProcess) -> None:
    done = await planned(fake, server, f"{BLOCK}or\n<proposed_plan>\nB\n</proposed_plan>\n")
    assert (plan_of(done)["text"], done.spoken) == ("B\n", ["or\n"])


async def test_a_message_that_comes_whole_has_its_plan_taken_out_as_well(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    message = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "content": [{"type": "output_text", "text": f"Intro\n{BLOCK}"}],
    }
    fake.script(output_items=[message])
    done = await talk(server, await start_thread(server, "once"), collaborationMode=PLAN_MODE)
    assert (plan_of(done)["text"], done.spoken) == ("# Plan\n- a\n", ["Intro\n"])


async def test_where_the_end_says_otherwise_than_the_pieces_the_end_counts(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    item = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
    whole = {**item, "content": [{"type": "output_text", "text": "Other\n<proposed_plan>\nB\n</proposed_plan>\n"}]}
    fake.script(
        events=[
            {"type": "response.output_item.added", "item": item},
            {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "No plan"},
            {"type": "response.output_item.done", "item": whole},
            {"type": "response.completed", "response": {"id": "resp_1"}},
        ]
    )
    done = await talk(server, await start_thread(server, "once"), collaborationMode=PLAN_MODE)
    assert (plan_of(done)["text"], done.spoken) == ("B\n", ["Other\n"])


async def test_in_default_mode_a_plan_is_text_like_any_other(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text=BLOCK)
    done = await talk(server, await start_thread(server, "once"))
    assert (completed_items(done, "plan"), done.spoken) == ([], [BLOCK])


async def test_plan_mode_lasts_until_it_is_left(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text=BLOCK, times=3)
    thread = await start_thread(server, "once")
    plans = [
        len(completed_items(await talk(server, thread, collaborationMode=mode), "plan"))
        for mode in (PLAN_MODE, None, DEFAULT_MODE)
    ]
    assert plans == [1, 1, 0]


async def test_the_model_still_knows_its_plan_word_for_word(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text=f"Intro\n{BLOCK}Outro")
    thread = await start_thread(server, "once")
    await talk(server, thread, "First", collaborationMode=PLAN_MODE)
    await talk(server, thread, "Second")
    assert told(await last_body(fake, 2)) == [
        ("user", "First"),
        ("assistant", f"Intro\n{BLOCK}Outro"),
        ("user", "Second"),
    ]


async def test_the_plan_is_kept_with_the_turn(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text=f"Intro\n{BLOCK}")
    thread = await start_thread(server, "once")
    await talk(server, thread, collaborationMode=PLAN_MODE)
    read = await server.result("thread/read", {"threadId": thread, "includeTurns": True})
    kept = read["thread"]["turns"][0]["items"]
    assert [(item["type"], item.get("text")) for item in kept[1:]] == [
        ("plan", "# Plan\n- a\n"),
        ("agentMessage", "Intro\n"),
    ]


async def test_an_interrupted_plan_is_kept_as_far_as_it_came(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text="Intro\n<proposed_plan>\n# Plan\n- a\n", deltas=26)
    fake.fault("responses", hang_after_events=3 + 25)
    thread = await start_thread(server, "once")
    turn = await begin(server, thread, collaborationMode=PLAN_MODE)
    await fake.wait_hanging()
    await delta(server, thread)
    await server.take(lambda message: message.get("method") == PLAN_DELTA)
    await server.result("turn/interrupt", {"threadId": thread, "turnId": turn})
    done = await course(server, thread, turn)
    assert done.status == "interrupted"
    assert plan_of(done)["text"].startswith("#")
    assert done.spoken == ["Intro\n"]
