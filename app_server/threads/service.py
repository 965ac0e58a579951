"""Everything about conversations, put together; what belongs to whom is said in the package's docstring."""

from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from app_server.backend.responses import ResponsesApi
from app_server.config import Configuration
from app_server.models.catalogue import ModelCatalogue
from app_server.outgoing import Outgoing
from app_server.rollouts.store import ThreadStore
from app_server.session import Session
from app_server.threads import described
from app_server.threads.opening import ThreadOpening
from app_server.threads.registry import LoadedThreads
from app_server.threads.shelf import ThreadShelf
from app_server.threads.thread import LiveThread
from app_server.threads.tool_calls import ParentTools
from app_server.threads.turns import Turns


class ThreadService:
    """The conversations of one connection.

    :param store: where threads are kept.
    :param api: reaches the model.
    :param parent: has the model's tools.
    :param tasks: owns what goes on in the background.
    """

    def __init__(
        self,
        configuration: Configuration,
        store: ThreadStore,
        models: ModelCatalogue,
        api: ResponsesApi,
        parent: ParentTools,
        outgoing: Outgoing,
        session: Session,
        tasks: TaskGroup,
    ) -> None:
        settings = configuration.settings
        self._store = store
        self._deadline = float("inf")
        self.loaded = LoadedThreads(tasks, settings.thread_unload_delay, self._note)
        self.opening = ThreadOpening(
            self.loaded, store, configuration, models, outgoing, session, server_cwd=str(Path.cwd())
        )
        self.turns = Turns(self.loaded, api, parent, tasks)
        self.shelf = ThreadShelf(self.loaded, store, settings.model_provider)
        tasks.start_soon(self._let_go_at_the_end)

    def close_in(self, seconds: float) -> None:
        """The client has closed its side: turns that run have so many seconds."""
        self._deadline = anyio.current_time() + seconds

    async def finish(self) -> None:
        """Wait for the turns that run, and end those that take too long."""
        await self.loaded.finish(self._deadline - anyio.current_time())

    async def _let_go_at_the_end(self) -> None:
        """However the server ends, other processes can have the threads."""
        try:
            await anyio.sleep_forever()
        finally:
            self.loaded.close()
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await self._store.aclose()

    def _note(self, thread: LiveThread) -> None:
        if thread.kept is not None and thread.kept.writer.materialized:
            self._store.note(described.summary(thread))
