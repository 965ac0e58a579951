"""How a thread comes to be loaded: begun, resumed from its file, or forked from another one."""

import contextlib
import errno
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app_server.backend.limit_headers import AccountLimits
from app_server.config import ConfigError, Configuration
from app_server.models import ModelCatalogue
from app_server.outgoing import Outgoing
from app_server.rollouts.errors import RolloutNotWritten
from app_server.rollouts.records import Record
from app_server.rollouts.store import Found, ThreadStore
from app_server.rollouts.stored import SessionMeta, StoredThread
from app_server.rollouts.writer import RolloutWriter
from app_server.session import Session
from app_server.threads import dynamic_tools
from app_server.threads.announcements import ThreadAnnouncements
from app_server.threads.context_window import ContextLimits
from app_server.threads.descriptors import require_room
from app_server.threads.dynamic_tools import DynamicTools
from app_server.threads.errors import Archived, NoRollout, as_wire_errors, provider_not_configured
from app_server.threads.ids import thread_id as checked_id
from app_server.threads.ids import uuid7
from app_server.threads.registry import LoadedThreads
from app_server.threads.settings import ThreadSettings, settle
from app_server.threads.thread import Kept, LiveThread
from app_server.version import WIRE_VERSION
from protocol.errors import InvalidRequest
from protocol.thread import ThreadForkParams, ThreadResumeParams, ThreadStartParams, ThreadWishes


@dataclass(frozen=True, slots=True)
class Opened:
    """A thread that has been loaded.

    :param warnings: what the client is told about it besides.
    :param was_loaded: whether it was loaded already.
    """

    thread: LiveThread
    warnings: tuple[str, ...] = ()
    was_loaded: bool = False


class ThreadOpening:
    """Loads threads.

    :param loaded: where they are then found.
    :param server_cwd: the folder of threads that name none.
    """

    def __init__(
        self,
        loaded: LoadedThreads,
        store: ThreadStore,
        configuration: Configuration,
        models: ModelCatalogue,
        outgoing: Outgoing,
        session: Session,
        server_cwd: str,
    ) -> None:
        self._loaded = loaded
        self._store = store
        self._configuration = configuration
        self._models = models
        self._outgoing = outgoing
        self._session = session
        self._server_cwd = server_cwd
        self._account_limits = AccountLimits()

    async def start(self, params: ThreadStartParams) -> Opened:
        """Begin a thread.

        :raises InvalidRequest: the configuration or a tool is not as it should be.
        """
        tools = dynamic_tools.check(params.dynamic_tools)
        settings, warnings = await self._settings(params)
        thread_id = uuid7()
        meta = self._meta(
            thread_id,
            settings,
            session_id=thread_id,
            thread_source=params.thread_source,
            dynamic_tools=tuple(tools.to_stored()),
            history_mode=params.history_mode or "paginated",
        )
        thread = self._load(meta, settings, tools, self._kept(meta, ephemeral=bool(params.ephemeral)))
        return Opened(thread, warnings)

    async def resume(self, params: ThreadResumeParams) -> Opened:
        """Go on with a thread.

        :raises InvalidRequest: there is none, it is archived, or somebody else is writing it.
        """
        async with self._loaded.opening:
            if (running := self._named(params)) is not None:
                return self._resume_loaded(running, params.path)
            with as_wire_errors():
                found = await self._found(params.thread_id, params.path)
                size = _size(found.path)
                stored = await self._store.load(found.path, archived=found.archived)
            if (running := self._loaded.get(stored.meta.id)) is not None:
                return self._resume_loaded(running, params.path)
            if stored.archived:
                raise Archived(stored.meta.id)
            require_room(len(self._loaded))
            lock = self._store.writer_lock(stored.meta.id)
            self._acquire(lock)
            try:
                if _size(found.path) != size:
                    # Whoever had it until just now has gone on with it since it was read.
                    with as_wire_errors():
                        stored = await self._store.load(found.path, archived=found.archived)
                settings, warnings = await self._settings(params, stored)
                _require_same_provider(settings, stored)
                writer = RolloutWriter(stored.path, stored.meta, next_ordinal=stored.next_ordinal, torn=stored.torn)
                tools = DynamicTools.from_stored(list(stored.meta.dynamic_tools))
                thread = self._load(stored.meta, settings, tools, Kept(writer, lock, str(stored.path)))
            except BaseException:
                lock.release()
                raise
            thread.restore(stored)
            thread.answer_open_calls()
            before = stored.context.get("model")
            if before and before != settings.model:
                warning = (
                    f"This session was recorded with model `{before}` but is resuming with `{settings.model}`. "
                    f"Consider switching back to `{before}` as it may affect Codex performance."
                )
                warnings = (*warnings, warning)
            return Opened(thread, warnings)

    async def fork(self, params: ThreadForkParams) -> Opened:
        """Begin a thread with the history of another one.

        :raises InvalidRequest: there is none, or no such turn in it.
        """
        if params.last_turn_id and params.before_turn_id:
            raise InvalidRequest("`beforeTurnId` cannot be combined with `lastTurnId`")
        source = None if params.path else self._loaded.get(checked_id(params.thread_id, "session id"))
        if source is not None:
            if source.kept is None:
                raise NoRollout(params.thread_id)
            if source.turn is not None and params.last_turn_id == source.turn.id:
                raise InvalidRequest(f"lastTurnId '{params.last_turn_id}' identifies an in-progress turn")
            with as_wire_errors():
                source.materialize()
        stored, lines = await self._stored_for_fork(params)
        settings, warnings = await self._settings(params, stored)
        thread_id = uuid7()
        meta = self._meta(
            thread_id,
            settings,
            session_id=thread_id,
            forked_from_id=stored.meta.id,
            thread_source=params.thread_source,
            dynamic_tools=stored.meta.dynamic_tools,
            history_mode=stored.meta.history_mode,
        )
        tools = DynamicTools.from_stored(list(stored.meta.dynamic_tools))
        thread = self._load(meta, settings, tools, self._kept(meta, ephemeral=params.ephemeral))
        thread.restore(stored)
        thread.store(*lines)
        thread.answer_open_calls()
        if thread.kept is not None and stored.name:
            with contextlib.suppress(RolloutNotWritten):
                await self._store.set_name(thread.id, stored.name)
        return Opened(thread, warnings)

    def _named(self, params: ThreadResumeParams) -> LiveThread | None:
        """The thread with this id, if it is loaded. Beside a path the id may be anything."""
        try:
            return self._loaded.get(checked_id(params.thread_id, "session id"))
        except InvalidRequest:
            if params.path:
                return None
            raise

    def _resume_loaded(self, thread: LiveThread, path: str | None) -> Opened:
        if thread.kept is None or not thread.kept.writer.materialized:
            raise NoRollout(thread.id)
        if path and Path(path) != Path(thread.kept.path):
            raise InvalidRequest(
                f"cannot resume running thread {thread.id} with stale path: "
                f"requested `{path}`, active `{thread.kept.path}`"
            )
        self._loaded.subscribe(thread)
        return Opened(thread, was_loaded=True)

    async def _settings(
        self, wishes: ThreadWishes, stored: StoredThread | None = None
    ) -> tuple[ThreadSettings, tuple[str, ...]]:
        try:
            config, ignored = self._configuration.for_thread(wishes.config or {})
        except ConfigError as error:
            raise InvalidRequest(str(error)) from None
        settings = settle(
            config,
            wishes,
            self._server_cwd,
            self._models.default_model,
            None if stored is None else stored.context,
            None if stored is None else stored.meta.model_provider,
        )
        if settings.provider not in config.model_providers:
            if wishes.model_provider or stored is None:
                raise InvalidRequest(f"failed to load configuration: Model provider `{settings.provider}` not found")
            raise provider_not_configured(settings.provider)
        if stored is not None:
            base = wishes.base_instructions or stored.meta.base_instructions or settings.base_instructions
            developer = wishes.developer_instructions or stored.meta.developer_instructions
            settings = replace(
                settings,
                base_instructions=base,
                developer_instructions=developer or settings.developer_instructions,
            )
        return settings, tuple(ignored)

    def _meta(self, thread_id: str, settings: ThreadSettings, **more: Any) -> SessionMeta:
        return SessionMeta(
            id=thread_id,
            created_at=datetime.now(UTC),
            cwd=settings.cwd,
            originator=self._session.client_name,
            cli_version=WIRE_VERSION,
            model_provider=settings.provider,
            base_instructions=settings.base_instructions,
            developer_instructions=settings.developer_instructions,
            **more,
        )

    def _kept(self, meta: SessionMeta, *, ephemeral: bool) -> Kept | None:
        require_room(len(self._loaded))
        if ephemeral:
            return None
        lock = self._store.writer_lock(meta.id)
        with contextlib.suppress(RolloutNotWritten):
            # On a disk that takes nothing a conversation is better than none. Nobody else knows of this thread, and the
            # client is told when its first record is lost.
            lock.acquire()
        path = self._store.path_for(meta)
        return Kept(RolloutWriter(path, meta), lock, str(path))

    @staticmethod
    def _acquire(lock: Any) -> None:
        with as_wire_errors():
            try:
                lock.acquire()
            except RolloutNotWritten as error:
                # Where nobody can write, nobody has to be kept from it; the thread goes on, and is not stored.
                if error.errno != errno.EROFS:
                    raise

    def _load(self, meta: SessionMeta, settings: ThreadSettings, tools: DynamicTools, kept: Kept | None) -> LiveThread:
        say = ThreadAnnouncements(self._outgoing, meta.id)
        thread = LiveThread(
            meta, settings, self._limits_of, self._account_limits, tools, say, kept, self._loaded.settled_down
        )
        self._loaded.add(thread)
        return thread

    def _limits_of(self, settings: ThreadSettings) -> ContextLimits:
        facts, config = self._models.find(settings.provider, settings.model), settings.config
        return ContextLimits(
            facts.usable_window(config.model_context_window),
            facts.compaction_limit(config.model_context_window, config.model_auto_compact_token_limit),
        )

    async def _stored_for_fork(self, params: ThreadForkParams) -> tuple[StoredThread, list[Record]]:
        with as_wire_errors():
            found = await self._found(params.thread_id, params.path)
            if found.archived:
                raise Archived(checked_id(params.thread_id))
            return await self._store.load_for_fork(
                found.path,
                archived=found.archived,
                last_turn_id=params.last_turn_id,
                before_turn_id=params.before_turn_id,
            )

    async def _found(self, thread_id: str, path: str | None) -> Found:
        if path:
            return Found(Path(path), archived=False)
        found = await self._store.find(checked_id(thread_id, "session id"))
        if found is None:
            raise NoRollout(thread_id)
        return found


def _require_same_provider(settings: ThreadSettings, stored: StoredThread) -> None:
    """A history is for the provider that it comes from, whose own secrets are in it (encrypted reasoning). A fork may
    go elsewhere.

    :raises InvalidRequest: the client asks for another one.
    """
    before = stored.meta.model_provider
    if before is None or before == settings.provider:
        return
    if before not in settings.config.model_providers:
        raise provider_not_configured(before)
    raise InvalidRequest(
        f"failed to load configuration: Cannot change this thread's model provider from `{before}` to "
        f"`{settings.provider}` on resume."
    )


def _size(path: Path) -> int:
    """How long a file is; nothing if there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
