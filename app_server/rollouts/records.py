"""The records that a rollout consists of, built from what happens in a thread. Pure: nothing here knows of files.

They are those of the paginated form of the reference, as few as it needs to list, read and resume the thread: a turn is

    task_started, turn_context, response_item (the user's), item_completed (the same for clients), …, token_count,
    task_complete or turn_aborted

and each item of the model is there twice likewise, once as the model sees it and once as clients do.
"""

from typing import Any, Final, NamedTuple

from app_server.rollouts.stored_items import ItemVariant, stored, stored_error
from protocol.items import ThreadItem
from protocol.turn import ThreadTokenUsage, TokenUsageBreakdown, Turn

PASSTHROUGH: Final = "internal_chat_message_metadata_passthrough"
"""The member of a model's item that is bookkeeping of the reference; it never goes upstream."""


class Record(NamedTuple):
    """A line without its time and its number."""

    type: str
    payload: dict[str, Any]


def event(kind: str, **members: Any) -> Record:
    """Something that happened, as clients are told."""
    return Record("event_msg", {"type": kind, **members})


def task_started(turn_id: str, started_at: int, context_window: int | None) -> Record:
    """A turn begins.

    :param started_at: Unix time in seconds.
    :param context_window: tokens that the model can see.
    """
    return event(
        "task_started",
        turn_id=turn_id,
        root_turn_id=turn_id,
        started_at=started_at,
        model_context_window=context_window,
        collaboration_mode_kind="default",
    )


def turn_context(turn_id: str, payload: dict[str, Any]) -> Record:
    """The settings that a turn runs with: ``model``, ``cwd``, ``approval_policy``, ``sandbox_policy``, …"""
    return Record("turn_context", {"turn_id": turn_id, **payload})


def response_item(item: dict[str, Any], turn_id: str) -> Record:
    """An item of the Responses API, which the model will see."""
    return Record("response_item", {**item, PASSTHROUGH: {"turn_id": turn_id}})


def item_completed(
    thread_id: str,
    turn_id: str,
    item: ItemVariant | ThreadItem,
    started_at_ms: int | None,
    completed_at_ms: int | None,
) -> Record:
    """A part of a turn is complete, as clients see it. The times are Unix times in milliseconds."""
    variant = item.root if isinstance(item, ThreadItem) else item
    times = {"started_at_ms": started_at_ms, "completed_at_ms": completed_at_ms}
    return event(
        "item_completed",
        thread_id=thread_id,
        turn_id=turn_id,
        item=stored(variant),
        **{name: time for name, time in times.items() if time is not None},
    )


def token_count(usage: ThreadTokenUsage) -> Record:
    """What the thread has used so far."""
    return event(
        "token_count",
        info={
            "total_token_usage": _breakdown(usage.total),
            "last_token_usage": _breakdown(usage.last),
            "model_context_window": usage.model_context_window,
        },
        rate_limits=None,
    )


def compacted(message: str, replacement_history: list[dict[str, Any]]) -> Record:
    """A summary takes the place of the history.

    :param message: the text of the summary, as the model sees it.
    :param replacement_history: all that the model sees from here on.
    """
    return Record("compacted", {"message": message, "replacement_history": replacement_history})


def task_complete(turn: Turn, last_agent_message: str | None) -> Record:
    """A turn has come to its end, or has failed."""
    error = {"error": stored_error(turn.error)} if turn.error is not None else {}
    return event(
        "task_complete",
        turn_id=turn.id,
        root_turn_id=turn.root_turn_id or turn.id,
        last_agent_message=last_agent_message,
        **error,
        **_times(turn),
    )


def turn_aborted(turn: Turn) -> Record:
    """A turn was interrupted."""
    return event(
        "turn_aborted",
        turn_id=turn.id,
        root_turn_id=turn.root_turn_id or turn.id,
        reason="interrupted",
        **_times(turn),
    )


def _times(turn: Turn) -> dict[str, int | None]:
    return {"started_at": turn.started_at, "completed_at": turn.completed_at, "duration_ms": turn.duration_ms}


def _breakdown(tokens: TokenUsageBreakdown) -> dict[str, int]:
    # In the order of the reference; the names are those of the model's fields.
    return {
        "input_tokens": tokens.input_tokens,
        "cached_input_tokens": tokens.cached_input_tokens,
        "cache_write_input_tokens": tokens.cache_write_input_tokens,
        "output_tokens": tokens.output_tokens,
        "reasoning_output_tokens": tokens.reasoning_output_tokens,
        "total_tokens": tokens.total_tokens,
    }
