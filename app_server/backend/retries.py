"""When to try again, and what to say meanwhile (wire.md section 14): policy only, which neither waits nor sends.

A request whose stream has not begun is sent again in silence (:class:`Resends`). A stream that broke is begun again,
which the client is told of (:class:`Attempts`). Each request for a model's response has its own counts.
"""

import random
from collections.abc import Callable
from typing import Final, NamedTuple

from app_server.backend.response_failures import UpstreamFailure
from app_server.config.settings import ModelProvider
from protocol.turn_error import CodexErrorInfo, HttpStatus, ResponseStreamDisconnected

FIRST_DELAY: Final = 0.2
"""Seconds before the first retry; each further one waits twice as long."""

MAX_DELAY: Final = 60.0
"""Seconds before any retry, unless the upstream asks for more."""

JITTER: Final = (0.9, 1.1)
"""Factors between which each delay is drawn, so that those who failed together do not come back together."""

NETWORK_DELAYS: Final = (5.0, 10.0, 20.0, 40.0, 60.0)
"""Seconds between attempts while nobody can be reached; the last one is repeated."""

Uniform = Callable[[float, float], float]
"""A number between two others, such as ``random.uniform``."""


class Pause(NamedTuple):
    """What comes before the next attempt.

    :param seconds: to wait.
    :param notice: for people.
    :param info: the kind, for programs.
    :param details: what went wrong.
    """

    seconds: float
    notice: str
    info: CodexErrorInfo
    details: str


def backoff(attempt: int, uniform: Uniform = random.uniform) -> float:
    """Seconds before this retry, counted from 1."""
    # Bounded before it is computed: a provider may allow a hundred retries.
    return min(FIRST_DELAY * 2.0 ** min(attempt - 1, 16), MAX_DELAY) * uniform(*JITTER)


class Attempts:
    """Counts the streams of one request for a model's response. Progress does not give any back.

    :param provider: says how many there are.
    """

    def __init__(self, provider: ModelProvider, uniform: Uniform = random.uniform) -> None:
        self._max = provider.stream_max_retries
        self._uniform = uniform
        self._used = 0
        self._unreached = 0

    def after(self, failure: UpstreamFailure) -> Pause | None:
        """What comes before the next attempt; None if the failure stands."""
        if failure.retry == "no":
            return None
        info = CodexErrorInfo(
            ResponseStreamDisconnected(
                response_stream_disconnected=HttpStatus(http_status_code=failure.http_status),
            )
        )
        if failure.retry == "network":
            seconds = NETWORK_DELAYS[min(self._unreached, len(NETWORK_DELAYS) - 1)]
            self._unreached += 1
            return Pause(seconds, "Reconnecting... waiting for network", info, failure.message)
        self._unreached = 0
        if self._used >= self._max:
            return None
        self._used += 1
        seconds = backoff(self._used, self._uniform) if failure.retry_after is None else failure.retry_after
        return Pause(seconds, f"Reconnecting... {self._used}/{self._max}", info, failure.message)


class Resends:
    """Counts how often one request is sent while its stream has not begun.

    :param provider: says how often.
    """

    def __init__(self, provider: ModelProvider, uniform: Uniform = random.uniform) -> None:
        self._max = provider.request_max_retries
        self._uniform = uniform
        self._used = 0

    def after(self, failure: UpstreamFailure) -> float | None:
        """Seconds before it is sent again; None if the failure stands."""
        if not failure.resend or self._used >= self._max:
            return None
        self._used += 1
        return backoff(self._used, self._uniform) if failure.retry_after is None else failure.retry_after
