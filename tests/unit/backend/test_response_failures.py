"""Every way in which a response can fail, and its text and kind (wire.md section 14)."""

from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from app_server.backend import response_failures as failures
from tests.unit.backend.support import (
    CLOSE,
    COMPLETED,
    CREATED,
    DROP,
    HANG,
    Step,
    bench,
    chunk,
    error,
    head,
    provider,
    raw_upstream,
    sse,
    streamed,
    whole,
)

UNEXPECTED = "unexpected status {}, url: {}"
BROKEN = "stream disconnected before completion: "
TRANSPORT = f"{BROKEN}Transport error: network error: error decoding response body"
EARLY = f"{BROKEN}stream closed before response.completed"
IDLE = f"{BROKEN}idle timeout waiting for SSE"
CAPACITY = "Selected model is at capacity. Please try a different model."
ROOM = (
    "Codex ran out of room in the model's context window. Start a new thread or clear earlier history before retrying."
)
QUOTA = "Quota exceeded. Check your plan and billing details."
PLUS = "To use Codex with your ChatGPT plan, upgrade to Plus: https://chatgpt.com/explore/plus."
SECRET = "sk-abcdefghijklmnop"


def connection_failed(status: int) -> Any:
    return {"httpConnectionFailed": {"httpStatusCode": status}}


async def fails(*steps: Step, **members: Any) -> tuple[str, Any, str, Any, Any]:
    """Message, kind, whether it is tried again, how long to wait, and the status, for an upstream that says this."""
    async with raw_upstream(steps) as upstream, bench(provider(upstream.base_url, **members)) as b:
        failed = await b.failure()
        message = failed.message.replace(upstream.url, "URL")
        failure = failed.failure
        return message, failed.info, failure.retry, failure.retry_after, failure.http_status


# Statuses


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "Unauthorized"),
        (402, "Payment Required"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (408, "Request Timeout"),
        (409, "Conflict"),
        (413, "Payload Too Large"),
        (422, "Unprocessable Entity"),
        (501, "Not Implemented"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
        (504, "Gateway Timeout"),
        (529, "<unknown status code>"),
        (302, "Found"),
    ],
)
async def test_a_status_is_told_with_what_the_upstream_says(status: int, reason: str) -> None:
    assert await fails(error(f"{status} Own Words", message="the message")) == (
        UNEXPECTED.format(f"{status} {reason}: the message", "URL"),
        connection_failed(status),
        "stream",
        None,
        status,
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "Unknown error"),
        (b" \n", "Unknown error"),
        (b"  plain text\n", "plain text"),
        (b'{"detail":"x"}', '{"detail":"x"}'),
        (b'{"error":"flat"}', '{"error":"flat"}'),
        (b'{"error":{"message":""}}', '{"error":{"message":""}}'),
        (b"[1]", "[1]"),
        (b"y" * 3000, "y" * 1000 + "..."),
        ("é".encode() * 3000, "é" * 500 + "..."),
        (b"\xff", "\ufffd"),
    ],
)
async def test_without_a_message_the_body_is_told_up_to_a_bound(body: bytes, said: str) -> None:
    message, *_ = await fails(whole("403 Forbidden", body))
    assert message == UNEXPECTED.format(f"403 Forbidden: {said}", "URL")


async def test_the_ids_of_a_request_are_told() -> None:
    message, *_ = await fails(whole("403 Forbidden", b"no", "cf-ray: RAY", "x-request-id: RID"))
    assert message == "unexpected status 403 Forbidden: no, url: URL, cf-ray: RAY, request id: RID"


@pytest.mark.parametrize(
    "answer",
    [
        error("403 Forbidden", message=f"bad key {SECRET}"),
        whole("403 Forbidden", f"Authorization: Bearer {SECRET}".encode()),
        whole("400 Bad Request", f'{{"api_key": "{SECRET}"}}'.encode()),
        error("503 Service Unavailable", code="slow_down", message=SECRET),
        streamed({"type": "response.failed", "response": {"error": {"code": "x", "message": SECRET}}}),
        streamed({"type": "response.incomplete", "response": {"incomplete_details": {"reason": SECRET}}}),
    ],
)
async def test_a_credential_that_an_upstream_echoes_is_masked(answer: bytes) -> None:
    message, *_ = await fails(answer)
    assert SECRET not in message
    assert "<redacted>" in message


async def test_an_endless_error_is_read_up_to_a_bound() -> None:
    message, *_ = await fails(head("403 Forbidden") + chunk(b"y" * 200_000), HANG)
    assert message.count("y") == 1000


async def test_an_error_whose_body_breaks_off_is_told_as_far_as_it_came() -> None:
    assert (await fails(head("403 Forbidden") + chunk(b"half"), CLOSE))[0].startswith(
        "unexpected status 403 Forbidden: half,"
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (whole("400 Bad Request", b'{"error": 1}'), ('{"error": 1}', "other")),
        (whole("400 Bad Request"), ("", "other")),
        (error("400 Bad Request", code="context_length_exceeded", message="m"), (ROOM, "contextWindowExceeded")),
        (
            error("400 Bad Request", message="The image data you provided does not represent a valid image. x"),
            ("Invalid image in your last message. Please remove it and try again.", "badRequest"),
        ),
        (error("400 Bad Request", code="cyber_policy", message="m"), ("m", "cyberPolicy")),
        (error("400 Bad Request", code="invalid_prompt", message="m"), ("m", "other")),
        (error("400 Bad Request", code="bio_policy", message="m"), ("m", "other")),
        (error("400 Bad Request", code="model_not_found", message="m"), ("m", "modelNotFound")),
        (error("404 Not Found", code="model_not_found"), ("model_not_found", "modelNotFound")),
        (error("503 Service Unavailable", code="server_is_overloaded"), (CAPACITY, "serverOverloaded")),
        (error("429 Too Many Requests", type="usage_not_included"), (PLUS, "usageLimitExceeded")),
        (error("429 Too Many Requests", type="insufficient_quota"), (QUOTA, "usageLimitExceeded")),
        (error("429 Too Many Requests", code="insufficient_quota"), (QUOTA, "usageLimitExceeded")),
        (error("429 Too Many Requests", code="flex_unavailable"), ("Flex capacity unavailable.", "flexUnavailable")),
        (
            error("429 Too Many Requests", type="usage_limit_reached", plan_type="edu"),
            ("You’ve hit your usage limit. Try again later.", "usageLimitExceeded"),  # noqa: RUF001 - the wire
        ),
    ],
)
async def test_what_will_not_change_is_not_tried_again(answer: bytes, expected: tuple[str, Any]) -> None:
    assert await fails(answer) == (*expected, "no", None, None)


async def test_too_many_requests_are_tried_again_only_when_the_upstream_says_when() -> None:
    text = "exceeded retry limit, last status: 429 Too Many Requests"
    kind = {"responseTooManyFailedAttempts": {"httpStatusCode": 429}}
    for code in ("rate_limit_exceeded", "slow_down", "usage_not_included", None):
        assert await fails(error("429 Too Many Requests", code=code, message="Please try again in 1s.")) == (
            *(text, kind, "no", None, 429),
        )
    assert await fails(error("429 Too Many Requests", "retry-after: 2")) == (text, kind, "stream", 2, 429)
    assert await fails(error("429 Too Many Requests", "retry-after: 1.5")) == (text, kind, "no", None, 429)


async def test_an_internal_error_has_a_text_and_a_kind_of_its_own() -> None:
    text = "We’re currently experiencing high demand, which may cause temporary errors."  # noqa: RUF001 - the wire
    for code in (None, "server_is_overloaded"):
        assert await fails(error("500 Internal Server Error", code=code)) == (
            *(text, "internalServerError", "stream", None, None),
        )


async def test_an_upstream_that_wants_us_to_slow_down_is_asked_again() -> None:
    assert await fails(error("503 Service Unavailable", "retry-after: 1", code="slow_down", message="m")) == (
        *("rate limit exceeded: m", "rateLimitExceeded", "stream", 1, None),
    )


async def test_any_status_can_say_how_long_to_wait() -> None:
    assert (await fails(error("503 Service Unavailable", "retry-after: 1")))[3] == 1
    assert (await fails(error("403 Forbidden", "retry-after: 3")))[3] == 3


async def test_the_headers_of_a_refusal_come_with_it_because_they_tell_of_limits() -> None:
    answer = error("429 Too Many Requests", "x-codex-primary-used-percent: 100", type="usage_limit_reached")
    async with raw_upstream(answer) as upstream, bench(provider(upstream.base_url)) as b:
        assert (await b.failure()).failure.headers["X-Codex-Primary-Used-Percent"] == "100"


# The network


async def test_nobody_there_is_waited_for() -> None:
    async with raw_upstream(HANG) as upstream:
        gone = upstream.base_url
    async with bench(provider(gone)) as b:
        failed = await b.failure()
        assert (failed.message, failed.info, failed.failure.retry) == (
            *("Connection failed: error sending request", "other", "network"),
        )


@pytest.mark.parametrize("steps", [(DROP,), (CLOSE,), (b"NOT HTTP\r\n\r\n", CLOSE), (b"HTTP/1.1 200 O", CLOSE)])
async def test_no_answer_is_an_error_that_is_tried_again(steps: tuple[Step, ...]) -> None:
    assert await fails(*steps) == (f"{BROKEN}error sending request", "other", "stream", None, None)


@pytest.mark.parametrize(
    "steps",
    [
        (HANG,),
        (b"HTTP/1.1 200 OK\r\n", HANG),
        (head(), HANG),
        (head() + chunk(sse(CREATED)), HANG),
        (head() + chunk(b'data: {"type":'), HANG),
    ],
)
async def test_silence_is_broken_off_even_before_the_headers(steps: tuple[Step, ...]) -> None:
    assert await fails(*steps, stream_idle_timeout_ms=50) == (IDLE, "other", "stream", None, None)


async def test_tls_where_there_is_none_is_not_taken_for_a_missing_network() -> None:
    async def answer(stream: SocketStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        base_url = f"https://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/v1"  # noqa: S610 - no Django
        async with bench(provider(base_url)) as b, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, answer)
            failed = await b.failure()
            tasks.cancel_scope.cancel()
    assert failed.message == f"{BROKEN}error sending request: wrong version number ({base_url}/responses)"
    assert failed.failure.retry == "stream"


# The stream


@pytest.mark.parametrize(
    "steps",
    [
        (head() + chunk(sse(CREATED)), DROP),
        (head() + chunk(sse(CREATED)), CLOSE),
        (head() + chunk(sse(CREATED)) + b"zz\r\n",),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" + sse(CREATED), CLOSE),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nno gzip at all", CLOSE),
    ],
)
async def test_a_stream_that_breaks_off_is_begun_again(steps: tuple[Step, ...]) -> None:
    assert await fails(*steps) == (TRANSPORT, "other", "stream", None, None)


@pytest.mark.parametrize(
    "steps",
    [
        (head() + chunk(sse(CREATED)) + chunk(b""),),
        (head() + chunk(b""),),
        (whole("204 No Content"),),
        (whole("200 OK", b"<html>welcome</html>", "content-type: text/html"),),
        (b"HTTP/1.1 200 OK\r\n\r\n" + sse(CREATED), CLOSE),
        (b"HTTP/1.1 200 OK\r\n\r\n" + sse(COMPLETED)[:-1], CLOSE),
        (streamed({"type": "response.completed"}),),
    ],
)
async def test_a_stream_that_ends_before_the_response_is_begun_again(steps: tuple[Step, ...]) -> None:
    assert await fails(*steps) == (EARLY, "other", "stream", None, None)


async def test_an_event_that_never_ends_is_given_up() -> None:
    piece = chunk(b"x" * 1024 * 1024)
    message, info, retry, *_ = await fails(head() + chunk(b"data: "), *[piece] * 65, HANG)
    assert (message, info, retry) == (f"{BROKEN}an event of the stream is too large", "other", "no")


@pytest.mark.parametrize(
    ("error", "text", "kind", "retry"),
    [
        ({"code": "context_length_exceeded", "message": "m"}, ROOM, "contextWindowExceeded", "no"),
        ({"code": "insufficient_quota"}, QUOTA, "usageLimitExceeded", "no"),
        ({"code": "usage_not_included"}, PLUS, "usageLimitExceeded", "no"),
        ({"code": "server_is_overloaded"}, CAPACITY, "serverOverloaded", "no"),
        ({"code": "flex_unavailable"}, "Flex capacity unavailable.", "flexUnavailable", "no"),
        ({"code": "model_not_found", "message": "m"}, "m", "modelNotFound", "no"),
        ({"code": "invalid_prompt", "message": "m"}, "m", "other", "no"),
        ({"code": "invalid_prompt"}, "Invalid request.", "other", "no"),
        ({"code": "bio_policy", "message": "m"}, "m", "other", "no"),
        ({"code": "cyber_policy", "message": "m"}, "m", "cyberPolicy", "no"),
        (
            {"code": "cyber_policy"},
            "This request has been flagged for possible cybersecurity risk.",
            "cyberPolicy",
            "no",
        ),
        ({"code": "rate_limit_exceeded", "message": "m"}, "rate limit exceeded: m", "rateLimitExceeded", "stream"),
        ({"code": "slow_down", "message": "m"}, "rate limit exceeded: m", "rateLimitExceeded", "stream"),
        ({"code": "rate_limit_exceeded"}, "rate limit exceeded: ", "rateLimitExceeded", "stream"),
        ({"code": "server_error", "message": "m"}, f"{BROKEN}m", "other", "stream"),
        ({"code": "anything", "message": "m"}, f"{BROKEN}m", "other", "stream"),
        ({"code": None, "message": "m"}, f"{BROKEN}m", "other", "stream"),
        ({"code": ["x"], "message": 5}, BROKEN, "other", "stream"),
        (None, f"{BROKEN}response.failed event received", "other", "stream"),
        ("text", f"{BROKEN}response.failed event received", "other", "stream"),
    ],
)
async def test_a_response_that_failed_says_why(error: Any, text: str, kind: Any, retry: str) -> None:
    event = {"type": "response.failed", "response": {"id": "r", "error": error}}
    assert (await fails(streamed(CREATED, event)))[:3] == (text, kind, retry)


async def test_a_response_that_failed_without_a_response_is_told_all_the_same() -> None:
    assert (await fails(streamed({"type": "response.failed"})))[0] == f"{BROKEN}response.failed event received"


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit reached. Please try again in 1.5s. Bye", 1.5),
        ("please Try Again in 300ms", 0.3),
        ("Please try again in 2 seconds.", 2),
        ("Please try again in 1 second.", 1),
        ("Please try again later.", None),
        ("Please try again in 5 minutes.", None),
    ],
)
def test_a_rate_limit_can_name_the_wait_in_words(message: str, seconds: float | None) -> None:
    for code, expected in (("rate_limit_exceeded", seconds), ("server_error", None)):
        error = {"code": code, "message": message}
        failure = failures.response_failed({"response": {"error": error}})
        assert failure.retry_after == expected


@pytest.mark.parametrize(
    ("details", "text", "retry", "code"),
    [
        ({"reason": "max_output_tokens"}, "reason: max_output_tokens", "no", "max_output_tokens"),
        (None, "reason: unknown", "no", "unknown"),
        ({"reason": 5}, "reason: unknown", "no", "unknown"),
        ({"reason": "content_filter"}, "reason: content_filter", "stream", "content_filter"),
    ],
)
async def test_a_response_that_is_incomplete_says_why(details: Any, text: str, retry: str, code: str) -> None:
    event = {"type": "response.incomplete", "response": {"incomplete_details": details}}
    async with raw_upstream(streamed(CREATED, event)) as upstream, bench(provider(upstream.base_url)) as b:
        failed = await b.failure()
        before = BROKEN if retry == "stream" else ""
        assert failed.message == f"{before}Incomplete response returned, {text}"
        assert (failed.failure.retry, failed.failure.code, failed.came) == (retry, code, [CREATED])


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        ({"usage": None}, "missing field `id`"),
        ({"id": "r", "usage": {"input_tokens": 1, "output_tokens": 1}}, "missing field `total_tokens`"),
        ({"usage": {"output_tokens": 1, "total_tokens": 1}}, "missing field `input_tokens`"),
        (
            {"id": "r", "usage": {"input_tokens": 1, "output_tokens": "1", "total_tokens": 1}},
            "invalid type of `output_tokens`",
        ),
    ],
)
async def test_a_completed_response_has_an_id_and_whole_counts(response: Any, problem: str) -> None:
    answer = streamed({"type": "response.completed", "response": response})
    assert (await fails(answer))[:3] == (f"{BROKEN}failed to parse ResponseCompleted: {problem}", "other", "stream")


@pytest.mark.parametrize(
    ("event", "details"),
    [
        ({"type": "error", "code": "c", "message": "m"}, "c: m"),
        ({"type": "error", "error": {"code": None, "message": "m"}}, "m"),
        ({"type": "error", "error": {"message": SECRET}}, "sk-<redacted>"),
        ({"type": "error"}, None),
    ],
)
async def test_an_error_in_a_stream_that_then_ends_is_told_as_a_detail(event: Any, details: str | None) -> None:
    async with raw_upstream(streamed(CREATED, event)) as upstream, bench(provider(upstream.base_url)) as b:
        failed = await b.failure()
        assert (failed.message, failed.failure.details, failed.came) == (EARLY, details, [CREATED, event])


async def test_an_error_in_a_stream_that_goes_on_is_no_failure() -> None:
    answer = streamed({"type": "error", "message": "m"}, COMPLETED)
    async with raw_upstream(answer) as upstream, bench(provider(upstream.base_url)) as b:
        assert (await b.events())[-1] == COMPLETED
