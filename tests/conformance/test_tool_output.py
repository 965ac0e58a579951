"""What a tool delivers unasked (``toolOutput`` of ``turn/start``), and what a client adds before an input."""

import re
from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.conformance.support import in_order, invalid, only, refused, thread_on
from tests.support.server import Json, ServerProcess
from tests.wire.turns.support import RESPONSES, Course, begin, course, delta, talk

MAIL: Json = {"name": "mail", "namespace": "post", "output": "You have mail"}
SHOWN = ("name", "namespace", "output")

EVENTS_UP_TO_THE_FIRST_DELTA = 4

NO_BODY = invalid("data did not match any variant of untagged enum FunctionCallOutputBody")


async def deliver(server: ServerProcess, thread: str, output: Json = MAIL, **params: Any) -> str:
    """Have a tool deliver something; the id of the turn that takes it."""
    begun = await server.result("turn/start", {"threadId": thread, "input": [], "toolOutput": output, **params})
    turn: str = begun["turn"]["id"]
    return turn


async def delivered(server: ServerProcess, thread: str, output: Json = MAIL) -> Course:
    """One whole turn of it."""
    return await course(server, thread, await deliver(server, thread, output))


def outputs(fake: FakeOpenAI) -> list[Json]:
    """What the model was told last that tools have delivered, without the ids."""
    items = fake.requests.of(RESPONSES)[-1].json["input"]
    assert all(item["id"].startswith("fco_") for item in items if item["type"] == "function_call_output")
    return [
        {name: value for name, value in item.items() if name not in ("id", "type")}
        for item in items
        if item["type"] == "function_call_output"
    ]


async def test_it_is_an_item_at_the_beginning_of_a_turn_and_the_model_sees_it(
    server: ServerProcess, fake: FakeOpenAI
) -> None:
    fake.script(text="So I have.", deltas=1)
    thread = await thread_on(server)
    done = await delivered(server, thread)
    aside = ("thread/tokenUsage/updated", "account/rateLimits/updated")
    assert [said for said in in_order(done) if said not in aside] == [
        "thread/status/changed active",
        "turn/started",
        "item/started functionCallOutput",
        "item/completed functionCallOutput",
        "item/started agentMessage",
        "item/agentMessage/delta",
        "item/completed agentMessage",
        "thread/status/changed idle",
        "turn/completed",
    ]
    item = done.params("item/completed")[0]["item"]
    assert only(item, "type", *SHOWN) == {"type": "functionCallOutput", **MAIL}
    assert outputs(fake) == [MAIL]
    await talk(server, thread, "And now?")
    assert outputs(fake) == [MAIL]
    (again,) = [
        said for said in fake.requests.of(RESPONSES)[-1].json["input"] if said["type"] == "function_call_output"
    ]
    assert again["id"] == item["id"]


async def test_a_namespace_that_is_not_given_is_not_told(server: ServerProcess, fake: FakeOpenAI) -> None:
    done = await delivered(server, await thread_on(server), {"name": "mail", "output": "x", "retain": True})
    assert only(done.params("item/completed")[0]["item"], *SHOWN) == {"name": "mail", "namespace": None, "output": "x"}
    assert outputs(fake) == [{"name": "mail", "output": "x"}]


PIECES: dict[str, tuple[Json, Json | None]] = {
    "text": ({"type": "input_text", "text": "t"}, {"type": "input_text", "text": "t"}),
    "no text": ({"type": "input_text", "text": ""}, None),
    "no image": (
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
        {"type": "input_text", "text": "image content omitted because it could not be processed"},
    ),
    "sound": (
        {"type": "input_audio", "audio_url": "data:audio/wav;base64,AAAA"},
        {"type": "input_text", "text": "audio content omitted because you do not support audio input"},
    ),
    "encrypted": (
        {"type": "encrypted_content", "encrypted_content": "AAAA"},
        {"type": "encrypted_content", "encrypted_content": "AAAA"},
    ),
}


@pytest.mark.parametrize("piece", PIECES)
async def test_pieces_are_shown_as_they_came(server: ServerProcess, fake: FakeOpenAI, piece: str) -> None:
    given, told = PIECES[piece]
    done = await delivered(server, await thread_on(server), {"name": "mail", "output": [given]})
    assert done.params("item/completed")[0]["item"]["output"] == [given]
    assert outputs(fake) == [{"name": "mail", "output": [] if told is None else [told]}]


async def test_a_long_text_loses_its_middle_on_the_way_to_the_model(server: ServerProcess, fake: FakeOpenAI) -> None:
    text = "a" * 30_000 + "b" * 30_000
    done = await delivered(server, await thread_on(server), {"name": "log", "output": text})
    assert done.params("item/completed")[0]["item"]["output"] == text
    # How much is left depends on what a server knows of the model.
    (told,) = outputs(fake)
    assert re.fullmatch(r"a{6000,}…\d+ tokens truncated…b{6000,}", told["output"])


async def test_it_joins_the_turn_that_runs_when_the_model_has_said_its_say(
    server: ServerProcess, fake: FakeOpenAI
) -> None:
    fake.script(text="One two three", deltas=3)
    fake.fault("responses", hang_after_events=EVENTS_UP_TO_THE_FIRST_DELTA)
    thread = await thread_on(server)
    turn = await begin(server, thread, "First")
    await delta(server, thread)
    assert await deliver(server, thread) == turn
    fake.release()
    done = await course(server, thread, turn)
    assert done.spoken == ["One two three", "The tool said: You have mail"]
    assert [said for said in in_order(done) if said.startswith("item/completed")] == [
        "item/completed userMessage",
        "item/completed agentMessage",
        "item/completed functionCallOutput",
        "item/completed agentMessage",
    ]


async def test_it_is_kept_with_the_thread(start: Any, fake: FakeOpenAI) -> None:
    async with start() as server:
        thread = await thread_on(server)
        await delivered(server, thread)
        found = (await server.result("thread/read", {"threadId": thread, "includeTurns": True}))["thread"]
        assert (found["preview"], only(found["turns"][0]["items"][0], *SHOWN)) == ("", MAIL)
    async with start() as server:
        resumed = (await server.result("thread/resume", {"threadId": thread}))["thread"]
        await server.barrier()
        assert [item["type"] for item in resumed["turns"][0]["items"]] == ["functionCallOutput", "agentMessage"]
        assert only(resumed["turns"][0]["items"][0], *SHOWN) == MAIL
        await talk(server, thread, "And now?")
        assert outputs(fake) == [MAIL]


REFUSED: dict[str, tuple[Any, Json]] = {
    "no name": ({"output": "x"}, invalid("missing field `name`")),
    "an empty name": ({"name": "", "output": "x"}, refused("`toolOutput.name` must not be empty")),
    "no output": ({"name": "mail"}, invalid("missing field `output`")),
    "null": ({"name": "mail", "output": None}, NO_BODY),
    "an unknown piece": ({"name": "mail", "output": [{"type": "zz"}]}, NO_BODY),
    "an image from nowhere": ({"name": "mail", "output": [{"type": "input_image"}]}, NO_BODY),
    "an image from elsewhere": (
        {"name": "mail", "output": [{"type": "input_image", "image_url": "https://example.test/x.png"}]},
        refused("remote image URLs are not supported; use an inline data URL instead"),
    ),
    "a sound of the upstream": (
        {"name": "mail", "output": [{"type": "input_audio", "file_id": "f"}]},
        refused("Uploaded audio files must be submitted as turn input."),
    ),
    "no struct": (5, invalid("invalid type: integer `5`, expected struct TurnToolOutput")),
}


@pytest.mark.parametrize("wish", REFUSED)
async def test_what_is_no_output_is_refused(server: ServerProcess, wish: str) -> None:
    output, error = REFUSED[wish]
    params = {"threadId": await thread_on(server), "input": [], "toolOutput": output}
    assert await server.error("turn/start", params) == error


async def test_it_stands_alone_and_is_bounded(server: ServerProcess) -> None:
    thread = await thread_on(server)
    words = [{"type": "text", "text": "", "text_elements": []}]
    assert await server.error("turn/start", {"threadId": thread, "input": words, "toolOutput": MAIL}) == refused(
        "`toolOutput` cannot be combined with nonempty `input`"
    )
    long = {"name": "log", "output": [{"type": "input_text", "text": "x" * 600_000}] * 2}
    assert await server.error("turn/start", {"threadId": thread, "input": [], "toolOutput": long}) == {
        "code": -32602,
        "message": "Input exceeds the maximum length of 1048576 characters.",
        "data": {"input_error_code": "input_too_large", "max_chars": 1048576, "actual_chars": 1200000},
    }


async def test_context_is_the_developers_or_a_tools(server: ServerProcess, fake: FakeOpenAI) -> None:
    context = {
        "policy": {"value": "Be kind.", "kind": "application"},
        "page": {"value": "Buy!", "kind": "untrusted"},
        "named": {"value": "Sell!", "kind": "untrusted", "name": "browser"},
        "": {"value": "Eh?", "kind": "untrusted"},
    }
    thread = await thread_on(server)
    await talk(server, thread, "Hi", additionalContext=context)
    *_, unnamed, named, page, policy, user = fake.requests.of(RESPONSES)[-1].json["input"]
    assert [only(item, *SHOWN) for item in (unnamed, named, page)] == [
        {"name": "untrusted_content", "namespace": "agent", "output": "Eh?"},
        {"name": "browser", "namespace": "agent", "output": "Sell!"},
        {"name": "page", "namespace": "agent", "output": "Buy!"},
    ]
    assert (policy["role"], policy["content"][0]["text"]) == ("developer", "<policy>Be kind.</policy>")
    assert (user["role"], user["content"][0]["text"]) == ("user", "Hi")
    wrong = {"policy": {**context["policy"], "name": "x"}}
    params = {"threadId": thread, "input": [], "additionalContext": wrong}
    assert await server.error("turn/start", params) == refused(
        "additional context name is only supported for untrusted context"
    )
