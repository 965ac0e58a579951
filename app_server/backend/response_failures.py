"""How a request for a model's response fails: one exception, and what each thing that an upstream or the network does
to us becomes in it (wire.md sections 10, 11 and 14).

Texts and kinds are those of the reference. What an upstream wrote is masked before it becomes part of one, and cut
(wire.md section 15.27). Not here: what is done about a failure (``retries``), and the texts about usage limits
(``usage_limits``).
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

import orjson

from app_server.auth.errors import RecoveryFailed
from app_server.backend.http import NotConnected, NotTrusted, UpstreamUnreachable
from app_server.backend.http_stream import HttpStream, StreamBroken
from app_server.backend.retry_after import retry_after_of
from app_server.backend.routing import UNAUTHORIZED, RoutingError
from app_server.backend.usage_limits import usage_limit_text
from app_server.redaction import redact
from protocol.turn_error import (
    CodexErrorInfo,
    ErrorKind,
    HttpConnectionFailed,
    HttpStatus,
    ResponseTooManyFailedAttempts,
)

MAX_BODY_IN_TEXT: Final = 1000
"""Bytes of an upstream's body that become part of a longer text, as in the reference."""

MAX_TEXT: Final = 16 * 1024
"""Characters of a text that is an upstream's own."""

Retry = Literal["no", "stream", "network"]

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})

CONTEXT_WINDOW: Final = (
    "Codex ran out of room in the model's context window. Start a new thread or clear earlier history before retrying."
)
QUOTA: Final = "Quota exceeded. Check your plan and billing details."
NOT_INCLUDED: Final = "To use Codex with your ChatGPT plan, upgrade to Plus: https://chatgpt.com/explore/plus."
OVERLOADED: Final = "Selected model is at capacity. Please try a different model."
HIGH_DEMAND: Final = "We’re currently experiencing high demand, which may cause temporary errors."  # noqa: RUF001 - the wire
BAD_IMAGE: Final = "Invalid image in your last message. Please remove it and try again."
CYBER: Final = "This request has been flagged for possible cybersecurity risk."
FLEX: Final = "Flex capacity unavailable."
NOT_LOGGED_IN: Final = "Nobody is logged in, and this model provider needs a login. Log in and send the message again."

_IMAGE: Final = re.compile(r"image data .{0,80}not represent a valid image", re.DOTALL)
_TRY_AGAIN: Final = re.compile(r"(?i)try again in\s{0,4}(\d{1,9}(?:\.\d{1,9})?)\s{0,4}(ms|s|seconds?)\b")

# Python's names differ from version to version, and from the reference's.
_REASONS: Final = {
    413: "Payload Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    418: "I'm a teapot",
    422: "Unprocessable Entity",
}


class UpstreamFailure(Exception):
    """There is no complete response.

    :param message: for people, complete; never holds a credential.
    :param info: the kind, for programs.
    :param details: what else is known, for ``additionalDetails`` of the turn's error.
    :param retry: whether to begin the stream again: ``no``, ``stream`` (as often as the provider allows) or
        ``network`` (for ever: nobody could be reached).
    :param resend: whether to send the request again before anybody is told: the stream had not begun.
    :param retry_after: seconds that the upstream wants us to wait.
    :param http_status: for the notice that the stream is begun again.
    :param code: the upstream's word for it, such as ``content_filter``.
    :param headers: of the answer, which tell of limits; empty if there was none.
    """

    def __init__(
        self,
        message: str,
        info: CodexErrorInfo,
        *,
        details: str | None = None,
        retry: Retry = "no",
        resend: bool = False,
        retry_after: float | None = None,
        http_status: int | None = None,
        code: str | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.info = info
        self.details = details
        self.retry = retry
        self.resend = resend
        self.retry_after = retry_after
        self.http_status = http_status
        self.code = code
        self.headers = headers


def _failure(message: str, kind: ErrorKind = "other", **more: Any) -> UpstreamFailure:
    return UpstreamFailure(message, CodexErrorInfo(kind), **more)


# -- before the stream


def misconfigured(message: str) -> UpstreamFailure:
    """The request cannot be made."""
    return _failure(message)


def unreachable(error: UpstreamUnreachable) -> UpstreamFailure:
    """There was no answer."""
    if isinstance(error, NotTrusted):
        return _disconnected(f"error sending request: {error.reason} ({error.url})", resend=True)
    if isinstance(error, NotConnected):
        return _failure("Connection failed: error sending request", retry="network", resend=True)
    if error.timed_out:
        # Not sent again in silence: that would be minutes of it.
        return _disconnected("idle timeout waiting for SSE")
    return _disconnected("error sending request", resend=True)


def unrouted(error: RoutingError) -> UpstreamFailure:
    """The workspace's backend is not known."""
    return _failure(error.message, details=error.details, retry="no" if error.message == UNAUTHORIZED else "stream")


def unrecovered(error: RecoveryFailed) -> UpstreamFailure:
    """A 401 could not be made good: the text says what became of that."""
    return _failure(error.message, "unauthorized" if error.permanent else "other", details=error.details)


async def refused(answer: HttpStream, *, logged_in: bool = True) -> UpstreamFailure:
    """The answer is none of success.

    :param logged_in: False if the provider wants this server's login and there is none.
    """
    body = (await answer.excerpt()).decode(errors="replace")
    error = _error_of(body)
    failure = _refusal(answer, body, error, logged_in=logged_in)
    failure.headers = answer.headers
    failure.resend = answer.status >= 500
    return failure


def _refusal(answer: HttpStream, body: str, error: Mapping[str, Any], *, logged_in: bool) -> UpstreamFailure:
    status, code, message = answer.status, error.get("code"), _text(error.get("message"))
    wait = retry_after_of(answer.headers.get("retry-after"))
    if status in (400, 404) and code == "model_not_found":
        return _failure(message or "model_not_found", "modelNotFound", code=code)
    if status == 400:
        return _bad_request(body, code, message)
    if status == 429:
        return _too_many(answer, error, wait)
    if (known := _unavailable(status, code, message, wait)) is not None:
        return known
    text = message or _masked(body.strip(), MAX_BODY_IN_TEXT) or "Unknown error"
    shown = f"unexpected status {_status(status)}: {text}, url: {answer.url}"
    for name, header in (("cf-ray", "cf-ray"), ("request id", "x-request-id")):
        if value := answer.headers.get(header):
            shown += f", {name}: {_masked(value, 200)}"
    info = CodexErrorInfo(HttpConnectionFailed(http_connection_failed=HttpStatus(http_status_code=status)))
    if status == 401 and not logged_in:
        return UpstreamFailure(f"{shown}. {NOT_LOGGED_IN}", info, http_status=status)
    return UpstreamFailure(shown, info, retry="stream", retry_after=wait, http_status=status)


def _unavailable(status: int, code: object, message: str, wait: float | None) -> UpstreamFailure | None:
    if status == 500:
        return _failure(HIGH_DEMAND, "internalServerError", retry="stream", retry_after=wait)
    if status == 503 and code == "server_is_overloaded":
        return _failure(OVERLOADED, "serverOverloaded", code=code, retry_after=wait)
    if status == 503 and code == "slow_down":
        return _rate_limited(message, code, wait)
    return None


def _bad_request(body: str, code: object, message: str) -> UpstreamFailure:
    if code == "context_length_exceeded":
        return _failure(CONTEXT_WINDOW, "contextWindowExceeded", code=code)
    if code == "cyber_policy":
        return _failure(message or CYBER, "cyberPolicy", code=code)
    if code in ("invalid_prompt", "bio_policy"):
        return _failure(message or "Invalid request.", code=str(code))
    if _IMAGE.search(body):
        return _failure(BAD_IMAGE, "badRequest")
    return _failure(_masked(body, MAX_TEXT))


def _too_many(answer: HttpStream, error: Mapping[str, Any], wait: float | None) -> UpstreamFailure:
    code, kind = error.get("code"), error.get("type")
    if kind == "usage_limit_reached":
        return _failure(usage_limit_text(error, answer.headers), "usageLimitExceeded", code=kind)
    if kind == "usage_not_included":
        return _failure(NOT_INCLUDED, "usageLimitExceeded", code=kind)
    if "insufficient_quota" in (kind, code):
        return _failure(QUOTA, "usageLimitExceeded", code="insufficient_quota")
    if code == "flex_unavailable":
        return _failure(FLEX, "flexUnavailable", code=code)
    status = HttpStatus(http_status_code=429)
    return UpstreamFailure(
        f"exceeded retry limit, last status: {_status(429)}",
        CodexErrorInfo(ResponseTooManyFailedAttempts(response_too_many_failed_attempts=status)),
        # Without a word about when, trying again only makes it worse.
        retry="no" if wait is None else "stream",
        retry_after=wait,
        http_status=429,
    )


# -- in the stream


def broken(error: StreamBroken) -> UpstreamFailure:
    """The stream broke off, or fell silent."""
    if error.timed_out:
        return _disconnected("idle timeout waiting for SSE")
    return _disconnected("Transport error: network error: error decoding response body")


def ended_early(said: str | None = None) -> UpstreamFailure:
    """The stream ended before the response did.

    :param said: an error that came in the stream, which by itself is no end of it.
    """
    return _disconnected("stream closed before response.completed", details=_masked(said, MAX_TEXT) if said else None)


def unreadable() -> UpstreamFailure:
    """The stream has an event that is too large."""
    return _failure("stream disconnected before completion: an event of the stream is too large")


def unparsable(problem: str) -> UpstreamFailure:
    """The event that ends the response lacks what it must have."""
    return _disconnected(f"failed to parse ResponseCompleted: {problem}")


def response_failed(event: Mapping[str, Any]) -> UpstreamFailure:
    """The failure that a ``response.failed`` tells of."""
    response = event.get("response")
    error = response.get("error") if isinstance(response, dict) else None
    if not isinstance(error, dict):
        return _disconnected("response.failed event received")
    code, message = error.get("code"), _text(error.get("message"))
    known: dict[Any, tuple[str, ErrorKind]] = {
        "context_length_exceeded": (CONTEXT_WINDOW, "contextWindowExceeded"),
        "insufficient_quota": (QUOTA, "usageLimitExceeded"),
        "usage_not_included": (NOT_INCLUDED, "usageLimitExceeded"),
        "server_is_overloaded": (OVERLOADED, "serverOverloaded"),
        "flex_unavailable": (FLEX, "flexUnavailable"),
        "model_not_found": (message or "model_not_found", "modelNotFound"),
        "cyber_policy": (message or CYBER, "cyberPolicy"),
        "invalid_prompt": (message or "Invalid request.", "other"),
        "bio_policy": (message or "Invalid request.", "other"),
    }
    if isinstance(code, str) and code in known:
        text, kind = known[code]
        return _failure(text, kind, code=code)
    if code in ("rate_limit_exceeded", "slow_down"):
        return _rate_limited(message, code, _named_wait(message))
    return _disconnected(message, code=code if isinstance(code, str) else None)


def response_incomplete(event: Mapping[str, Any]) -> UpstreamFailure:
    """The failure that a ``response.incomplete`` tells of."""
    response = event.get("response")
    details = response.get("incomplete_details") if isinstance(response, dict) else None
    reason = details.get("reason") if isinstance(details, dict) else None
    reason = _masked(reason, 200) if isinstance(reason, str) else "unknown"
    text = f"Incomplete response returned, reason: {reason}"
    if reason == "content_filter":
        return _disconnected(text, code=reason)
    return _failure(text, code=reason)


def error_text(event: Mapping[str, Any]) -> str | None:
    """What an ``error`` event says, in either of its shapes."""
    nested = event.get("error")
    error = nested if isinstance(nested, dict) else event
    parts = [part for part in (error.get("code"), error.get("message")) if isinstance(part, str) and part]
    return ": ".join(parts) or None


# -- parts


def _disconnected(why: str, **more: Any) -> UpstreamFailure:
    return _failure(f"stream disconnected before completion: {why}", retry="stream", **more)


def _rate_limited(message: str, code: object, wait: float | None) -> UpstreamFailure:
    text = f"rate limit exceeded: {message}"
    return _failure(text, "rateLimitExceeded", retry="stream", retry_after=wait, code=str(code))


def _named_wait(message: str) -> float | None:
    """Seconds, from a text such as ``Please try again in 1.5s``."""
    found = _TRY_AGAIN.search(message)
    if found is None:
        return None
    return float(found[1]) / (1000 if found[2].lower() == "ms" else 1)


def _error_of(body: str) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}


def _text(value: object) -> str:
    return _masked(value, MAX_TEXT) if isinstance(value, str) else ""


def _masked(text: str, limit: int) -> str:
    # Cut first to a bound, so that masking costs little, and again afterwards; a cut never splits a secret unmasked.
    return _cut(redact(text[: 4 * limit]), limit)


def _cut(text: str, limit: int) -> str:
    encoded = text.encode(errors="replace")
    return text if len(encoded) <= limit else encoded[:limit].decode(errors="ignore") + "..."


def _status(status: int) -> str:
    from http import HTTPStatus  # noqa: PLC0415 - a millisecond that only a failure need take

    try:
        return f"{status} {_REASONS.get(status) or HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} <unknown status code>"
