"""When managed tokens are refreshed without anybody having met a 401 (wire.md section 11): in the background, once,
shortly before they run out. An idle server sleeps until then; nothing polls."""

import logging
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

import anyio
from anyio.abc import TaskGroup

from app_server.auth.credentials import Credential, ManagedTokens
from app_server.auth.errors import RecoveryFailed
from app_server.auth.token_endpoint import RefreshReason
from app_server.auth.tokens import expires_at
from app_server.request_context import detached

BEFORE_EXPIRY: Final = timedelta(seconds=300)
WITHOUT_EXPIRY: Final = timedelta(days=8)
"""Age at which tokens that do not say when they run out are refreshed."""

BETWEEN: Final = 30.0
"""Seconds between two refreshes at least, for the sake of an issuer whose tokens run out as soon as they are there."""

TRY_AGAIN: Final = (30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds between attempts after one that may work another time; the last one repeats."""

log = logging.getLogger(__name__)


class Refresher(Protocol):
    """Whoever refreshes."""

    async def newer_than(self, used: ManagedTokens, reason: RefreshReason) -> ManagedTokens:
        """See :meth:`app_server.auth.managed.ManagedRefresh.newer_than`."""


class Due(NamedTuple):
    """When and why tokens are to be refreshed."""

    at: datetime
    reason: RefreshReason


def due(tokens: ManagedTokens) -> Due | None:
    """When these tokens are to be refreshed; None for never."""
    if not tokens.account_id or not tokens.refresh_token.get_secret_value():
        return None
    expiry = expires_at(tokens.access_token)
    try:
        if expiry is not None:
            return Due(expiry - BEFORE_EXPIRY, "proactive_expiry")
        if tokens.last_refresh is not None:
            return Due(tokens.last_refresh + WITHOUT_EXPIRY, "scheduled")
    except OverflowError:
        log.warning("the tokens carry a date beyond all dates and are not refreshed in time")
    return None


class Schedule:
    """Watches over the credential in force.

    :param tasks: owns the wait.
    :param now: the wall clock, with its zone.
    :param sleep: waits for so many seconds.
    """

    def __init__(
        self,
        tasks: TaskGroup,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._tasks = tasks
        self._now = now
        self._sleep = sleep
        self._scope: anyio.CancelScope | None = None
        self._asked = -math.inf

    def watch(self, credential: Credential | None, refresher: Refresher) -> None:
        """Refresh this credential in time; whatever was watched before is not any more."""
        if self._scope is not None:
            self._scope.cancel()
            self._scope = None
        if isinstance(credential, ManagedTokens) and (when := due(credential)) is not None:
            self._scope = anyio.CancelScope()
            with detached():  # the request that brought the tokens is over by then
                self._tasks.start_soon(self._wait, self._scope, credential, when, refresher)

    async def _wait(self, scope: anyio.CancelScope, tokens: ManagedTokens, when: Due, refresher: Refresher) -> None:
        with scope:
            # The wall clock decides, and it may be set or have slept meanwhile; a long wait is checked again.
            while (seconds := (when.at - self._now()).total_seconds()) > 0:
                await self._sleep(min(seconds, 3600))
            if (seconds := self._asked + BETWEEN - anyio.current_time()) > 0:
                await self._sleep(seconds)
            attempt = 0
            while True:
                self._asked = anyio.current_time()
                try:
                    await refresher.newer_than(tokens, when.reason)
                except RecoveryFailed as error:
                    log.warning("the login could not be refreshed in time: %s", error.message)
                    if error.permanent:
                        return
                else:
                    return
                await self._sleep(TRY_AGAIN[min(attempt, len(TRY_AGAIN) - 1)])
                attempt += 1
