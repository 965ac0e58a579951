"""Requests about turns that are refused, and how (wire.md section 14)."""

from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.wire.turns.support import begin, course, start_thread, text_input, works

UNKNOWN = "01a1fdba-c399-74ef-974d-1f21f9c538ec"

BAD_IDS = {
    "zz": (
        "invalid thread id: invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-], "
        "found `z` at 1"
    ),
    "01a1fdba-c399-74ef-974d": "invalid thread id: invalid group count: expected 5, found 4",
    "1a1fdba-c399-74ef-974d-1f21f9c538ec": ("invalid thread id: invalid group length in group 0: expected 8, found 7"),
}

CALLS: dict[str, Json] = {
    "turn/start": {"input": text_input("Hello")},
    "turn/steer": {"input": text_input("Hello"), "expectedTurnId": UNKNOWN},
    "turn/interrupt": {"turnId": UNKNOWN},
}


def invalid(message: str) -> Json:
    return {"code": -32600, "message": message}


@pytest.mark.parametrize("method", CALLS)
async def test_a_thread_that_nobody_knows(server: ServerProcess, method: str) -> None:
    error = await server.error(method, {**CALLS[method], "threadId": UNKNOWN})

    assert error == invalid(f"thread not found: {UNKNOWN}")


@pytest.mark.parametrize("method", CALLS)
async def test_an_id_that_is_none(server: ServerProcess, method: str) -> None:
    for bad, text in BAD_IDS.items():
        assert await server.error(method, {**CALLS[method], "threadId": bad}) == invalid(text)


async def test_nothing_runs_that_could_be_interrupted_or_steered(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")

    async def refused(method: str, **params: Any) -> Json:
        return await server.error(method, {"threadId": thread, **params})

    nothing = invalid("no active turn to interrupt")
    assert await refused("turn/interrupt", turnId=UNKNOWN) == nothing
    assert await refused("turn/interrupt", turnId="") == nothing
    assert await refused("turn/steer", **CALLS["turn/steer"]) == invalid("no active turn to steer")
    await works(server, fake, thread)
    assert await refused("turn/interrupt", turnId=UNKNOWN) == nothing


async def test_another_turn_runs_than_the_one_that_is_meant(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("responses", hang=True)
    thread = await start_thread(server, "once")
    turn_id = await begin(server, thread)

    assert await server.error("turn/interrupt", {"threadId": thread, "turnId": "zz"}) == invalid(
        f"expected active turn id zz but found {turn_id}"
    )
    steer = {"threadId": thread, "input": text_input("More")}
    assert await server.error("turn/steer", {**steer, "expectedTurnId": "zz"}) == invalid(
        f"expected active turn id `zz` but found `{turn_id}`"
    )
    assert await server.error("turn/steer", {**steer, "expectedTurnId": ""}) == invalid(
        "expectedTurnId must not be empty"
    )
    assert await server.error("turn/steer", {**steer, "expectedTurnId": turn_id, "input": []}) == invalid(
        "input must not be empty"
    )
    await fake.wait_hanging()
    fake.release()
    assert (await course(server, thread, turn_id)).status == "completed"


async def test_params_that_lack_something(server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    missing = "Invalid request: missing field "

    assert await server.error("turn/interrupt", {"threadId": thread}) == invalid(f"{missing}`turnId`")
    assert await server.error("turn/start", {"threadId": thread}) == invalid(f"{missing}`input`")
    assert await server.error("turn/steer", {"threadId": thread, "input": text_input("x")}) == invalid(
        f"{missing}`expectedTurnId`"
    )


async def test_an_empty_turn_id_interrupts_whatever_turn_runs(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("responses", hang=True)
    thread = await start_thread(server, "once")
    turn_id = await begin(server, thread)

    assert await server.result("turn/interrupt", {"threadId": thread, "turnId": ""}) == {}

    assert (await course(server, thread, turn_id)).status == "interrupted"


async def test_an_input_that_is_too_large_is_refused_with_the_numbers(fake: FakeOpenAI, server: ServerProcess) -> None:
    thread = await start_thread(server, "once")
    most = 1_048_576
    text = "ü" * (most + 1)

    assert await server.error("turn/start", {"threadId": thread, "input": text_input(text)}) == {
        "code": -32602,
        "data": {"input_error_code": "input_too_large", "max_chars": most, "actual_chars": most + 1},
        "message": f"Input exceeds the maximum length of {most} characters.",
    }
    await works(server, fake, thread)
