"""One loaded thread: its settings, its history, its turn if one runs, and the file that keeps it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio

from app_server.backend.limit_headers import AccountLimits
from app_server.rollouts import records
from app_server.rollouts.errors import RolloutNotWritten
from app_server.rollouts.lock import WriterLock
from app_server.rollouts.records import Record
from app_server.rollouts.stored import SessionMeta, milliseconds
from app_server.rollouts.writer import RolloutWriter
from app_server.threads import usage
from app_server.threads.announcements import ThreadAnnouncements, now_ms
from app_server.threads.compaction import compacted
from app_server.threads.dynamic_tools import DynamicTools
from app_server.threads.history import CANCELLED, History, Item, call_output
from app_server.threads.ids import uuid7
from app_server.threads.prompt import context_items
from app_server.threads.settings import ContextLimits, ThreadSettings
from app_server.threads.turn import RunningTurn
from app_server.threads.turn_record import TurnRecord
from protocol.thread import (
    ActiveThreadStatus,
    IdleThreadStatus,
    SystemErrorThreadStatus,
    ThreadStatus,
)
from protocol.turn import Turn

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Kept:
    """Where a thread is kept; an ephemeral thread has none of this."""

    writer: RolloutWriter
    lock: WriterLock
    path: str


class LiveThread:
    """A thread that is loaded. Everything in it happens on one event loop; nothing here waits.

    :param limits_of: how much the model of these settings holds.
    :param account_limits: told of what the upstream says about limits.
    :param kept: where it is kept; None for an ephemeral thread.
    :param settled_down: told when no turn runs any more.
    """

    def __init__(
        self,
        meta: SessionMeta,
        settings: ThreadSettings,
        limits_of: Callable[[ThreadSettings], ContextLimits],
        account_limits: AccountLimits,
        tools: DynamicTools,
        say: ThreadAnnouncements,
        kept: Kept | None,
        settled_down: Callable[["LiveThread"], None],
    ) -> None:
        self.meta = meta
        self.settings = settings
        self.tools = tools
        self.say = say
        self.kept = kept
        self.history = History()
        self.turns: list[Turn] = []
        self.usage = usage.NONE_USED
        self.account_limits = account_limits
        self.taking = anyio.Lock(fast_acquire=True)
        """Held while input is being read, so that what was said first is taken in first."""
        self.turn: RunningTurn | None = None
        self.status = ThreadStatus(IdleThreadStatus())
        self.preview = ""
        self.name: str | None = None
        self.updated_at_ms = self.recency_at_ms = milliseconds(meta.created_at)
        self.must_compact = False
        self._limits_of = limits_of
        self._settled_down = settled_down
        self._cannot_store = False

    @property
    def id(self) -> str:
        """Its id."""
        return self.meta.id

    @property
    def context_limits(self) -> ContextLimits:
        """How much the model holds that the next turn asks for."""
        return self._limits_of(self.settings)

    # Its turn

    def begin(self, turn: RunningTurn) -> None:
        """A turn begins."""
        self.turn = turn
        self.recency_at_ms = now_ms()
        turn.begin()

    def become_active(self) -> None:
        """A turn runs."""
        self._set_status(ThreadStatus(ActiveThreadStatus(active_flags=[])))

    def wait_for_user(self, waiting: bool) -> None:
        """The turn waits for the user, or goes on."""
        if self.turn is not None:
            flags: Any = ["waitingOnUserInput"] if waiting else []
            self._set_status(ThreadStatus(ActiveThreadStatus(active_flags=flags)))

    def become_idle(self, *, failed: bool) -> None:
        """No turn runs any more."""
        self._set_status(ThreadStatus(SystemErrorThreadStatus() if failed else IdleThreadStatus()))

    def conclude(self, turn: Turn, last_message: str | None) -> None:
        """The turn has ended."""
        self.turn = None
        self.turns.append(turn)
        self.updated_at_ms = now_ms()
        if not self.preview:
            self.preview = next((text for item in turn.items if (text := _said(item.root))), "")
        if turn.status == "interrupted":
            self.store(records.turn_aborted(turn))
        else:
            self.store(records.task_complete(turn, last_message))

    def settled(self) -> None:
        """The end of the turn has been announced."""
        self._settled_down(self)

    # What the model knows

    def tell_context(self, record: TurnRecord, settings: ThreadSettings) -> None:
        """Tell the model about its surroundings, unless it knows."""
        context = context_items(settings)
        if not self.history.has_context(context):
            record.remember(*context)

    def replace_history(self, summary: str, settings: ThreadSettings) -> None:
        """A summary takes the place of the history."""
        text, items = compacted(self.history, context_items(settings), summary, self.context_limits.compact_at // 2)
        self.history.replace(items)
        self.must_compact = False
        self.usage = usage.estimated(self.usage, self.history.estimated_tokens())
        self.store(records.compacted(text, items), records.token_count(self.usage))

    def answer_open_calls(self) -> None:
        """Calls of tools that a dying process left behind have no output, and a request with such a call is refused."""
        self.inject([call_output(call, CANCELLED) for call in self.history.unanswered_calls()])

    def inject(self, items: list[Item]) -> None:
        """Put items at the end of the history."""
        for item in items:
            self.history.append(item)
        turn_id = self.turn.id if self.turn is not None else uuid7()
        self.store(*(records.response_item(item, turn_id) for item in items))

    # Where it is kept

    def store(self, *what: Record) -> None:
        """Append to the rollout. A failure is a warning, and the turn goes on: the client has its answer."""
        if self.kept is None or not what:
            return
        try:
            self.kept.writer.append(*what)
        except RolloutNotWritten as error:
            if not self._cannot_store:
                self._cannot_store = True
                log.warning("a thread cannot be stored: %s", error)
                self.say.warning(f"This conversation cannot be stored: {error}")
        else:
            self._cannot_store = False

    def materialize(self) -> None:
        """See to it that there is a file.

        :raises RolloutNotWritten: there cannot be one.
        """
        if self.kept is not None:
            self.kept.writer.materialize()

    def close(self) -> None:
        """Let go of the file and of the right to write it."""
        if self.turn is not None:
            self.turn.interrupt()
        if self.kept is not None:
            self.kept.writer.close()
            self.kept.lock.release()

    def rename(self, name: str) -> None:
        """It has another name."""
        self.name = name

    def _set_status(self, status: ThreadStatus) -> None:
        if status != self.status:
            self.status = status
            self.say.status(status)


def _said(item: Any) -> str:
    """What a user's message says, as a preview."""
    if item.type != "userMessage":
        return ""
    texts = [part.root.text for part in item.content if part.root.type == "text"]
    return "".join(texts).strip() or ("[Image]" if item.content else "")
