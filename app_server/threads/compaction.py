"""When the history outgrows the model: it is asked for a summary, which takes the place of what it sums up."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from app_server.backend.response_failures import UpstreamFailure
from app_server.backend.responses import ResponseStream
from app_server.rollouts import records
from app_server.threads.history import SUMMARY_PREFIX, History, is_context
from app_server.threads.ids import uuid7
from app_server.threads.prompt import COMPACT_PROMPT, context_items, request_body
from app_server.threads.response_items import Item, message, text_of
from app_server.threads.sampling import Sampling
from app_server.threads.truncation import BYTES_PER_TOKEN, truncate_middle
from app_server.threads.turn_context import TurnContext
from app_server.threads.turn_record import TurnRecord
from protocol.items import ContextCompactionThreadItem
from protocol.turn_error import CodexErrorInfo

MAX_KEPT_TOKENS: Final = 20_000
"""Tokens of what the user said that stay beside the summary, the latest first."""

_ATTEMPTS: Final = 6
"""Requests for a summary, each of half of what the one before was too long for."""


class Compaction:
    """Replaces the history of a turn's thread, as an item of the turn.

    :param note_usage: told of each response: a summary has its price as well.
    """

    def __init__(
        self,
        context: TurnContext,
        record: TurnRecord,
        sampling: Sampling,
        note_usage: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._context = context
        self._record = record
        self._sampling = sampling
        self._note_usage = note_usage
        self._item: ContextCompactionThreadItem | None = None

    @property
    def runs(self) -> bool:
        """Whether it has been announced as begun, and not yet as completed."""
        return self._item is not None

    async def run(self) -> None:
        """Replace the history.

        :raises UpstreamFailure: there is no summary to be had, and the history is what it was; its item stays open
            until :meth:`end`.
        """
        context, window = self._context, self._context.window
        self._item = self._record.start(ContextCompactionThreadItem(id=uuid7()))
        summary = await self.summary()
        surroundings = context_items(context.settings)
        text, items = compacted(window.history, surroundings, summary, context.limits.compact_at // 2)
        window.replace(items)
        context.store(records.compacted(text, items), records.token_count(window.usage))
        self._record.say.token_usage(self._record.turn_id, window.usage)
        self.end()

    def end(self) -> None:
        """The item is complete, whatever came of it: it has no status. A history that was not replaced is told by the
        turn, which has failed or was interrupted."""
        item, self._item = self._item, None
        if item is not None:
            self._record.complete(item)

    async def summary(self) -> str:
        """Ask the model for a summary of the history. One that is empty would forget everything: then it is what the
        model said last, as in the reference.

        :raises UpstreamFailure: there is no summary to be had.
        """
        items = list(self._context.window.history)
        for attempt in range(_ATTEMPTS):
            try:
                return await self._ask(items)
            except UpstreamFailure as failure:
                too_long = failure.info == CodexErrorInfo("contextWindowExceeded")
                shorter = _later_half(items)
                if not too_long or attempt == _ATTEMPTS - 1 or len(shorter) == len(items):
                    raise
                items = shorter
        raise AssertionError("unreachable")

    async def _ask(self, items: list[Item]) -> str:
        settings = self._context.settings
        texts: list[str] = []
        response: dict[str, Any] = {}
        asked = [*items, message("user", settings.config.compact_prompt or COMPACT_PROMPT)]

        def opened(stream: ResponseStream) -> None:
            texts.clear()
            self._context.account_limits.note(stream.headers)

        def receive(events: list[dict[str, Any]]) -> None:
            for event in events:
                item = event.get("item")
                if event.get("type") == "response.output_item.done" and isinstance(item, dict):
                    if item.get("type") == "message":
                        texts.append(text_of(item))
                elif event.get("type") == "response.completed" and isinstance(event.get("response"), dict):
                    response.update(event["response"])

        async def body() -> Mapping[str, Any]:
            return request_body(settings, asked, (), self._context.thread_id)

        await self._sampling.run(body, opened, receive, _no_wait)
        self._note_usage(response)
        return next((text for text in reversed(texts) if text.strip()), None) or _said_last(items)


async def _no_wait() -> None:
    """Nothing of a summary is told to the client, so there is nobody to wait for."""


def compacted(history: History, context: list[Item], summary: str, room: int) -> tuple[str, list[Item]]:
    """What takes the place of a history: what the model is told about its surroundings, what the user said (the latest
    of it, where that is very much), and the summary.

    :param room: tokens for what the user said; never more than :data:`MAX_KEPT_TOKENS`.
    :returns: the text of the summary's message, and the items.
    """
    text = SUMMARY_PREFIX + summary
    kept: list[Item] = []
    room = min(room, MAX_KEPT_TOKENS)
    for said in reversed(history.user_messages()):
        size = History([said]).estimated_tokens()
        kept.insert(0, said if size <= room else _cut(said, room))
        room -= size
        if room <= 0:
            break
    return text, [*context, *kept, message("user", text)]


def _cut(said: Item, tokens: int) -> Item:
    """The beginning and the end of a message: a question that is too long is better than none."""
    return message("user", truncate_middle(text_of(said), tokens * BYTES_PER_TOKEN))


def _said_last(items: list[Item]) -> str:
    """The last words of the model in a history."""
    said = [text_of(item) for item in items if item.get("role") == "assistant"]
    return said[-1] if said else ""


def _later_half(items: list[Item]) -> list[Item]:
    """The later half of what was said, and all of what the model was told about its surroundings. Outputs whose calls
    are left behind are left behind as well: they would be refused. What a tool has delivered unasked has no call."""
    middle = len(items) // 2
    later = [item for item in items[:middle] if is_context(item)] + items[middle:]
    calls = {item.get("call_id") for item in later if str(item.get("type")).endswith("_call")}
    return [
        item
        for item in later
        if not str(item.get("type")).endswith("_call_output") or item.get("call_id") in {None, *calls}
    ]
