"""Turns: their order, how they fail, and how a client takes a hand in them (wire.md section 14)."""

from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.conformance.conftest import Differs
from tests.conformance.support import in_order, only, refused, thread_on, told
from tests.support.server import Json, ServerProcess
from tests.support.upstream import LIMITS, LOGIN, UPDATED, Start
from tests.wire.turns.support import (
    DROPPED,
    ENDED,
    RESPONSES,
    SILENT,
    asked,
    begin,
    conversation,
    course,
    delta,
    talk,
    text_input,
)

FAILED = ["thread/status/changed systemError", "error", "turn/completed"]
BEGUN = ["thread/status/changed active", "turn/started", "item/started userMessage", "item/completed userMessage"]
ANSWERED = ["item/started agentMessage", "item/agentMessage/delta", "item/completed agentMessage"]
ENDED_WELL = [
    "thread/tokenUsage/updated",
    "account/rateLimits/updated",
    "thread/status/changed idle",
    "turn/completed",
]
BUSY = "We\u2019re currently experiencing high demand, which may cause temporary errors."
UPGRADE = "To use Codex with your ChatGPT plan, upgrade to Plus: https://chatgpt.com/explore/plus."


def http(status: int) -> Json:
    return {"httpConnectionFailed": {"httpStatusCode": status}}


def no(code: str, **more: Any) -> Json:
    return {"error": {"message": "No.", "code": code, "type": code, **more}}


async def test_a_plain_turn_is_told_in_order(server: ServerProcess, fake: FakeOpenAI) -> None:
    fake.script(text="Hello", deltas=1)
    thread = await thread_on(server)
    done = await talk(server, thread, "Hi")
    assert in_order(done) == [*BEGUN, *ANSWERED, *ENDED_WELL]
    assert only(done.turn, "status", "error", "itemsView") == {
        "status": "completed",
        "error": None,
        "itemsView": "summary",
    }
    assert [only(item, "type", "text") for item in done.turn["items"]] == [{"type": "agentMessage", "text": "Hello"}]
    assert (done.streamed, done.spoken) == ("Hello", ["Hello"])


async def test_reasoning_is_told_in_order(server: ServerProcess, fake: FakeOpenAI) -> None:
    fake.script(reasoning="Hm.", raw_reasoning="Raw.", text="Yes", deltas=1)
    done = await talk(server, await thread_on(server), "Well?")
    assert in_order(done) == [
        *BEGUN,
        "item/started reasoning",
        "item/reasoning/summaryPartAdded",
        "item/reasoning/summaryTextDelta",
        "item/reasoning/textDelta",
        "item/completed reasoning",
        *ANSWERED,
        *ENDED_WELL,
    ]


async def test_the_model_is_told_what_was_said_before(server: ServerProcess, fake: FakeOpenAI) -> None:
    thread = await thread_on(server)
    await talk(server, thread, "One")
    await talk(server, thread, "Two")
    assert conversation(fake.requests.of(RESPONSES)[-1]) == [("user", "One"), ("assistant", "One"), ("user", "Two")]


async def test_tokens_are_counted_for_the_last_request_and_in_total(server: ServerProcess, fake: FakeOpenAI) -> None:
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 40},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 7},
    }
    fake.script(text="x", usage=usage, times=2)
    thread = await thread_on(server)
    await talk(server, thread)
    (said,) = (await talk(server, thread)).params("thread/tokenUsage/updated")
    last = {
        "totalTokens": 120,
        "inputTokens": 100,
        "cachedInputTokens": 40,
        "cacheWriteInputTokens": 0,
        "outputTokens": 20,
        "reasoningOutputTokens": 7,
    }
    total = {name: 2 * count for name, count in last.items()}
    assert said["tokenUsage"] == {"last": last, "total": total, "modelContextWindow": 258400}


async def test_limits_are_read_from_the_headers(server: ServerProcess, fake: FakeOpenAI) -> None:
    headers = {
        "x-codex-primary-used-percent": "37.5",
        "x-codex-primary-window-minutes": "300",
        "x-codex-primary-reset-at": "1795270000",
    }
    fake.script(text="x", headers=headers)
    (said,) = (await talk(server, await thread_on(server))).params("account/rateLimits/updated")
    primary = {"usedPercent": 38, "windowDurationMins": 300, "resetsAt": 1795270000}
    assert only(said["rateLimits"], "limitId", "primary", "secondary") == {
        "limitId": "codex",
        "primary": primary,
        "secondary": None,
    }


FAILURES: dict[str, tuple[Json, str, Any]] = {
    "400": ({"status": 400, "body": "raw words"}, "raw words", "other"),
    "401": ({"status": 401, "json": no("x")}, "unexpected status 401 Unauthorized: No., url: $URL", http(401)),
    "403": ({"status": 403, "json": no("x")}, "unexpected status 403 Forbidden: No., url: $URL", http(403)),
    "404": ({"status": 404, "body": "gone"}, "unexpected status 404 Not Found: gone, url: $URL", http(404)),
    "500": ({"status": 500}, BUSY, "internalServerError"),
    "502": ({"status": 502, "body": ""}, "unexpected status 502 Bad Gateway: Unknown error, url: $URL", http(502)),
    "503": (
        {"status": 503, "json": no("server_is_overloaded")},
        "Selected model is at capacity. Please try a different model.",
        "serverOverloaded",
    ),
    "429": (
        {"status": 429, "json": no("x")},
        "exceeded retry limit, last status: 429 Too Many Requests",
        {"responseTooManyFailedAttempts": {"httpStatusCode": 429}},
    ),
    "usage-limit": (
        {"status": 429, "json": no("usage_limit_reached", plan_type="pro")},
        (
            "You\u2019ve hit your usage limit. Visit https://chatgpt.com/settings/usage to purchase more credits or "
            "try again later."
        ),
        "usageLimitExceeded",
    ),
    "usage-not-included": ({"status": 429, "json": no("usage_not_included")}, UPGRADE, "usageLimitExceeded"),
    "dropped": ({"drop_after_events": 2}, DROPPED, "other"),
    "ended": ({"end_after_events": 2}, ENDED, "other"),
    "other-code": ({"script": "whatever"}, "stream disconnected before completion: No.", "other"),
    "context": (
        {"script": "context_length_exceeded"},
        (
            "Codex ran out of room in the model's context window. Start a new thread or clear earlier history before "
            "retrying."
        ),
        "contextWindowExceeded",
    ),
    "quota": (
        {"script": "insufficient_quota"},
        "Quota exceeded. Check your plan and billing details.",
        "usageLimitExceeded",
    ),
}


@pytest.mark.parametrize("row", FAILURES)
async def test_a_turn_fails_with_the_reason(server: ServerProcess, fake: FakeOpenAI, row: str) -> None:
    happens, text, info = FAILURES[row]
    if "script" in happens:
        fake.script(error={"code": happens["script"], "message": "No."})
    else:
        fake.fault(RESPONSES, **happens)
    done = await talk(server, await thread_on(server))
    assert done.error == {
        "message": text.replace("$URL", f"{fake.base_url}/v1/responses"),
        "codexErrorInfo": info,
        "additionalDetails": None,
        "misalignment": None,
    }
    assert [said for said in in_order(done) if not said.startswith("item/")][-3:] == FAILED
    if not done.spoken:
        assert only(done.turn, "items", "itemsView") == {"items": [], "itemsView": "notLoaded"}


async def test_a_message_that_breaks_off(server: ServerProcess, fake: FakeOpenAI, differs: Differs) -> None:
    fake.fault(RESPONSES, drop_after_events=4)
    failed = await talk(server, await thread_on(server))
    assert failed.error["message"] == DROPPED
    differs("broken-off-message", {"completed": len(failed.spoken), "items of the turn": len(failed.turn["items"])})


async def test_a_silent_stream_fails(server: ServerProcess, fake: FakeOpenAI) -> None:
    fake.fault(RESPONSES, hang_after_events=1)
    failed = await talk(server, await thread_on(server, "silent"))
    assert (failed.error["message"], failed.error["codexErrorInfo"]) == (SILENT, "other")


@pytest.mark.parametrize(("status", "told_status"), [(503, 503), (500, None), (None, None)])
async def test_a_stream_is_tried_again_and_that_is_told(
    server: ServerProcess, fake: FakeOpenAI, status: int | None, told_status: int | None
) -> None:
    if status is None:
        fake.fault(RESPONSES, times=2, end_after_events=1)
    else:
        fake.fault(RESPONSES, times=2, status=status, json=no("x"))
    done = await talk(server, await thread_on(server, "again"))
    assert (done.status, done.spoken, len(asked(fake))) == ("completed", ["Hello"], 3)
    assert [only(notice, "message", "codexErrorInfo") for notice in done.notices] == [
        {
            "message": f"Reconnecting... {number}/2",
            "codexErrorInfo": {"responseStreamDisconnected": {"httpStatusCode": told_status}},
        }
        for number in (1, 2)
    ]


async def test_a_login_takes_effect_with_the_next_turn_and_none_means_no_header(
    server: ServerProcess, fake: FakeOpenAI
) -> None:
    thread = await thread_on(server, "login")
    fake.script(text="x", times=None)
    fake.fault(RESPONSES, status=401, json=no("x"))
    await talk(server, thread)
    await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-1"})
    assert (await talk(server, thread)).status == "completed"
    assert [request.bearer for request in asked(fake)] == [None, "sk-1"]
    assert [request.headers.get("originator") for request in asked(fake)] == ["test"] * 2


# A client's hand in it


async def streaming(server: ServerProcess, fake: FakeOpenAI) -> tuple[str, str]:
    """A turn that has begun to speak and hangs; the ids of thread and turn."""
    fake.fault(RESPONSES, hang_after_events=4)
    thread = await thread_on(server)
    turn = await begin(server, thread, "First")
    await delta(server, thread)
    return thread, turn


async def test_an_interrupted_turn_ends_at_once(server: ServerProcess, fake: FakeOpenAI) -> None:
    thread, turn = await streaming(server, fake)
    assert await server.result("turn/interrupt", {"threadId": thread, "turnId": turn}) == {}
    done = await course(server, thread, turn)
    assert in_order(done)[-2:] == ["thread/status/changed idle", "turn/completed"]
    assert only(done.turn, "status", "error") == {"status": "interrupted", "error": None}
    error = await server.error("turn/interrupt", {"threadId": thread, "turnId": turn})
    assert error == refused("no active turn to interrupt")
    fake.release()
    assert (await talk(server, thread, "Second")).spoken == ["Second"]


async def test_an_interrupt_of_another_turn_is_refused(server: ServerProcess, fake: FakeOpenAI) -> None:
    thread, turn = await streaming(server, fake)
    error = await server.error("turn/interrupt", {"threadId": thread, "turnId": "zz"})
    assert error == refused(f"expected active turn id zz but found {turn}")
    fake.release()
    assert (await course(server, thread, turn)).status == "completed"


@pytest.mark.parametrize("method", ["turn/steer", "turn/start"])
async def test_what_is_said_in_a_running_turn_becomes_part_of_it(
    server: ServerProcess, fake: FakeOpenAI, method: str
) -> None:
    thread, turn = await streaming(server, fake)
    expected = {"expectedTurnId": turn} if method == "turn/steer" else {}
    result = await server.result(method, {"threadId": thread, "input": text_input("Second"), **expected})
    assert (result["turnId"] if method == "turn/steer" else result["turn"]["id"]) == turn
    fake.release()
    done = await course(server, thread, turn)
    assert (done.status, done.spoken[-1]) == ("completed", "Second")
    assert in_order(done).count("item/completed userMessage") == 2
    assert conversation(fake.requests.of(RESPONSES)[-1])[-1] == ("user", "Second")


async def test_steering_is_refused_without_the_turn_that_is_meant(server: ServerProcess, fake: FakeOpenAI) -> None:
    thread, turn = await streaming(server, fake)
    params = {"threadId": thread, "input": text_input("x")}
    other = await server.error("turn/steer", {**params, "expectedTurnId": "zz"})
    assert other == refused(f"expected active turn id `zz` but found `{turn}`")
    empty = await server.error("turn/steer", {**params, "input": [], "expectedTurnId": turn})
    assert empty == refused("input must not be empty")
    assert await server.error("turn/steer", {**params, "expectedTurnId": ""}) == refused(
        "expectedTurnId must not be empty"
    )
    fake.release()
    await course(server, thread, turn)
    assert await server.error("turn/steer", {**params, "expectedTurnId": turn}) == refused("no active turn to steer")


async def test_a_logout_does_not_disturb_a_turn(server: ServerProcess, fake: FakeOpenAI) -> None:
    thread, turn = await streaming(server, fake)
    assert await server.result("account/logout") == {}
    await server.notification(UPDATED)
    fake.release()
    assert (await course(server, thread, turn)).status == "completed"


async def test_the_end_of_the_input_ends_a_running_turn_and_the_server(
    start: Start, fake: FakeOpenAI, differs: Differs
) -> None:
    async with start() as server:
        await streaming(server, fake)
        await server.end_input()
        rest = await server.rest()
        assert await server.exit_status() == 0
        differs("turn-at-end-of-input", [p["turn"]["status"] for method, p in told(rest) if method == "turn/completed"])


async def test_remote_images_are_refused(server: ServerProcess) -> None:
    image = {"type": "image", "url": "https://example.com/x.png"}
    error = await server.error("turn/start", {"threadId": await thread_on(server), "input": [image]})
    assert error == refused("remote image URLs are not supported; use an inline data URL instead")


async def test_limits_of_a_key_are_refused_after_a_turn_too(server: ServerProcess) -> None:
    await server.result(LOGIN, {"type": "apiKey", "apiKey": "sk-1"})
    await talk(server, await thread_on(server, "login"))
    assert await server.error(LIMITS) == refused("chatgpt authentication required to read rate limits")
