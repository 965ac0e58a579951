"""The parent's tools and its user, as requests on the wire: what the model is told of whatever comes back."""

from typing import Final

from app_server.outgoing import Outgoing
from app_server.pending import AnswerTimedOut, InvalidAnswer, PeerRefused, RequestFailed
from app_server.threads.tool_calls import ToolFailed
from protocol.jsonrpc import RequestId
from protocol.tools import (
    REQUEST_USER_INPUT,
    SERVER_REQUEST_RESOLVED,
    TOOL_CALL,
    DynamicToolCallParams,
    DynamicToolCallResponse,
    ServerRequestResolvedNotification,
    ToolRequestUserInputParams,
    ToolRequestUserInputResponse,
)

MAX_TOLD: Final = 1000
"""Characters of the parent's error message that the model is told."""


class ToolsOfParent:
    """``item/tool/call`` and ``item/tool/requestUserInput`` (wire.md section 14)."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    async def call(self, params: DynamicToolCallParams, timeout: float) -> DynamicToolCallResponse:
        """Have the parent carry out a call.

        :raises ToolFailed: it did not.
        """
        try:
            return await self._outgoing.request(TOOL_CALL, params, timeout)
        except RequestFailed as failure:
            raise _tool_failure("dynamic tool", failure) from None

    async def ask(self, params: ToolRequestUserInputParams, timeout: float) -> ToolRequestUserInputResponse:
        """Have the parent ask its user.

        :raises ToolFailed: there is no answer.
        """

        def over(request_id: RequestId) -> None:
            told = ServerRequestResolvedNotification(thread_id=params.thread_id, request_id=request_id)
            self._outgoing.notify(SERVER_REQUEST_RESOLVED, told)

        try:
            return await self._outgoing.request(REQUEST_USER_INPUT, params, timeout, over)
        except RequestFailed as failure:
            raise _tool_failure("user input", failure) from None


def _tool_failure(what: str, failure: RequestFailed) -> ToolFailed:
    match failure:
        case PeerRefused(error=error):
            return ToolFailed(f"{what} request failed: {error.message[:MAX_TOLD]}")
        case AnswerTimedOut(seconds=seconds):
            return ToolFailed(f"{what} request timed out after {seconds:g}s")
        case InvalidAnswer():
            return ToolFailed(f"{what} response was invalid")
        case _:
            return ToolFailed(f"{what} request failed: the connection is closed")
