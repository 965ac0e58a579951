"""The index as one process has it: in its file, or in memory for as long as the file is of no use.

Everything here blocks, and is called by one worker thread at a time.
"""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from app_server.rollouts import database
from app_server.rollouts.index import Index
from app_server.rollouts.layout import ARCHIVED, INDEX, SESSIONS
from app_server.rollouts.refresh import refresh
from app_server.rollouts.summary import ThreadSummary

T = TypeVar("T")

log = logging.getLogger(__name__)

_RETRY_INTERVAL: Final = 60.0
"""Seconds for which the index stays in memory before its file is tried again."""


class CachedIndex:
    """Answers from an index that matches the files."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._file = home / INDEX
        self._index: Index | None = None
        self._in_memory = False
        self._retry_at = 0.0

    def ask(self, question: Callable[[Index], T], notes: tuple[ThreadSummary, ...], *, fresh: bool = True) -> T:
        """Ask the index something.

        :param notes: threads of this process that have changed.
        :param fresh: whether to look at the files first. An index in memory is always made from them.
        """
        if not any((self._home / directory).is_dir() for directory in (SESSIONS, ARCHIVED)):
            return self._ask_nothing(question)  # and leave a home that nobody uses as it is
        try:
            return self._ask(question, notes, fresh)
        except (sqlite3.Error, OSError) as error:
            # Broken, locked, or on a disk that is full: the files themselves are enough.
            log.warning("the index of threads is of no use now: %s", type(error).__name__)
            self._abandon(error)
            return self._ask(question, notes, fresh)

    def close(self) -> None:
        """Close the database."""
        if self._index is not None:
            index, self._index = self._index, None
            index.close()

    def _ask_nothing(self, question: Callable[[Index], T]) -> T:
        with contextlib.closing(database.open_in_memory()) as connection:
            return question(Index(connection, self._home))

    def _ask(self, question: Callable[[Index], T], notes: tuple[ThreadSummary, ...], fresh: bool) -> T:
        index, is_empty = self._opened()
        if fresh or is_empty:
            refresh(index, self._home, notes)
        return question(index)

    def _opened(self) -> tuple[Index, bool]:
        if self._in_memory and time.monotonic() >= self._retry_at:
            self.close()
            self._in_memory = False
        if self._index is None:
            connection = database.open_in_memory() if self._in_memory else database.open_database(self._file)
            self._index = Index(connection, self._home)
        return self._index, self._index.fact("swept_at") is None

    def _abandon(self, error: Exception) -> None:
        self.close()
        damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
        if damaged and not self._in_memory:
            try:
                database.discard(self._file)
            except OSError:
                damaged = False
        if not damaged:
            self._in_memory = True
            self._retry_at = time.monotonic() + _RETRY_INTERVAL
