"""A parent that uses the official Python SDK owns its tokens and gives the model its tools, on this server.

What it does stands in ``programs/openai_codex_handler``.
"""

from typing import Final

import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import TokenSet
from tests.clients.support import Client, bearers, tool_outputs
from tests.support.server import Json

pytestmark = pytest.mark.clients

PROGRAMS: Final = "tests.clients.programs.openai_codex_handler"

REFRESH: Final = ["account/chatgptAuthTokens/refresh", {"reason": "unauthorized", "previousAccountId": "acct-1"}]


def as_parent(tokens: TokenSet) -> Json:
    return {
        "accessToken": tokens.access_token,
        "chatgptAccountId": tokens.account.account_id,
        "chatgptPlanType": tokens.account.plan_type,
    }


@pytest.mark.parametrize(
    ("script", "turns", "answers"),
    [
        ({"text": "First"}, ["One", "Two"], ["First", "Two"]),
        ({"tool_calls": [{"name": "lookup", "arguments": {"q": "x"}}]}, ["One"], ["The tool said: 42 for x"]),
    ],
    ids=["between turns", "within a turn"],
)
async def test_a_token_that_expires_is_asked_for_once_and_the_answer_arrives(
    client: Client, fake: FakeOpenAI, script: Json, turns: list[str], answers: list[str]
) -> None:
    old, fresh = fake.mint(), fake.mint()
    fake.script(**script)
    fake.fault("responses", token=old.access_token, status=401, skip=1, times=None)
    seen = await client("log_in_with_tokens", tokens=as_parent(old), fresh=as_parent(fresh), turns=turns)
    assert seen["asked"][-1] == REFRESH
    assert seen == {
        "logged_in": "chatgptAuthTokens",
        "account": ["chatgpt", old.account.email, old.account.plan_type],
        "texts": answers,
        "asked": [*seen["asked"][:-1], REFRESH],
    }
    assert [method for method, _ in seen["asked"]].count(REFRESH[0]) == 1
    assert bearers(fake) == [old.access_token, old.access_token, fresh.access_token]


async def test_tools_of_the_parent_are_called_and_the_model_is_told(client: Client, fake: FakeOpenAI) -> None:
    calls = [{"name": "lookup", "call_id": f"call-{q}", "arguments": {"q": q}} for q in ("x", "y")]
    fake.script(tool_calls=calls)
    seen = await client("call_tools")
    turn = seen["asked"][0][1]["turnId"]
    assert seen == {
        "thread": seen["thread"],
        "text": "The tool said: 42 for x; 42 for y",
        "asked": [
            [
                "item/tool/call",
                {
                    "threadId": seen["thread"],
                    "turnId": turn,
                    "callId": f"call-{q}",
                    "namespace": None,
                    "tool": "lookup",
                    "arguments": {"q": q},
                },
            ]
            for q in ("x", "y")
        ],
        "next": "completed",
        "items": [["lookup", {"q": q}, "completed", True] for q in ("x", "y")],
    }
    assert tool_outputs(fake) == {"call-x": "42 for x", "call-y": "42 for y"}
