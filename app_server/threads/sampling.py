"""One request to the model, sent again where that helps, and cut off where nothing more is wanted of it.

How a single attempt is made, and what is worth another one, is known in ``app_server.backend``.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from app_server.backend.response_failures import UpstreamFailure
from app_server.backend.responses import AccountPin, ResponsesApi, ResponseStream
from app_server.backend.retries import Attempts, Pause
from app_server.config import Settings


class Sampling:
    """Requests of one turn, one after another.

    :param api: makes an attempt.
    :param settings: those of the thread, which may have providers of its own.
    :param provider_id: where to; one of them.
    :param broken: told when an attempt has failed and what comes now; what was half done is to be forgotten.
    """

    def __init__(
        self,
        api: ResponsesApi,
        settings: Settings,
        provider_id: str,
        headers: Mapping[str, str],
        broken: Callable[[UpstreamFailure, Pause], None],
    ) -> None:
        self._api = api
        self._provider_id = provider_id
        self._settings = settings
        self._headers = headers
        self._broken = broken
        self._pin = AccountPin()
        self._scope: anyio.CancelScope | None = None
        self._cut = False

    def cut(self) -> None:
        """End the request under way, or the wait for its next attempt; without one there is nothing to end."""
        if self._scope is not None:
            self._cut = True
            self._scope.cancel()

    async def run(
        self,
        body: Callable[[], Awaitable[Mapping[str, Any]]],
        opened: Callable[[ResponseStream], None],
        receive: Callable[[list[dict[str, Any]]], None],
        room: Callable[[], Awaitable[None]],
    ) -> bool:
        """Ask until there is a whole response, or until :meth:`cut`.

        :param body: the body of the next attempt: the history may have grown since the last, and may have to settle.
        :param opened: told of the stream before its first event.
        :param receive: takes events.
        :param room: awaited after each batch, so that whoever is told cannot be overrun.
        :returns: whether the response is whole.
        :raises UpstreamFailure: no further attempt helps.
        """
        attempts = Attempts(self._settings.model_providers[self._provider_id])
        whole = False
        try:
            while not whole and not self._cut:
                await checkpoint_if_cancelled()
                with anyio.CancelScope() as self._scope:
                    try:
                        async with self._api.open(
                            self._settings, self._provider_id, await body(), self._headers, self._pin
                        ) as stream:
                            opened(stream)
                            async for events in stream.batches():
                                receive(events)
                                await room()
                    except UpstreamFailure as failure:
                        # Cut off or cancelled in the same instant, it is of no interest any more.
                        await checkpoint_if_cancelled()
                        pause = attempts.after(failure)
                        if pause is None:
                            raise
                        self._broken(failure, pause)
                        await anyio.sleep(pause.seconds)
                    else:
                        whole = True
            # A response that had come before the cancellation is read without a wait at which the cancellation shows.
            await checkpoint_if_cancelled()
        finally:
            self._scope = None
            self._cut = False
        return whole
