"""What a client answers to its server: handlers, by declaration or by name, and how they become an answer.

Whatever a handler does, the server gets exactly one answer, and the client goes on.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypedDict, TypeVar

import anyio

from protocol.account import REFRESH_AUTH_TOKENS, ChatgptAuthTokensRefreshParams, ChatgptAuthTokensRefreshResponse
from protocol.base import WireValue
from protocol.errors import InternalError, InvalidRequest, WireError
from protocol.jsonrpc import Request, encode_error, encode_result
from protocol.method import ServerRequest, decode
from protocol.tools import (
    REQUEST_USER_INPUT,
    TOOL_CALL,
    DynamicToolCallParams,
    DynamicToolCallResponse,
    ToolRequestUserInputParams,
    ToolRequestUserInputResponse,
)

ServerRequestHandler = Callable[[Any], Awaitable[WireValue]]
"""Answers a request of the server; it may raise :class:`protocol.errors.WireError` to answer with an error."""

Handlers = Mapping[ServerRequest[Any, Any], ServerRequestHandler]

HANDLER_TIMEOUT: Final = 3600.0
"""Seconds that a handler has: as long as the server waits for the user at most. For tokens it waits 10 s only."""


class NamedHandlers(TypedDict, total=False):
    """The handlers that a client can be given by name."""

    refresh_tokens: Callable[[ChatgptAuthTokensRefreshParams], Awaitable[ChatgptAuthTokensRefreshResponse]]
    """``account/chatgptAuthTokens/refresh``: the upstream refused the parent's tokens."""
    tool_call: Callable[[DynamicToolCallParams], Awaitable[DynamicToolCallResponse]]
    """``item/tool/call``: the model calls a tool of the parent's."""
    request_user_input: Callable[[ToolRequestUserInputParams], Awaitable[ToolRequestUserInputResponse]]
    """``item/tool/requestUserInput``: the model asks the parent's user."""


BY_NAME: Final[Mapping[str, ServerRequest[Any, Any]]] = {
    "refresh_tokens": REFRESH_AUTH_TOKENS,
    "tool_call": TOOL_CALL,
    "request_user_input": REQUEST_USER_INPUT,
}

H = TypeVar("H")

log = logging.getLogger(__name__)


def all_handlers(
    handlers: Mapping[ServerRequest[Any, Any], H] | None, named: Mapping[str, Any]
) -> dict[ServerRequest[Any, Any], H]:
    """Those given by declaration and those given by name, which win.

    :raises TypeError: a name that there is not, as for any other keyword argument.
    """
    unknown = sorted(named.keys() - BY_NAME.keys())
    if unknown:
        raise TypeError(f"unexpected keyword argument {unknown[0]!r}; handlers are {', '.join(BY_NAME)}")
    return {**(handlers or {}), **{BY_NAME[name]: handler for name, handler in named.items()}}


class Answers:
    """Makes the answers.

    :param timeout: seconds that a handler may take; it is cancelled then.
    """

    def __init__(self, handlers: Handlers, timeout: float) -> None:
        self._handlers = {declaration.method: (declaration, handler) for declaration, handler in handlers.items()}
        self._timeout = timeout

    async def to(self, request: Request) -> bytes:
        """The line that answers this request: what its handler returns, or an error. Raises nothing of ``Exception``.

        What a handler raises, other than a :class:`WireError`, is logged and not told to the server.
        """
        method = request.method
        try:
            if method not in self._handlers:
                raise InvalidRequest(f"this client does not answer {method}")
            return encode_result(request.id, await self._result(*self._handlers[method], request.params))
        except WireError as error:
            return encode_error(request.id, error)
        except (Exception, anyio.get_cancelled_exc_class()):
            if anyio.get_current_task().has_pending_cancellation():
                raise
            # A cancellation that is not ours is that of a task of the parent's, for which the handler has waited.
            log.exception("the handler of %s failed", method)
            return encode_error(request.id, InternalError(f"the client's handler of {method} failed"))

    async def _result(
        self, declaration: ServerRequest[Any, Any], handler: ServerRequestHandler, params: object
    ) -> bytes:
        value = decode(declaration.params, params)
        with anyio.move_on_after(self._timeout) as deadline:
            result = await handler(value)
        if deadline.cancelled_caught:
            log.error("the handler of %s did not end within %g s", declaration.method, self._timeout)
            raise InternalError(f"the client's handler of {declaration.method} did not answer in time")
        if not isinstance(result, declaration.result):
            # Not shown: in place of tokens it can be a token.
            raise TypeError(f"a handler of {declaration.method} returns {declaration.result.__name__}, not what it did")
        answer: bytes = result.to_json()
        return answer
