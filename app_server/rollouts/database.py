"""The database of the index: opened, made, thrown away when it is of no use. What is asked of it is ``index``.

It is a cache. One that cannot be opened or written, is no database, or has another schema costs a look at the files and
nothing else: it is made anew, or, where that cannot be, one in memory takes its place.
"""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final

SCHEMA_VERSION: Final = 1

BUSY_TIMEOUT: Final = 0.5
"""Seconds to wait for another process's transaction; each of ours takes milliseconds."""

_SCHEMA: Final = """
CREATE TABLE threads (
    path TEXT PRIMARY KEY,
    directory TEXT NOT NULL,
    id TEXT,
    archived INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    size INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    recency_ms INTEGER NOT NULL,
    cwd TEXT,
    provider TEXT,
    kind TEXT,
    parent TEXT,
    base TEXT,
    preview TEXT NOT NULL,
    folded TEXT NOT NULL,
    rest TEXT
) WITHOUT ROWID;
CREATE INDEX threads_by_id ON threads(id);
CREATE INDEX threads_by_directory ON threads(directory);
CREATE INDEX threads_by_base ON threads(base) WHERE base IS NOT NULL;
CREATE INDEX threads_silent ON threads(path) WHERE preview = '';
CREATE INDEX threads_by_creation ON threads(archived, created_ms, id);
CREATE INDEX threads_by_update ON threads(archived, updated_ms, id);
CREATE INDEX threads_by_recency ON threads(archived, recency_ms, id);
CREATE TABLE names (id TEXT PRIMARY KEY, name TEXT NOT NULL, folded TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE directories (path TEXT PRIMARY KEY, mtime_ns INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


def open_database(file: Path) -> sqlite3.Connection:
    """The database in a file, made if need be.

    :raises sqlite3.Error: it can be neither used nor made anew.
    :raises OSError: likewise.
    """
    try:
        return _open(file)
    except sqlite3.OperationalError:
        raise  # locked, read-only, no such directory: nothing that is cured by throwing it away
    except sqlite3.DatabaseError:
        discard(file)
        return _open(file)


def open_in_memory() -> sqlite3.Connection:
    """A database that is gone with its connection."""
    connection = _connect(":memory:")
    _prepare(connection)
    return connection


def discard(file: Path) -> None:
    """Remove a database that is of no use.

    :raises OSError: it cannot be removed.
    """
    for suffix in ("-wal", "-shm", ""):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def _open(file: Path) -> sqlite3.Connection:
    # sqlite would make it readable by everybody; the files beside it take over this one's mode.
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    connection = _connect(str(file))
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")  # an outage may cost the cache, which then is made anew
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(name: str) -> sqlite3.Connection:
    # Used by one worker thread at a time, but not always by the same.
    return sqlite3.connect(name, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)


def _prepare(connection: sqlite3.Connection) -> None:
    if _version(connection) == SCHEMA_VERSION:
        connection.execute("SELECT path, rest FROM threads LIMIT 1").fetchall()  # finds out whether it can be read
        return
    connection.execute("BEGIN IMMEDIATE")
    with contextlib.ExitStack() as stack:
        stack.callback(_roll_back, connection)
        if _version(connection) != SCHEMA_VERSION:  # else another process has just made it
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                connection.execute(f'DROP TABLE "{table}"')
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
