"""``thread/inject_items``: the history grows without a turn."""

from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.threads.support import (
    NOBODY,
    echoed,
    lines_of,
    listed,
    read,
    refused,
    resume,
    thread_with,
    told,
    unload,
)
from tests.wire.turns.support import asked, begin, delta, start_thread, talk


def message(role: str, text: str) -> Json:
    """A message as the Responses API has it."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


INJECTED = [message("user", "Injected"), message("assistant", "So be it")]


async def inject(server: ServerProcess, thread_id: str, items: Any) -> Json:
    """Ask; the whole answer."""
    return await server.request("thread/inject_items", {"threadId": thread_id, "items": items})


async def test_the_model_is_told_of_them_in_another_process_too(fake: FakeOpenAI, start: Start) -> None:
    async with start() as first:
        thread_id = await thread_with(first, "One")
        await first.barrier()
        assert (await inject(first, thread_id, INJECTED))["result"] == {}
        assert await first.barrier() == []
        assert len((await read(first, thread_id))["turns"]) == 1, "no turn has come of it"
        await talk(first, thread_id, "Two")
        expected = [*echoed("One"), ("assistant", "One"), ("user", "Injected"), ("assistant", "So be it")]
        assert told(fake) == [*expected, ("user", "Two")]
    async with start() as second:
        await resume(second, thread_id)
        await talk(second, thread_id, "Three")
        assert told(fake) == [*expected, ("user", "Two"), ("assistant", "Two"), ("user", "Three")]


async def test_before_the_first_turn(fake: FakeOpenAI, own_server: ServerProcess) -> None:
    thread_id = await start_thread(own_server, "once")

    assert (await inject(own_server, thread_id, INJECTED))["result"] == {}

    assert await listed(own_server) == [], "the user has said nothing yet"
    await unload(own_server, thread_id)
    await resume(own_server, thread_id)
    await talk(own_server, thread_id, "One")
    assert told(fake) == [("user", "Injected"), ("assistant", "So be it"), ("user", "One")]
    assert (await read(own_server, thread_id))["preview"] == "One"


async def test_while_a_turn_runs(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await start_thread(server, "once")
    fake.fault("responses", hang_after_events=5)
    await begin(server, thread_id, "One")
    await delta(server, thread_id)

    assert (await inject(server, thread_id, [message("user", "Injected")]))["result"] == {}

    fake.release()
    await server.notification("turn/completed")
    await server.barrier()
    await talk(server, thread_id, "Two")
    texts = [text for _, text in told(fake)]
    assert sorted(texts) == ["Injected", "One", "One", "Two"]


async def test_an_item_of_a_kind_that_is_not_known_is_the_models_business(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread_id = await start_thread(server, "once")

    assert (await inject(server, thread_id, [{"type": "new_kind", "x": 1}]))["result"] == {}
    assert (await talk(server, thread_id, "One")).status == "completed"
    assert any(item.get("type") == "new_kind" for item in asked(fake)[-1].json["input"])


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([], "items must not be empty"),
        ([5], "items[0] is not a valid response item: invalid type: integer `5`, "),
        ([INJECTED[0], {}], "items[1] is not a valid response item: missing field `type`"),
        ([{"type": "message"}], "items[0] is not a valid response item: missing field `role`"),
        (
            [{"type": "message", "role": "user", "content": "x"}],
            'items[0] is not a valid response item: invalid type: string "x", expected a sequence',
        ),
        ("x", 'Invalid request: invalid type: string "x", expected a sequence'),
        (None, "Invalid request: invalid type: null, expected a sequence"),
    ],
)
async def test_all_of_them_or_none(fake: FakeOpenAI, server: ServerProcess, items: Any, problem: str) -> None:
    thread_id = await start_thread(server, "once")

    error = (await inject(server, thread_id, items))["error"]

    assert error["code"] == -32600
    assert error["message"].startswith(problem)
    await talk(server, thread_id, "One")
    assert told(fake) == echoed("One")


async def test_the_thread_has_to_be_loaded(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread_id = await thread_with(server, "One")
    path = (await read(server, thread_id))["path"]
    await unload(server, thread_id)
    before = lines_of(path)

    for one in (thread_id, NOBODY):
        assert (await inject(server, one, INJECTED))["error"] == refused(f"thread not found: {one}")

    assert lines_of(path) == before
