"""``session_index.jsonl``: the names of threads, one line each time that one is given. The last line counts.

Everything here blocks. As in the reference, ``session_index.jsonl.lock`` is held while the file is changed.
"""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app_server.rollouts.appending import append_text
from app_server.rollouts.brief_lock import held_briefly
from app_server.rollouts.errors import RolloutNotWritten
from app_server.rollouts.layout import NAMES, make_directories
from app_server.rollouts.stored import timestamp
from protocol.json_codec import dumps, loads


def _now() -> datetime:
    return datetime.now(UTC)


def read_names(home: Path, offset: int = 0) -> tuple[dict[str, str], int]:
    """The names from a place in the file on, by thread, and where its last complete line ends.

    :param offset: bytes; where an earlier reading has ended.
    """
    try:
        with (home / NAMES).open("rb") as file:
            file.seek(offset)
            content = file.read()
    except OSError:
        return {}, 0
    end = content.rfind(b"\n") + 1
    names = {}
    for line in content[:end].split(b"\n"):
        if (entry := _entry(line)) is not None:
            names[entry[0]] = entry[1]
    return names, offset + end


class NameBook:
    """The names as one process has read them; only what has been added since is read again. For any thread."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._guard = threading.Lock()
        self._names: dict[str, str] = {}
        self._inode = 0
        self._size = 0
        self._end = 0

    def name(self, thread_id: str) -> str | None:
        """The name of a thread; None if it has none."""
        with self._guard:
            self._refresh()
            return self._names.get(thread_id)

    def _refresh(self) -> None:
        try:
            status = (self._home / NAMES).stat()
        except OSError:
            self._names, self._inode, self._size, self._end = {}, 0, 0, 0
            return
        if (status.st_ino, status.st_size) == (self._inode, self._size):
            return
        if status.st_ino != self._inode or status.st_size < self._end:
            self._names, self._end = {}, 0
        names, self._end = read_names(self._home, self._end)
        self._names |= names
        self._inode, self._size = status.st_ino, status.st_size


def append_name(home: Path, thread_id: str, name: str, now: Callable[[], datetime] = _now) -> None:
    """Give a thread a name.

    :raises RolloutNotWritten: the file system refuses.
    """
    line = dumps({"id": thread_id, "thread_name": name, "updated_at": timestamp(now())}) + b"\n"
    with _changing(home) as path:
        append_text(path, line, creation="allowed")


def forget_names(home: Path, thread_id: str) -> None:
    """Take a deleted thread's names out; everything else stays as it is.

    :raises RolloutNotWritten: the file system refuses.
    """
    with _changing(home) as path:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return
        lines = content.splitlines(keepends=True)
        kept = [line for line in lines if (entry := _entry(line)) is None or entry[0] != thread_id]
        if len(kept) == len(lines):
            return
        temporary = path.with_name(f".{NAMES}.{os.getpid()}")
        try:
            temporary.touch(mode=0o600)
            temporary.write_bytes(b"".join(kept))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _changing(home: Path) -> Iterator[Path]:
    path = home / NAMES
    try:
        make_directories(home)
        with held_briefly(path.with_name(f"{NAMES}.lock"), exclusive=True) as alone:
            if not alone:
                raise OSError(errno.EAGAIN, "another process is changing it")
            yield path
    except OSError as error:
        raise RolloutNotWritten(path, error) from error


def _entry(line: bytes) -> tuple[str, str] | None:
    try:
        entry: Any = loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict):
        return None
    thread_id, name = entry.get("id"), entry.get("thread_name")
    return (thread_id, name) if isinstance(thread_id, str) and isinstance(name, str) else None
