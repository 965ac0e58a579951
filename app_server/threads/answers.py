"""The model's answers in one turn: each is asked for, becomes items while it comes, and is counted when it is whole.

How a request is repeated is ``sampling``, what becomes of events is ``stream``; whether there is another answer to ask
for, the turn decides.
"""

from collections.abc import Mapping
from typing import Any

from app_server.backend.response_failures import UpstreamFailure
from app_server.backend.responses import ResponsesApi, ResponseStream
from app_server.backend.retries import Pause
from app_server.rollouts import records
from app_server.threads.history import FILTERED
from app_server.threads.prompt import request_body
from app_server.threads.response_items import message
from app_server.threads.sampling import Sampling
from app_server.threads.stream import ItemStream
from app_server.threads.tool_calls import ToolCalls
from app_server.threads.turn_context import TurnContext
from app_server.threads.turn_counts import TurnCounts
from app_server.threads.turn_record import TurnRecord
from app_server.threads.user_questions import REQUEST_USER_INPUT
from protocol.turn_error import TurnError


class ModelAnswers:
    """Asks for answers, one after another.

    :param output_schema: JSON Schema of the final message.
    :param counts: told of streams that broke.
    """

    def __init__(
        self, context: TurnContext, record: TurnRecord, api: ResponsesApi, output_schema: Any, counts: TurnCounts
    ) -> None:
        self._context = context
        self._record = record
        self._output_schema = output_schema
        self._counts = counts
        self._stream: ItemStream | None = None
        headers = {
            "session-id": context.session_id,
            "thread-id": context.thread_id,
            "x-client-request-id": context.thread_id,
        }
        config, provider = context.settings.config, context.settings.provider
        self.sampling = Sampling(api, config, provider, headers, self._broken)
        """Also for what else the model is asked in this turn."""

    async def ask(self, calls: ToolCalls) -> bool:
        """One answer, with the calls in it begun; returns whether the model expects to go on.

        :raises UpstreamFailure: there is no answer to be had.
        """

        def opened(stream: ResponseStream) -> None:
            self._stream = ItemStream(self._record, calls.begin, plan_mode=self._context.settings.plan_mode)
            self._context.account_limits.note(stream.headers)

        async def body() -> Mapping[str, Any]:
            # A stream that broke may have left calls: sent without their outputs, they would be refused.
            await calls.settle()
            return self._body()

        def receive(events: list[dict[str, Any]]) -> None:
            if self._stream is not None and not self._record.closed:
                self._stream.take(events)

        whole = await self.sampling.run(body, opened, receive, self._record.say.room)
        stream, self._stream = self._stream, None
        if stream is None:
            return False
        stream.finish()
        if not whole:
            return True
        self.note_usage(stream.response)
        return calls.any or stream.response.get("end_turn") is False

    def cut(self) -> None:
        """Nothing more is wanted of the answer under way; what the model has said so far is kept."""
        self.sampling.cut()

    def finish(self) -> None:
        """The turn ends: what is open is complete as it is."""
        if self._stream is not None:
            self._stream.finish()

    def note_usage(self, response: Mapping[str, Any]) -> None:
        """Count what a response has used."""
        context, say = self._context, self._record.say
        context.window.count(response, context.limits)
        context.store(records.token_count(context.window.usage))
        say.token_usage(self._record.turn_id, context.window.usage)
        say.rate_limits(context.account_limits.known)

    def _body(self) -> Mapping[str, Any]:
        context = self._context
        tools = context.tools.for_request()
        if context.settings.plan_mode:
            tools = [*tools, REQUEST_USER_INPUT]
        return request_body(context.settings, context.window.history, tools, context.thread_id, self._output_schema)

    def _broken(self, failure: UpstreamFailure, pause: Pause) -> None:
        """An attempt has failed and another one follows."""
        self._counts.retried += 1
        if self._stream is not None:
            self._stream.abandon()
            self._stream = None
        self._context.account_limits.note_refusal(failure.headers)
        if failure.code == "content_filter":
            self._record.remember(message("developer", FILTERED))
        if pause.notice is not None:
            error = TurnError(message=pause.notice, codex_error_info=pause.info, additional_details=failure.message)
            self._record.say.error(self._record.turn_id, error, will_retry=True)
