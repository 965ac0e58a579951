"""Making the index match the files, at the cost of what has changed and not of what there is.

* A file that has come or gone shows in its directory's modification time.
* A file that grows belongs to a thread that somebody has loaded, whose lock is there meanwhile; and each lock that
  comes or goes shows in the modification time of the locks' directory, upon which all files are looked at once.
* Programs that take no locks are found out by looking at all files once a minute, if anybody asks.

Only what is new in a file without a user's message is read; the beginning of the others stays what it was.
"""

import os
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from app_server.rollouts.head import Head, read_head
from app_server.rollouts.index import Entry, FileState, Index
from app_server.rollouts.layout import ARCHIVED, LOCKS, NAMES, SESSIONS, below, is_thread_id, thread_id_of
from app_server.rollouts.names import read_names
from app_server.rollouts.summary import ThreadSummary

_LEVELS: Final = (r"\d{4}", r"\d{2}", r"\d{2}")
_SWEEP_INTERVAL: Final = 60.0
_CHUNK: Final = 256
"""Files that are read between two transactions, so that another process never waits long."""

_FINE: Final = 100_000_000
_COARSE: Final = 2_500_000_000
"""Nanoseconds in which a directory may change twice with one modification time, by the file system's clock."""


def refresh(index: Index, home: Path, notes: Iterable[ThreadSummary] = ()) -> None:
    """Bring the index up to date. Blocks.

    :param notes: threads of this process that have changed.
    :raises sqlite3.Error: the database is of no use.
    """
    _Refresh(index, home).run(notes)


class _Refresh:
    def __init__(self, index: Index, home: Path) -> None:
        self._index = index
        self._home = home
        self._now_ns = time.time_ns()
        self._known = index.directories()
        self._leaves: list[tuple[str, bool]] = []
        self._grown: list[tuple[str, FileState]] = []
        self._to_read: list[tuple[str, FileState]] = []
        self._gone: list[str] = []
        self._read_directories: dict[str, int] = {}
        self._gone_directories: list[str] = []

    def run(self, notes: Iterable[ThreadSummary]) -> None:
        locks, held = self._locks()
        sweep = locks == 0 or locks != self._index.fact("locks") or self._is_time_to_sweep()
        self._walk(SESSIONS, _LEVELS)
        self._walk(ARCHIVED, ())
        for leaf, changed in self._leaves:
            if changed or sweep:
                self._compare(leaf)
        if not sweep:
            self._look_at(self._index.silent_files())
            for thread_id in held:
                self._look_at(self._index.files_of(thread_id))
        self._store(list(notes), locks if sweep else None)
        self._refresh_names()

    def _locks(self) -> tuple[int, list[str]]:
        """The state of the locks' directory, 0 if it may change unnoticed, and the threads that are loaded."""
        directory = below(self._home, LOCKS)
        mtime_ns = self._modified(directory)
        names = _names(directory) if mtime_ns is not None else []
        held = [name.removesuffix(".lock") for name in names if is_thread_id(name.removesuffix(".lock"))]
        return (1 if mtime_ns is None else mtime_ns), held

    def _is_time_to_sweep(self) -> bool:
        last = self._index.fact("swept_at")
        return last is None or not 0 <= self._now_ns / 1e9 - last < _SWEEP_INTERVAL

    def _modified(self, directory: str) -> int | None:
        """When a directory was changed last, 0 if it may change again without showing it; None if there is none."""
        try:
            mtime_ns = os.stat(directory).st_mtime_ns  # noqa: PTH116 - hundreds of them for one answer
        except OSError:
            return None
        window = _FINE if mtime_ns % 1_000_000_000 else _COARSE
        return mtime_ns if self._now_ns - mtime_ns > window else 0

    def _walk(self, path: str, levels: tuple[str, ...]) -> None:
        mtime_ns = self._modified(below(self._home, path))
        if mtime_ns is None:
            if path in self._known:
                self._gone_directories.append(path)
            return
        changed = mtime_ns == 0 or self._known.get(path) != mtime_ns
        if changed:
            self._read_directories[path] = mtime_ns
        if not levels:
            self._leaves.append((path, changed))
            return
        prefix = f"{path}/"
        known = {other for other in self._known if other.startswith(prefix) and "/" not in other[len(prefix) :]}
        children = known
        if changed:
            names = _names(below(self._home, path))
            children = {prefix + name for name in names if re.fullmatch(levels[0], name, re.ASCII)}
            self._gone_directories += known - children
        for child in sorted(children):
            self._walk(child, levels[1:])

    def _compare(self, directory: str) -> None:
        """Find out what has come, gone and grown in a directory."""
        known = self._index.files(directory)
        try:
            with os.scandir(below(self._home, directory)) as entries:
                for entry in entries:
                    if thread_id_of(entry.name) is None:
                        continue
                    path = f"{directory}/{entry.name}"
                    self._judge(path, known.pop(path, None), _state(entry))
        except OSError:
            return
        self._gone += known

    def _look_at(self, files: dict[str, FileState]) -> None:
        for path, known in files.items():
            try:
                status = os.stat(below(self._home, path))  # noqa: PTH116 - see above
            except OSError:
                continue  # its directory tells
            self._judge(path, known, FileState(status.st_mtime_ns, status.st_size))

    def _judge(self, path: str, known: FileState | None, state: FileState | None) -> None:
        if state is None or state == known:
            return
        if known is None or state.size < known.size:
            self._to_read.append((path, state))
        else:
            self._grown.append((path, state))

    def _store(self, notes: list[ThreadSummary], locks: int | None) -> None:
        if self._gone_directories or self._gone or self._grown:
            self._store_changes()
        # A fork shows what was said first in the thread that it comes from, which is older.
        self._to_read.sort(key=lambda file: file[0].rpartition("/")[2])
        for start in range(0, len(self._to_read), _CHUNK):
            heads = [
                (path, state, read_head(self._home / path)) for path, state in self._to_read[start : start + _CHUNK]
            ]
            with self._index.changing():
                for path, state, head in heads:
                    self._index.put(self._entry(path, state, head))
        noted = [(note, found) for note in notes if (found := self._noted(note)) is not None]
        if not noted and not self._read_directories and locks is None:
            return
        with self._index.changing():
            for note, (path, state) in noted:
                self._index.put(Entry(path, path.startswith(ARCHIVED), state, note, self._index.base(path)))
            # Only now, so that a refresh that is cut short is done again.
            for directory, mtime_ns in self._read_directories.items():
                self._index.set_directory(directory, mtime_ns)
            if locks is not None:
                self._index.set_fact("locks", locks)
                self._index.set_fact("swept_at", self._now_ns // 1_000_000_000)

    def _store_changes(self) -> None:
        with self._index.changing():
            for directory in self._gone_directories:
                self._index.remove_directory(directory)
            self._index.remove(self._gone)
            silent = self._index.silent_files()
            for path, state in self._grown:
                if path in silent:
                    self._to_read.append((path, state))
                else:
                    self._index.touch(path, state)

    def _entry(self, path: str, state: FileState, head: Head | None) -> Entry:
        archived = path.startswith(ARCHIVED)
        if head is None:
            return Entry(path, archived, state, None)
        inherited = self._index.preview(head.base_thread_id) if head.base_thread_id else ""
        summary = ThreadSummary.of_meta(
            head.meta,
            self._home / path,
            preview=inherited or head.preview,
            context=head.context,
            updated_at_ms=state.mtime_ms,
            archived=archived,
        )
        return Entry(path, archived, state, summary, head.base_thread_id)

    def _noted(self, note: ThreadSummary) -> tuple[str, FileState] | None:
        try:
            relative = note.path.relative_to(self._home).as_posix()
            status = note.path.stat()
        except (ValueError, OSError):
            return None
        return relative, FileState(status.st_mtime_ns, status.st_size)

    def _refresh_names(self) -> None:
        try:
            status = os.stat(below(self._home, NAMES))  # noqa: PTH116 - see above
        except OSError:
            state, inode, size = "", 0, 0
        else:
            inode, size = status.st_ino, status.st_size
            state = f"{inode} {size} {status.st_mtime_ns}"
        if state == (self._index.fact("names") or ""):
            return
        end = self._index.fact("names_end") or 0
        has_grown = self._index.fact("names_inode") == inode and size >= end
        names, end = read_names(self._home, end if has_grown else 0)
        with self._index.changing():
            self._index.put_names(names, all_of_them=not has_grown)
            self._index.set_fact("names", state)
            self._index.set_fact("names_end", end)
            self._index.set_fact("names_inode", inode)


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names are all it takes
    except OSError:
        return []


def _state(entry: "os.DirEntry[str]") -> FileState | None:
    try:
        status = entry.stat()
    except OSError:
        return None
    return FileState(status.st_mtime_ns, status.st_size)
