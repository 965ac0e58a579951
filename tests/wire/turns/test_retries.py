"""When a request or a stream is begun again, how long that takes, and what stays of the attempt before (wire.md
section 14)."""

from itertools import pairwise

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.wire.turns.support import (
    ENDED,
    NO_ANSWER,
    asked,
    begin,
    conversation,
    course,
    delta,
    start_thread,
    talk,
    works,
)

TOLERANCE = 1.5
"""Seconds by which a wait may seem longer than it is: this machine has other things to do."""


def waits(fake: FakeOpenAI) -> list[float]:
    """Seconds between the requests."""
    return [second.at - first.at for first, second in pairwise(asked(fake))]


def assert_waits(fake: FakeOpenAI, *expected: float) -> None:
    measured = waits(fake)
    assert len(measured) == len(expected), measured
    for seconds, wanted in zip(measured, expected, strict=True):
        assert 0.9 * wanted <= seconds <= 1.1 * wanted + TOLERANCE, measured


async def test_the_wait_doubles_with_each_retry_of_the_stream(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("responses", status=403, times=2)
    thread = await start_thread(server, "again")

    done = await talk(server, thread)

    assert done.status == "completed"
    assert_waits(fake, 0.2, 0.4)


async def test_resends_are_silent_and_each_stream_has_its_own(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("responses", status=502, times=5)
    thread = await start_thread(server, "resend")

    done = await talk(server, thread)

    assert (done.status, len(done.notices)) == ("completed", 2)
    assert_waits(fake, 0.2, 0.2, 0.2, 0.4, 0.2)


async def test_a_connection_that_is_dropped_before_the_headers_is_resent_in_silence(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("responses", drop=True)
    thread = await start_thread(server, "resend")

    done = await talk(server, thread)

    assert (done.status, done.notices) == ("completed", [])
    assert len(asked(fake)) == 2


async def test_a_connection_that_is_always_dropped_before_the_headers(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("responses", drop=True, times=None)
    thread = await start_thread(server, "resend")

    failed = await talk(server, thread)

    assert (failed.error["message"], failed.error["codexErrorInfo"]) == (NO_ANSWER, "other")
    assert (len(asked(fake)), len(failed.notices)) == (6, 2)


@pytest.mark.parametrize(("status", "code"), [(429, 429), (503, 503)])
async def test_retry_after_is_waited_for(fake: FakeOpenAI, server: ServerProcess, status: int, code: int) -> None:
    fake.fault("responses", status=status, retry_after=1, json={"error": {"message": "Later."}})
    thread = await start_thread(server, "again")

    done = await talk(server, thread)

    assert done.status == "completed"
    (notice,) = done.notices
    assert notice["message"] == "Reconnecting... 1/2"
    assert notice["codexErrorInfo"] == {"responseStreamDisconnected": {"httpStatusCode": code}}
    (measured,) = waits(fake)
    assert 1.0 <= measured <= 1.0 + TOLERANCE


async def test_a_wait_that_is_named_in_the_message_of_a_failed_response_is_waited_for(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    text = "Rate limit reached. Please try again in 700ms. Visit us."
    fake.script(error={"code": "rate_limit_exceeded", "message": text})
    thread = await start_thread(server, "again")

    done = await talk(server, thread)

    assert done.status == "completed"
    assert done.notices[0]["additionalDetails"] == f"rate limit exceeded: {text}"
    (measured,) = waits(fake)
    assert 0.7 <= measured <= 0.7 + TOLERANCE


async def test_a_message_that_was_not_done_is_abandoned_by_the_retry(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.script(messages=[{"text": "Half a ", "done": False}], completed=False)
    fake.script(text="Whole")
    thread = await start_thread(server, "again")

    done = await talk(server, thread)

    assert done.status == "completed"
    assert done.notices[0]["additionalDetails"] == ENDED
    assert done.streamed == "Half a Whole"
    assert done.spoken == ["Whole"]
    started = [params["item"]["id"] for params in done.params("item/started")]
    assert len(started) == len(set(started)) == 3
    assert conversation(asked(fake)[1]) == [("user", "Hello")]
    assert conversation(await works(server, fake, thread))[1] == ("assistant", "Whole")


async def test_a_message_that_was_done_survives_the_retry_and_the_model_is_told_of_it(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.script(messages=[{"text": "Done."}, {"text": "Half", "done": False}], completed=False)
    fake.script(text="Good.")
    thread = await start_thread(server, "again")

    done = await talk(server, thread)

    assert (done.status, done.spoken) == ("completed", ["Done.", "Good."])
    assert [item["text"] for item in done.turn["items"]] == ["Good."]
    assert conversation(asked(fake)[1]) == [("user", "Hello"), ("assistant", "Done.")]


async def test_a_turn_whose_retries_are_spent_has_kept_what_the_last_attempt_said(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    """In the reference nothing of an unfinished message is kept."""
    for text in ("One", "Two", "Three"):
        fake.script(messages=[{"text": text, "done": False}], completed=False)
    thread = await start_thread(server, "again")

    failed = await talk(server, thread)

    assert failed.error["message"] == ENDED
    assert failed.spoken == ["Three"]
    assert conversation(await works(server, fake, thread)) == [
        ("user", "Hello"), ("assistant", "Three"), ("user", "And now?"),
    ]  # fmt: skip


async def test_every_request_of_a_turn_has_its_own_retries(fake: FakeOpenAI, server: ServerProcess) -> None:
    """Here two requests, because the model wants to go on, with two retries each."""
    fake.script(completed=False, text="One")
    fake.script(completed=False, text="Two")
    fake.script(text="Three", end_turn=False)
    fake.script(completed=False, text="Four")
    fake.script(completed=False, text="Five")
    fake.script(text="Six")
    thread = await start_thread(server, "again")

    done = await talk(server, thread)

    assert done.status == "completed"
    assert [notice["message"][-3:] for notice in done.notices] == ["1/2", "2/2", "1/2", "2/2"]
    assert done.spoken == ["One", "Two", "Three", "Four", "Five", "Six"]


async def test_more_input_ends_the_wait_for_a_retry(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("responses", status=429, retry_after=60)
    thread = await start_thread(server, "again")
    turn_id = await begin(server, thread, "First")
    await server.take(lambda message: message.get("method") == "error")

    await server.result(
        "turn/steer", {"threadId": thread, "expectedTurnId": turn_id, "input": [{"type": "text", "text": "Second"}]}
    )
    while (message := await server.message())["method"] != "turn/completed":
        pass

    assert message["params"]["turn"]["status"] == "completed"
    assert conversation(asked(fake)[1]) == [("user", "First"), ("user", "Second")]
    (measured,) = waits(fake)
    assert measured < 10


async def test_a_stream_that_breaks_off_while_it_is_read_has_shown_what_came(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.script(text="abcdef", deltas=6)
    fake.fault("responses", hang_after_events=6, drop_after_events=6)
    thread = await start_thread(server, "again")
    turn_id = await begin(server, thread)

    seen = "".join([await delta(server, thread)])
    await fake.wait_hanging()
    fake.release()

    done = await course(server, thread, turn_id)
    assert seen == "a"
    assert done.streamed == "abcHello"
    assert done.spoken == ["Hello"]
