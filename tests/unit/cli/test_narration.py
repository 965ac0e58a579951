"""How the lines between a parent and the server are told to a person."""

import io
import json
from typing import Any, Literal

import pytest

from app_server.cli.console import Console
from app_server.cli.narration import Narrator

DELTA = "item/agentMessage/delta"


def told(*messages: tuple[Literal["sent", "received"], dict[str, Any]]) -> str:
    out = io.StringIO()
    narrator = Narrator(Console(-1, out, out))
    for direction, message in messages:
        narrator(direction, json.dumps(message).encode())
    return out.getvalue()


def delta(item: str, text: str, method: str = DELTA) -> tuple[Literal["received"], dict[str, Any]]:
    return "received", {"method": method, "params": {"itemId": item, "delta": text}}


def test_the_way_of_a_message_and_its_kind_are_told() -> None:
    assert told(
        ("sent", {"id": 1, "method": "account/logout"}),
        ("received", {"id": 1, "result": {}}),
        ("received", {"id": 2, "error": {"code": -32600, "message": "no"}}),
        ("received", {"method": "account/updated", "params": {"authMode": "apikey"}}),
    ).splitlines() == [
        "  -> account/logout (request 1)",
        "  <- answer 1: result",
        "  <- answer 2: error no",
        "  <- account/updated  [authMode=apikey]",
    ]


def test_no_token_is_told() -> None:
    login = {"type": "chatgptAuthTokens", "accessToken": "canary", "apiKey": "canary", "unknown": "canary"}
    text = told(
        ("sent", {"id": 1, "method": "account/login/start", "params": login}),
        ("sent", {"id": 0, "result": {"accessToken": "canary"}}),
    )
    assert "(hidden)" in text
    assert "canary" not in text


def test_the_pieces_of_one_item_stand_in_one_line_that_grows() -> None:
    assert told(delta("a", "Hel"), delta("a", "lo\n"), delta("b", "x"), ("received", {"method": "warning"})) == (
        f"  <- {DELTA}  Hel|lo\\n\n  <- {DELTA}  x\n  <- warning\n"
    )


def test_pieces_after_something_else_begin_a_line_of_their_own() -> None:
    assert told(delta("a", "1"), ("received", {"method": "warning"}), delta("a", "2")) == (
        f"  <- {DELTA}  1\n  <- warning\n  <- {DELTA}  2"
    )


@pytest.mark.parametrize(
    ("params", "facts"),
    [
        ({"item": {"type": "agentMessage", "text": ""}}, "item=agentMessage"),
        ({"item": {"type": "userMessage", "content": [{"type": "text", "text": "hi"}]}}, 'item=userMessage "hi"'),
        ({"item": {"type": "reasoning", "summary": ["a", "b"], "content": []}}, 'item=reasoning "a b"'),
        ({"item": {"type": "dynamicToolCall", "tool": "t", "status": "failed"}}, "item=dynamicToolCall t failed"),
        ({"item": {"type": "contextCompaction"}}, "item=contextCompaction"),
        ({"turn": {"status": "interrupted"}}, "turn=interrupted"),
        ({"status": {"type": "idle"}}, "status=idle"),
        ({"rateLimits": {"primary": None}}, "rateLimits=unknown"),
        ({"error": {"message": "late"}, "willRetry": True}, "willRetry=tries again, error=late"),
        ({"input": [{"type": "text", "text": "a"}, {"type": "image"}]}, 'input="a"'),
    ],
)
def test_the_telling_members_of_a_conversation_are_told(params: dict[str, Any], facts: str) -> None:
    assert told(("received", {"method": "x", "params": params})) == f"  <- x  [{facts}]\n"
