"""What a thread and a turn may change about the request to the model, and how long it lasts."""

from pathlib import Path
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.conversations.support import PLAN_MODE, last_body, requests, texts_of
from tests.wire.turns.support import start_thread, talk

ANSWER: Json = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}


async def bodies_of(fake: FakeOpenAI, server: ServerProcess, *turns: Json, **params: Any) -> list[Json]:
    """The requests of turns with these changes, one after another."""
    thread = await start_thread(server, "once", **params)
    for changes in turns:
        assert (await talk(server, thread, **changes)).status == "completed"
    return [request.json for request in await requests(fake, len(turns))]


async def test_a_request_without_changes(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    await talk(server, thread)
    (request,) = await requests(fake, 1)
    body = request.json
    assert {name: value for name, value in body.items() if name not in ("input", "instructions")} == {
        "model": "gpt-5.1-codex",
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": thread,
    }
    assert body["instructions"]
    assert (request.headers.get("thread-id"), request.headers.get("x-client-request-id")) == (thread, thread)
    assert request.headers.get("accept") == "text/event-stream"


@pytest.mark.parametrize(
    ("change", "member", "value"),
    [
        ({"model": "gpt-5.2"}, "model", "gpt-5.2"),
        ({"effort": "high"}, "reasoning", {"effort": "high"}),
        ({"effort": "zzz"}, "reasoning", {"effort": "zzz"}),
        ({"summary": "detailed"}, "reasoning", {"summary": "detailed"}),
        ({"effort": "low", "summary": "auto"}, "reasoning", {"effort": "low", "summary": "auto"}),
        ({"serviceTier": "priority"}, "service_tier", "priority"),
    ],
)
async def test_what_a_turn_changes_stays_changed(
    fake: FakeOpenAI, server: ServerProcess, change: Json, member: str, value: Any
) -> None:
    before, changed, after = await bodies_of(fake, server, {}, change, {})
    assert before.get(member) != value
    assert [changed[member], after[member]] == [value, value]


async def test_summaries_can_be_switched_off_again(fake: FakeOpenAI, server: ServerProcess) -> None:
    on, off = await bodies_of(fake, server, {"summary": "concise"}, {"summary": "none"})
    assert on["reasoning"] == {"summary": "concise"}
    assert "reasoning" not in off


async def test_a_schema_of_the_answer_is_for_one_turn(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    done = await talk(server, thread, "First", outputSchema=ANSWER)
    await talk(server, thread, "Second")
    first, second = [request.json for request in await requests(fake, 2)]
    assert first["text"] == {
        "format": {"type": "json_schema", "name": "codex_output_schema", "strict": True, "schema": ANSWER}
    }
    assert done.spoken == ['{"answer":"First"}']
    assert "text" not in second


async def test_a_schema_keeps_the_verbosity_beside_it(fake: FakeOpenAI, server: ServerProcess) -> None:
    config = {"model_verbosity": "high"}
    with_schema, without = await bodies_of(fake, server, {"outputSchema": ANSWER}, {}, config=config)
    assert with_schema["text"]["verbosity"] == "high"
    assert with_schema["text"]["format"]["schema"] == ANSWER
    assert without["text"] == {"verbosity": "high"}


async def test_another_folder_is_told_to_the_model_from_that_turn_on(
    fake: FakeOpenAI, server: ServerProcess, tmp_path: Path
) -> None:
    thread = await start_thread(server, "once", cwd=str(tmp_path))
    for changes in ({}, {"cwd": str(tmp_path / "other")}, {}):
        await talk(server, thread, **changes)
    last = await last_body(fake, 3)
    told = [texts_of(item)[0] for item in last["input"] if "<environment_context>" in texts_of(item)[0]]
    assert [text.partition("<cwd>")[2].partition("</cwd>")[0] for text in told] == [
        str(tmp_path),
        str(tmp_path / "other"),
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"effort": ""}, "reasoning_effort must not be empty"),
        ({"summary": "zz"}, "unknown variant `zz`, expected one of `auto`, `concise`, `detailed`, `none`"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused_and_changes_nothing(
    fake: FakeOpenAI, server: ServerProcess, change: Json, problem: str
) -> None:
    thread = await start_thread(server, "once")
    wish = {"threadId": thread, "input": [], "model": "gpt-5.2", **change}
    assert await server.error("turn/start", wish) == {"code": -32600, "message": f"Invalid request: {problem}"}
    await talk(server, thread)
    assert (await last_body(fake))["model"] == "gpt-5.1-codex"


async def test_an_input_that_is_refused_changes_nothing_either(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    remote = {"type": "image", "url": "https://example.test/x.png"}
    await server.error("turn/start", {"threadId": thread, "input": [remote], "model": "gpt-5.2"})
    await talk(server, thread)
    assert (await last_body(fake))["model"] == "gpt-5.1-codex"


async def test_threads_do_not_change_each_other(fake: FakeOpenAI, server: ServerProcess) -> None:
    one, other = await start_thread(server, "once"), await start_thread(server, "once")
    await talk(server, one, model="gpt-5.2", effort="high")
    await talk(server, other)
    body = await last_body(fake, 2)
    assert body["model"] == "gpt-5.1-codex"
    assert "reasoning" not in body


# What a thread begins with


async def test_a_thread_has_its_own_instructions(fake: FakeOpenAI, server: ServerProcess) -> None:
    (body,) = await bodies_of(
        fake, server, {}, baseInstructions="You are a lamp.", developerInstructions="Shine brightly."
    )
    assert body["instructions"] == "You are a lamp."
    first = body["input"][0]
    assert (first["role"], texts_of(first)) == ("developer", ["Shine brightly."])


async def test_a_thread_has_its_own_configuration(fake: FakeOpenAI, server: ServerProcess) -> None:
    config = {
        "model_reasoning_effort": "high",
        "model_reasoning_summary": "concise",
        "model_verbosity": "low",
        "service_tier": "priority",
        "developer_instructions": "Shine brightly.",
        "model": "gpt-5.2",
    }
    (body,) = await bodies_of(fake, server, {}, config=config)
    assert body["reasoning"] == {"effort": "high", "summary": "concise"}
    assert body["text"] == {"verbosity": "low"}
    assert (body["model"], body["service_tier"]) == ("gpt-5.2", "priority")
    assert texts_of(body["input"][0]) == ["Shine brightly."]


async def test_what_a_thread_is_started_with_wins_over_its_configuration(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    config = {"model": "gpt-5.2", "developer_instructions": "From the configuration."}
    (body,) = await bodies_of(
        fake, server, {}, config=config, model="gpt-5.3", developerInstructions="From the client.", serviceTier="flex"
    )
    assert (body["model"], body["service_tier"]) == ("gpt-5.3", "flex")
    assert texts_of(body["input"][0]) == ["From the client."]


async def test_the_mode_brings_its_model_effort_and_instructions(fake: FakeOpenAI, server: ServerProcess) -> None:
    settings = {"model": "gpt-5.2", "reasoning_effort": "high", "developer_instructions": "Plan with care."}
    planning, after = await bodies_of(
        fake, server, {"collaborationMode": {"mode": "plan", "settings": settings}, "model": "gpt-5.3"}, {}
    )
    for body in (planning, after):
        assert (body["model"], body["reasoning"]) == ("gpt-5.2", {"effort": "high"})
    assert sum("Plan with care." in texts_of(item) for item in after["input"]) == 1


async def test_a_change_of_mode_is_told_to_the_model(fake: FakeOpenAI, server: ServerProcess) -> None:
    first, planning = await bodies_of(fake, server, {}, {"collaborationMode": PLAN_MODE})
    assert "proposed_plan" not in str(first["input"])
    assert sum("<proposed_plan>" in str(item) for item in planning["input"]) == 1


async def test_a_resumed_thread_goes_on_with_what_was_changed(fake: FakeOpenAI, start: Start, tmp_path: Path) -> None:
    async with start() as server:
        thread = await start_thread(server, "once", baseInstructions="You are a lamp.", developerInstructions="Shine.")
        await talk(server, thread, "First", model="gpt-5.2", effort="high", cwd=str(tmp_path))
    async with start() as server:
        resumed = await server.result("thread/resume", {"threadId": thread})
        assert (resumed["model"], resumed["reasoningEffort"], resumed["cwd"]) == ("gpt-5.2", "high", str(tmp_path))
        await server.barrier()
        await talk(server, thread, "Second")
    first, second = [request.json for request in await requests(fake, 2)]
    for name in ("model", "instructions", "reasoning", "prompt_cache_key"):
        assert second[name] == first[name]
    assert second["input"][: len(first["input"])] == first["input"]
