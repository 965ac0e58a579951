"""A parent application that lets the server log its user in through a browser; the server keeps the tokens.

    app-server fake-openai --home "$(mktemp -d)"     # in one terminal; paste what it exports into another one
    python examples/python/parent_with_browser.py    # and open the address that it prints

A real application would open the address itself, and cancel the login (``account/login/cancel``) when its user does.
"""

import sys

import anyio

from app_server.client import ServerError, spawn
from protocol.account import (
    ACCOUNT_READ,
    LOGIN_COMPLETED,
    LOGIN_START,
    ChatgptAccount,
    ChatgptLogin,
    ChatgptLoginStarted,
    GetAccountParams,
    LoginAccountParams,
)
from protocol.items import AgentMessageThreadItem
from protocol.thread import THREAD_START, ThreadStartParams
from protocol.turn import TurnStartParams
from protocol.user_input import TextUserInput, UserInput

PATIENCE = 600
"""Seconds that the user has for the login."""


async def main() -> int:
    async with spawn() as client:
        await client.initialize("parent-with-browser", "1.0")
        try:
            started = (await client.request(LOGIN_START, LoginAccountParams(ChatgptLogin(type="chatgpt")))).root
        except ServerError as error:  # no port for the callback, say: the data tell who holds it, and what to do
            print(f"{error.message}\n{error.data}", file=sys.stderr)
            return 1
        if isinstance(started, ChatgptLoginStarted):
            print(f"Open this in your browser:\n{started.auth_url}", flush=True)
        login = await client.notification(LOGIN_COMPLETED, timeout=PATIENCE)
        if not login.success:
            print(f"The login failed: {login.error}", file=sys.stderr)
            return 1
        account = (await client.request(ACCOUNT_READ, GetAccountParams())).account
        if account is not None and isinstance(account.root, ChatgptAccount):
            print(f"Logged in: {account.root.email}, {account.root.plan_type}")

        thread = (await client.request(THREAD_START, ThreadStartParams())).thread
        hello = UserInput(TextUserInput(text="Hello, model"))
        turn = await client.start_turn(TurnStartParams(thread_id=thread.id, input=[hello]))
        for item in (await turn.completed()).items:
            if isinstance(item.root, AgentMessageThreadItem):
                print(item.root.text)
    return 0


if __name__ == "__main__":
    sys.exit(anyio.run(main))
