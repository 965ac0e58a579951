"""A parent application that lets the server log its user in through a browser; the server keeps the tokens.

    app-server fake-openai --home "$(mktemp -d)"     # in one terminal; paste what it exports into another one
    python examples/python/parent_with_browser.py    # and open the address that it prints

A real application would open the address itself, and cancel the login (``login.cancel()``) when its user does.
"""

import sys

import anyio

from app_server.client import LoginFailed, ServerError, spawn
from protocol.account import ACCOUNT_READ, ChatgptAccount, GetAccountParams


async def main() -> int:
    async with spawn() as client:
        await client.initialize("parent-with-browser", "1.0")
        try:
            login = await client.log_in_with_browser()
            print(f"Open this in your browser:\n{login.started.auth_url}", flush=True)
            await login.completed()
        except ServerError as error:  # no port for the callback, say: the data tell who holds it, and what to do
            print(f"{error.message}\n{error.data}", file=sys.stderr)
            return 1
        except LoginFailed as failure:
            print(f"The login failed: {failure}", file=sys.stderr)
            return 1
        account = (await client.request(ACCOUNT_READ, GetAccountParams())).account
        if account is not None and isinstance(account.root, ChatgptAccount):
            print(f"Logged in: {account.root.email}, {account.root.plan_type}")

        thread = await client.start_thread()
        print(await (await thread.ask("Hello, model")).answer())
    return 0


if __name__ == "__main__":
    sys.exit(anyio.run(main))
