"""More input for a turn that runs: the model's answer under way is cut off and kept, and the next request has it all.

Interrupting stands in ``tests/wire/turns``.
"""

from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.wire.conversations.support import (
    LOOKUP,
    answer,
    call,
    called,
    completed_items,
    in_order,
    items_of,
    last_body,
    requests,
    result,
    told,
)
from tests.wire.turns.support import asked, begin, course, delta, start_thread, talk, text_input

EVENTS_UP_TO_THE_FIRST_DELTA = 4
"""What the fake sends up to the first piece of a message."""

EVENTS_OF_A_MESSAGE = 7
"""What it sends for a message in one piece, ``response.created`` included."""

NEVER = "01a1fdc1-0000-7000-8000-000000000000"


async def steer(server: ServerProcess, thread: str, turn: str, text: str, **params: Any) -> None:
    """Say more, and be told that it goes to the turn that runs."""
    wish = {"threadId": thread, "expectedTurnId": turn, "input": text_input(text), **params}
    assert await server.result("turn/steer", wish) == {"turnId": turn}


async def start_again(server: ServerProcess, thread: str, turn: str, text: str, **params: Any) -> None:
    """The same with ``turn/start``."""
    begun = await server.result("turn/start", {"threadId": thread, "input": text_input(text), **params})
    assert (begun["turn"]["id"], begun["turn"]["status"]) == (turn, "inProgress")


@pytest.mark.parametrize("say", [steer, start_again])
async def test_the_answer_under_way_is_cut_off_and_the_next_request_has_both(
    fake: FakeOpenAI, server: ServerProcess, say: Any
) -> None:
    fake.script(text="One two three", deltas=3)
    fake.fault("responses", hang_after_events=EVENTS_UP_TO_THE_FIRST_DELTA)
    thread = await start_thread(server, "once")
    turn = await begin(server, thread, "First")
    assert await delta(server, thread) == "One "
    await say(server, thread, turn, "Second")
    done = await course(server, thread, turn)

    assert (done.status, done.spoken) == ("completed", ["One ", "Second"])
    assert [item["content"][0]["text"] for item in completed_items(done, "userMessage")] == ["First", "Second"]
    assert [what for what in in_order(done.messages) if what.startswith("item/completed")] == [
        "item/completed userMessage",
        "item/completed agentMessage",
        "item/completed userMessage",
        "item/completed agentMessage",
    ]
    assert [item["text"] for item in done.turn["items"]] == ["Second"]
    # What the user has seen of the answer, the model knows as well.
    assert told(await last_body(fake, 2)) == [("user", "First"), ("assistant", "One "), ("user", "Second")]


@pytest.mark.parametrize("say", [steer, start_again])
async def test_input_before_anything_has_come_begins_the_request_anew(
    fake: FakeOpenAI, server: ServerProcess, say: Any
) -> None:
    fake.fault("responses", hang=True)
    thread = await start_thread(server, "once")
    turn = await begin(server, thread, "First")
    await fake.wait_hanging()
    await say(server, thread, turn, "Second")
    done = await course(server, thread, turn)

    assert done.spoken == ["Second"]
    assert told(await last_body(fake, 2)) == [("user", "First"), ("user", "Second")]


@pytest.mark.parametrize("say", [steer, start_again])
async def test_input_during_a_call_of_a_tool_waits_for_its_output(
    fake: FakeOpenAI, server: ServerProcess, say: Any
) -> None:
    fake.script(tool_calls=[call("call_1")])
    thread = await start_thread(server, "once", dynamicTools=[LOOKUP])
    turn = await begin(server, thread, "First")
    request = await called(server)
    await server.take(lambda message: message.get("method") == "account/rateLimits/updated")
    await say(server, thread, turn, "Second")
    await answer(server, request, result("1"))
    done = await course(server, thread, turn)

    assert [what for what in in_order(done.messages) if what.startswith("item/completed")] == [
        "item/completed userMessage",
        "item/completed dynamicToolCall",
        "item/completed userMessage",
        "item/completed agentMessage",
    ]
    assert done.spoken == ["Second"]
    assert told(await last_body(fake, 2)) == [
        ("user", "First"),
        ("call", "call_1"),
        ("call_1", "1"),
        ("user", "Second"),
    ]


async def test_input_in_the_middle_of_a_response_that_has_called_a_tool_keeps_the_call(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.script(tool_calls=[call("call_1")], deltas=1)
    fake.fault("responses", hang_after_events=5)
    thread = await start_thread(server, "once", dynamicTools=[LOOKUP])
    turn = await begin(server, thread, "First")
    request = await called(server)
    await fake.wait_hanging()
    await steer(server, thread, turn, "Second")
    await answer(server, request, result("1"))
    done = await course(server, thread, turn)

    assert done.spoken == ["Second"]
    assert told(await last_body(fake, 2)) == [
        ("user", "First"),
        ("call", "call_1"),
        ("call_1", "1"),
        ("user", "Second"),
    ]


async def test_input_while_the_next_attempt_is_waited_for_goes_out_with_it_at_once(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("responses", status=429, retry_after=60)
    thread = await start_thread(server, "again")
    turn = await begin(server, thread, "First")
    await server.take(lambda message: message.get("method") == "error")
    await steer(server, thread, turn, "Second")
    # Sooner than what upstream has asked for: the deadline of the tests is a third of it.
    done = await course(server, thread, turn)

    assert done.spoken == ["Second"]
    assert told(await last_body(fake, 2)) == [("user", "First"), ("user", "Second")]


async def test_a_message_that_was_complete_stays_as_it_is(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(messages=[{"text": "Done one"}, {"text": "Half two"}], deltas=1)
    fake.fault("responses", hang_after_events=EVENTS_OF_A_MESSAGE + 2)
    thread = await start_thread(server, "once")
    turn = await begin(server, thread, "First")
    await fake.wait_hanging()
    assert await delta(server, thread) == "Done one"
    await steer(server, thread, turn, "Second")
    done = await course(server, thread, turn)

    spoken = [text for text in done.spoken if text]
    assert spoken == ["Done one", "Second"]
    assert told(await last_body(fake, 2)) == [("user", "First"), ("assistant", "Done one"), ("user", "Second")]


async def test_input_at_the_very_end_still_gets_its_answer(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(text="One", deltas=1)
    fake.fault("responses", hang_after_events=EVENTS_OF_A_MESSAGE)  # all but response.completed
    thread = await start_thread(server, "once")
    turn = await begin(server, thread, "First")
    assert await delta(server, thread) == "One"
    await steer(server, thread, turn, "Second")
    done = await course(server, thread, turn)
    assert done.spoken == ["One", "Second"]
    assert told(await last_body(fake, 2)) == [("user", "First"), ("assistant", "One"), ("user", "Second")]


async def test_input_is_taken_or_refused_but_never_lost_however_close_to_the_end(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    taken = 0
    for number in range(20):
        fake.requests.clear()
        thread = await start_thread(server, "once", ephemeral=True)
        turn = await begin(server, thread, "First")
        if number % 2:
            await delta(server, thread)
        said = {"threadId": thread, "expectedTurnId": turn, "input": text_input("Second")}
        steered = await server.request("turn/steer", said)
        done = await course(server, thread, turn)
        if "error" in steered:
            assert steered["error"] == {"code": -32600, "message": "no active turn to steer"}
            assert done.spoken == ["First"]
        else:
            taken += 1
            assert done.spoken[-1] == "Second"
            assert told(asked(fake)[-1].json)[-1] == ("user", "Second")
    assert taken


async def test_several_inputs_are_all_told_in_order(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[call("call_1")])
    thread = await start_thread(server, "once", dynamicTools=[LOOKUP])
    turn = await begin(server, thread, "0")
    request = await called(server)
    for number in range(1, 6):
        await steer(server, thread, turn, str(number))
    await answer(server, request, result("1"))
    await course(server, thread, turn)
    assert [text for role, text in told(await last_body(fake, 2)) if role == "user"] == list("012345")


async def test_input_beyond_what_a_turn_can_hold_is_refused(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(tool_calls=[call("call_1")])
    thread = await start_thread(server, "once", dynamicTools=[LOOKUP])
    turn = await begin(server, thread, "0")
    request = await called(server)
    said = {"threadId": thread, "expectedTurnId": turn, "input": text_input("more")}
    await server.send(*({"id": f"more {number}", "method": "turn/steer", "params": said} for number in range(257)))
    answers = [await server.answer(f"more {number}") for number in range(257)]
    assert [answered.get("error") for answered in answers] == [
        *([None] * 256),
        {"code": -32600, "message": "the running turn has more input waiting than it can take"},
    ]
    await answer(server, request, result("1"))
    done = await course(server, thread, turn)
    assert len(completed_items(done, "userMessage")) == 257


async def test_two_turns_begun_in_one_breath_are_one(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    await server.send(
        *(
            {"id": text, "method": "turn/start", "params": {"threadId": thread, "input": text_input(text)}}
            for text in ("First", "Second")
        )
    )
    first, second = await server.answer("First"), await server.answer("Second")
    assert first["result"]["turn"]["id"] == second["result"]["turn"]["id"]
    done = await course(server, thread, first["result"]["turn"]["id"])
    assert done.spoken[-1] == "Second"
    assert [text for role, text in told(asked(fake)[-1].json) if role == "user"] == ["First", "Second"]
    assert [item["content"][0]["text"] for item in completed_items(done, "userMessage")] == ["First", "Second"]


async def test_steering_brings_items_with_the_clients_own_ids(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("responses", hang=True)
    thread = await start_thread(server, "once")
    turn = await begin(server, thread, "First", clientUserMessageId="mine 1")
    await fake.wait_hanging()
    await steer(server, thread, turn, "Second", clientUserMessageId="mine 2")
    done = await course(server, thread, turn)

    assert [item["clientId"] for item in completed_items(done, "userMessage")] == ["mine 1", "mine 2"]
    read = await server.result("thread/read", {"threadId": thread, "includeTurns": True})
    stored = [item for item in read["thread"]["turns"][0]["items"] if item["type"] == "userMessage"]
    assert [(item["clientId"], item["content"][0]["text"]) for item in stored] == [
        ("mine 1", "First"),
        ("mine 2", "Second"),
    ]
    assert "mine" not in str(items_of((await requests(fake, 2))[1].json))


async def test_other_settings_on_a_running_turn_count_from_the_next_on(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("responses", hang=True)
    thread = await start_thread(server, "once")
    turn = await begin(server, thread, "First")
    await fake.wait_hanging()
    await start_again(server, thread, turn, "Second", model="gpt-5.2", effort="high")
    await course(server, thread, turn)
    await talk(server, thread, "Third")

    said = [(request.json["model"], request.json.get("reasoning")) for request in await requests(fake, 3)]
    assert said[:2] == [("gpt-5.1-codex", said[0][1])] * 2
    assert said[2] == ("gpt-5.2", {"effort": "high"})


# What is refused


@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        ({"expectedTurnId": ""}, "expectedTurnId must not be empty"),
        ({"input": []}, "input must not be empty"),
        ({"expectedTurnId": None}, "Invalid request: invalid type: null, expected a string"),
        ({"threadId": NEVER}, f"thread not found: {NEVER}"),
        (
            {"input": [{"type": "image", "url": "https://example.test/x.png"}]},
            "remote image URLs are not supported; use an inline data URL instead",
        ),
    ],
)
async def test_a_steer_that_makes_no_sense_is_refused(
    fake: FakeOpenAI, server: ServerProcess, wish: Json, problem: str
) -> None:
    fake.fault("responses", hang=True)
    thread = await start_thread(server, "once")
    turn = await begin(server, thread)
    await fake.wait_hanging()
    said = {"threadId": thread, "expectedTurnId": turn, "input": text_input("more"), **wish}
    assert await server.error("turn/steer", said) == {"code": -32600, "message": problem}
    fake.release()
    assert (await course(server, thread, turn)).spoken == ["Hello"]
    await requests(fake, 1)


async def test_a_steer_for_another_turn_says_which_one_runs(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("responses", hang=True)
    thread = await start_thread(server, "once")
    turn = await begin(server, thread)
    await fake.wait_hanging()
    wish = {"threadId": thread, "expectedTurnId": "zz", "input": text_input("more")}
    assert await server.error("turn/steer", wish) == {
        "code": -32600,
        "message": f"expected active turn id `zz` but found `{turn}`",
    }
    fake.release()
    await course(server, thread, turn)
    wish["expectedTurnId"] = turn
    assert await server.error("turn/steer", wish) == {"code": -32600, "message": "no active turn to steer"}


async def test_a_steer_must_say_for_which_turn(server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    said = await server.error("turn/steer", {"threadId": thread, "input": text_input("more")})
    assert said == {"code": -32600, "message": "Invalid request: missing field `expectedTurnId`"}
