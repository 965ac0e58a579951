"""Appending to a rollout. Whoever does it holds the thread's :class:`~app_server.rollouts.lock.WriterLock`.

The file is readable by its owner only, and so are directories made for it: a conversation is private. It is opened for
each append, so that a loaded thread costs no descriptor but its lock's. What has been appended outlives the process; an
outage of the machine may take the last lines along.
"""

import errno
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from app_server.rollouts.appending import append_text
from app_server.rollouts.errors import RolloutNotWritten
from app_server.rollouts.layout import make_directories
from app_server.rollouts.legacy import translated
from app_server.rollouts.lines import encode
from app_server.rollouts.meta import payload_of
from app_server.rollouts.records import Record
from app_server.rollouts.stored import SessionMeta


def _now() -> datetime:
    return datetime.now(UTC)


class RolloutWriter:
    """The end of one thread's file. It creates nothing until there is something to write.

    :param next_ordinal: number of the next record, from :class:`StoredThread` for a file that is there already.
    :param torn: the last line there has no end. Whatever this says, each append looks first.
    :param now: the time that lines get.
    """

    def __init__(
        self,
        path: Path,
        meta: SessionMeta,
        *,
        next_ordinal: int = 0,
        torn: bool = False,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self.path = path
        self._meta = meta
        self._ordinal = next_ordinal
        self._now = now
        self._closed = False
        self._materialized = next_ordinal > 0 or torn or path.exists()

    @property
    def materialized(self) -> bool:
        """Whether there is a file."""
        return self._materialized

    def materialize(self) -> None:
        """See to it that there is a file, if only with the thread's meta in it.

        :raises RolloutNotWritten: there cannot be one.
        """
        if not self._materialized:
            self._append([])

    def append(self, *records: Record) -> None:
        """Append records with one write(2), before which a torn last line gets its end.

        :raises RolloutNotWritten: the file system refuses, or the file is gone. The next append begins where this one
            did.
        """
        if records:
            self._append(list(records))

    def close(self) -> None:
        """Write nothing any more."""
        self._closed = True

    def _append(self, records: list[Record]) -> None:
        if self._closed:
            raise RolloutNotWritten.because(self.path, errno.EBADF)
        told = records if self._materialized else [Record("session_meta", payload_of(self._meta)), *records]
        if self._meta.history_mode == "paginated":
            text = encode(told, self._ordinal, self._now())
        else:
            text = encode(translated(told), None, self._now())
        try:
            if not self._materialized:
                make_directories(self.path.parent)
            append_text(self.path, text, creation="refused" if self._materialized else "required")
        except OSError as error:
            raise RolloutNotWritten(self.path, error) from error
        self._materialized = True
        self._ordinal += len(told)
