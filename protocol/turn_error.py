"""How a turn fails, in a text for people and a kind for programs (wire.md section 14)."""

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from protocol.base import WireModel, WireUnion
from protocol.method import ServerNotification

UInt16 = Annotated[
    int, Field(ge=0, le=2**16 - 1), WithJsonSchema({"type": "integer", "format": "uint16", "minimum": 0})
]

NonSteerableTurnKind = Literal["review", "compact"]
"""Turns that take no further input."""

ErrorKind = Literal[
    "contextWindowExceeded",
    "sessionBudgetExceeded",
    "usageLimitExceeded",
    "rateLimitExceeded",
    "flexUnavailable",
    "serverOverloaded",
    "modelNotFound",
    "policyCapacityUnavailable",
    "inferenceHookDenied",
    "cyberPolicy",
    "misalignmentPolicyViolation",
    "tooManyDenials",
    "internalServerError",
    "unauthorized",
    "badRequest",
    "threadRollbackFailed",
    "sandboxError",
    "other",
]
"""A kind of error that has no details."""


class HttpStatus(WireModel):
    """The upstream's status, where it gave one."""

    http_status_code: UInt16 | None = None


class HttpConnectionFailed(WireModel):
    """The upstream refused the request."""

    http_connection_failed: HttpStatus


class ResponseStreamConnectionFailed(WireModel):
    """The stream could not be opened."""

    response_stream_connection_failed: HttpStatus


class ResponseStreamDisconnected(WireModel):
    """The stream broke off."""

    response_stream_disconnected: HttpStatus


class ResponseTooManyFailedAttempts(WireModel):
    """The upstream refused every attempt."""

    response_too_many_failed_attempts: HttpStatus


class NonSteerableTurn(WireModel):
    """Which kind of turn it is that takes no further input."""

    turn_kind: NonSteerableTurnKind


class ActiveTurnNotSteerable(WireModel):
    """The turn that runs takes no further input."""

    active_turn_not_steerable: NonSteerableTurn


class CodexErrorInfo(
    WireUnion[
        ErrorKind
        | HttpConnectionFailed
        | ResponseStreamConnectionFailed
        | ResponseStreamDisconnected
        | ResponseTooManyFailedAttempts
        | ActiveTurnNotSteerable
    ]
):
    """What kind of error it is."""


class MisalignmentSteer(WireModel):
    """What to say in the next turn, for the user to go on all the same."""

    message: str


class MisalignmentErrorDetails(WireModel):
    """Why the upstream held the model back, and how to go on."""

    error_type: str | None = None
    detailed_explanation: str | None = None
    steer: MisalignmentSteer | None = None
    review_target: str | None = None


class TurnError(WireModel):
    """An error of a turn."""

    message: str
    codex_error_info: CodexErrorInfo | None = None
    additional_details: str | None = None
    misalignment: MisalignmentErrorDetails | None = None


class ErrorNotification(WireModel):
    """Something went wrong in a turn."""

    error: TurnError
    will_retry: bool
    """Whether the turn goes on; otherwise `turn/completed` follows."""
    thread_id: str
    turn_id: str


ERROR = ServerNotification("error", ErrorNotification)
"""Something went wrong in a turn; it fails, or goes on trying."""
