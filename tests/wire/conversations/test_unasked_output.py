"""What a tool delivers without having been called: ``toolOutput`` in place of the user's words."""

from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.threads.tool_output import MAX_OUTPUT_BYTES
from protocol.errors import MAX_INPUT_CHARACTERS
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.conversations.support import (
    PNG_URL,
    compact,
    completed_items,
    in_order,
    items_of,
    last_body,
    only_course,
    requests,
    started_items,
)
from tests.wire.turns.support import Course, begin, course, delta, start_thread, talk

EVENTS_UP_TO_THE_FIRST_DELTA = 4
"""What the fake sends up to the first piece of a message."""

MAIL: Json = {"name": "mail", "namespace": "post", "output": "You have mail"}


async def deliver(server: ServerProcess, thread: str, output: Json, **params: Any) -> str:
    """Have a tool deliver something; the id of the turn that takes it."""
    begun = await server.result("turn/start", {"threadId": thread, "input": [], "toolOutput": output, **params})
    turn: str = begun["turn"]["id"]
    return turn


async def delivered(server: ServerProcess, thread: str, output: Json, **params: Any) -> Course:
    """One whole turn of it."""
    return await course(server, thread, await deliver(server, thread, output, **params))


def shown(item: Json) -> Json:
    """What the item of a delivery has to say."""
    return {name: item[name] for name in ("name", "namespace", "output")}


async def test_it_begins_a_turn_and_is_an_item_that_the_model_sees_now_and_later(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread = await start_thread(server, "once")
    done = await delivered(server, thread, MAIL)
    assert (done.status, done.spoken) == ("completed", ["The tool said: You have mail"])
    (item,) = completed_items(done, "functionCallOutput")
    assert started_items(done, "functionCallOutput") == [item]
    assert item == {"type": "functionCallOutput", "id": item["id"], **MAIL}
    assert item["id"].startswith("fco_")
    assert completed_items(done, "userMessage") == []
    about_the_turn = [what for what in in_order(done.messages) if what.startswith(("turn", "item"))]
    assert about_the_turn[:3] == [
        "turn/started",
        "item/started functionCallOutput",
        "item/completed functionCallOutput",
    ]
    told = [{"type": "function_call_output", "id": item["id"], **MAIL}]
    assert items_of(await last_body(fake)) == told

    await talk(server, thread, "And now?")
    later = items_of(await last_body(fake, 2))
    assert (later[:1], [given["role"] for given in later[1:]]) == (told, ["assistant", "user"])


async def test_texts_images_and_what_only_the_upstream_reads(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    pieces = [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": PNG_URL, "detail": "low"},
        {"type": "encrypted_content", "encrypted_content": "c2VjcmV0"},
    ]
    done = await delivered(server, thread, {"name": "camera", "output": pieces})
    (item,) = completed_items(done, "functionCallOutput")
    assert shown(item) == {"name": "camera", "namespace": None, "output": pieces}
    (told,) = items_of(await last_body(fake))
    assert told == {"type": "function_call_output", "id": item["id"], "name": "camera", "output": pieces}


async def test_a_long_one_is_whole_in_the_item_and_cut_for_the_model(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    text = "x" * MAX_INPUT_CHARACTERS
    done = await delivered(server, thread, {"name": "log", "output": text})
    (item,) = completed_items(done, "functionCallOutput")
    (told,) = items_of(await last_body(fake))
    assert item["output"] == text
    assert MAX_OUTPUT_BYTES < len(told["output"]) < MAX_OUTPUT_BYTES + 100


async def test_it_joins_the_turn_that_runs_without_cutting_the_answer_off(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.script(text="One two three", deltas=3)
    fake.fault("responses", hang_after_events=EVENTS_UP_TO_THE_FIRST_DELTA)
    thread = await start_thread(server, "once")
    turn = await begin(server, thread, "First")
    assert await delta(server, thread) == "One "
    assert await deliver(server, thread, MAIL) == turn
    fake.release()
    done = await course(server, thread, turn)

    assert done.spoken == ["One two three", "The tool said: You have mail"]
    assert [what for what in in_order(done.messages) if what.startswith("item/completed")] == [
        "item/completed userMessage",
        "item/completed agentMessage",
        "item/completed functionCallOutput",
        "item/completed agentMessage",
    ]
    assert shown(items_of((await requests(fake, 2))[1].json)[-1]) == MAIL


async def test_a_compaction_that_runs_takes_none(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    await talk(server, thread, "First")
    fake.fault("responses", hang=True)
    await server.result("thread/compact/start", {"threadId": thread})
    await fake.wait_hanging()
    wish = {"threadId": thread, "input": [], "toolOutput": MAIL}
    assert (await server.error("turn/start", wish))["message"] == "cannot steer a compact turn"
    fake.release()
    assert (await only_course(server, thread)).status == "completed"


async def test_a_summary_takes_its_place(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    await delivered(server, thread, {**MAIL, "retain": True})
    assert (await compact(server, thread)).status == "completed"
    assert shown(items_of(await last_body(fake, 2))[0]) == MAIL
    await talk(server, thread, "And now?")
    assert [item["type"] for item in items_of(await last_body(fake, 3))] == ["message", "message"]


async def test_it_is_kept_and_told_again_and_is_no_preview(fake: FakeOpenAI, start: Start) -> None:
    async with start() as server:
        thread = await start_thread(server, "once")
        (item,) = completed_items(await delivered(server, thread, MAIL), "functionCallOutput")
        found = (await server.result("thread/read", {"threadId": thread, "includeTurns": True}))["thread"]
        assert (found["preview"], shown(found["turns"][0]["items"][0])) == ("", MAIL)
    async with start() as server:
        resumed = (await server.result("thread/resume", {"threadId": thread}))["thread"]
        await server.barrier()
        assert [given["type"] for given in resumed["turns"][0]["items"]] == ["functionCallOutput", "agentMessage"]
        assert resumed["turns"][0]["items"][0]["id"] == item["id"]
        assert shown(resumed["turns"][0]["items"][0]) == MAIL
        listed = (await server.result("thread/items/list", {"threadId": thread}))["data"]
        assert shown(listed[0]["item"]) == MAIL
        await talk(server, thread, "And now?")
        assert items_of(await last_body(fake, 2))[0]["id"] == item["id"]
        forked = (await server.result("thread/fork", {"threadId": thread}))["thread"]
        assert (forked["preview"], shown(forked["turns"][0]["items"][0])) == ("And now?", MAIL)
        await server.barrier()
        await talk(server, forked["id"], "And here?")
        assert items_of(await last_body(fake, 3))[0] == {
            "type": "function_call_output",
            "id": item["id"],
            **MAIL,
        }


NO_BODY = "Invalid request: data did not match any variant of untagged enum FunctionCallOutputBody"


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"name": ""}, "`toolOutput.name` must not be empty"),
        ({"name": None}, "Invalid request: invalid type: null, expected a string"),
        ({"output": None}, NO_BODY),
        ({"output": [{"type": "input_image"}]}, NO_BODY),
        ({"output": [{"type": "input_video"}]}, NO_BODY),
        (
            {"output": [{"type": "input_image", "image_url": "https://example.test/x.png"}]},
            "remote image URLs are not supported; use an inline data URL instead",
        ),
        (
            {"output": [{"type": "input_audio", "file_id": "file_1"}]},
            "Uploaded audio files must be submitted as turn input.",
        ),
    ],
)
async def test_what_is_no_output_is_refused(fake: FakeOpenAI, server: ServerProcess, wish: Json, message: str) -> None:
    thread = await start_thread(server, "once")
    params = {"threadId": thread, "input": [], "toolOutput": {**MAIL, **wish}}
    assert await server.error("turn/start", params) == {"code": -32600, "message": message}
    assert fake.requests.of("responses") == []


async def test_it_stands_alone(server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    params = {"threadId": thread, "input": [{"type": "text", "text": ""}], "toolOutput": MAIL}
    assert await server.error("turn/start", params) == {
        "code": -32600,
        "message": "`toolOutput` cannot be combined with nonempty `input`",
    }


async def test_it_is_bounded_like_any_input(server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    size = MAX_INPUT_CHARACTERS + 1
    params = {"threadId": thread, "input": [], "toolOutput": {"name": "log", "output": "x" * size}}
    error = await server.error("turn/start", params)
    assert (error["code"], error["data"]["actual_chars"]) == (-32602, size)
