"""``thread/inject_items``: items of the Responses API that the client puts into the history itself."""

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.conversations.support import items_of, last_body, requests, told
from tests.wire.turns.support import begin, course, start_thread, talk

INJECT = "thread/inject_items"


def said(role: str, text: str, **more: str) -> Json:
    """A message of the Responses API."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}], **more}


async def inject(server: ServerProcess, thread: str, *items: Json) -> None:
    assert await server.result(INJECT, {"threadId": thread, "items": list(items)}) == {}


async def test_injected_items_are_in_the_next_request(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    await talk(server, thread, "First")
    output = {"type": "function_call_output", "call_id": "call_1", "output": "1"}
    function_call = {"type": "function_call", "call_id": "call_1", "name": "lookup", "arguments": "{}"}
    await inject(server, thread, said("user", "By the way"), said("assistant", "I see"), function_call, output)
    await talk(server, thread, "Second")

    assert told(await last_body(fake, 2)) == [
        ("user", "First"),
        ("assistant", "First"),
        ("user", "By the way"),
        ("assistant", "I see"),
        ("call", "call_1"),
        ("call_1", "1"),
        ("user", "Second"),
    ]


async def test_an_output_needs_no_call(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    mail = {"type": "function_call_output", "name": "mail", "output": "You have mail"}
    await inject(server, thread, mail)
    await talk(server, thread, "First")
    injected, _ = items_of(await last_body(fake))
    assert injected == {**mail, "id": injected["id"]}


async def test_injected_items_are_no_turn_and_nobody_is_told(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    await inject(server, thread, said("user", "By the way"))
    assert await server.barrier() == []
    await talk(server, thread, "First")
    read = await server.result("thread/read", {"threadId": thread, "includeTurns": True})
    assert [[item["type"] for item in turn["items"]] for turn in read["thread"]["turns"]] == [
        ["userMessage", "agentMessage"]
    ]
    assert read["thread"]["preview"] == "First"


async def test_ids_are_kept_where_the_models_side_takes_them(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    await inject(server, thread, said("assistant", "A", id="msg_1"), said("assistant", "B", id="mine"))
    await talk(server, thread, "First")
    kept, replaced, _ = items_of(await last_body(fake))
    assert kept["id"] == "msg_1"
    assert replaced["id"].startswith("msg_")


async def test_a_new_process_still_has_them(fake: FakeOpenAI, start: Start) -> None:
    async with start() as server:
        thread = await start_thread(server, "once")
        await inject(server, thread, said("user", "By the way"))
        await talk(server, thread, "First")
        await inject(server, thread, said("assistant", "I see"))
    async with start() as server:
        await server.result("thread/resume", {"threadId": thread})
        await server.barrier()
        await talk(server, thread, "Second")
    assert [text for _, text in told(await last_body(fake, 2))] == ["By the way", "First", "First", "I see", "Second"]


async def test_items_injected_into_a_running_turn_are_for_the_next_request(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("responses", hang=True)
    thread = await start_thread(server, "once")
    turn = await begin(server, thread, "First")
    await fake.wait_hanging()
    await inject(server, thread, said("user", "By the way"))
    fake.release()
    assert (await course(server, thread, turn)).spoken == ["First"]
    await talk(server, thread, "Second")
    texts = [text for _, text in told((await requests(fake, 2))[1].json)]
    assert sorted(texts) == ["By the way", "First", "First", "Second"]


async def test_the_developers_words_do_not_make_the_surroundings_be_told_again(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread = await start_thread(server, "once", developerInstructions="Be kind.")
    await talk(server, thread, "First")
    await inject(server, thread, said("developer", "And brief."))
    await talk(server, thread, "Second")
    assert sum("Be kind." in str(item) for item in (await last_body(fake, 2))["input"]) == 1


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([], "items must not be empty"),
        (
            [1],
            (
                "items[0] is not a valid response item: invalid type: integer `1`, "
                "expected internally tagged enum ResponseItem"
            ),
        ),
        ([{"role": "user"}], "items[0] is not a valid response item: missing field `type`"),
        (
            [said("user", "fine"), {"type": "message", "role": "user"}],
            "items[1] is not a valid response item: missing field `content`",
        ),
    ],
)
async def test_what_is_no_item_is_refused_and_nothing_of_it_is_taken(
    fake: FakeOpenAI, server: ServerProcess, items: list[Json], problem: str
) -> None:
    thread = await start_thread(server, "once")
    wish = {"threadId": thread, "items": items}
    assert await server.error(INJECT, wish) == {"code": -32600, "message": problem}
    await talk(server, thread, "First")
    assert told(await last_body(fake)) == [("user", "First")]
