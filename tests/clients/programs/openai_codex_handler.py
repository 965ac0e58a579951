"""What programs do with the lower half of the official SDK, ``openai_codex.client``: only it takes a handler for what
the server asks, which is how a parent owns the tokens and gives the model its tools.

Each takes a ``Task`` and returns, as JSON, what it has seen; what that has to be stands in
``test_openai_codex_handler``.
"""

from typing import Any

from openai_codex import CodexConfig
from openai_codex.client import CodexClient

from tests.clients.worker import Task

LOOKUP: dict[str, Any] = {
    "type": "function",
    "name": "lookup",
    "description": "Look up",
    "inputSchema": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]},
}


class _Parent:
    """Answers the server. The handler is called by the thread that reads, and must not call the client."""

    def __init__(self, answers: list[Any]) -> None:
        self.asked: list[Any] = []
        self._answers = iter(answers)

    def handle(self, method: str, params: Any) -> Any:
        self.asked.append([method, params])
        if method == "item/tool/call":
            text = f"42 for {params['arguments']['q']}"
            return {"contentItems": [{"type": "inputText", "text": text}], "success": True}
        return next(self._answers)


def _client(task: Task, parent: _Parent) -> CodexClient:
    config = CodexConfig(launch_args_override=(*task.arguments, "app-server"), cwd=task.home)
    return CodexClient(config, approval_handler=parent.handle)


def _text(client: CodexClient, thread: str, text: str) -> str:
    return "".join(delta.delta for delta in client.stream_text(thread, text))


def log_in_with_tokens(task: Task) -> Any:
    """Turns on tokens of the parent's, who has fresh ones when it is asked.

    :param task: given are ``tokens`` and ``fresh``, each as the wire has them, and what is said in the ``turns``.
    """
    parent = _Parent([task.given["fresh"]])
    with _client(task, parent) as client:
        client.initialize()
        logged_in = client.account_login_start({"type": "chatgptAuthTokens", **task.given["tokens"]}).root.type
        while client.next_notification().method != "account/updated":
            pass
        account: Any = client.account_read({"refreshToken": False}).account
        thread = client.thread_start({"dynamicTools": [LOOKUP]}).thread.id
        texts = [_text(client, thread, text) for text in task.given["turns"]]
    return {
        "logged_in": logged_in,
        "account": [account.root.type, account.root.email, account.root.plan_type.value],
        "texts": texts,
        "asked": parent.asked,
    }


def call_tools(task: Task) -> Any:
    parent = _Parent([])
    with _client(task, parent) as client:
        client.initialize()
        client.account_login_start({"type": "apiKey", "apiKey": "sk-1"})
        thread = client.thread_start({"dynamicTools": [LOOKUP]}).thread.id
        text = _text(client, thread, "Look it up")
        begun = client.turn_start(thread, "Thank you")
        done = client.wait_for_turn_completed(begun.turn.id).turn.status.value
        read = client.thread_read(thread, include_turns=True).thread
    items = [item.root for item in read.turns[0].items if item.root.type == "dynamicToolCall"]
    return {
        "thread": thread,
        "text": text,
        "asked": parent.asked,
        "next": done,
        "items": [[item.tool, item.arguments, item.status.value, item.success] for item in items],
    }
