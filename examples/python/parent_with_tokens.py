"""A parent application that owns the tokens: it logs in with them, and hands out fresh ones when they are refused.

    app-server fake-openai --home "$(mktemp -d)"     # in one terminal; paste what it exports into another one
    python examples/python/parent_with_tokens.py

The token runs out between two questions. The server meets a 401, asks for another token, and the second answer comes as
if nothing had been.
"""

import anyio
from offline import tell
from pydantic import SecretStr

from app_server.client import spawn
from protocol.account import (
    ACCOUNT_READ,
    LOGIN_START,
    REFRESH_AUTH_TOKENS,
    ChatgptAccount,
    ChatgptAuthTokensLogin,
    ChatgptAuthTokensRefreshParams,
    ChatgptAuthTokensRefreshResponse,
    GetAccountParams,
    LoginAccountParams,
)
from protocol.items import AGENT_MESSAGE_DELTA
from protocol.thread import THREAD_START, ThreadStartParams
from protocol.turn import TurnStartParams
from protocol.user_input import TextUserInput, UserInput


async def fresh_tokens() -> tuple[SecretStr, str]:
    """An access token and its account, from wherever this application gets them."""
    tokens = await tell("/tokens")
    return SecretStr(tokens["access_token"]), tokens["account_id"]


async def refresh(params: ChatgptAuthTokensRefreshParams) -> ChatgptAuthTokensRefreshResponse:
    """The server has met a 401. It waits ten seconds for the answer, and asks once for all that met it."""
    access_token, account_id = await fresh_tokens()
    print(f"(fresh tokens, because: {params.reason})")
    return ChatgptAuthTokensRefreshResponse(access_token=access_token, chatgpt_account_id=account_id)


async def main() -> None:
    async with spawn(handlers={REFRESH_AUTH_TOKENS: refresh}) as client:
        await client.initialize("parent-with-tokens", "1.0")
        access_token, account_id = await fresh_tokens()
        tokens = ChatgptAuthTokensLogin(
            type="chatgptAuthTokens", access_token=access_token, chatgpt_account_id=account_id
        )
        await client.request(LOGIN_START, LoginAccountParams(tokens))
        account = (await client.request(ACCOUNT_READ, GetAccountParams())).account
        if account is not None and isinstance(account.root, ChatgptAccount):
            print(f"Logged in: {account.root.email}, {account.root.plan_type}")

        thread = (await client.request(THREAD_START, ThreadStartParams())).thread
        for text in ("Hello, model", "And once more"):
            question = UserInput(TextUserInput(text=text))
            turn = await client.start_turn(TurnStartParams(thread_id=thread.id, input=[question]))
            async for notification, params in turn:
                if notification is AGENT_MESSAGE_DELTA:
                    print(params.delta, end="", flush=True)
            print(f" [{(await turn.completed()).status}]")
            await tell("/accounts/expire")  # what time does to tokens


if __name__ == "__main__":
    anyio.run(main)
