"""What the client is told about one thread: every notification of it, in one place (wire.md section 14)."""

import time
from typing import Final, TypeVar

from app_server.outgoing import Outgoing
from protocol.base import WireValue
from protocol.config import WARNING, WarningNotification
from protocol.items import (
    AGENT_MESSAGE_DELTA,
    ITEM_COMPLETED,
    ITEM_STARTED,
    PLAN_DELTA,
    REASONING_SUMMARY_PART_ADDED,
    REASONING_SUMMARY_TEXT_DELTA,
    REASONING_TEXT_DELTA,
    ItemCompletedNotification,
    ItemStartedNotification,
    PlanDeltaNotification,
    ReasoningSummaryPartAddedNotification,
    ReasoningSummaryTextDeltaNotification,
    ReasoningTextDeltaNotification,
    ThreadItem,
    TimedItem,
)
from protocol.json_codec import dumps
from protocol.method import ServerNotification
from protocol.rate_limits import RATE_LIMITS_UPDATED, AccountRateLimitsUpdatedNotification, RateLimitSnapshot
from protocol.thread import (
    THREAD_CLOSED,
    THREAD_STATUS_CHANGED,
    ThreadClosedNotification,
    ThreadStatus,
    ThreadStatusChangedNotification,
)
from protocol.turn import (
    TOKEN_USAGE_UPDATED,
    TURN_COMPLETED,
    TURN_STARTED,
    ThreadTokenUsage,
    ThreadTokenUsageUpdatedNotification,
    Turn,
    TurnCompletedNotification,
    TurnStartedNotification,
)
from protocol.turn_error import ERROR, ErrorNotification, TurnError

P = TypeVar("P", bound=WireValue)

_MILLISECONDS: Final = 1_000_000


def now_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // _MILLISECONDS


class ThreadAnnouncements:
    """Says what happens in one thread.

    :param subscribed: whether the client wants to know more than the thread's status.
    """

    def __init__(self, outgoing: Outgoing, thread_id: str) -> None:
        self._outgoing = outgoing
        self._thread_id = thread_id
        self.subscribed = True

    async def room(self) -> None:
        """Wait until the client has read most of what was said, so that a slow one slows the upstream down."""
        await self._outgoing.room()

    def status(self, status: ThreadStatus) -> None:
        """``thread/status/changed``; said to those as well who have unsubscribed."""
        params = ThreadStatusChangedNotification(thread_id=self._thread_id, status=status)
        self._outgoing.notify(THREAD_STATUS_CHANGED, params)

    def closed(self) -> None:
        """``thread/closed``."""
        self._outgoing.notify(THREAD_CLOSED, ThreadClosedNotification(thread_id=self._thread_id))

    def warning(self, message: str) -> None:
        """``warning``."""
        self._say(WARNING, WarningNotification(thread_id=self._thread_id, message=message))

    def turn_started(self, turn: Turn) -> None:
        """``turn/started``."""
        self._say(TURN_STARTED, TurnStartedNotification(thread_id=self._thread_id, turn=turn))

    def turn_completed(self, turn: Turn) -> None:
        """``turn/completed``."""
        self._say(TURN_COMPLETED, TurnCompletedNotification(thread_id=self._thread_id, turn=turn))

    def error(self, turn_id: str, error: TurnError, *, will_retry: bool) -> None:
        """``error``."""
        params = ErrorNotification(thread_id=self._thread_id, turn_id=turn_id, error=error, will_retry=will_retry)
        self._say(ERROR, params)

    def item_started(self, turn_id: str, item: TimedItem) -> None:
        """``item/started``."""
        params = ItemStartedNotification.model_construct(
            thread_id=self._thread_id,
            turn_id=turn_id,
            item=_wrapped(item),
            started_at_ms=item.started_at_ms or 0,
        )
        self._say(ITEM_STARTED, params)

    def item_completed(self, turn_id: str, item: TimedItem) -> None:
        """``item/completed``."""
        params = ItemCompletedNotification.model_construct(
            thread_id=self._thread_id,
            turn_id=turn_id,
            item=_wrapped(item),
            completed_at_ms=item.completed_at_ms or 0,
        )
        self._say(ITEM_COMPLETED, params)

    def message_delta(self, turn_id: str, item_id: str, delta: str) -> None:
        """``item/agentMessage/delta``: the one that is said most often, so it is written without its model."""
        if self.subscribed:
            params = {"threadId": self._thread_id, "turnId": turn_id, "itemId": item_id, "delta": delta}
            self._outgoing.notify_encoded(AGENT_MESSAGE_DELTA, dumps(params))

    def plan_delta(self, turn_id: str, item_id: str, delta: str) -> None:
        """``item/plan/delta``."""
        params = PlanDeltaNotification(thread_id=self._thread_id, turn_id=turn_id, item_id=item_id, delta=delta)
        self._say(PLAN_DELTA, params)

    def summary_part_added(self, turn_id: str, item_id: str, index: int) -> None:
        """``item/reasoning/summaryPartAdded``."""
        params = ReasoningSummaryPartAddedNotification(
            thread_id=self._thread_id, turn_id=turn_id, item_id=item_id, summary_index=index
        )
        self._say(REASONING_SUMMARY_PART_ADDED, params)

    def summary_delta(self, turn_id: str, item_id: str, index: int, delta: str) -> None:
        """``item/reasoning/summaryTextDelta``."""
        params = ReasoningSummaryTextDeltaNotification(
            thread_id=self._thread_id, turn_id=turn_id, item_id=item_id, delta=delta, summary_index=index
        )
        self._say(REASONING_SUMMARY_TEXT_DELTA, params)

    def reasoning_delta(self, turn_id: str, item_id: str, index: int, delta: str) -> None:
        """``item/reasoning/textDelta``."""
        params = ReasoningTextDeltaNotification(
            thread_id=self._thread_id, turn_id=turn_id, item_id=item_id, delta=delta, content_index=index
        )
        self._say(REASONING_TEXT_DELTA, params)

    def token_usage(self, turn_id: str, usage: ThreadTokenUsage) -> None:
        """``thread/tokenUsage/updated``."""
        params = ThreadTokenUsageUpdatedNotification(thread_id=self._thread_id, turn_id=turn_id, token_usage=usage)
        self._say(TOKEN_USAGE_UPDATED, params)

    def rate_limits(self, limits: RateLimitSnapshot) -> None:
        """``account/rateLimits/updated``."""
        self._say(RATE_LIMITS_UPDATED, AccountRateLimitsUpdatedNotification(rate_limits=limits))

    def _say(self, notification: ServerNotification[P], params: P) -> None:
        if self.subscribed:
            self._outgoing.notify(notification, params)


def _wrapped(item: TimedItem) -> ThreadItem:
    """As a variant of the union, which every kind of item is. Not validated again: this is our own value."""
    return ThreadItem.model_construct(item)  # type: ignore[arg-type] # the base of all variants
