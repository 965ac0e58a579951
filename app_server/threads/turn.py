"""One turn, from the user's input to exactly one ``turn/completed`` (wire.md section 14).

    begin -> [compact] -> tell the model -> its answer -> [its calls of tools, more input -> its answer] … -> conclude

The conclusion is synchronous and happens once. Whatever ends a turn - the model's answer, a failure, the user, the end
of the connection - calls it, and what unwinds afterwards finds the record closed and changes nothing.
"""

import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import anyio

from app_server.backend.response_failures import UpstreamFailure
from app_server.backend.responses import ResponsesApi, ResponseStream
from app_server.backend.retries import Pause
from app_server.request_context import inside
from app_server.rollouts import records
from app_server.threads import compaction, usage
from app_server.threads.history import ABORTED, FILTERED, Item, message
from app_server.threads.ids import uuid7
from app_server.threads.inputs import PreparedInput
from app_server.threads.prompt import request_body
from app_server.threads.sampling import Sampling
from app_server.threads.stream import ItemStream
from app_server.threads.tool_calls import ParentTools, ToolCalls
from app_server.threads.turn_counts import TurnCounts
from app_server.threads.turn_record import TurnRecord
from app_server.threads.user_questions import REQUEST_USER_INPUT
from app_server.tracing import Span, span
from protocol.items import ContextCompactionThreadItem, UserMessageThreadItem
from protocol.turn import Turn, TurnStatus
from protocol.turn_error import CodexErrorInfo, TurnError

if TYPE_CHECKING:
    from app_server.threads.thread import LiveThread

log = logging.getLogger(__name__)

MAX_REQUESTS: Final = 1000
"""Requests to the model in one turn; a model that calls tools for ever is stopped here."""

MAX_WAITING_INPUTS: Final = 256


@dataclass(frozen=True, slots=True)
class Input:
    """What the user says at once.

    :param client_id: the client's own id for it.
    :param context: items that the client adds before it.
    """

    prepared: PreparedInput
    client_id: str | None = None
    context: tuple[Item, ...] = ()


class TooMuchInput(Exception):
    """A turn that runs has been given more than it can take in."""


class RunningTurn:
    """A turn that runs.

    :param thread: what it is a turn of.
    :param first: the input; None for a turn that only compacts the history.
    :param output_schema: JSON Schema of the final message.
    :param counts: of all turns.
    """

    def __init__(
        self,
        thread: "LiveThread",
        api: ResponsesApi,
        parent: ParentTools,
        first: Input | None,
        output_schema: Any = None,
        counts: TurnCounts | None = None,
    ) -> None:
        self.id = uuid7()
        self._counts = counts or TurnCounts()
        self._thread = thread
        self._settings = thread.settings
        self._limits = thread.context_limits
        self._parent = parent
        self._inputs: deque[Input] = deque([first] if first is not None else [])
        self._only_compacts = first is None
        self._output_schema = output_schema
        self._record = TurnRecord(thread.id, self.id, thread.say, thread.history, thread.store)
        self._sampling = Sampling(
            api,
            self._settings.config,
            self._settings.provider,
            {"session-id": thread.meta.session_id, "thread-id": thread.id, "x-client-request-id": thread.id},
            self._broken,
        )
        self._scope = anyio.CancelScope()
        self._stream: ItemStream | None = None
        self._calls: ToolCalls | None = None
        self._compaction: ContextCompactionThreadItem | None = None
        """Announced as begun, and not yet as completed."""
        self._concluded: Turn | None = None
        self._begun = 0.0
        self._started_at: int | None = None
        self.ended = anyio.Event()

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
        under way is waited for, because what follows needs it.

        :raises TooMuchInput: it has not taken in what it was given before.
        """
        if len(self._inputs) >= MAX_WAITING_INPUTS:
            raise TooMuchInput
        self._inputs.append(more)
        if self._compaction is None:
            self._sampling.cut()

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
        self._thread.become_active()
        self._thread.store(
            records.task_started(self.id, self._started_at, self._limits.shown_window),
            records.turn_context(self.id, self._settings.context()),
        )
        self._thread.say.turn_started(self.bare())

    async def run(self) -> None:
        """Carry it out. Whatever happens, it has been concluded when this returns."""
        with inside(thread_id=self._thread.id, turn_id=self.id), span("turn", self._attributes()) as traced:
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
            config = self._settings.config
            self._calls = ToolCalls(
                self._thread.id,
                self._record,
                self._thread.tools,
                self._parent,
                tasks,
                self._wait_for_user,
                plan_mode=self._settings.plan_mode,
                tool_timeout=config.dynamic_tool_timeout,
                question_timeout=config.user_input_timeout,
            )
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
            await self._compact()
        if self._only_compacts:
            self._conclude("completed")
            return
        self._thread.tell_context(self._record, self._settings)
        self._take_inputs()
        for _ in range(MAX_REQUESTS):
            goes_on = await self._ask_model(calls)
            await calls.settle()
            # From here to the conclusion nothing waits: no input can slip in between and be lost.
            if not self._take_inputs() and not goes_on:
                self._conclude("completed")
                return
            if self._is_full():
                await self._compact()
                self._take_inputs()
        raise UpstreamFailure(f"the model asked for more than {MAX_REQUESTS} rounds", CodexErrorInfo("other"))

    async def _ask_model(self, calls: ToolCalls) -> bool:
        """One answer of the model; returns whether the model expects to go on."""

        def opened(stream: ResponseStream) -> None:
            self._stream = ItemStream(self._record, calls.begin, plan_mode=self._settings.plan_mode)
            self._thread.account_limits.note(stream.headers)

        async def body() -> Mapping[str, Any]:
            # A stream that broke may have left calls: sent without their outputs, they would be refused.
            await calls.settle()
            return self._body()

        def receive(events: list[dict[str, Any]]) -> None:
            if self._stream is not None and self._concluded is None:
                self._stream.take(events)

        whole = await self._sampling.run(body, opened, receive, self._thread.say.room)
        stream, self._stream = self._stream, None
        if stream is None:
            return False
        if not whole:
            stream.finish()
            return True
        stream.finish()
        self._note_usage(stream.response)
        return calls.any or stream.response.get("end_turn") is False

    def _body(self) -> Mapping[str, Any]:
        tools = self._thread.tools.for_request()
        if self._settings.plan_mode:
            tools = [*tools, REQUEST_USER_INPUT]
        return request_body(self._settings, self._thread.history, tools, self._thread.id, self._output_schema)

    def _wait_for_user(self, waiting: bool) -> None:
        # What unwinds after the end must not touch the status of the turn that runs by then.
        if self._concluded is None:
            self._thread.wait_for_user(waiting)

    def _broken(self, failure: UpstreamFailure, pause: Pause) -> None:
        """An attempt has failed and another one follows."""
        self._counts.retried += 1
        if self._stream is not None:
            self._stream.abandon()
            self._stream = None
        self._thread.account_limits.note_refusal(failure.headers)
        if failure.code == "content_filter":
            self._record.remember(message("developer", FILTERED))
        if pause.notice is not None:
            error = TurnError(message=pause.notice, codex_error_info=pause.info, additional_details=failure.message)
            self._thread.say.error(self.id, error, will_retry=True)

    def _take_inputs(self) -> bool:
        """Put what the user has said meanwhile into the history; returns whether there was anything."""
        took = bool(self._inputs)
        while self._inputs:
            given = self._inputs.popleft()
            self._record.remember(*given.context)
            if not given.prepared.parts and not given.prepared.content:
                continue
            raw = {"type": "message", "id": f"msg_{uuid7()}", "role": "user", "content": given.prepared.parts}
            item = UserMessageThreadItem(id=uuid7(), client_id=given.client_id, content=given.prepared.content)
            self._record.at_once(item, *([raw] if given.prepared.parts else []))
        return took

    # The size of the history

    def _is_full(self) -> bool:
        return self._thread.must_compact or self._thread.usage.last.total_tokens >= self._limits.compact_at

    async def _compact(self) -> None:
        self._compaction = self._record.start(ContextCompactionThreadItem(id=uuid7()))
        summary = await compaction.summarize(
            self._sampling,
            self._settings,
            self._thread.history,
            self._thread.id,
            self._thread.account_limits.note,
            self._note_usage,
        )
        self._thread.replace_history(summary, self._settings)
        self._thread.say.token_usage(self.id, self._thread.usage)
        self._end_compaction()

    def _end_compaction(self) -> None:
        item, self._compaction = self._compaction, None
        if item is not None:
            self._record.complete(item)

    def _note_usage(self, response: dict[str, Any]) -> None:
        self._thread.usage = usage.add(self._thread.usage, usage.used_by(response), self._limits.shown_window)
        self._thread.store(records.token_count(self._thread.usage))
        self._thread.say.token_usage(self.id, self._thread.usage)
        self._thread.say.rate_limits(self._thread.account_limits.known)

    # Its end

    def _cut_off(self) -> None:
        if self._stream is not None:
            self._stream.finish()
        if self._calls is not None:
            self._calls.abort()
        # It has no status: a history that was not replaced is told by the turn, which has failed or was interrupted.
        self._end_compaction()
        # It was accepted, so it is not to be lost.
        self._take_inputs()

    def _fail(self, error: TurnError, failure: UpstreamFailure | None = None) -> None:
        if self._concluded is not None:
            return
        if failure is not None and self._thread.account_limits.note_refusal(failure.headers):
            self._thread.say.rate_limits(self._thread.account_limits.known)
        if error.codex_error_info == CodexErrorInfo("contextWindowExceeded"):
            self._thread.must_compact = True
        self._cut_off()
        self._conclude("failed", error)

    def _conclude(self, status: TurnStatus, error: TurnError | None = None) -> None:
        self._record.close()
        final = self._record.final_message
        turn = self._turn(status, error)
        self._concluded = turn.model_copy(update={"items": self._record.thread_items(), "items_view": "full"})
        self._counts.ended(status)
        self._thread.conclude(self._concluded, final.text if final is not None else None)
        self._thread.become_idle(failed=status == "failed")
        if error is not None:
            self._thread.say.error(self.id, error, will_retry=False)
        if final is not None:
            turn = turn.model_copy(update={"items": self._record.wrap(final), "items_view": "summary"})
        self._thread.say.turn_completed(turn)
        self.ended.set()
        self._thread.settled()

    def _attributes(self) -> Mapping[str, str]:
        return {
            "gen_ai.conversation.id": self._thread.id,
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
