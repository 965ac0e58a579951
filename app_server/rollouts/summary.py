"""What a list of threads consists of: the question, a thread without its turns, a page of them.

Times are kept in milliseconds, because they are what lists are sorted by; clients are told seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from app_server.rollouts import sources
from app_server.rollouts.stored import SessionMeta, StoredThread, milliseconds

SortKey = Literal["created_at", "updated_at", "recency_at"]

DEFAULT_LIMIT = 25
LARGEST_LIMIT = 100


@dataclass(frozen=True, slots=True)
class ThreadSummary:
    """A stored thread without its turns."""

    id: str
    session_id: str
    path: Path
    archived: bool
    preview: str
    name: str | None
    created_at_ms: int
    updated_at_ms: int
    recency_at_ms: int
    """Begin of the last turn; the last append, where that is not known."""
    cwd: str
    source: Any
    """As clients are told it."""
    model_provider: str | None
    model: str | None
    effort: str | None
    cli_version: str
    originator: str | None
    history_mode: str
    thread_source: str | None = None
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    git: tuple[str | None, str | None, str | None] | None = None
    """Commit, branch and URL."""

    @property
    def created_at(self) -> int:
        """Unix time in seconds."""
        return self.created_at_ms // 1000

    @property
    def updated_at(self) -> int:
        """Unix time in seconds."""
        return self.updated_at_ms // 1000

    @property
    def recency_at(self) -> int:
        """Unix time in seconds."""
        return self.recency_at_ms // 1000

    @classmethod
    def of_meta(
        cls,
        meta: SessionMeta,
        path: Path,
        *,
        preview: str,
        context: dict[str, Any],
        updated_at_ms: int,
        recency_at_ms: int | None = None,
        archived: bool = False,
        name: str | None = None,
    ) -> "ThreadSummary":
        """The summary of a thread that is in memory.

        :param context: its last ``turn_context``: ``model`` and ``effort`` are taken from there.
        """
        return cls(
            id=meta.id,
            session_id=meta.session_id,
            path=path,
            archived=archived,
            preview=preview,
            name=name,
            created_at_ms=milliseconds(meta.created_at),
            updated_at_ms=updated_at_ms,
            recency_at_ms=updated_at_ms if recency_at_ms is None else recency_at_ms,
            cwd=meta.cwd,
            source=sources.wire(meta.source),
            model_provider=meta.model_provider,
            model=_text(context.get("model")),
            effort=_text(context.get("effort")),
            cli_version=meta.cli_version,
            originator=meta.originator,
            history_mode=meta.history_mode,
            thread_source=meta.thread_source,
            forked_from_id=meta.forked_from_id,
            parent_thread_id=meta.parent_thread_id or sources.parent_of(meta.source),
            git=meta.git,
        )

    @classmethod
    def of(cls, thread: StoredThread) -> "ThreadSummary":
        """The summary of a thread that has been read."""
        return cls.of_meta(
            thread.meta,
            thread.path,
            preview=thread.preview,
            context=thread.context,
            updated_at_ms=thread.updated_at * 1000,
            archived=thread.archived,
            name=thread.name,
        )


@dataclass(frozen=True, slots=True)
class ThreadQuery:
    """Which threads, in which order, and which part of them."""

    cursor: str | None = None
    limit: int | None = None
    """25 if it is None; at least 1, at most 100."""
    sort_key: SortKey | None = None
    """``created_at`` if it is None."""
    sort_direction: Literal["asc", "desc"] | None = None
    """``desc`` if it is None."""
    model_providers: Sequence[str] | None = None
    """All if it is None or empty."""
    source_kinds: Sequence[str] | None = None
    """Those that people talk to if it is None or empty: cli, vscode, and programs by their own names."""
    archived: bool | None = None
    """The archived ones only, or the others only."""
    cwd: str | Sequence[str] | None = None
    """Exactly this folder, or one of these; an empty sequence finds nothing."""
    search_term: str | None = None
    """A part of the name or the preview, in any case."""
    parent_thread_id: str | None = None
    excluded_thread_ids: Sequence[str] | None = None
    use_state_db_only: bool = False
    """Answer from the index as it is, without a look at the files."""


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """A part of a list."""

    summaries: list[ThreadSummary]
    next_cursor: str | None
    """For the part that follows; None after the last."""
    backwards_cursor: str | None
    """For a list in the other direction that begins at the first of these; None if there are none."""


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
