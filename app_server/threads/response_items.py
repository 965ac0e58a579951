"""Items of the Responses API, as plain JSON: making them, reading their text, and sending them again.

Whoever wrote an item, it may have any shape: what cannot be read is passed over.
"""

from typing import Any, Final

from app_server.threads.ids import uuid7

Item = dict[str, Any]

CANCELLED: Final = "dynamic tool call was cancelled before receiving a response"
"""The output of a call that nobody has answered."""

OUTPUT_OF: Final = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}
"""The kinds of calls, and those of their outputs."""

_PREFIXES: Final = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctco_",
}


def message(role: str, *texts: str) -> Item:
    """A message of somebody else than the model."""
    return {
        "type": "message",
        "id": f"msg_{uuid7()}",
        "role": role,
        "content": [{"type": "input_text", "text": text} for text in texts],
    }


def call_output(call: Item, output: Any) -> Item:
    """The answer to a call."""
    kind = OUTPUT_OF[call["type"]]
    return {"type": kind, "id": f"{_PREFIXES[kind]}{uuid7()}", "call_id": call["call_id"], "output": output}


def tool_output(item_id: str, name: str, namespace: str | None, output: Any) -> Item:
    """What a tool has delivered that was not called."""
    named = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return {"type": "function_call_output", "id": item_id, **named, "output": output}


def to_send_again(item: Item) -> Item:
    """An item of the model as it is sent back: without what only the model's side needs, and without an id that is
    none of its kind."""
    kept = {name: value for name, value in item.items() if name != "status"}
    prefix = _PREFIXES.get(kept.get("type", ""))
    if prefix is not None and not str(kept.get("id") or "").startswith(prefix):
        kept.pop("id", None)
    return kept


def part_texts(parts: Any) -> list[str]:
    """The texts of a list of parts, refusals included: what the model says is shown, whatever it calls it."""
    given = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    texts = [part.get("refusal" if part.get("type") == "refusal" else "text") for part in given]
    return [text for text in texts if isinstance(text, str)]


def texts_of(item: Item) -> list[str]:
    """The texts of a message, whose content may be a plain text."""
    content = item.get("content")
    return [content] if isinstance(content, str) else part_texts(content)


def text_of(item: Item) -> str:
    """All that can be read of a message."""
    return "".join(texts_of(item))
