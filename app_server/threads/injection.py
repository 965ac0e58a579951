"""Checks items that a client puts into the history: the model's side refuses a whole request for one bad item."""

from typing import Any, Final

from app_server.threads.ids import uuid7
from app_server.threads.response_items import Item, to_send_again
from protocol.errors import InvalidRequest

_NEEDED: Final = {
    "message": ("role", "content"),
    "reasoning": ("summary",),
    "function_call": ("name", "arguments", "call_id"),
    "function_call_output": ("output",),
    "custom_tool_call": ("name", "input", "call_id"),
    "custom_tool_call_output": ("call_id", "output"),
}
_IDS: Final = {"message": "msg_", "reasoning": "rs_", "function_call": "fc_", "function_call_output": "fco_"}


def checked_items(items: list[Any]) -> list[Item]:
    """The items, as they go into the history; all of them or none.

    Of kinds that are not known nothing is demanded: the model's side may know them.

    :raises InvalidRequest: there are none, or one of them is no item.
    """
    if not items:
        raise InvalidRequest("items must not be empty")
    return [_checked(item, f"items[{index}] is not a valid response item") for index, item in enumerate(items)]


def _checked(item: Any, problem: str) -> Item:
    if not isinstance(item, dict):
        raise InvalidRequest(f"{problem}: invalid type: {_kind(item)}, expected internally tagged enum ResponseItem")
    kind = item.get("type")
    if not isinstance(kind, str):
        raise InvalidRequest(f"{problem}: missing field `type`")
    for name in _NEEDED.get(kind, ()):
        if name not in item:
            raise InvalidRequest(f"{problem}: missing field `{name}`")
    content = item.get("content")
    if kind == "message" and not isinstance(content, list):
        raise InvalidRequest(f"{problem}: invalid type: {_kind(content)}, expected a sequence")
    kept = to_send_again(item)
    if kind in _IDS and "id" not in kept:
        kept["id"] = _IDS[kind] + uuid7()
    return kept


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, str):
        return f'string "{value[:100]}"'
    return "sequence" if isinstance(value, list) else "map"
