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
    ChatgptAccount,
    ChatgptAuthTokensRefreshParams,
    ChatgptAuthTokensRefreshResponse,
    GetAccountParams,
)


async def fresh_tokens() -> tuple[str, str]:
    """An access token and its account, from wherever this application gets them."""
    tokens = await tell("/tokens")
    return tokens["access_token"], tokens["account_id"]


async def refresh(params: ChatgptAuthTokensRefreshParams) -> ChatgptAuthTokensRefreshResponse:
    """The server has met a 401. It waits ten seconds for the answer, and asks once for all that met it."""
    access_token, account_id = await fresh_tokens()
    print(f"(fresh tokens, because: {params.reason})")
    return ChatgptAuthTokensRefreshResponse(access_token=SecretStr(access_token), chatgpt_account_id=account_id)


async def main() -> None:
    async with spawn(refresh_tokens=refresh) as client:
        await client.initialize("parent-with-tokens", "1.0")
        await client.log_in_with_tokens(*await fresh_tokens())
        account = (await client.request(ACCOUNT_READ, GetAccountParams())).account
        if account is not None and isinstance(account.root, ChatgptAccount):
            print(f"Logged in: {account.root.email}, {account.root.plan_type}")

        thread = await client.start_thread()
        for question in ("Hello, model", "And once more"):
            turn = await thread.ask(question)
            async for text in turn.texts():
                print(text, end="", flush=True)
            print(f" [{(await turn.completed()).status}]")
            await tell("/accounts/expire")  # what time does to tokens


if __name__ == "__main__":
    anyio.run(main)
