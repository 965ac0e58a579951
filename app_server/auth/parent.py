"""Tokens that the parent owns: asking it for fresh ones, once for any number of 401s (wire.md section 10).

How the parent is asked is not known here; a callable does it.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
from anyio.abc import TaskGroup
from pydantic import SecretStr

from app_server.auth.credentials import ExternalTokens, plan_type
from app_server.auth.errors import ParentTimedOut, RecoveryFailed, SignedOut
from app_server.auth.refresh_counts import RefreshCounts
from app_server.auth.tokens import parse_claims
from app_server.flight import Flight
from app_server.tracing import span

LATE_ANSWER: Final = 120.0
"""Seconds after which even a late answer is given up."""

MAX_LATE: Final = 8
"""Questions that may be left open after their time, for the sake of a late answer."""

AskParent = Callable[[ExternalTokens, float], Awaitable[ExternalTokens]]
"""Asks for tokens newer than the given ones, within so many seconds; raises RecoveryFailed."""


def tokens_from_parent(
    access_token: SecretStr, *, account_id: str, plan: str | None, id_token: SecretStr | None = None
) -> ExternalTokens:
    """What the parent handed over, as a credential (wire.md section 9).

    :param account_id: the parameter counts, not the claim; empty beside an ID token means that token's claim.
    :param plan: None means the claim.
    :param id_token: of the older shape; who is logged in is then read from it rather than from the access token.
    :raises InvalidToken: one of the tokens is no JSON Web Token.
    """
    claims = parse_claims(access_token)
    if id_token is not None:
        claims = parse_claims(id_token)
        account_id = account_id or claims.account_id or ""
    # The reference takes a plan in any case from the parent, but not from a claim.
    named = plan_type(claims.plan if plan is None else plan.lower())
    return ExternalTokens(access_token, account_id=account_id, plan_type=named, claims=claims)


class _Question:
    """One request to the parent about one credential."""

    def __init__(self, used: ExternalTokens, answer_by: float) -> None:
        self.used = used
        self.answer_by = answer_by
        self.flight: Flight[ExternalTokens] = Flight()
        self.scope = anyio.CancelScope()


class ParentRefresh:
    """Asks the parent for fresh tokens.

    :param ask: asks once; raises RecoveryFailed.
    :param adopt: takes over an answer; it calls :meth:`settle` in turn.
    :param tasks: owns the questions under way.
    :param timeout: seconds that whoever made a request waits for the parent.
    """

    def __init__(
        self, ask: AskParent, adopt: Callable[[ExternalTokens], None], tasks: TaskGroup, timeout: float
    ) -> None:
        self._ask = ask
        self._adopt = adopt
        self._tasks = tasks
        self._timeout = timeout
        self._current: _Question | None = None
        self._late: deque[_Question] = deque()
        self.counts = RefreshCounts()

    async def newer_than(self, used: ExternalTokens) -> ExternalTokens:
        """Wait for tokens that replace ``used``; everybody who asks about the same tokens shares one question.

        :raises RecoveryFailed: no answer, a refusal, or an answer that cannot be used.
        """
        question = self._current
        if question is None or question.used != used:
            question = self._current = _Question(used, anyio.current_time() + self._timeout)
            self._tasks.start_soon(self._carry_out, question)
        with anyio.move_on_at(question.answer_by):
            return await question.flight.outcome()
        self._leave_open(question)
        raise ParentTimedOut(self._timeout)

    def settle(self, newer: ExternalTokens | None) -> None:
        """Newer tokens are in force, or none at all: whoever waits has an answer, and no question stays open."""
        questions = [*self._late, *([self._current] if self._current else [])]
        self._current = None
        self._late.clear()
        for question in questions:
            if newer is None:
                question.flight.fail(SignedOut())
            else:
                question.flight.succeed(newer)
            question.scope.cancel()

    def _leave_open(self, question: _Question) -> None:
        """Nobody waits any more, but a late answer is still worth having for the next request."""
        if self._current is question:
            self._current = None
            self._late.append(question)
            if len(self._late) > MAX_LATE:
                self._late.popleft().scope.cancel()

    async def _carry_out(self, question: _Question) -> None:
        self.counts.asked += 1
        with span("refresh", {"app_server.refresh.kind": "parent"}) as traced, question.scope:
            try:
                tokens = await self._ask(question.used, self._timeout + LATE_ANSWER)
            except RecoveryFailed as error:
                traced.fail(type(error).__name__)
                question.flight.fail(error)
                self._forget(question)
            else:
                self._adopt(tokens)
        self.counts.ended(well=question.flight.succeeded)

    def _forget(self, question: _Question) -> None:
        if self._current is question:
            self._current = None
        elif question in self._late:
            self._late.remove(question)
