"""What a client adds before an input (``additionalContext``), as items for the model."""

from collections.abc import Mapping
from typing import Final

from app_server.threads.ids import uuid7
from app_server.threads.response_items import Item, message, tool_output
from app_server.threads.truncation import truncate_middle
from protocol.errors import InvalidRequest
from protocol.turn import AdditionalContextEntry

MAX_ENTRY_BYTES: Final = 4_000
"""Bytes of one entry that are handed to the model: 1,000 tokens, as in the reference."""

_NAMESPACE: Final = "agent"
_UNNAMED: Final = "untrusted_content"


def added_items(context: Mapping[str, AdditionalContextEntry]) -> tuple[Item, ...]:
    """Words of the application as the developer's, anything else as what a tool has delivered, which has no authority.
    In the order of their names, so that the same context is the same prompt.

    :raises InvalidRequest: a name for words of the application.
    """
    return tuple(_item(key, entry) for key, entry in sorted(context.items()))


def _item(key: str, entry: AdditionalContextEntry) -> Item:
    value = truncate_middle(entry.value, MAX_ENTRY_BYTES)
    if entry.kind == "untrusted":
        return tool_output(f"fco_{uuid7()}", entry.name or key or _UNNAMED, _NAMESPACE, value)
    if entry.name is not None:
        raise InvalidRequest("additional context name is only supported for untrusted context")
    return message("developer", f"<{key}>{value}</{key}>")
