"""The index: what is asked of the database and put into it. When that is, is ``refresh``'s business.

Everything here blocks. Paths are those below CODEX_HOME, so that the directory can be moved.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from app_server.rollouts import cursors, sources
from app_server.rollouts.cursors import Cursor
from app_server.rollouts.summary import DEFAULT_LIMIT, LARGEST_LIMIT, ThreadPage, ThreadQuery, ThreadSummary
from protocol.json_codec import dumps, loads

_COLUMNS: Final = {"created_at": "created_ms", "updated_at": "updated_ms", "recency_at": "recency_ms"}


class FileState(NamedTuple):
    """Tells whether a file has changed."""

    mtime_ns: int
    size: int

    @property
    def mtime_ms(self) -> int:
        """Unix time in milliseconds."""
        return self.mtime_ns // 1_000_000


class Entry(NamedTuple):
    """A file in the index: its thread, if there is one in it."""

    path: str
    archived: bool
    state: FileState
    summary: ThreadSummary | None
    base: str | None = None
    """The thread that keeps the beginning of its history."""


class Index:
    """The threads below one CODEX_HOME, as far as they are known.

    :param database: from ``database``; it is closed with this.
    """

    def __init__(self, database: sqlite3.Connection, home: Path) -> None:
        self._database = database
        self._home = home

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Make changes together.

        :raises sqlite3.OperationalError: another process does not let go of the database.
        """
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        finally:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    def fact(self, name: str) -> Any:
        """Something that was noted about the index itself; None if nothing was."""
        row = self._database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def set_fact(self, name: str, value: int | str) -> None:
        """Note something about the index itself."""
        self._database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def directories(self) -> dict[str, int]:
        """The directories that have been read, with the time of their last change."""
        return dict(self._database.execute("SELECT path, mtime_ns FROM directories"))

    def set_directory(self, path: str, mtime_ns: int) -> None:
        """A directory has been read."""
        self._database.execute("INSERT OR REPLACE INTO directories VALUES (?, ?)", (path, mtime_ns))

    def remove_directory(self, path: str) -> None:
        """A directory is gone, with its files and the directories below."""
        below = f"{path}/"
        for table, column in (("threads", "directory"), ("directories", "path")):
            self._database.execute(
                f"DELETE FROM {table} WHERE {column} = ? OR substr({column}, 1, ?) = ?",  # noqa: S608 - constants
                (path, len(below), below),
            )

    def files(self, directory: str) -> dict[str, FileState]:
        """The files of a directory."""
        rows = self._database.execute("SELECT path, mtime_ns, size FROM threads WHERE directory = ?", (directory,))
        return {path: FileState(mtime_ns, size) for path, mtime_ns, size in rows}

    def silent_files(self) -> dict[str, FileState]:
        """The files in which nobody has said anything yet."""
        rows = self._database.execute("SELECT path, mtime_ns, size FROM threads WHERE preview = ''")
        return {path: FileState(mtime_ns, size) for path, mtime_ns, size in rows}

    def files_of(self, thread_id: str) -> dict[str, FileState]:
        """The files of a thread."""
        rows = self._database.execute("SELECT path, mtime_ns, size FROM threads WHERE id = ?", (thread_id,))
        return {path: FileState(mtime_ns, size) for path, mtime_ns, size in rows}

    def find(self, thread_id: str) -> list[tuple[str, bool]]:
        """The files of a thread and whether each is archived; those that are not come first."""
        rows = self._database.execute("SELECT path, archived FROM threads WHERE id = ? ORDER BY archived", (thread_id,))
        return [(path, bool(archived)) for path, archived in rows]

    def has_forks(self, thread_id: str) -> bool:
        """Whether there are threads whose history begins in this one's file."""
        row = self._database.execute("SELECT 1 FROM threads WHERE base = ? LIMIT 1", (thread_id,)).fetchone()
        return row is not None

    def base(self, path: str) -> str | None:
        """The thread in whose file the history of a file begins."""
        row = self._database.execute("SELECT base FROM threads WHERE path = ?", (path,)).fetchone()
        return None if row is None else row[0]

    def preview(self, thread_id: str) -> str:
        """What the user said first in a thread; empty if nothing, or there is no such thread."""
        row = self._database.execute(
            "SELECT preview FROM threads WHERE id = ? AND preview <> '' LIMIT 1", (thread_id,)
        ).fetchone()
        return "" if row is None else str(row[0])

    def put(self, entry: Entry) -> None:
        """A file is there."""
        summary, state = entry.summary, entry.state
        directory = entry.path.rpartition("/")[0]
        values: tuple[Any, ...]
        if summary is None:
            values = (None, entry.archived, *state, 0, 0, 0, None, None, None, None, None, "", "", None)
        else:
            values = (
                summary.id,
                entry.archived,
                *state,
                summary.created_at_ms,
                summary.updated_at_ms,
                summary.recency_at_ms,
                summary.cwd,
                summary.model_provider,
                sources.kind(summary.source),
                summary.parent_thread_id,
                entry.base,
                summary.preview,
                summary.preview.casefold(),
                dumps(_rest(summary)).decode(),
            )
        self._database.execute(
            "INSERT OR REPLACE INTO threads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (entry.path, directory, *values),
        )

    def touch(self, path: str, state: FileState) -> None:
        """A file has grown. Its beginning is what it was."""
        self._database.execute(
            "UPDATE threads SET mtime_ns = ?, size = ?, updated_ms = ?, recency_ms = ? WHERE path = ?",
            (*state, state.mtime_ms, state.mtime_ms, path),
        )

    def remove(self, paths: Iterable[str]) -> None:
        """Files are gone."""
        self._database.executemany("DELETE FROM threads WHERE path = ?", [(path,) for path in paths])

    def put_names(self, names: dict[str, str], *, all_of_them: bool) -> None:
        """Threads have names."""
        if all_of_them:
            self._database.execute("DELETE FROM names")
        self._database.executemany(
            "INSERT OR REPLACE INTO names VALUES (?, ?, ?)",
            [(thread_id, name, name.casefold()) for thread_id, name in names.items()],
        )

    def page(self, query: ThreadQuery) -> ThreadPage:
        """A part of the list.

        :raises InvalidCursor: the query's cursor is none.
        """
        column = _COLUMNS[query.sort_key or "created_at"]
        descending = query.sort_direction != "asc"
        limit = min(max(DEFAULT_LIMIT if query.limit is None else query.limit, 1), LARGEST_LIMIT)
        conditions, values = _conditions(query)
        if query.cursor is not None:
            place, bounds = _after(cursors.parse(query.cursor), column, "<" if descending else ">")
            conditions.append(place)
            values += bounds
        order = "DESC" if descending else "ASC"
        rows = self._database.execute(
            "SELECT threads.*, names.name FROM threads LEFT JOIN names ON names.id = threads.id "  # noqa: S608
            f"WHERE {' AND '.join(conditions)} ORDER BY {column} {order}, threads.id {order} LIMIT ?",
            (*values, limit + 1),
        ).fetchall()
        summaries = [self._summary(row) for row in rows[:limit]]
        times = [summary_time(summary, column) for summary in summaries]
        return ThreadPage(
            summaries,
            next_cursor=str(Cursor(times[-1], summaries[-1].id)) if len(rows) > limit else None,
            backwards_cursor=str(Cursor(times[0] - 1, None)) if summaries else None,
        )

    def _summary(self, row: tuple[Any, ...]) -> ThreadSummary:
        (
            path,
            _,
            thread_id,
            archived,
            _,
            _,
            created,
            updated,
            recency,
            cwd,
            provider,
            _,
            parent,
            _,
            preview,
            _,
            rest,
            name,
        ) = row
        told = loads(rest.encode())
        git = told.pop("git", None)
        return ThreadSummary(
            id=thread_id,
            path=self._home / path,
            archived=bool(archived),
            preview=preview,
            name=name,
            created_at_ms=created,
            updated_at_ms=updated,
            recency_at_ms=recency,
            cwd=cwd,
            model_provider=provider,
            parent_thread_id=parent,
            git=None if git is None else tuple(git),
            **told,
        )


def summary_time(summary: ThreadSummary, column: str) -> int:
    """The time that a list is sorted by, in milliseconds."""
    times = {
        "created_ms": summary.created_at_ms,
        "updated_ms": summary.updated_at_ms,
        "recency_ms": summary.recency_at_ms,
    }
    return times[column]


def _conditions(query: ThreadQuery) -> tuple[list[str], list[Any]]:
    conditions = ["archived = ?", "preview <> ''"]
    values: list[Any] = [bool(query.archived)]

    def one_of(column: str, wanted: Iterable[str], negation: str = "") -> None:
        chosen = list(wanted)
        conditions.append(f"{column} {negation} IN ({', '.join('?' * len(chosen))})")
        values.extend(chosen)

    one_of("kind", sources.kinds_for(query.source_kinds))
    if query.model_providers:
        one_of("provider", query.model_providers)
    if query.cwd is not None:
        one_of("cwd", [query.cwd] if isinstance(query.cwd, str) else query.cwd)
    if query.parent_thread_id is not None:
        one_of("parent", [query.parent_thread_id])
    if query.excluded_thread_ids:
        one_of("threads.id", query.excluded_thread_ids, "NOT")
    if query.search_term:
        term = query.search_term.casefold()
        conditions.append("(instr(threads.folded, ?) OR instr(coalesce(names.folded, ''), ?))")
        values += [term, term]
    return conditions, values


def _after(cursor: Cursor, column: str, beyond: str) -> tuple[str, list[Any]]:
    if cursor.thread_id is None:
        return f"{column} {beyond} ?", [cursor.time_ms]
    return f"({column}, threads.id) {beyond} (?, ?)", [cursor.time_ms, cursor.thread_id]


def _rest(summary: ThreadSummary) -> dict[str, Any]:
    return {
        "session_id": summary.session_id,
        "source": summary.source,
        "model": summary.model,
        "effort": summary.effort,
        "cli_version": summary.cli_version,
        "originator": summary.originator,
        "history_mode": summary.history_mode,
        "thread_source": summary.thread_source,
        "forked_from_id": summary.forked_from_id,
        "git": summary.git,
    }
