"""The lines between a parent and the server, told to a person without their secrets; ``app-server demo`` shows them."""

from collections.abc import Callable
from typing import Any, Final, Literal

import orjson

from app_server.cli.console import Console

_ARROWS: Final = {"sent": "->", "received": "<-"}


class Narrator:
    """Tells of each line that passes. What a model says piece by piece becomes one line, which grows.

    :param is_told: whether a message is to be told of, by the direction it goes in.
    """

    def __init__(
        self, console: Console, is_told: Callable[[str, dict[str, Any]], bool] = lambda direction, message: True
    ) -> None:
        self._console = console
        self._is_told = is_told
        self._growing: str | None = None
        """The item whose pieces the open line has."""

    def __call__(self, direction: Literal["sent", "received"], line: bytes) -> None:
        """See :data:`app_server.client.Trace`."""
        message: dict[str, Any] = orjson.loads(line)
        if not self._is_told(direction, message):
            return
        arrow, params = _ARROWS[direction], message.get("params")
        if "method" not in message:
            what = f"error {message['error']['message']}" if "error" in message else "result"
            self._console.say(f"  {arrow} answer {message['id']}: {what}{_facts(message.get('result'))}")
        elif "id" in message:
            self._console.say(f"  {arrow} {message['method']} (request {message['id']}){_facts(params)}")
        elif isinstance(params, dict) and "delta" in params:
            self._tell_piece(f"  {arrow} {message['method']}", params)
        else:
            self._console.say(f"  {arrow} {message['method']}{_facts(params)}")

    def _tell_piece(self, what: str, params: dict[str, Any]) -> None:
        piece, item = params["delta"].replace("\n", "\\n"), f"{what} {params['itemId']}"
        if self._console.in_line and self._growing == item:
            self._console.go_on(f"|{piece}")
        else:
            self._console.begin(f"{what}  {piece}")
            self._growing = item


def _item(item: dict[str, Any]) -> str:
    told = item["type"]
    if item["type"] == "dynamicToolCall":
        return f"{told} {item['tool']} {item['status']}"
    if item["type"] == "reasoning":
        return f"{told} {_quoted(' '.join(item['summary']))}"
    text = item.get("text") or _text(item.get("content"))
    return f"{told} {_quoted(text)}"


def _text(parts: Any) -> str:
    return "".join(part.get("text", "") for part in parts or [])


def _quoted(text: str) -> str:
    return f'"{text}"' if text else ""


def _error(error: dict[str, Any] | str) -> str:
    return error if isinstance(error, str) else str(error["message"])


_SHOWN: Final[dict[str, Callable[[Any], str]]] = {
    "userAgent": str,
    "type": str,
    "account": lambda account: account["type"] if account else "nobody",
    "authMode": str,
    "planType": str,
    "success": str,
    "reason": str,
    "previousAccountId": str,
    "accessToken": lambda _: "(hidden)",
    "rateLimits": lambda limits: f"{limits['primary']['usedPercent']} % used" if limits["primary"] else "unknown",
    "dynamicTools": lambda tools: ", ".join(tool["name"] for tool in tools),
    "thread": lambda thread: f"{len(thread['turns'])} turns" if thread["turns"] else "new",
    "model": str,
    "input": lambda parts: _quoted(_text(parts)),
    "turn": lambda turn: turn["status"],
    "status": lambda status: status["type"] if isinstance(status, dict) else str(status),
    "item": lambda item: _item(item).strip(),
    "tool": str,
    "arguments": lambda arguments: orjson.dumps(arguments).decode(),
    "contentItems": lambda items: _quoted(_text(items)),
    "tokenUsage": lambda usage: f"{usage['last']['totalTokens']}, {usage['total']['totalTokens']} in all",
    "willRetry": lambda retries: "tries again" if retries else "gives up",
    "error": _error,
    "message": str,
}
"""The telling members of messages, and how they are told."""


def _facts(members: Any) -> str:
    """The telling members of a message, without any secret."""
    if not isinstance(members, dict):
        return ""
    shown = [f"{name}={show(members[name])}" for name, show in _SHOWN.items() if members.get(name) is not None]
    return f"  [{', '.join(shown)}]" if shown else ""
