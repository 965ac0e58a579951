"""What the model has seen of a conversation: items of the Responses API, in order. Nothing here does I/O."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from app_server.threads.response_items import OUTPUT_OF, Item, texts_of, to_send_again

ENVIRONMENT_TAG: Final = "<environment_context>"
ABORTED_TAG: Final = "<turn_aborted>"
SUMMARY_PREFIX: Final = (
    "The conversation up to here has been replaced by this summary of it. Go on from where it ends.\n"
)
"""How a summary is handed to the model."""

ABORTED: Final = (
    f"{ABORTED_TAG}\nThe user interrupted the previous turn on purpose. Whatever it had begun may be half done.\n"
    "</turn_aborted>"
)

FILTERED: Final = (
    "<content_filter>\nYour last answer was held back by a content filter. Saying it again will not help: answer in "
    "another way, or say what you cannot do.\n</content_filter>"
)

_BYTES_PER_TOKEN: Final = 4


class History:
    """Grows at its end, or becomes a summary. Its items are as they are sent."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._items: list[Item] = []
        self._context: list[list[str]] = []
        self.replace(items)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def append(self, item: Item) -> None:
        """Add an item."""
        self._items.append(to_send_again(item))
        if is_context(item):
            self._context.append(texts_of(item))

    def replace(self, items: Iterable[Item]) -> None:
        """Begin anew with these."""
        items = list(items)
        self._items.clear()
        self._context.clear()
        for item in items:
            self.append(item)

    def has_context(self, context: Iterable[Item]) -> bool:
        """Whether the model was told exactly this about its surroundings, last time it was told anything."""
        wanted = [texts_of(item) for item in context]
        told = len(self._context)
        # What the developer has said since changes nothing about the surroundings.
        while told and not _is_environment(self._context[told - 1]):
            told -= 1
        return self._context[max(0, told - len(wanted)) : told] == wanted

    def unanswered_calls(self) -> list[Item]:
        """Calls of tools that have no output; a request with such a call is refused by the model's side."""
        answered = {item.get("call_id") for item in self._items if item.get("type") in OUTPUT_OF.values()}
        return [item for item in self._items if item.get("type") in OUTPUT_OF and item.get("call_id") not in answered]

    def user_messages(self) -> list[Item]:
        """What the user said, without what was said in the user's name."""
        return [
            item
            for item in self._items
            if item.get("type") == "message" and item.get("role") == "user" and not _is_said_for_the_user(item)
        ]

    def estimated_tokens(self) -> int:
        """Roughly what the items cost, from their size; images count for little of theirs."""
        return sum(_size(item) for item in self._items) // _BYTES_PER_TOKEN


def is_context(item: Item) -> bool:
    """Whether an item tells the model about its surroundings."""
    if item.get("type") != "message":
        return False
    return item.get("role") == "developer" or _is_environment(texts_of(item))


def _is_environment(texts: list[str]) -> bool:
    return bool(texts) and texts[0].startswith(ENVIRONMENT_TAG)


def _is_said_for_the_user(item: Item) -> bool:
    first = next(iter(texts_of(item)), "")
    return first.startswith((ENVIRONMENT_TAG, ABORTED_TAG, SUMMARY_PREFIX, _REFERENCE_SUMMARY, _REFERENCE_NOTES))


_REFERENCE_SUMMARY: Final = "Another language model started to solve this problem and produced a summary"
_REFERENCE_NOTES: Final = "# AGENTS.md instructions for "


def _size(value: Any) -> int:
    if isinstance(value, str):
        return 4096 if value.startswith("data:") else len(value)
    if isinstance(value, dict):
        return sum(_size(member) for member in value.values())
    if isinstance(value, list):
        return sum(_size(member) for member in value)
    return 4
