"""One turn, from the user's input to exactly one ``turn/completed`` (wire.md section 14).

    begin -> [compact] -> tell the model -> its answer -> [its calls of tools, more input -> its answer] … -> conclude

The conclusion is synchronous and happens once. Whatever ends a turn - the model's answer, a failure, the user, the end
of the connection - calls it, and what unwinds afterwards finds the record closed and changes nothing.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any, Final

import anyio

from app_server.backend.response_failures import UpstreamFailure
from app_server.backend.responses import ResponsesApi
from app_server.request_context import inside
from app_server.rollouts import records
from app_server.threads.answers import ModelAnswers
from app_server.threads.compaction import Compaction
from app_server.threads.history import ABORTED
from app_server.threads.ids import uuid7
from app_server.threads.input_queue import Input, InputQueue
from app_server.threads.prompt import context_items
from app_server.threads.response_items import message
from app_server.threads.tool_calls import ParentTools, ToolCalls
from app_server.threads.turn_context import TurnContext, TurnListener
from app_server.threads.turn_counts import TurnCounts
from app_server.threads.turn_record import TurnRecord
from app_server.tracing import Span, span
from protocol.turn import Turn, TurnStatus
from protocol.turn_error import CodexErrorInfo, TurnError

log = logging.getLogger(__name__)

MAX_REQUESTS: Final = 1000
"""Requests to the model in one turn; a model that calls tools for ever is stopped here."""


class RunningTurn:
    """A turn that runs.

    :param listener: its thread.
    :param first: the input; None for a turn that only compacts the history.
    :param output_schema: JSON Schema of the final message.
    :param counts: of all turns.
    """

    def __init__(
        self,
        context: TurnContext,
        listener: TurnListener,
        api: ResponsesApi,
        parent: ParentTools,
        first: Input | None,
        output_schema: Any = None,
        counts: TurnCounts | None = None,
    ) -> None:
        self.id = uuid7()
        self.ended = anyio.Event()
        self._context = context
        self._settings = context.settings
        self._window = context.window
        self._say = context.say
        self._listener = listener
        self._parent = parent
        self._counts = counts or TurnCounts()
        self._record = TurnRecord(context.thread_id, self.id, context.say, context.window.history, context.store)
        self._inputs = InputQueue(self._record)
        self._only_compacts = first is None
        if first is not None:
            self._inputs.add(first)
        self._answers = ModelAnswers(context, self._record, api, output_schema, self._counts)
        self._compaction = Compaction(context, self._record, self._answers.sampling, self._answers.note_usage)
        self._scope = anyio.CancelScope()
        self._calls: ToolCalls | None = None
        self._concluded: Turn | None = None
        self._begun = 0.0
        self._started_at: int | None = None

    # What the client sees of it

    def snapshot(self) -> Turn:
        """The turn as far as it is."""
        if self._concluded is not None:
            return self._concluded
        return self._turn("inProgress").model_copy(update={"items": self._record.thread_items(), "items_view": "full"})

    def bare(self) -> Turn:
        """The turn without its items."""
        return self._turn("inProgress")

    @property
    def steerable(self) -> bool:
        """Whether it takes more input."""
        return not self._only_compacts

    # What can be done to it

    def steer(self, more: Input) -> None:
        """Give it more input. The model's answer under way is cut off, and what it has said so far is kept; a summary
        under way is waited for, because what follows needs it. What a tool delivers waits for the end of the answer:
        it has not the authority to interrupt.

        :raises TooMuchInput: it has not taken in what it was given before.
        """
        self._inputs.add(more)
        if more.output is None and not self._compaction.runs:
            self._answers.cut()

    def interrupt(self) -> None:
        """End it now; the partial answer is kept."""
        if self._concluded is None:
            self._cut_off()
            self._record.remember(message("user", ABORTED))
            self._conclude("interrupted")
        self._scope.cancel()

    def begin(self) -> None:
        """Announce it. The task that carries it out is started at the same time."""
        self._counts.started += 1
        self._begun = time.monotonic()
        self._started_at = int(time.time())
        self._context.store(
            records.task_started(self.id, self._started_at, self._context.limits.shown_window),
            records.turn_context(self.id, self._settings.context()),
        )
        self._say.turn_started(self.bare())

    async def run(self) -> None:
        """Carry it out. Whatever happens, it has been concluded when this returns."""
        with inside(thread_id=self._context.thread_id, turn_id=self.id), span("turn", self._attributes()) as traced:
            try:
                with self._scope:
                    await self._carry_out()
            except Exception:
                log.exception("internal error in a turn")
                self._fail(TurnError(message="internal error", codex_error_info=CodexErrorInfo("other")))
            finally:
                if self._concluded is None:
                    self.interrupt()
                self._tell_end(traced)

    # Its course

    async def _carry_out(self) -> None:
        async with anyio.create_task_group() as tasks:
            self._calls = ToolCalls(self._context, self._record, self._parent, tasks, self._wait_for_user)
            try:
                await self._converse(self._calls)
            except UpstreamFailure as failure:
                error = TurnError(
                    message=failure.message, codex_error_info=failure.info, additional_details=failure.details
                )
                self._fail(error, failure)
            tasks.cancel_scope.cancel()

    async def _converse(self, calls: ToolCalls) -> None:
        if self._only_compacts or self._is_full():
            await self._compaction.run()
        if self._only_compacts:
            self._conclude("completed")
            return
        self._tell_surroundings()
        self._inputs.take_in()
        for _ in range(MAX_REQUESTS):
            goes_on = await self._answers.ask(calls)
            await calls.settle()
            # From here to the conclusion nothing waits: no input can slip in between and be lost.
            if not self._inputs.take_in() and not goes_on:
                self._conclude("completed")
                return
            if self._is_full():
                await self._compaction.run()
                self._inputs.take_in()
        raise UpstreamFailure(f"the model asked for more than {MAX_REQUESTS} rounds", CodexErrorInfo("other"))

    def _tell_surroundings(self) -> None:
        surroundings = context_items(self._settings)
        if not self._window.history.has_context(surroundings):
            self._record.remember(*surroundings)

    def _is_full(self) -> bool:
        return self._window.is_full(self._context.limits)

    def _wait_for_user(self, waiting: bool) -> None:
        # What unwinds after the end must not touch the status of the turn that runs by then.
        if self._concluded is None:
            self._listener.turn_waits(waiting)

    # Its end

    def _cut_off(self) -> None:
        self._answers.finish()
        if self._calls is not None:
            self._calls.abort()
        self._compaction.end()
        # It was accepted, so it is not to be lost.
        self._inputs.take_in()

    def _fail(self, error: TurnError, failure: UpstreamFailure | None = None) -> None:
        if self._concluded is not None:
            return
        limits = self._context.account_limits
        if failure is not None and limits.note_refusal(failure.headers):
            self._say.rate_limits(limits.known)
        if error.codex_error_info == CodexErrorInfo("contextWindowExceeded"):
            self._window.overflowed = True
        self._cut_off()
        self._conclude("failed", error)

    def _conclude(self, status: TurnStatus, error: TurnError | None = None) -> None:
        self._record.close()
        final = self._record.final_message
        turn = self._turn(status, error)
        self._concluded = turn.model_copy(update={"items": self._record.thread_items(), "items_view": "full"})
        self._counts.ended(status)
        self._listener.turn_ended(self._concluded, final.text if final is not None else None)
        if error is not None:
            self._say.error(self.id, error, will_retry=False)
        if final is not None:
            turn = turn.model_copy(update={"items": self._record.wrap(final), "items_view": "summary"})
        self._say.turn_completed(turn)
        self.ended.set()
        self._listener.turn_announced()

    def _attributes(self) -> Mapping[str, str]:
        return {
            "gen_ai.conversation.id": self._context.thread_id,
            "gen_ai.request.model": self._settings.model,
            "app_server.turn.id": self.id,
        }

    def _tell_end(self, traced: Span) -> None:
        if self._concluded is not None:
            traced.set("app_server.turn.status", self._concluded.status)
            if self._concluded.status == "failed":
                traced.fail("failed")

    def _turn(self, status: TurnStatus, error: TurnError | None = None) -> Turn:
        over = status != "inProgress"
        return Turn(
            id=self.id,
            root_turn_id=self.id,
            items=[],
            items_view="notLoaded",
            status=status,
            error=error,
            started_at=self._started_at,
            completed_at=int(time.time()) if over else None,
            duration_ms=round((time.monotonic() - self._begun) * 1000) if over and self._begun else None,
        )
