"""The composition of everything about conversations, on top of the account server; see ``compose``."""

import os
from pathlib import Path

from anyio.abc import TaskGroup

from app_server.auth.manager import AuthManager
from app_server.backend.authorized import AuthorizedHttp
from app_server.backend.http import HttpClient
from app_server.backend.responses import ResponsesApi
from app_server.backend.routing import WorkspaceRouting
from app_server.config import Configuration
from app_server.handlers.config import ConfigHandlers
from app_server.handlers.conversation_table import conversation_table
from app_server.handlers.features import FeatureHandlers
from app_server.handlers.models import ModelHandlers
from app_server.handlers.thread import ThreadHandlers
from app_server.handlers.thread_store import ThreadStoreHandlers
from app_server.handlers.turn import TurnHandlers
from app_server.models.catalogue import ModelCatalogue
from app_server.models.endpoint import ModelsEndpoint
from app_server.outgoing import Outgoing
from app_server.rollouts.store import ThreadStore
from app_server.router import Table
from app_server.session import Session
from app_server.threads.opening import ThreadOpening
from app_server.threads.parent_tools import ToolsOfParent
from app_server.threads.registry import LoadedThreads
from app_server.threads.shelf import ThreadShelf
from app_server.threads.turns import Turns


class Conversations:
    """The conversations of one connection.

    :param client: for providers with a key of their own.
    :param http: for those that take this server's account.
    :param tasks: owns what goes on in the background.
    """

    def __init__(
        self,
        configuration: Configuration,
        client: HttpClient,
        http: AuthorizedHttp,
        auth: AuthManager,
        routing: WorkspaceRouting,
        outgoing: Outgoing,
        session: Session,
        tasks: TaskGroup,
    ) -> None:
        settings, cwd = configuration.settings, str(Path.cwd())
        store = ThreadStore(settings.codex_home)
        self._models = ModelCatalogue(settings, ModelsEndpoint(client, http, settings, os.environ), auth.current)
        self.threads = LoadedThreads(tasks, store, settings.thread_unload_delay)
        self._opening = ThreadOpening(self.threads, store, configuration, self._models, outgoing, session, cwd)
        self.api = ResponsesApi(client, http, auth, routing, os.environ)
        self.turns = Turns(self.threads, self.api, ToolsOfParent(outgoing), tasks)
        self._shelf = ThreadShelf(self.threads, store, settings.model_provider)
        self._outgoing = outgoing
        self._configuration = configuration
        self._cwd = cwd

    def table(self) -> Table:
        """The handlers."""
        return conversation_table(
            ThreadHandlers(self.threads, self._opening, self.turns, self._outgoing),
            ThreadStoreHandlers(self._shelf, self._outgoing),
            TurnHandlers(self.turns),
            ModelHandlers(self._configuration.settings, self._models),
            ConfigHandlers(self._configuration),
            FeatureHandlers(self._shelf.exists, self._cwd),
        )

    def close_in(self, seconds: float) -> None:
        """The client has closed its side: turns that run have so many seconds."""
        self.threads.close_in(seconds)

    async def finish(self) -> None:
        """Wait for the turns that run, and end those that take too long."""
        await self.threads.finish()
