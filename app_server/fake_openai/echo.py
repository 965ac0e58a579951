"""What the fake says without a script: the user's own words, what a tool said, a summary, or JSON to a schema.

In this order: a request for a summary of the conversation gets ``Summary: N messages.``; tool outputs at the end of
the input get ``The tool said: …``; anything else is an echo of what the user said last. Where the request wants JSON
(``text.format`` of type ``json_schema``), that text comes inside a small document that fits the schema.
"""

import base64
import re
from typing import Any, Final

import orjson

from app_server.fake_openai.example_json import example
from app_server.http_server import Request

Item = dict[str, Any]

_METADATA: Final = "x-codex-turn-metadata"
_TRIGGER: Final = "compaction_trigger"
_OUTPUTS: Final = ("function_call_output", "custom_tool_call_output")


def is_compaction(request: Request, fields: dict[str, Any]) -> bool:
    """Whether a summary of the conversation is asked for.

    By a ``compaction_trigger`` at the end of the input, by ``request_kind`` in the turn's metadata, or, for clients
    that send neither, by a last user message that speaks of a summary and of compaction or a hand-off.
    """
    if _items(fields)[-1:] and _items(fields)[-1].get("type") == _TRIGGER:
        return True
    client_metadata = fields.get("client_metadata")
    told = client_metadata.get(_METADATA) if isinstance(client_metadata, dict) else None
    for text in (request.headers.get(_METADATA), told):
        if isinstance(kind := _request_kind(text), str):
            return kind == "compaction"
    words = last_user_text(fields.get("input")).lower()
    return "summary" in words and re.search(r"\b(compaction|compacting|hand-?off)\b", words) is not None


def default_answer(fields: dict[str, Any], *, compaction: bool) -> str | Item:
    """The message's text, or the item that is the whole answer."""
    if compaction:
        items = _items(fields)
        triggered = bool(items) and items[-1].get("type") == _TRIGGER
        spoken = [item for item in items if item.get("role") in ("user", "assistant")]
        summary = f"Summary: {len(spoken) - (not triggered)} messages."
        if not triggered:
            return summary
        return {"type": "compaction", "encrypted_content": base64.b64encode(summary.encode()).decode()}
    text = _tool_outputs(fields) or last_user_text(fields.get("input"))
    schema = _schema(fields)
    return text if schema is None else orjson.dumps(example(schema, text)).decode()


def last_user_text(value: Any) -> str:
    """The text that the user said last, in any of the forms that ``input`` may have."""
    if isinstance(value, str):
        return value
    for item in reversed(value if isinstance(value, list) else []):
        if isinstance(item, dict) and item.get("role") == "user" and (text := _text(item.get("content"))) is not None:
            return text
    return "Nothing to echo."


def _items(fields: dict[str, Any]) -> list[Item]:
    value = fields.get("input")
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(content: Any) -> str | None:
    """The text of a message's content or a tool's output; None when it has none."""
    if isinstance(content, str):
        return content
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    return "".join(texts) if texts else None


def _tool_outputs(fields: dict[str, Any]) -> str | None:
    outputs: list[str] = []
    for item in reversed(_items(fields)):
        if item.get("type") not in _OUTPUTS:
            break
        outputs.insert(0, _text(item.get("output")) or "")
    return f"The tool said: {'; '.join(outputs)}" if outputs else None


def _schema(fields: dict[str, Any]) -> Any:
    text = fields.get("text")
    wanted = text.get("format") if isinstance(text, dict) else None
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        return None
    return wanted.get("schema", True)


def _request_kind(metadata: Any) -> Any:
    try:
        told = orjson.loads(metadata) if isinstance(metadata, str) else None
    except orjson.JSONDecodeError:
        return None
    return told.get("request_kind") if isinstance(told, dict) else None
