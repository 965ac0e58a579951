"""Items of turns, and errors of turns, as rollouts have them: to and from the wire's models.

In a rollout the members are in snake_case and the types in PascalCase; a few members have other names. Items of kinds
that this server does not know are None here: they stay in the file and are not shown.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

from protocol.items import (
    AgentMessageThreadItem,
    ContextCompactionThreadItem,
    DynamicToolCallThreadItem,
    FunctionCallOutputThreadItem,
    PlanThreadItem,
    ReasoningThreadItem,
    ThreadItem,
    UserMessageThreadItem,
)
from protocol.turn_error import CodexErrorInfo, TurnError

ItemVariant = (
    UserMessageThreadItem
    | AgentMessageThreadItem
    | FunctionCallOutputThreadItem
    | PlanThreadItem
    | ReasoningThreadItem
    | DynamicToolCallThreadItem
    | ContextCompactionThreadItem
)

_NANOSECONDS: Final = 1_000_000  # in a millisecond
_INPUT_TYPES: Final = {"localImage": "local_image"}
_PREVIEW_MARK: Final = "## My request for Codex:"


def stored(item: ItemVariant) -> dict[str, Any]:
    """An item as a record of ``item_completed`` has it."""
    rest: dict[str, Any]
    match item:
        case UserMessageThreadItem():
            kind, rest = "UserMessage", {"client_id": item.client_id, "content": _stored_content(item)}
        case AgentMessageThreadItem():
            kind, rest = "AgentMessage", {"content": [{"type": "Text", "text": item.text}], "phase": item.phase}
        case FunctionCallOutputThreadItem():
            output = item.output.model_dump(mode="json")
            kind, rest = "FunctionCallOutput", {"name": item.name, "namespace": item.namespace, "output": output}
        case PlanThreadItem():
            kind, rest = "Plan", {"text": item.text}
        case ReasoningThreadItem():
            kind, rest = "Reasoning", {"summary_text": item.summary, "raw_content": item.content}
        case DynamicToolCallThreadItem():
            kind, rest = "DynamicToolCall", _stored_call(item)
        case ContextCompactionThreadItem():
            kind, rest = "ContextCompaction", {}
    return {"type": kind, "id": item.id} | {name: value for name, value in rest.items() if value is not None}


def item_of(stored_item: Any, started_at_ms: Any = None, completed_at_ms: Any = None) -> ThreadItem | None:
    """The item in a record; None if it is of no kind that clients are shown here, or broken."""
    if not isinstance(stored_item, dict):
        return None
    read = _READERS.get(str(stored_item.get("type")))
    if read is None:
        return None
    try:
        wire = read(stored_item)
        wire |= {"id": stored_item["id"], "startedAtMs": started_at_ms, "completedAtMs": completed_at_ms}
        return ThreadItem.model_validate(wire)
    except (ValidationError, LookupError, TypeError, AttributeError):
        return None


def input_of(content: list[Any]) -> list[dict[str, Any]]:
    """What the user put into a turn, as the wire has it, from a record's ``content``."""
    return [_wire_input(part) for part in content]


def preview_of(item: dict[str, Any]) -> str:
    """The preview that a user's message makes, empty if it makes none."""
    parts = [part for part in item.get("content") or () if isinstance(part, dict)]
    text = "".join(part["text"] for part in parts if part.get("type") == "text" and isinstance(part.get("text"), str))
    return preview(text, images=any(part.get("type") in ("image", "local_image") for part in parts))


def preview(text: str, *, images: bool) -> str:
    """The preview that a text makes: without what editors put before the request."""
    before, mark, request = text.partition(_PREVIEW_MARK)
    return (request if mark else before).strip() or ("[Image]" if images else "")


def stored_error(error: TurnError) -> dict[str, Any]:
    """An error as ``task_complete`` has it."""
    told: dict[str, Any] = {"message": error.message}
    if error.codex_error_info is not None:
        told["codex_error_info"] = _renamed(error.codex_error_info.model_dump(mode="json", by_alias=True), _snake)
    if error.additional_details is not None:
        told["additional_details"] = error.additional_details
    return told


def error_of(told: Any) -> TurnError | None:
    """The error in a record; of an unknown kind, it is ``other``."""
    if not isinstance(told, dict) or not isinstance(told.get("message"), str):
        return None
    info = told.get("codex_error_info")
    kind: CodexErrorInfo | None = None
    if info is not None:
        try:
            kind = CodexErrorInfo.model_validate(_renamed(info, _camel))
        except ValidationError:
            kind = CodexErrorInfo("other")
    details = told.get("additional_details")
    return TurnError(
        message=told["message"],
        codex_error_info=kind,
        additional_details=details if isinstance(details, str) else None,
    )


def _stored_content(item: UserMessageThreadItem) -> list[dict[str, Any]]:
    content = []
    for part in item.content:
        told = part.root.model_dump(mode="json", exclude_none=True)
        told["type"] = _INPUT_TYPES.get(told["type"], told["type"])
        if told["type"] == "image" and "url" in told:
            told["image_url"] = told.pop("url")
        content.append(told)
    return content


def _wire_input(part: dict[str, Any]) -> dict[str, Any]:
    match part.get("type"):
        case "local_image":
            return {**part, "type": "localImage"}
        case "image" if "image_url" in part:
            return {**part, "url": part["image_url"]}
        case "text":
            elements = part.get("text_elements") or ()
            return {
                **part,
                "text_elements": [
                    {"byteRange": element["byte_range"], "placeholder": element.get("placeholder")}
                    for element in elements
                ],
            }
        case _:
            return part


def _stored_call(item: DynamicToolCallThreadItem) -> dict[str, Any]:
    duration = item.duration_ms
    return {
        "namespace": item.namespace,
        "tool": item.tool,
        "arguments": item.arguments,
        "status": item.status,
        "content_items": None
        if item.content_items is None
        else [part.root.model_dump(mode="json", by_alias=True) for part in item.content_items],
        "success": item.success,
        "duration": None if duration is None else {"secs": duration // 1000, "nanos": duration % 1000 * _NANOSECONDS},
    }


def _read_user(told: dict[str, Any]) -> dict[str, Any]:
    return {"type": "userMessage", "clientId": told.get("client_id"), "content": input_of(told["content"])}


def _read_agent(told: dict[str, Any]) -> dict[str, Any]:
    text = "".join(part["text"] for part in told["content"])
    return {"type": "agentMessage", "text": text, "phase": told.get("phase")}


def _read_output(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "functionCallOutput",
        "name": told["name"],
        "namespace": told.get("namespace"),
        "output": told["output"],
    }


def _read_plan(told: dict[str, Any]) -> dict[str, Any]:
    return {"type": "plan", "text": told["text"]}


def _read_reasoning(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "reasoning",
        "summary": told.get("summary_text") or [],
        "content": told.get("raw_content") or [],
    }


def _read_call(told: dict[str, Any]) -> dict[str, Any]:
    duration = told.get("duration")
    return {
        "type": "dynamicToolCall",
        "namespace": told.get("namespace"),
        "tool": told["tool"],
        "arguments": told.get("arguments"),
        "status": told["status"],
        "contentItems": told.get("content_items"),
        "success": told.get("success"),
        "durationMs": None if duration is None else duration["secs"] * 1000 + duration["nanos"] // _NANOSECONDS,
    }


def _read_compaction(told: dict[str, Any]) -> dict[str, Any]:
    return {"type": "contextCompaction"}


_READERS: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "UserMessage": _read_user,
    "AgentMessage": _read_agent,
    "FunctionCallOutput": _read_output,
    "Plan": _read_plan,
    "Reasoning": _read_reasoning,
    "DynamicToolCall": _read_call,
    "ContextCompaction": _read_compaction,
}


def _renamed(value: Any, name: Callable[[str], str]) -> Any:
    """An error's kind, which is a name or a map of one name to its details, in another convention."""
    if isinstance(value, dict):
        return {name(key): _renamed(inner, name) for key, inner in value.items()}
    return name(value) if isinstance(value, str) else value


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda match: f"_{match[0]}", name).lower()


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
