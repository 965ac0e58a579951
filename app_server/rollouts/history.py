"""What the model sees of a thread, from its records: items of the Responses API after the last compaction."""

from collections.abc import Sequence
from typing import Any, Final

from app_server.rollouts.records import PASSTHROUGH

_NOT_FOR_THE_MODEL: Final = frozenset({"ghost_snapshot", "additional_tools"})
"""Items of the reference that mean nothing to a model here: tools of its own, and its notes on the work tree."""

_CONTEXT_MARKS: Final = ("<environment_context>", "<turn_aborted>", "<user_instructions>", "# AGENTS.md instructions")


class ModelHistory:
    """The history as it grows."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self._compactions = 0

    def add(self, item: dict[str, Any]) -> None:
        """An item comes to the end."""
        self.items += _visible([item])

    def compact(self, payload: dict[str, Any]) -> None:
        """A summary takes the place of everything."""
        replacement = payload.get("replacement_history")
        if isinstance(replacement, list):
            self.items = _visible(replacement)
        else:
            # Only very old files lack it: what the user said stays, and the summary follows.
            message = {"type": "input_text", "text": str(payload.get("message", ""))}
            kept = [item for item in self.items if _is_said_by_the_user(item)]
            self.items = [*kept, {"type": "message", "role": "user", "content": [message]}]
        self._compactions += 1

    def mark(self) -> tuple[int, int]:
        """This place, to come back to."""
        return self._compactions, len(self.items)

    def return_to(self, mark: tuple[int, int]) -> None:
        """Drop what came after a place, unless a summary has taken it in already."""
        compactions, length = mark
        if compactions == self._compactions:
            del self.items[length:]


def _visible(items: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in item.items() if name != PASSTHROUGH}
        for item in items
        if isinstance(item, dict) and isinstance(item.get("type"), str) and item["type"] not in _NOT_FOR_THE_MODEL
    ]


def _is_said_by_the_user(item: dict[str, Any]) -> bool:
    if item["type"] != "message" or item.get("role") != "user":
        return False
    content = item.get("content")
    first = content[0] if isinstance(content, list) and content else {}
    text = first.get("text") if isinstance(first, dict) else None
    return not (isinstance(text, str) and text.startswith(_CONTEXT_MARKS))
