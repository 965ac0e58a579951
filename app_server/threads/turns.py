"""Beginning turns, giving them more input, and ending them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from anyio.abc import TaskGroup

from app_server.backend.responses import ResponsesApi
from app_server.threads import inputs, unasked_output
from app_server.threads.additional_context import added_items
from app_server.threads.errors import CompactionRuns
from app_server.threads.input_queue import Input, TooMuchInput
from app_server.threads.registry import LoadedThreads
from app_server.threads.settings import absolute
from app_server.threads.thread import LiveThread
from app_server.threads.tool_calls import ParentTools
from app_server.threads.turn import RunningTurn
from app_server.threads.turn_counts import TurnCounts
from protocol.errors import InvalidRequest
from protocol.turn import (
    Turn,
    TurnInterruptParams,
    TurnStartParams,
    TurnSteerParams,
)


def _nothing() -> None:
    pass


class Begun(NamedTuple):
    """What a request has led to.

    :param then: to be called once the client has its answer.
    """

    turn: Turn
    then: Callable[[], None] = _nothing


class Turns:
    """What clients do to turns.

    :param api: reaches the model.
    :param parent: has the tools.
    :param tasks: owns the turns that run.
    """

    def __init__(self, threads: LoadedThreads, api: ResponsesApi, parent: ParentTools, tasks: TaskGroup) -> None:
        self._threads = threads
        self._api = api
        self._parent = parent
        self._tasks = tasks
        self.counts = TurnCounts()

    async def start(self, params: TurnStartParams) -> Begun:
        """Begin a turn, or give the input to the one that runs.

        :raises InvalidRequest: no such thread, or an input that cannot be taken.
        """
        thread = self._threads.require(params.thread_id)
        async with thread.taking:
            given = await self._prepare(thread, params)
            # The thread may have been let go of while files were read.
            thread = self._threads.require(params.thread_id)
            running = thread.turn
            if running is None:
                thread.settings = thread.settings.for_turn(params)
                return self._begin(thread, given, params.output_schema)
            self._steer(running, given)
            thread.settings = thread.settings.for_turn(params)
            return Begun(running.bare())

    async def steer(self, params: TurnSteerParams) -> str:
        """Give more input to the turn that runs; returns its id.

        :raises InvalidRequest: it is not the turn that runs, or the input cannot be taken.
        """
        if not params.expected_turn_id:
            raise InvalidRequest("expectedTurnId must not be empty")
        thread = self._threads.require(params.thread_id)
        if not params.input:
            raise InvalidRequest("input must not be empty")
        async with thread.taking:
            given = await self._prepare(thread, params)
            running = thread.turn
            if running is None:
                raise InvalidRequest("no active turn to steer")
            if running.steerable and running.id != params.expected_turn_id:
                raise InvalidRequest(f"expected active turn id `{params.expected_turn_id}` but found `{running.id}`")
            self._steer(running, given)
            return running.id

    def interrupt(self, params: TurnInterruptParams) -> Callable[[], None]:
        """End a turn.

        :returns: what ends it, to be called once the client has its answer.
        :raises InvalidRequest: it is not the turn that runs.
        """
        running = self._threads.require(params.thread_id).turn
        if running is None:
            raise InvalidRequest("no active turn to interrupt")
        if params.turn_id and running.id != params.turn_id:
            raise InvalidRequest(f"expected active turn id {params.turn_id} but found {running.id}")
        return running.interrupt

    def compact(self, thread_id: str) -> Callable[[], None]:
        """Have the history replaced by a summary.

        :returns: what begins it, to be called once the client has its answer.
        :raises InvalidRequest: no such thread.
        """
        thread = self._threads.require(thread_id)

        def begin() -> None:
            if thread.turn is not None:
                thread.turn.interrupt()
            self._begin(thread, None).then()

        return begin

    def _begin(self, thread: LiveThread, first: Input | None, output_schema: Any = None) -> Begun:
        turn = RunningTurn(thread.turn_context(), thread, self._api, self._parent, first, output_schema, self.counts)

        def then() -> None:
            # The task first: whatever fails in the announcement, there is somebody who concludes the turn.
            self._tasks.start_soon(turn.run)
            thread.begin(turn)

        return Begun(turn.bare(), then)

    @staticmethod
    def _steer(running: RunningTurn, given: Input) -> None:
        if not running.steerable:
            raise CompactionRuns
        try:
            running.steer(given)
        except TooMuchInput:
            raise InvalidRequest("the running turn has more input waiting than it can take") from None

    async def _prepare(self, thread: LiveThread, params: TurnStartParams | TurnSteerParams) -> Input:
        settings = thread.settings
        cwd, output = settings.cwd, None
        if isinstance(params, TurnStartParams):
            cwd = absolute(params.cwd or "", settings.cwd)
            if params.tool_output is not None:
                if params.input:
                    raise InvalidRequest("`toolOutput` cannot be combined with nonempty `input`")
                output = await unasked_output.prepare(params.tool_output)
        prepared = await inputs.prepare(params.input, cwd=cwd, max_image_bytes=settings.config.max_image_bytes)
        return Input(prepared, params.client_user_message_id, added_items(params.additional_context or {}), output)
