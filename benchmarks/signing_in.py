"""Logging in with tokens that the parent owns, as a client of a server under measurement."""

import time
from typing import Final

from processes import Json, MeasurementFailed, Server, request_line
from upstream import Tokens

REFRESH: Final = "account/chatgptAuthTokens/refresh"
"""What the server asks its parent for."""


def log_in(server: Server, tokens: Tokens, fresh: Tokens | None = None) -> float:
    """Seconds from ``account/login/start`` to ``account/login/completed``.

    :param fresh: what the parent answers when it is asked for tokens; None if it must not be asked.
    :raises MeasurementFailed: the login failed, or the parent was asked too often or not at all.
    """
    asked = 0

    def refresh(request: Json) -> Json:
        nonlocal asked
        asked += request["method"] == REFRESH
        return refresh_result(fresh or tokens)

    line = request_line(
        2,
        "account/login/start",
        {"type": "chatgptAuthTokens", "accessToken": tokens.access_token, "chatgptAccountId": tokens.account_id},
    )
    started = time.perf_counter()
    server.send(line)
    completed = server.wait_for(lambda message: message.get("method") == "account/login/completed", refresh)
    elapsed = time.perf_counter() - started
    if not completed["params"]["success"]:
        raise MeasurementFailed(f"a login failed: {completed['params']['error']}")
    if asked != (0 if fresh is None else 1):
        raise MeasurementFailed(f"the parent was asked {asked} times for fresh tokens during one login")
    server.wait_for(lambda message: message.get("method") == "account/updated", refresh)
    server.request(3, "account/read", {})
    time.sleep(0.02)  # what a server does after a login is not part of the next one
    return elapsed


def refresh_result(tokens: Tokens) -> Json:
    """What the parent answers that has these tokens."""
    return {"accessToken": tokens.access_token, "chatgptAccountId": tokens.account_id, "chatgptPlanType": None}
