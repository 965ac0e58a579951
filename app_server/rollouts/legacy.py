"""The older form of a rollout: other records for what happened, no numbers.

A file that has this form keeps it, so what is appended to one is translated here; and here is what reading one makes of
``user_message``, ``agent_message``, ``agent_reasoning`` and ``context_compacted``.
"""

from collections.abc import Sequence
from typing import Any

from app_server.rollouts.records import Record, event
from protocol.items import ReasoningThreadItem, ThreadItem


def translated(records: Sequence[Record]) -> list[Record]:
    """Records of the paginated form in the legacy one. Items that it has no record for stay as they are, and readers
    other than this one do not show them."""
    return [older for record in records for older in _translated(record)]


def user_message(item: dict[str, Any]) -> dict[str, Any]:
    """A stored ``UserMessage`` as a ``user_message``: one text, and the images apart from it."""
    content = item["content"]
    texts = [part for part in content if part["type"] == "text"]
    images = [part for part in content if part["type"] == "image" and "image_url" in part]
    files = [part for part in content if part["type"] == "local_image"]
    payload: dict[str, Any] = {
        "message": "".join(part["text"] for part in texts),
        "images": [part["image_url"] for part in images],
        "local_images": [part["path"] for part in files],
        "text_elements": _joined_elements(texts),
    }
    if any("detail" in part for part in images):
        payload["image_details"] = [part.get("detail") for part in images]
    if any("detail" in part for part in files):
        payload["local_image_details"] = [part.get("detail") for part in files]
    if "client_id" in item:
        payload["client_id"] = item["client_id"]
    return payload


def stored_item(payload: dict[str, Any], item_id: str) -> dict[str, Any] | None:
    """The item that an event of the legacy form stands for; None if it stands for none.

    :param item_id: the id that it gets, because it has none of its own.
    """
    match payload.get("type"):
        case "user_message":
            return {
                "type": "UserMessage",
                "id": item_id,
                "client_id": payload.get("client_id"),
                "content": _content(payload),
            }
        case "agent_message":
            content = [{"type": "Text", "text": payload.get("message")}]
            return {"type": "AgentMessage", "id": item_id, "content": content, "phase": payload.get("phase")}
        case "agent_reasoning":
            return {"type": "Reasoning", "id": item_id, "summary_text": [payload.get("text")]}
        case "agent_reasoning_raw_content":
            return {"type": "Reasoning", "id": item_id, "raw_content": [payload.get("text")]}
        case "context_compacted":
            return {"type": "ContextCompaction", "id": item_id}
        case _:
            return None


def joined(before: ThreadItem, item: ThreadItem) -> ThreadItem | None:
    """One item of two that follow each other, if both are reasoning, which is stored piece by piece."""
    if not isinstance(before.root, ReasoningThreadItem) or not isinstance(item.root, ReasoningThreadItem):
        return None
    return ThreadItem(
        before.root.model_copy(
            update={
                "summary": [*before.root.summary, *item.root.summary],
                "content": [*before.root.content, *item.root.content],
            }
        )
    )


def _translated(record: Record) -> list[Record]:
    item = record.payload.get("item")
    if record.payload.get("type") != "item_completed" or not isinstance(item, dict):
        return [record]
    match item["type"]:
        case "UserMessage":
            return [event("user_message", **user_message(item))]
        case "AgentMessage":
            text = "".join(part["text"] for part in item["content"])
            return [event("agent_message", message=text, phase=item.get("phase"))]
        case "Reasoning":
            summary = [event("agent_reasoning", text=text) for text in item["summary_text"]]
            return summary + [event("agent_reasoning_raw_content", text=text) for text in item["raw_content"]]
        case "ContextCompaction":
            return [event("context_compacted")]
        case _:
            return [record]


def _content(payload: dict[str, Any]) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if text := payload.get("message"):
        content.append({"type": "text", "text": text, "text_elements": payload.get("text_elements") or []})
    for kind, member, names, details in (
        ("image", "image_url", "images", "image_details"),
        ("local_image", "path", "local_images", "local_image_details"),
    ):
        told = payload.get(details) or []
        for number, name in enumerate(payload.get(names) or []):
            content.append({"type": kind, member: name, "detail": told[number] if number < len(told) else None})
    return content


def _joined_elements(texts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The elements of several texts, by their places in all of them together."""
    elements = []
    offset = 0
    for part in texts:
        for element in part.get("text_elements", ()):
            place = element["byte_range"]
            moved = {"start": place["start"] + offset, "end": place["end"] + offset}
            elements.append({**element, "byte_range": moved})
        offset += len(part["text"].encode(errors="surrogatepass"))
    return elements
