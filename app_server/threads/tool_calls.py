"""The parent's tools at work: each call of the model is a request to the parent, and its answer goes back to the model.

Whatever the parent does - answers late, wrongly, with an error, or never - the model is told, and the turn goes on.
"""

import logging
from collections.abc import Callable
from typing import Any, Final, Protocol

import anyio
from anyio.abc import TaskGroup

from app_server.threads.announcements import now_ms
from app_server.threads.response_items import CANCELLED, Item, call_output, to_send_again
from app_server.threads.tool_arguments import parse_arguments
from app_server.threads.tool_output import output_for_model
from app_server.threads.turn_context import TurnContext
from app_server.threads.turn_record import TurnRecord
from app_server.threads.user_questions import (
    REQUEST_USER_INPUT_NAME,
    InvalidQuestions,
    output_of_answers,
    parse_questions,
)
from app_server.tracing import span
from protocol.items import (
    DynamicToolCallOutputContentItem,
    DynamicToolCallThreadItem,
    InputTextDynamicToolCallOutputContentItem,
)
from protocol.tools import (
    DynamicToolCallParams,
    DynamicToolCallResponse,
    ToolRequestUserInputParams,
    ToolRequestUserInputResponse,
)

log = logging.getLogger(__name__)

AT_ONCE: Final = 64
"""Calls of one turn that the parent is asked about at the same time; more wait."""


class ToolFailed(Exception):
    """The parent gave no result.

    :param message: what the model and the client are told.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ParentTools(Protocol):
    """The parent, as far as the model can make use of it. What goes wrong is a :class:`ToolFailed`."""

    async def call(self, params: DynamicToolCallParams, timeout: float) -> DynamicToolCallResponse:
        """``item/tool/call``."""

    async def ask(self, params: ToolRequestUserInputParams, timeout: float) -> ToolRequestUserInputResponse:
        """``item/tool/requestUserInput``."""


class ToolCalls:
    """The calls of one turn.

    :param tasks: owns the calls under way.
    :param waiting: told whether the user is being asked something.
    """

    def __init__(
        self,
        context: TurnContext,
        record: TurnRecord,
        parent: ParentTools,
        tasks: TaskGroup,
        waiting: Callable[[bool], None],
    ) -> None:
        self._thread_id = context.thread_id
        self._tools = context.tools
        self._plan_mode = context.settings.plan_mode
        self._tool_timeout = context.settings.config.dynamic_tool_timeout
        self._question_timeout = context.settings.config.user_input_timeout
        self._record = record
        self._parent = parent
        self._tasks = tasks
        self._waiting = waiting
        self._calls: list[_Call] = []
        self._questions = 0
        self._limit = anyio.CapacityLimiter(AT_ONCE)

    def begin(self, raw: Item) -> None:
        """The model calls a tool."""
        self._record.remember(to_send_again(raw))
        call = _Call(raw)
        self._calls.append(call)
        self._tasks.start_soon(self._carry_out, call)

    @property
    def any(self) -> bool:
        """Whether a call has been begun whose output the model has not seen."""
        return bool(self._calls)

    async def settle(self) -> None:
        """Wait for every call; their outputs are then in the history, in the order of the calls."""
        for call in self._calls:
            await call.done.wait()
        self._hand_over()

    def abort(self) -> None:
        """Wait no longer: what has no output is said to be cancelled, to the client and to the model."""
        for call in self._calls:
            self._complete(call, [], success=False)
        self._hand_over()

    def _hand_over(self) -> None:
        calls, self._calls = self._calls, []
        if calls:
            self._record.remember(*(call_output(call.raw, call.output) for call in calls))

    async def _carry_out(self, call: "_Call") -> None:
        try:
            async with self._limit:
                call.output = await self._output(call)
        except Exception:
            log.exception("internal error in a call of a tool")
            call.output = "the call failed: internal error"
            self._fail(call, call.output)
        finally:
            call.done.set()

    async def _output(self, call: "_Call") -> Any:
        raw = call.raw
        name = str(raw.get("name") or "")
        namespace = raw.get("namespace") if isinstance(raw.get("namespace"), str) else None
        if raw.get("type") == "custom_tool_call":
            return f"unsupported custom tool call: {name}"
        is_question = name == REQUEST_USER_INPUT_NAME and namespace is None
        if not is_question and self._tools.find(name, namespace) is None:
            return f"unsupported call: {name}"
        try:
            arguments = parse_arguments(str(raw.get("arguments") or ""))
        except ValueError as error:
            return str(error)
        if is_question and self._tools.find(name, namespace) is None:
            return await self._ask_user(raw["call_id"], arguments)
        return await self._call_tool(call, name, namespace, arguments)

    async def _call_tool(self, call: "_Call", name: str, namespace: str | None, arguments: Any) -> Any:
        call_id = call.raw["call_id"]
        call.item = self._record.start(
            DynamicToolCallThreadItem(
                id=call_id, namespace=namespace, tool=name, arguments=arguments, status="inProgress"
            )
        )
        params = DynamicToolCallParams(
            thread_id=self._thread_id,
            turn_id=self._record.turn_id,
            call_id=call_id,
            namespace=namespace,
            tool=name,
            arguments=arguments,
        )
        attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, "gen_ai.tool.call.id": call_id}
        with span(f"execute_tool {name}", attributes) as traced:
            try:
                output, content, success = output_for_model(await self._parent.call(params, self._tool_timeout))
            except ToolFailed as failure:
                traced.fail(type(failure).__name__)
                self._fail(call, failure.message)
                return failure.message
        self._complete(call, content, success=success)
        return output

    def _fail(self, call: "_Call", message: str) -> None:
        text = InputTextDynamicToolCallOutputContentItem(text=message)
        self._complete(call, [DynamicToolCallOutputContentItem(text)], success=False)

    def _complete(self, call: "_Call", content: list[DynamicToolCallOutputContentItem], *, success: bool) -> None:
        item, call.item = call.item, None
        if item is not None:
            outcome = {
                "status": "completed" if success else "failed",
                "content_items": content,
                "success": success,
                "duration_ms": now_ms() - (item.started_at_ms or 0),
            }
            self._record.complete(item.model_copy(update=outcome))

    async def _ask_user(self, call_id: str, arguments: Any) -> Any:
        if not self._plan_mode:
            return f"{REQUEST_USER_INPUT_NAME} is unavailable in Default mode"
        try:
            questions = parse_questions(arguments)
        except InvalidQuestions as error:
            return str(error)
        params = ToolRequestUserInputParams(
            thread_id=self._thread_id,
            turn_id=self._record.turn_id,
            item_id=call_id,
            questions=questions,
            is_blocking=True,
        )
        self._questions += 1
        self._waiting(True)
        try:
            return output_of_answers(await self._parent.ask(params, self._question_timeout))
        except ToolFailed as failure:
            return failure.message
        finally:
            self._questions -= 1
            if not self._questions:
                self._waiting(False)


class _Call:
    def __init__(self, raw: Item) -> None:
        self.raw = raw
        self.output: Any = CANCELLED
        self.item: DynamicToolCallThreadItem | None = None
        """Announced as begun, and not yet as completed."""
        self.done = anyio.Event()
