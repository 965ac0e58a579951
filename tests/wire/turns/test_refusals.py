"""The upstream refuses the request: each status and code, with the turn's error and the number of requests
(wire.md section 14).

At a provider with ``request_max_retries=1`` and ``stream_max_retries=2`` a request is sent once where nothing helps,
twice where only a resend may, three times where the stream is begun again, and six times where both are. Resends are
silent.
"""

from typing import Any, Final

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.wire.turns.rows import Outcome, Row, all_at_once, check

HIGH_DEMAND: Final = "We’re currently experiencing high demand, which may cause temporary errors."  # noqa: RUF001 - the wire
OVERLOADED: Final = "Selected model is at capacity. Please try a different model."
CONTEXT: Final = (
    "Codex ran out of room in the model's context window. Start a new thread or clear earlier history before retrying."
)
NOT_INCLUDED: Final = "To use Codex with your ChatGPT plan, upgrade to Plus: https://chatgpt.com/explore/plus."
QUOTA: Final = "Quota exceeded. Check your plan and billing details."
IMAGE: Final = "Invalid image in your last message. Please remove it and try again."
TOO_MANY: Final = "exceeded retry limit, last status: 429 Too Many Requests"

REASONS: Final = {
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    409: "Conflict",
    413: "Payload Too Large",
    418: "I'm a teapot",
    422: "Unprocessable Entity",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    529: "<unknown status code>",
}


def message(text: str, **more: Any) -> dict[str, Any]:
    return {"json": {"error": {"message": text, **more}}}


def connection(status: int) -> dict[str, Any]:
    return {"httpConnectionFailed": {"httpStatusCode": status}}


PLAIN_STATUSES = [
    Row(
        f"{status}",
        f"unexpected status {status} {reason}: The message., url: $URL",
        connection(status),
        6 if status >= 500 else 3,
        status,
        {"status": status, **message("The message.")},
    )
    for status, reason in REASONS.items()
]

BODIES = [
    Row("403 of text", "unexpected status 403 Forbidden: Keep out, url: $URL", connection(403), 3, 403,
        {"status": 403, "body": " Keep out\n"}),
    Row("403 of nothing", "unexpected status 403 Forbidden: Unknown error, url: $URL", connection(403), 3, 403,
        {"status": 403, "body": ""}),
    Row("403 of much text", f"unexpected status 403 Forbidden: {'x' * 1000}..., url: $URL", connection(403), 3, 403,
        {"status": 403, "body": "x" * 3000}),
    Row("403 of a long message", f"unexpected status 403 Forbidden: {'y' * 3000}, url: $URL", connection(403), 3, 403,
        {"status": 403, **message("y" * 3000)}),
    Row("403 of a proxy",
        "unexpected status 403 Forbidden: No., url: $URL, cf-ray: 7f-FRA, request id: req_1", connection(403), 3, 403,
        {"status": 403, **message("No."), "headers": {"x-request-id": "req_1", "cf-ray": "7f-FRA"}}),
    Row("400 of text", "what is this?", "other", 1, None, {"status": 400, "body": "what is this?"}),
    Row("400 of JSON", '{"error":{"message":"Bad."}}', "other", 1, None,
        {"status": 400, "body": '{"error":{"message":"Bad."}}'}),
]  # fmt: skip

CODES = [
    Row("400 context_length_exceeded", CONTEXT, "contextWindowExceeded", 1, None,
        {"status": 400, **message("Too long.", code="context_length_exceeded")}),
    Row("400 of an image", IMAGE, "badRequest", 1, None,
        {"status": 400, **message("The image data you provided does not represent a valid image.")}),
    Row("400 cyber_policy", "Flagged.", "cyberPolicy", 1, None,
        {"status": 400, **message("Flagged.", code="cyber_policy")}),
    Row("500", HIGH_DEMAND, "internalServerError", 6, None, {"status": 500}),
    Row("503 server_is_overloaded", OVERLOADED, "serverOverloaded", 2, None,
        {"status": 503, **message("Busy.", code="server_is_overloaded")}),
    Row("503 slow_down", "rate limit exceeded: Slow down.", "rateLimitExceeded", 6, None,
        {"status": 503, **message("Slow down.", code="slow_down")}),
    Row("429", TOO_MANY, {"responseTooManyFailedAttempts": {"httpStatusCode": 429}}, 1, None, {"status": 429}),
    Row("429 usage_not_included", NOT_INCLUDED, "usageLimitExceeded", 1, None,
        {"status": 429, **message("No.", type="usage_not_included")}),
    Row("429 insufficient_quota", QUOTA, "usageLimitExceeded", 1, None,
        {"status": 429, **message("No.", code="insufficient_quota")}),
    Row("429 with Retry-After", TOO_MANY, {"responseTooManyFailedAttempts": {"httpStatusCode": 429}}, 3, 429,
        {"status": 429, "retry_after": 0}),
    Row("429 with half a second", TOO_MANY, {"responseTooManyFailedAttempts": {"httpStatusCode": 429}}, 1, None,
        {"status": 429, "headers": {"retry-after": "1.5"}}),
    Row("429 with nonsense", TOO_MANY, {"responseTooManyFailedAttempts": {"httpStatusCode": 429}}, 1, None,
        {"status": 429, "headers": {"retry-after": "x"}}),
]  # fmt: skip

BETTER = [
    # The reference calls this "other"; the kind of its own schema says what is wrong.
    Row("404 model_not_found", "The model does not exist.", "modelNotFound", 1, None,
        {"status": 404, **message("The model does not exist.", code="model_not_found")}),
    # Nor does it take a date, which RFC 9110 allows.
    Row("429 with a date", TOO_MANY, {"responseTooManyFailedAttempts": {"httpStatusCode": 429}}, 3, 429,
        {"status": 429, "headers": {"retry-after": "Fri, 20 Nov 2020 10:00:00 GMT"}}),
]  # fmt: skip

ROWS = [*PLAIN_STATUSES, *BODIES, *CODES, *BETTER]


@pytest.fixture(scope="module")
async def outcomes(shared_server: ServerProcess, shared_fake: FakeOpenAI) -> dict[str, Outcome]:
    return await all_at_once(shared_server, shared_fake, ROWS)


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_a_refusal_has_its_text_its_kind_and_its_number_of_requests(
    row: Row, outcomes: dict[str, Outcome], shared_fake: FakeOpenAI
) -> None:
    """The last two rows differ from the reference on purpose."""
    check(row, outcomes[row.name], f"{shared_fake.base_url}/v1/responses")
    assert outcomes[row.name].once.spoken == []
    assert outcomes[row.name].once.turn["itemsView"] == "notLoaded"
