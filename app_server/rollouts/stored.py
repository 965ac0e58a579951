"""What a stored thread is once it has been read: plain values. How they lie in a file is ``lines`` and ``replay``."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from protocol.turn import ThreadTokenUsage, Turn


@dataclass(frozen=True, slots=True)
class SessionMeta:
    """What a thread is from its beginning: the first line of its file (``session_meta``)."""

    id: str
    session_id: str
    created_at: datetime
    """In UTC, to the millisecond."""
    cwd: str
    originator: str | None
    cli_version: str
    source: Any = "vscode"
    """JSON as it is stored; ``sources.wire`` has it as clients are told."""
    model_provider: str | None = None
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    thread_source: str | None = None
    base_instructions: str | None = None
    developer_instructions: str | None = None
    dynamic_tools: tuple[Any, ...] = ()
    """As clients send them."""
    history_mode: str = "paginated"
    """Which form the file has; a file is continued in its own form, and a fork has the form of its source."""
    git: tuple[str | None, str | None, str | None] | None = None
    """Commit, branch and URL of the repository; only the reference looks."""


@dataclass(frozen=True, slots=True)
class HistoryBase:
    """Where the history of a fork of the reference begins: in the file of another thread."""

    thread_id: str
    end_ordinal: int
    """The first ordinal there that is no part of it."""


@dataclass(slots=True)
class StoredThread:
    """A thread as its file has it."""

    meta: SessionMeta
    path: Path
    archived: bool
    turns: list[Turn]
    """With all of their items. One that was never ended counts as interrupted."""
    history: list[dict[str, Any]]
    """What the model sees: items of the Responses API after the last compaction, without bookkeeping."""
    usage: ThreadTokenUsage | None
    context: dict[str, Any]
    """The last ``turn_context``; empty if there is none."""
    preview: str
    name: str | None
    updated_at: int
    """Unix time in seconds of the last append."""
    next_ordinal: int
    torn: bool
    """The last line has no end, so the next append has to begin a new one."""

    @classmethod
    def empty(cls, meta: SessionMeta, path: Path, name: str | None = None) -> "StoredThread":
        """A thread that nothing has happened in, whether or not it has a file."""
        return cls(
            meta=meta,
            path=path,
            archived=False,
            turns=[],
            history=[],
            usage=None,
            context={},
            preview="",
            name=name,
            updated_at=int(meta.created_at.timestamp()),
            next_ordinal=0,
            torn=False,
        )


def timestamp(moment: datetime) -> str:
    """A time as records have it: RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(moment: datetime) -> int:
    """Unix time in milliseconds."""
    return round(moment.timestamp() * 1000)
