"""Threads as the wire has them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from app_server.rollouts.stored import StoredThread, milliseconds
from app_server.rollouts.summary import ThreadSummary
from app_server.threads.thread import LiveThread
from protocol.thread import (
    GitInfo,
    NotLoadedThreadStatus,
    SessionSource,
    Thread,
    ThreadStartResponse,
    ThreadStatus,
)
from protocol.turn import Turn

R = TypeVar("R", bound=ThreadStartResponse)

NOT_LOADED = ThreadStatus(NotLoadedThreadStatus())


def summary(thread: LiveThread) -> ThreadSummary:
    """A loaded thread without what only a loaded thread has."""
    return ThreadSummary.of_meta(
        thread.meta,
        Path("" if thread.kept is None else thread.kept.path),
        preview=thread.preview,
        context=thread.settings.context(),
        updated_at_ms=thread.updated_at_ms,
        recency_at_ms=thread.recency_at_ms,
        name=thread.name,
    )


def live(thread: LiveThread, turns: Sequence[Turn] = ()) -> Thread:
    """A loaded thread."""
    return summarized(summary(thread)).model_copy(
        update={
            "ephemeral": thread.kept is None,
            "path": None if thread.kept is None else thread.kept.path,
            "model_provider": thread.settings.provider,
            "cwd": thread.settings.cwd,
            "status": thread.status,
            "can_accept_direct_input": True,
            "turns": list(turns),
        }
    )


def all_turns(thread: LiveThread) -> list[Turn]:
    """Its turns, with the one that runs."""
    return [*thread.turns, *([thread.turn.snapshot()] if thread.turn is not None else [])]


def stored(thread: StoredThread, turns: Sequence[Turn] = ()) -> Thread:
    """A thread that is only stored."""
    told = ThreadSummary.of_meta(
        thread.meta,
        thread.path,
        preview=thread.preview,
        context=thread.context,
        updated_at_ms=thread.updated_at * 1000,
        recency_at_ms=max((turn.started_at or 0 for turn in thread.turns), default=0) * 1000
        or milliseconds(thread.meta.created_at),
        archived=thread.archived,
        name=thread.name,
    )
    return summarized(told).model_copy(update={"turns": list(turns)})


def summarized(told: ThreadSummary) -> Thread:
    """A thread in a list."""
    return Thread(
        id=told.id,
        session_id=told.session_id,
        forked_from_id=told.forked_from_id,
        parent_thread_id=told.parent_thread_id,
        preview=told.preview,
        ephemeral=False,
        project_id=None,
        history_mode="legacy" if told.history_mode == "legacy" else "paginated",
        model_provider=told.model_provider or "openai",
        model=told.model,
        reasoning_effort=told.effort,
        created_at=told.created_at,
        updated_at=told.updated_at,
        recency_at=told.recency_at,
        status=NOT_LOADED,
        path=str(told.path),
        cwd=told.cwd,
        cli_version=told.cli_version,
        originator=told.originator,
        source=_source(told.source),
        thread_source=told.thread_source,
        git_info=_git(told.git),
        name=told.name,
        turns=[],
    )


def opened(kind: type[R], thread: LiveThread, turns: Sequence[Turn] = ()) -> R:
    """The answer to a request that loads a thread: the thread, and the settings in force."""
    settings = thread.settings
    return kind(
        thread=live(thread, turns),
        model=settings.model,
        model_provider=settings.provider,
        service_tier=settings.service_tier,
        cwd=settings.cwd,
        runtime_workspace_roots=[settings.cwd],
        approval_policy=settings.approval_policy,
        approvals_reviewer=settings.approvals_reviewer,
        sandbox=settings.sandbox,
        active_permission_profile=settings.permission_profile,
        reasoning_effort=settings.effort,
    )


def _git(told: tuple[str | None, str | None, str | None] | None) -> GitInfo | None:
    return None if told is None else GitInfo(sha=told[0], branch=told[1], origin_url=told[2])


def _source(value: object) -> SessionSource:
    """The source as it was stored; a word that clients do not know is `unknown` to them."""
    try:
        return SessionSource.model_validate(value)
    except ValueError:
        return SessionSource("unknown")
