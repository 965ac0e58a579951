"""A message of the model while it comes: as one item, or in plan mode as a message and a plan."""

from typing import Any, get_args

from app_server.threads.ids import uuid7
from app_server.threads.plan import Piece, PlanSplitter
from app_server.threads.response_items import Item, to_send_again
from app_server.threads.turn_record import TurnRecord
from protocol.items import AgentMessageThreadItem, MessagePhase, PlanThreadItem


class OpenMessage:
    """One message.

    :param item_id: the upstream's id for it; empty if it gave none.
    :param phase: what the message is to the turn, as the upstream says it.
    """

    def __init__(self, record: TurnRecord, item_id: str, phase: Any) -> None:
        self._record = record
        self._parts: list[str] = []
        self._item = AgentMessageThreadItem(id=item_id or f"msg_{uuid7()}", text="", phase=_phase(phase))
        self._started: AgentMessageThreadItem | None = None

    def begin(self) -> None:
        """The upstream has announced it."""
        self._start()

    def add(self, delta: str) -> None:
        """More of it."""
        self._parts.append(delta)
        self._record.say.message_delta(self._record.turn_id, self._start().id, delta)

    def complete(self, text: str | None = None, raw: Item | None = None) -> None:
        """It is complete.

        :param text: all of it; None for what has come so far.
        :param raw: the upstream's item, for the history; None to make one.
        """
        text = "".join(self._parts) if text is None else text
        self._finish(text, raw, *self._kept(text, raw))

    def _finish(self, text: str, raw: Item | None, *kept: Item) -> None:
        self._complete_item(text, raw, *kept)

    def _start(self) -> AgentMessageThreadItem:
        if self._started is None:
            self._started = self._record.start(self._item)
        return self._started

    def _complete_item(self, text: str, raw: Item | None, *kept: Item) -> None:
        changes: dict[str, Any] = {"text": text}
        if raw is not None and _phase(raw.get("phase")) is not None:
            changes["phase"] = raw["phase"]
        if self._started is None:
            self._record.at_once(self._item.model_copy(update=changes), *kept)
        else:
            self._record.complete(self._started.model_copy(update=changes), *kept)

    def _kept(self, text: str, raw: Item | None) -> list[Item]:
        if raw is not None:
            return [to_send_again({**raw, "id": raw.get("id") or self._item.id})]
        if not text:
            return []
        content = [{"type": "output_text", "text": text}]
        return [to_send_again({"type": "message", "id": self._item.id, "role": "assistant", "content": content})]


class PlanningMessage(OpenMessage):
    """One message in plan mode. What stands between the tags is an item of its own, and comes before the rest of the
    message is complete; a message with nothing else in it is no item at all."""

    def __init__(self, record: TurnRecord, item_id: str, phase: Any) -> None:
        super().__init__(record, item_id, phase)
        self._splitter = PlanSplitter()
        self._plan: PlanThreadItem | None = None
        self._plan_parts: list[str] = []

    def begin(self) -> None:
        """It may be nothing but a plan: the item begins with its first text."""

    def add(self, delta: str) -> None:
        """More of it."""
        self._parts.append(delta)
        self._tell(self._splitter.feed(delta))

    def _finish(self, text: str, raw: Item | None, *kept: Item) -> None:
        if not self._parts:
            self._tell(self._splitter.feed(text))
        self._tell(self._splitter.finish())
        shown, plan = PlanSplitter.strip(text)
        if plan is not None or self._plan is not None:
            whole = "".join(self._plan_parts) if plan is None else plan
            self._record.complete(self._start_plan().model_copy(update={"text": whole}))
        if shown or self._started is not None:
            self._complete_item(shown, raw, *kept)
        else:
            self._record.remember(*kept)

    def _tell(self, pieces: list[Piece]) -> None:
        turn_id = self._record.turn_id
        for kind, text in pieces:
            if kind == "message":
                self._record.say.message_delta(turn_id, self._start().id, text)
                continue
            started = self._start_plan()
            if text:
                self._plan_parts.append(text)
                self._record.say.plan_delta(turn_id, started.id, text)
            else:
                self._plan_parts.clear()  # another block: the last one counts

    def _start_plan(self) -> PlanThreadItem:
        if self._plan is None:
            self._plan = self._record.start(PlanThreadItem(id=f"{self._record.turn_id}-plan", text=""))
        return self._plan


def _phase(value: Any) -> MessagePhase | None:
    return value if value in get_args(MessagePhase) else None
