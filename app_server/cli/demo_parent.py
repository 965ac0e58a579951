"""The parent application of ``app-server demo``: it owns the tokens, and lends the model a tool."""

from collections.abc import Callable
from typing import Any, Final

import anyio
from pydantic import SecretStr

from app_server.client import Client, Handlers
from app_server.fake_openai.server import FakeOpenAI
from protocol.account import (
    ACCOUNT_UPDATED,
    LOGIN_COMPLETED,
    REFRESH_AUTH_TOKENS,
    AccountLoginCompletedNotification,
    AccountUpdatedNotification,
    ChatgptAuthTokensRefreshParams,
    ChatgptAuthTokensRefreshResponse,
)
from protocol.items import DynamicToolCallOutputContentItem, InputTextDynamicToolCallOutputContentItem
from protocol.tools import (
    TOOL_CALL,
    DynamicToolCallParams,
    DynamicToolCallResponse,
    DynamicToolSpec,
    FunctionDynamicToolSpec,
)

_CARRYING_OUT: Final = 0.1
"""Seconds that the tool takes."""


class DemoParent:
    """An application that embeds the server.

    :param tool: its name and what it is good for; it takes one text, ``argument``.
    :param carry_out: what the tool does with that text.
    """

    def __init__(
        self, fake: FakeOpenAI, tool: str, description: str, argument: str, carry_out: Callable[[str], str]
    ) -> None:
        self._fake = fake
        self._tool = tool
        self._description = description
        self._argument = argument
        self._carry_out = carry_out
        self.tokens = fake.mint()
        self.minted = [self.tokens]
        """All tokens that it has ever had."""
        self.asked = 0
        """How often it was asked for fresh tokens."""
        self.called: list[Any] = []
        """The arguments of the calls of its tool."""

    @property
    def handlers(self) -> Handlers:
        """What it answers to the server."""
        return {REFRESH_AUTH_TOKENS: self._refresh, TOOL_CALL: self._call_tool}

    @property
    def tools(self) -> list[DynamicToolSpec]:
        """What it offers to the model."""
        schema = {"type": "object", "properties": {self._argument: {"type": "string"}}, "required": [self._argument]}
        spec = FunctionDynamicToolSpec(name=self._tool, description=self._description, input_schema=schema)
        return [DynamicToolSpec(spec)]

    async def log_in(self, client: Client) -> tuple[AccountLoginCompletedNotification, AccountUpdatedNotification]:
        """Hand its tokens to a server; returns what the server then announces."""
        await client.log_in_with_tokens(self.tokens.access_token, self.tokens.account.account_id)
        return await client.notification(LOGIN_COMPLETED), await client.notification(ACCOUNT_UPDATED)

    async def _refresh(self, params: ChatgptAuthTokensRefreshParams) -> ChatgptAuthTokensRefreshResponse:
        """What the server asks when the upstream has answered 401."""
        self.asked += 1
        self.tokens = self._fake.mint()
        self.minted.append(self.tokens)
        return ChatgptAuthTokensRefreshResponse(
            access_token=SecretStr(self.tokens.access_token),
            chatgpt_account_id=params.previous_account_id or self.tokens.account.account_id,
        )

    async def _call_tool(self, params: DynamicToolCallParams) -> DynamicToolCallResponse:
        """What the server asks when the model calls the tool."""
        self.called.append(params.arguments)
        # Real tools take a while as well; and what the server says meanwhile always comes in the same place.
        await anyio.sleep(_CARRYING_OUT)
        text = InputTextDynamicToolCallOutputContentItem(text=self._carry_out(params.arguments[self._argument]))
        return DynamicToolCallResponse(content_items=[DynamicToolCallOutputContentItem(text)], success=True)
