"""What tests of managed tokens ask for and look at: an authorised request, and what went over the wire for it."""

import anyio

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import TokenSet
from tests.support.server import DEADLINE, Json, ServerProcess
from tests.support.upstream import LIMITS, token_in_force

CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"

USAGE: Json = {"id": 1, "method": LIMITS, "params": {"excludeResetCreditDetails": True}}
"""A request that takes exactly one authorised exchange, when nothing goes wrong."""

FAILED = "failed to fetch codex rate limits: "
"""What precedes the reason in the error that answers it."""

SIGNED_OUT = (
    "Your access token could not be refreshed because you have since logged out or signed in to another account. "
    "Please sign in again."
)
SIGN_IN_AGAIN = "Your access token could not be refreshed. Please log out and sign in again."
EXPIRED = (
    "Your access token could not be refreshed because your refresh token has expired. Please log out and sign in again."
)
REUSED = (
    "Your access token could not be refreshed because your refresh token was already used. "
    "Please log out and sign in again."
)
INVALIDATED = (
    "Your access token could not be refreshed because your refresh token was revoked. Please log out and sign in again."
)
INTERRUPTED = (
    "Your access token could not be refreshed because the last refresh was interrupted before the new tokens were "
    "saved, and the old ones have been spent. Please log out and sign in again."
)


async def use(server: ServerProcess) -> None:
    """Make an authorised request that has to work."""
    limits = await server.result(LIMITS, USAGE["params"])
    assert limits["accountId"] is not None


async def why_not(server: ServerProcess) -> str:
    """Make an authorised request that has to fail; the reason."""
    error = await server.error(LIMITS, USAGE["params"])
    return reason({"error": error})


async def until_replaced(server: ServerProcess, token: str) -> str:
    """Wait until another token than this is in force; which."""
    with anyio.fail_after(DEADLINE):
        while (current := await token_in_force(server)) in (token, None):
            pass
    assert current is not None
    return current


def reason(answer: Json) -> str:
    """Why an authorised request failed, from its answer."""
    error = answer["error"]
    assert error["code"] == -32603, error
    assert error["message"].startswith(FAILED), error
    return error["message"].removeprefix(FAILED)  # type: ignore[no-any-return]


def bearers(fake: FakeOpenAI) -> list[str | None]:
    """The tokens with which the usage was asked for, in order."""
    return [request.bearer for request in fake.requests.of("usage")]


def presented(fake: FakeOpenAI) -> list[str]:
    """The refresh tokens that the issuer was asked with, in order."""
    return [request.fields()["refresh_token"] for request in fake.requests.of("token")]


def reasons(fake: FakeOpenAI) -> list[str]:
    """Why the issuer was asked, in order."""
    return [request.fields()["refresh_reason"] for request in fake.requests.of("token")]


def answer_with(tokens: TokenSet, *names: str) -> Json:
    """The answer of a token endpoint that has these members of these tokens."""
    return {name: getattr(tokens, name) for name in names}


def withheld(mode: str = "chatgpt") -> Json:
    """What ``getAuthStatus`` says of a login whose token is of no use."""
    return {"authMethod": mode, "authToken": None, "requiresOpenaiAuth": True}
