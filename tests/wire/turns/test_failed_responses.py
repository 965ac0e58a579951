"""The stream begins and ends without a whole response: what it may say instead (wire.md section 14)."""

from typing import Any

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.wire.turns.rows import Outcome, Row, all_at_once, check
from tests.wire.turns.support import ENDED, asked, conversation, start_thread, talk, works
from tests.wire.turns.test_refusals import CONTEXT, NOT_INCLUDED, OVERLOADED, QUOTA

CLOSED = "stream disconnected before completion: "
UNPARSABLE = f"{CLOSED}failed to parse ResponseCompleted: missing field "


def failed(code: str | None, text: str = "The message.") -> Json:
    return {"error": {"code": code, "message": text}}


def event(kind: str, **members: Any) -> Json:
    return {"type": kind, **members}


def completed(**response: Any) -> Json:
    return {"events": [event("response.completed", response=response)]}


NO_TOTAL = {"input_tokens": 1, "output_tokens": 1}

FAILED = [
    Row("context_length_exceeded", CONTEXT, "contextWindowExceeded", 1, script=failed("context_length_exceeded")),
    Row("insufficient_quota", QUOTA, "usageLimitExceeded", 1, script=failed("insufficient_quota")),
    Row("usage_not_included", NOT_INCLUDED, "usageLimitExceeded", 1, script=failed("usage_not_included")),
    Row("server_is_overloaded", OVERLOADED, "serverOverloaded", 1, script=failed("server_is_overloaded")),
    Row("invalid_prompt", "The message.", "other", 1, script=failed("invalid_prompt")),
    Row("bio_policy", "The message.", "other", 1, script=failed("bio_policy")),
    Row("cyber_policy", "The message.", "cyberPolicy", 1, script=failed("cyber_policy")),
    Row("rate_limit_exceeded", "rate limit exceeded: The message.", "rateLimitExceeded", 3,
        script=failed("rate_limit_exceeded")),
    Row("slow_down", "rate limit exceeded: The message.", "rateLimitExceeded", 3, script=failed("slow_down")),
    Row("server_error", f"{CLOSED}The message.", "other", 3, script=failed("server_error")),
    Row("an unknown code", f"{CLOSED}The message.", "other", 3, script=failed("what_is_that")),
    Row("no code", f"{CLOSED}The message.", "other", 3, script=failed(None)),
    Row("no error", f"{CLOSED}response.failed event received", "other", 3,
        script={"events": [event("response.failed", response={"id": "resp_1"})]}),
    Row("no response", f"{CLOSED}response.failed event received", "other", 3,
        script={"events": [event("response.failed")]}),
]  # fmt: skip

INCOMPLETE = [
    Row("max_output_tokens", "Incomplete response returned, reason: max_output_tokens", "other", 1,
        script={"text": "", "status": "incomplete"}),
    Row("no reason", "Incomplete response returned, reason: unknown", "other", 1,
        script={"text": "", "status": "incomplete", "incomplete_reason": None}),
    Row("content_filter", f"{CLOSED}Incomplete response returned, reason: content_filter", "other", 3,
        script={"text": "", "status": "incomplete", "incomplete_reason": "content_filter"}),
]  # fmt: skip

UNREADABLE = [
    Row("usage without total", f"{UNPARSABLE}`total_tokens`", "other", 3,
        script=completed(id="resp_1", usage=NO_TOTAL)),
    Row("no id", f"{UNPARSABLE}`id`", "other", 3, script=completed(usage={**NO_TOTAL, "total_tokens": 2})),
    Row("closes early", ENDED, "other", 3, script={"text": "", "completed": False}),
    Row("no events", ENDED, "other", 3, script={"events": []}),
    Row("only nonsense", ENDED, "other", 3,
        script={"events": ["data: {no JSON\n\n", "data: 5\n\n", ": comment\n\n", 'data: {"x": 1}\n\n',
                           "data: [DONE]\n\n", event("what.is.that")]}),
    Row("204", ENDED, "other", 3, fault={"status": 204}),
    Row("200 of text", ENDED, "other", 3, fault={"status": 200, "body": "It works!"}),
    Row("200 of JSON", ENDED, "other", 3, fault={"status": 200, "json": {"id": "resp_1"}}),
]  # fmt: skip

BETTER = [
    # The reference says nothing of what the error event said.
    Row("an error event", ENDED, "other", 3, script={"status": "error", **failed("server_error")},
        details="server_error: The message."),
    Row("a nested error event", ENDED, "other", 3,
        script={"events": [event("error", error={"code": "no", "message": "Nested."})]}, details="no: Nested."),
]  # fmt: skip

ROWS = [*FAILED, *INCOMPLETE, *UNREADABLE, *BETTER]


@pytest.fixture(scope="module")
async def outcomes(shared_server: ServerProcess, shared_fake: FakeOpenAI) -> dict[str, Outcome]:
    return await all_at_once(shared_server, shared_fake, ROWS)


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_a_response_that_is_none_has_its_text_its_kind_and_its_number_of_requests(
    row: Row, outcomes: dict[str, Outcome], shared_fake: FakeOpenAI
) -> None:
    """The rows about ``error`` events differ from the reference on purpose: what they say is in the details."""
    check(row, outcomes[row.name], f"{shared_fake.base_url}/v1/responses")


async def test_what_cannot_be_read_in_a_stream_is_passed_over(fake: FakeOpenAI, server: ServerProcess) -> None:
    done = event("response.output_item.done", item={"type": "message", "id": "msg_1", "role": "assistant",
                 "content": [{"type": "output_text", "text": "Good"}]})  # fmt: skip
    end = event("response.completed", response={"id": "resp_1", "usage": None})
    nonsense: list[Any] = ["data: {no JSON\n\n", "data: 5\n\n", ": comment\n\n", "data: [DONE]\n\n", event("what")]
    fake.script(events=[*nonsense, event("error", message="Not so bad."), done, *nonsense, end])
    thread = await start_thread(server, "once")

    turn = await talk(server, thread)

    assert (turn.status, turn.spoken) == ("completed", ["Good"])


async def test_a_redirect_is_not_followed(fake: FakeOpenAI, server: ServerProcess) -> None:
    """The reference asks there with GET, which loses the conversation; the error here says what happened."""
    fake.fault("responses", status=302, headers={"location": f"{fake.base_url}/elsewhere"}, body="")
    thread = await start_thread(server, "once")

    turn = await talk(server, thread)

    assert turn.error["codexErrorInfo"] == {"httpConnectionFailed": {"httpStatusCode": 302}}
    assert turn.error["message"].startswith("unexpected status 302 Found: ")
    assert len(asked(fake)) == 1


async def test_what_was_said_before_the_failure_is_kept(fake: FakeOpenAI, server: ServerProcess) -> None:
    """In the reference a message that was not done leaves no trace: no ``item/completed``, nothing in the history."""
    fake.script(
        messages=[{"text": "Whole."}, {"text": "Half", "done": False}],
        error={"code": "invalid_prompt", "message": "Stop."},
    )
    thread = await start_thread(server, "once")

    turn = await talk(server, thread)

    assert turn.error["message"] == "Stop."
    assert turn.spoken == ["Whole.", "Half"]
    assert [item["text"] for item in turn.turn["items"]] == ["Half"]
    assert conversation(await works(server, fake, thread)) == [
        ("user", "Hello"), ("assistant", "Whole."), ("assistant", "Half"), ("user", "And now?"),
    ]  # fmt: skip


async def test_a_context_that_is_full_is_compacted_before_the_next_turn(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread = await start_thread(server, "once")
    await talk(server, thread, "First")
    fake.script(error={"code": "context_length_exceeded", "message": "Full."})
    assert (await talk(server, thread, "Second")).error["message"] == CONTEXT

    done = await talk(server, thread, "Third")

    assert (done.status, done.spoken) == ("completed", ["Third"])
    kinds = [params["item"]["type"] for params in done.params("item/completed")]
    assert kinds == ["contextCompaction", "userMessage", "agentMessage"]
