"""What can be wrong with stored threads, in the reference's texts, as one tree. ``str()`` of each is for the client.

RolloutError
├── NoRollout                  no such thread, or it is archived
├── NoArchivedRollout          no such thread among the archived ones
├── AlreadyBeingWritten        another process, or another part of this one, has it loaded
├── HistoryStillReferenced     forks of the reference read their history from it
├── TurnNotFound               no such turn to fork at
├── InvalidCursor              not from an answer to ``thread/list``
├── RolloutPathNotFound        there is no file at a path that the client gave
├── RolloutUnreadable          a file without a thread in it, or one that cannot be read
└── RolloutNotWritten          the file system refuses; also an OSError, with its errno
"""

import os
from pathlib import Path


class RolloutError(Exception):
    """Base of everything raised on purpose by this package."""

    @property
    def message(self) -> str:
        """The text for the client."""
        return str(self)


class NoRollout(RolloutError):
    """There is no such thread, or it is archived."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"no rollout found for thread id {thread_id}")


class NoArchivedRollout(RolloutError):
    """There is no such thread among the archived ones."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"no archived rollout found for thread id {thread_id}")


class AlreadyBeingWritten(RolloutError):
    """Somebody else has the thread loaded."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"thread {thread_id} already has an active writer")


class HistoryStillReferenced(RolloutError):
    """Forks keep their history in this thread's file."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"cannot delete thread {thread_id}: forked history still references it")


class TurnNotFound(RolloutError):
    """The turn to fork at is not there.

    :param parameter: ``lastTurnId`` or ``beforeTurnId``.
    """

    def __init__(self, parameter: str, turn_id: str) -> None:
        super().__init__(f"{parameter} '{turn_id}' was not found in the source thread")


class InvalidCursor(RolloutError):
    """Not a cursor of ``thread/list``."""

    def __init__(self, cursor: str) -> None:
        super().__init__(f"invalid cursor: {cursor}")


class RolloutPathNotFound(RolloutError):
    """There is no file at a path that the client gave."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"failed to resolve rollout path `{path}`: {what}")


class RolloutUnreadable(RolloutError):
    """A file without a thread in it, or one that cannot be read."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"failed to read thread: thread-store internal error: failed to read session metadata {path}: {what}"
        )


class RolloutNotWritten(RolloutError, OSError):
    """The file system refuses to keep the thread. Nothing of what was to be written is there, or it is torn and is
    repaired by the next append."""

    def __init__(self, path: Path, error: OSError) -> None:
        reason = error.strerror or type(error).__name__
        super().__init__(f"failed to write {path}: {reason}")
        self.errno = error.errno
        self.strerror = reason

    def __str__(self) -> str:
        return str(self.args[0])

    @classmethod
    def because(cls, path: Path, errno: int) -> "RolloutNotWritten":
        """For a reason that the system has a number for."""
        return cls(path, OSError(errno, os.strerror(errno)))
