"""What this server asks of its client, turned from a need of a service into a request on the wire, and the client's
answer or failure back into the terms of that service."""

from typing import Final

from app_server.auth.credentials import ExternalTokens
from app_server.auth.errors import ParentAnswerUnusable, ParentGone, ParentRefused, ParentTimedOut
from app_server.auth.parent import AskParent, tokens_from_parent
from app_server.auth.tokens import InvalidToken
from app_server.outgoing import Outgoing
from app_server.pending import AnswerTimedOut, ConnectionClosed, InvalidAnswer, PeerRefused, RequestFailed
from app_server.threads.tool_calls import ToolFailed
from protocol.account import REFRESH_AUTH_TOKENS, ChatgptAuthTokensRefreshParams
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


def ask_parent_for_tokens(outgoing: Outgoing) -> AskParent:
    """``account/chatgptAuthTokens/refresh`` (wire.md section 10)."""

    async def ask(used: ExternalTokens, timeout: float) -> ExternalTokens:
        params = ChatgptAuthTokensRefreshParams(reason="unauthorized", previous_account_id=used.account_id or None)
        try:
            answer = await outgoing.request(REFRESH_AUTH_TOKENS, params, timeout)
        except PeerRefused as failure:
            raise ParentRefused(failure.error.code, failure.error.message) from None
        except AnswerTimedOut as failure:
            raise ParentTimedOut(failure.seconds) from None
        except ConnectionClosed:
            raise ParentGone from None
        except InvalidAnswer:
            raise ParentAnswerUnusable("invalid auth refresh response") from None
        try:
            return tokens_from_parent(
                answer.access_token, account_id=answer.chatgpt_account_id, plan=answer.chatgpt_plan_type
            )
        except InvalidToken:
            raise ParentAnswerUnusable("auth refresh returned invalid credentials") from None

    return ask


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
