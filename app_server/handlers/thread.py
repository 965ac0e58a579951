"""Beginning, resuming, forking and letting go of threads, and what changes their history without a turn."""

from typing import Any

from app_server.outgoing import Outgoing
from app_server.router import Reply
from app_server.threads import described
from app_server.threads.injection import checked_items
from app_server.threads.opening import Opened, ThreadOpening
from app_server.threads.paging import items_page, turns_page
from app_server.threads.registry import LoadedThreads
from app_server.threads.turns import Turns
from protocol.config import WARNING, WarningNotification
from protocol.thread import (
    THREAD_STARTED,
    ThreadCompactStartParams,
    ThreadCompactStartResponse,
    ThreadForkParams,
    ThreadForkResponse,
    ThreadInjectItemsParams,
    ThreadInjectItemsResponse,
    ThreadResumeParams,
    ThreadResumeResponse,
    ThreadStartedNotification,
    ThreadStartParams,
    ThreadStartResponse,
    ThreadUnsubscribeParams,
    ThreadUnsubscribeResponse,
    TurnsPage,
)


class ThreadHandlers:
    """``thread/*``, as far as it is about loaded threads."""

    def __init__(self, threads: LoadedThreads, opening: ThreadOpening, turns: Turns, outgoing: Outgoing) -> None:
        self._threads = threads
        self._opening = opening
        self._turns = turns
        self._outgoing = outgoing

    async def start(self, params: ThreadStartParams) -> Reply[ThreadStartResponse]:
        """``thread/start``."""
        opened = await self._opening.start(params)

        def then() -> None:
            self._started(opened)
            self._warn(opened)

        return Reply(described.opened(ThreadStartResponse, opened.thread), then)

    async def resume(self, params: ThreadResumeParams) -> Reply[ThreadResumeResponse]:
        """``thread/resume``."""
        opened = await self._opening.resume(params)
        thread = opened.thread
        turns = described.all_turns(thread)
        response: Any = described.opened(ThreadResumeResponse, thread, () if params.exclude_turns else turns)
        cursors = {
            "turns_backwards_cursor": turns_page(thread.id, turns, limit=1).backwards_cursor,
            "items_backwards_cursor": items_page(thread.id, turns, limit=1, direction="desc").backwards_cursor,
        }
        response = response.model_copy(update={**cursors, "collaboration_mode": thread.settings.collaboration})
        if (wish := params.initial_turns_page) is not None:
            answer = turns_page(
                thread.id, turns, limit=wish.limit, direction=wish.sort_direction, items_view=wish.items_view
            )
            first = TurnsPage(
                data=answer.data, next_cursor=answer.next_cursor, backwards_cursor=answer.backwards_cursor
            )
            response = response.model_copy(update={"initial_turns_page": first})

        def then() -> None:
            self._warn(opened)
            if not (opened.was_loaded and params.exclude_turns):
                self._tell_usage(opened)

        if not opened.was_loaded:
            thread.say.status(thread.status)
        return Reply(response, then)

    async def fork(self, params: ThreadForkParams) -> Reply[ThreadForkResponse]:
        """``thread/fork``."""
        opened = await self._opening.fork(params)
        turns = () if params.exclude_turns else opened.thread.turns

        def then() -> None:
            if not params.exclude_turns:
                self._tell_usage(opened)
            self._started(opened)
            self._warn(opened)

        response: Any = described.opened(ThreadForkResponse, opened.thread, turns)
        return Reply(response, then)

    async def unsubscribe(self, params: ThreadUnsubscribeParams) -> Reply[ThreadUnsubscribeResponse]:
        """``thread/unsubscribe``."""
        return Reply(ThreadUnsubscribeResponse(status=self._threads.unsubscribe(params.thread_id)))

    async def inject_items(self, params: ThreadInjectItemsParams) -> Reply[ThreadInjectItemsResponse]:
        """``thread/inject_items``."""
        thread = self._threads.require(params.thread_id)
        thread.inject(checked_items(params.items))
        return Reply(ThreadInjectItemsResponse())

    async def compact(self, params: ThreadCompactStartParams) -> Reply[ThreadCompactStartResponse]:
        """``thread/compact/start``."""
        return Reply(ThreadCompactStartResponse(), self._turns.compact(params.thread_id))

    def _started(self, opened: Opened) -> None:
        params = ThreadStartedNotification(thread=described.live(opened.thread))
        self._outgoing.notify(THREAD_STARTED, params)

    def _warn(self, opened: Opened) -> None:
        for text in opened.warnings:
            self._outgoing.notify(WARNING, WarningNotification(thread_id=opened.thread.id, message=text))

    @staticmethod
    def _tell_usage(opened: Opened) -> None:
        thread = opened.thread
        if thread.turns and thread.window.usage.total.total_tokens:
            thread.say.token_usage(thread.turns[-1].id, thread.window.usage)
