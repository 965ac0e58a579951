"""One loaded thread: its settings, what the model has seen, its turn if one runs, and the file that keeps it."""

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
from app_server.rollouts.stored import SessionMeta, StoredThread, milliseconds
from app_server.rollouts.writer import RolloutWriter
from app_server.threads.announcements import ThreadAnnouncements, now_ms
from app_server.threads.context_window import ContextLimits, ContextWindow
from app_server.threads.dynamic_tools import DynamicTools
from app_server.threads.ids import uuid7
from app_server.threads.response_items import CANCELLED, Item, call_output
from app_server.threads.settings import ThreadSettings
from app_server.threads.turn import RunningTurn
from app_server.threads.turn_context import TurnContext
from app_server.threads.usage import NONE_USED
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
        self.window = ContextWindow()
        self.turns: list[Turn] = []
        """Those that have ended."""
        self.taking = anyio.Lock(fast_acquire=True)
        """Held while input is being read, so that what was said first is taken in first."""
        self.turn: RunningTurn | None = None
        self.status = ThreadStatus(IdleThreadStatus())
        self.preview = ""
        self.name: str | None = None
        self.updated_at_ms = self.recency_at_ms = milliseconds(meta.created_at)
        self._limits_of = limits_of
        self._account_limits = account_limits
        self._settled_down = settled_down
        self._cannot_store = False

    @property
    def id(self) -> str:
        """Its id."""
        return self.meta.id

    def restore(self, stored: StoredThread) -> None:
        """It goes on where a stored thread ends."""
        self.window = ContextWindow(stored.history, stored.usage or NONE_USED)
        self.turns = list(stored.turns)
        self.preview = stored.preview
        self.name = stored.name
        self.updated_at_ms = stored.updated_at * 1000
        self.recency_at_ms = max((turn.started_at or 0 for turn in stored.turns), default=stored.updated_at) * 1000

    # Its turn

    def turn_context(self) -> TurnContext:
        """What a turn that begins now is carried out with."""
        return TurnContext(
            thread_id=self.id,
            session_id=self.meta.session_id,
            settings=self.settings,
            limits=self._limits_of(self.settings),
            tools=self.tools,
            window=self.window,
            account_limits=self._account_limits,
            say=self.say,
            store=self.store,
        )

    def begin(self, turn: RunningTurn) -> None:
        """A turn begins."""
        self.turn = turn
        self.recency_at_ms = now_ms()
        self._set_status(ThreadStatus(ActiveThreadStatus(active_flags=[])))
        turn.begin()

    def turn_waits(self, waiting: bool) -> None:
        """The turn waits for the user, or goes on."""
        if self.turn is not None:
            flags: Any = ["waitingOnUserInput"] if waiting else []
            self._set_status(ThreadStatus(ActiveThreadStatus(active_flags=flags)))

    def turn_ended(self, turn: Turn, last_message: str | None) -> None:
        """No turn runs any more."""
        self.turn = None
        self.turns.append(turn)
        self.updated_at_ms = now_ms()
        if not self.preview:
            self.preview = next((text for item in turn.items if (text := _said(item.root))), "")
        if turn.status == "interrupted":
            self.store(records.turn_aborted(turn))
        else:
            self.store(records.task_complete(turn, last_message))
        failed = turn.status == "failed"
        self._set_status(ThreadStatus(SystemErrorThreadStatus() if failed else IdleThreadStatus()))

    def turn_announced(self) -> None:
        """The end of the turn has been announced."""
        self._settled_down(self)

    # What the model has seen besides

    def answer_open_calls(self) -> None:
        """Calls of tools that a dying process left behind have no output, and a request with such a call is refused."""
        self.inject([call_output(call, CANCELLED) for call in self.window.history.unanswered_calls()])

    def inject(self, items: list[Item]) -> None:
        """Put items at the end of the history."""
        for item in items:
            self.window.history.append(item)
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
