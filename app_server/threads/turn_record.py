"""The items of one turn: each is announced, kept with the turn, stored, and put into the history, in that order."""

from collections.abc import Callable
from typing import TypeVar

from app_server.rollouts import records
from app_server.rollouts.records import Record
from app_server.rollouts.stored_items import ItemVariant
from app_server.threads.announcements import ThreadAnnouncements, now_ms
from app_server.threads.history import History
from app_server.threads.response_items import Item
from protocol.items import AgentMessageThreadItem, ThreadItem, TimedItem

Began = TypeVar("Began", bound=TimedItem)


class TurnRecord:
    """What has come of a turn so far.

    :param store: appends to the thread's rollout; never raises.
    """

    def __init__(
        self,
        thread_id: str,
        turn_id: str,
        announcements: ThreadAnnouncements,
        history: History,
        store: Callable[..., None],
    ) -> None:
        self.turn_id = turn_id
        self.say = announcements
        self.items: list[ItemVariant] = []
        self._thread_id = thread_id
        self._history = history
        self._store = store
        self.closed = False
        """Nothing more comes of the turn."""

    def close(self) -> None:
        """The turn is over: what comes now comes too late."""
        self.closed = True

    def thread_items(self) -> list[ThreadItem]:
        """The items so far, as the wire has them."""
        return [ThreadItem(item) for item in self.items]

    @staticmethod
    def wrap(item: ItemVariant) -> list[ThreadItem]:
        """One item, as the wire has it."""
        return [ThreadItem(item)]

    def start(self, item: Began) -> Began:
        """An item begins: announced, with the time."""
        if self.closed:
            return item
        begun = item.model_copy(update={"started_at_ms": now_ms()})
        self.say.item_started(self.turn_id, begun)
        return begun

    def complete(self, item: ItemVariant, *raw: Item) -> None:
        """An item is complete; what the model is to see of it goes into the history."""
        if self.closed:
            return
        item = item.model_copy(update={"completed_at_ms": now_ms()})
        self.items.append(item)
        self._store(
            records.item_completed(
                self._thread_id, self.turn_id, item, item.started_at_ms or 0, item.completed_at_ms or 0
            ),
            *self._remembered(raw),
        )
        self.say.item_completed(self.turn_id, item)

    def at_once(self, item: ItemVariant, *raw: Item) -> None:
        """An item that is complete as it begins."""
        self.complete(self.start(item), *raw)

    def remember(self, *raw: Item) -> None:
        """Something that the model is to see and the client is not."""
        if self.closed or not raw:
            return
        self._store(*self._remembered(raw))

    @property
    def final_message(self) -> AgentMessageThreadItem | None:
        """The last message that the model calls its final answer, else its last one."""
        messages = [item for item in self.items if isinstance(item, AgentMessageThreadItem)]
        final = [item for item in messages if item.phase == "final_answer"]
        return next(iter([*final[-1:], *messages[-1:]]), None)

    def _remembered(self, raw: tuple[Item, ...]) -> list[Record]:
        for item in raw:
            self._history.append(item)
        return [records.response_item(item, self.turn_id) for item in raw]
