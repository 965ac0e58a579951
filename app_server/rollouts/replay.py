"""From the records of a thread to its turns, its history, and what else is known of it, in one pass.

The two forms differ: in the paginated one items come as ``item_completed`` and turns begin with ``task_started``; in
the legacy one items come as events of their own, and a turn may begin with no more than the user's message.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from app_server.rollouts import legacy
from app_server.rollouts.history import ModelHistory
from app_server.rollouts.lines import Line
from app_server.rollouts.stored_items import error_of, item_of, preview, preview_of
from protocol.items import ThreadItem
from protocol.turn import ThreadTokenUsage, Turn, TurnStatus
from protocol.turn_error import TurnError

_STARTED: Final = ("task_started", "turn_started")
_COMPLETE: Final = ("task_complete", "turn_complete")


@dataclass(slots=True)
class _Turn:
    """A turn as far as it has been read."""

    id: str
    root_id: str
    status: TurnStatus
    first_line: int
    mark: tuple[int, int]
    """Where the history was when it began."""
    items: dict[str, ThreadItem] = field(default_factory=dict)
    error: TurnError | None = None
    started_at: int | None = None
    completed_at: int | None = None
    duration_ms: int | None = None
    last_line: int | None = None
    """The line that ended it."""

    def as_turn(self) -> Turn:
        return Turn(
            id=self.id,
            root_turn_id=self.root_id,
            items=list(self.items.values()),
            status=self.status,
            error=self.error,
            started_at=self.started_at,
            completed_at=self.completed_at,
            duration_ms=self.duration_ms,
        )


class Replay:
    """Feed it every line, ``session_meta`` included; then ask."""

    def __init__(self, *, paginated: bool) -> None:
        self.history = ModelHistory()
        self.usage: ThreadTokenUsage | None = None
        self.context: dict[str, Any] = {}
        self.preview = ""
        self._paginated = paginated
        self._turns: dict[str, _Turn] = {}
        self._open: _Turn | None = None
        self._number = -1
        self._legacy_items = 0

    @property
    def turns(self) -> list[Turn]:
        """The turns so far."""
        return [turn.as_turn() for turn in self._turns.values()]

    @property
    def open_turn(self) -> Turn | None:
        """The turn that has not been ended; it is the last one."""
        return None if self._open is None or self._open.id not in self._turns else self._open.as_turn()

    def first_line_of(self, turn_id: str) -> int | None:
        """The number of the line that a turn begins with; None if there is no such turn."""
        turn = self._turns.get(turn_id)
        return None if turn is None else turn.first_line

    def line_after(self, turn_id: str) -> int | None:
        """The number of the line after a turn; None if there is no such turn."""
        turn = self._turns.get(turn_id)
        if turn is None:
            return None
        if turn.last_line is not None:
            return turn.last_line + 1
        later = [other.first_line for other in self._turns.values() if other.first_line > turn.first_line]
        return min(later, default=self._number + 1)

    def feed(self, line: Line) -> None:
        """Take the next record in. What is unknown or broken changes nothing."""
        self._number += 1
        payload = line.payload
        match line.type:
            case "response_item":
                self.history.add(payload)
            case "event_msg":
                self._take_event(payload)
            case "turn_context":
                self.context = payload
            case "compacted":
                self.history.compact(payload)

    def _take_event(self, payload: dict[str, Any]) -> None:
        kind = payload.get("type")
        if kind in _STARTED:
            self._begin(payload)
        elif kind in _COMPLETE:
            self._end(payload, "completed")
        elif kind == "turn_aborted":
            self._end(payload, "interrupted")
        elif kind == "token_count":
            self.usage = _usage(payload.get("info")) or self.usage
        elif kind == "thread_rolled_back":
            self._roll_back(payload.get("num_turns"))
        elif kind == "item_completed":
            self._take_item(payload)
        elif not self._paginated:
            self._take_legacy_item(payload)

    def _begin(self, payload: dict[str, Any]) -> None:
        turn_id = payload.get("turn_id")
        if not isinstance(turn_id, str):
            return
        self._open = self._new_turn(turn_id, "interrupted", payload)
        self._open.started_at = _integer(payload.get("started_at"))

    def _new_turn(self, turn_id: str, status: TurnStatus, payload: dict[str, Any]) -> _Turn:
        root = payload.get("root_turn_id")
        turn = _Turn(turn_id, root if isinstance(root, str) else turn_id, status, self._number, self.history.mark())
        self._turns[turn_id] = turn
        return turn

    def _end(self, payload: dict[str, Any], status: TurnStatus) -> None:
        turn = self._turns.get(str(payload.get("turn_id")))
        if turn is None and (payload.get("turn_id") is None or not self._paginated):
            turn = self._open  # old files do not always say which
        if turn is None:
            return
        turn.error = error_of(payload.get("error"))
        turn.status = status if turn.error is None else "failed"
        turn.started_at = turn.started_at or _integer(payload.get("started_at"))
        turn.completed_at = _integer(payload.get("completed_at"))
        turn.duration_ms = _integer(payload.get("duration_ms"))
        turn.last_line = self._number
        if turn is self._open:
            self._open = None

    def _take_item(self, payload: dict[str, Any]) -> None:
        told, turn_id = payload.get("item"), payload.get("turn_id")
        if not isinstance(told, dict):
            return
        if told.get("type") == "UserMessage" and not self.preview:
            self.preview = preview_of(told)
        if not self._paginated and told.get("type") not in ("DynamicToolCall", "FunctionCallOutput", "Plan"):
            return  # the legacy form has events of its own for all others
        item = item_of(told, payload.get("started_at_ms"), payload.get("completed_at_ms"))
        if item is None or not isinstance(turn_id, str):
            return
        turn = self._turns.get(turn_id) or self._new_turn(turn_id, "interrupted", payload)
        turn.items[item.root.id] = item

    def _take_legacy_item(self, payload: dict[str, Any]) -> None:
        told = legacy.stored_item(payload, f"item-{self._legacy_items + 1}")
        item = item_of(told)
        if told is None or item is None:
            return
        is_user = told["type"] == "UserMessage"
        if is_user and not self.preview:
            images = bool(payload.get("images") or payload.get("local_images"))
            self.preview = preview(str(payload.get("message", "")), images=images)
        turn = self._open
        # Without task_started, a turn begins with what the user says, or with whatever comes first.
        if turn is None or (is_user and turn.id.startswith("rollout-")):
            turn = self._open = self._new_turn(f"rollout-{self._number}", "completed", payload)
        last = next(reversed(turn.items.values()), None)
        both = None if last is None else legacy.joined(last, item)
        turn.items[both.root.id if both else item.root.id] = both or item
        self._legacy_items += both is None

    def _roll_back(self, count: Any) -> None:
        number = _integer(count)
        if number is None or number < 1:
            return
        for turn in reversed(list(self._turns.values())[-number:]):
            self.history.return_to(turn.mark)
            self._legacy_items -= len(turn.items)
            del self._turns[turn.id]
        self._open = None


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _usage(info: Any) -> ThreadTokenUsage | None:
    if not isinstance(info, dict):
        return None
    try:
        return ThreadTokenUsage.model_validate(
            {
                "total": info.get("total_token_usage"),
                "last": info.get("last_token_usage"),
                "model_context_window": info.get("model_context_window"),
            }
        )
    except ValidationError:
        return None
