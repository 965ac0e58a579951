"""Reading a rollout: the file itself, and for a fork of the reference the files that its history begins in.

Everything here blocks. Where the file of a thread is, is asked of whoever calls.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app_server.rollouts.errors import NoRollout, RolloutUnreadable, TurnNotFound
from app_server.rollouts.lines import Line, decode, read_texts
from app_server.rollouts.meta import base_of, meta_of
from app_server.rollouts.records import Record, turn_aborted
from app_server.rollouts.replay import Replay
from app_server.rollouts.stored import HistoryBase, SessionMeta, StoredThread

Find = Callable[[str], Path | None]
"""Where the file of a thread is; None if there is none."""

_DEEPEST_FORK: Final = 100
"""Files that a history may be spread over; forks of forks of forks are rare, and a circle must end."""


@dataclass(slots=True)
class _File:
    """What is learnt of a file on the way through it."""

    next_ordinal: int = 0
    torn: bool = False


def read_thread(path: Path, *, archived: bool, find: Find) -> StoredThread:
    """A thread from its file, without its name.

    :raises RolloutPathNotFound: there is no such file.
    :raises RolloutUnreadable: there is no thread in it.
    :raises NoRollout: its history begins in a thread that is not there any more.
    """
    meta, lines, file = _open(path, find)
    replay = Replay(paginated=meta.history_mode == "paginated")
    for line in lines:
        replay.feed(line)
    return _stored(path, archived, meta, replay, file)


def read_for_fork(
    path: Path, *, archived: bool, find: Find, last_turn_id: str | None, before_turn_id: str | None
) -> tuple[StoredThread, list[Record]]:
    """A thread up to one of its turns, and the records to begin a fork's file with.

    :param last_turn_id: the last turn to take along.
    :param before_turn_id: the first turn to leave behind.
    :raises TurnNotFound: there is no such turn.
    """
    meta, source, file = _open(path, find)
    lines = list(source)
    paginated = meta.history_mode == "paginated"
    replay = _replayed(lines, paginated)
    cut: int | None = len(lines)
    if last_turn_id is not None:
        cut = replay.line_after(last_turn_id)
    elif before_turn_id is not None:
        cut = replay.first_line_of(before_turn_id)
    if cut is None:
        raise TurnNotFound(
            "lastTurnId" if last_turn_id is not None else "beforeTurnId", last_turn_id or before_turn_id or ""
        )
    if cut < len(lines):
        replay = _replayed(lines[:cut], paginated)
    records = [Record(line.type, line.payload) for line in lines[:cut] if line.type != "session_meta"]
    if (unfinished := replay.open_turn) is not None:
        records.append(turn_aborted(unfinished))
    return _stored(path, archived, meta, replay, file), records


def _replayed(lines: list[Line], paginated: bool) -> Replay:
    replay = Replay(paginated=paginated)
    for line in lines:
        replay.feed(line)
    return replay


def _stored(path: Path, archived: bool, meta: SessionMeta, replay: Replay, file: _File) -> StoredThread:
    return StoredThread(
        meta=meta,
        path=path,
        archived=archived,
        turns=replay.turns,
        history=replay.history.items,
        usage=replay.usage,
        context=replay.context,
        preview=replay.preview,
        name=None,
        updated_at=int(path.stat().st_mtime),
        next_ordinal=file.next_ordinal,
        torn=file.torn,
    )


def _open(path: Path, find: Find) -> tuple[SessionMeta, Iterator[Line], _File]:
    """The meta of a file, and the lines of its thread, those before a fork included."""
    file = _File()
    own = _lines(path, file)
    before: list[Line] = []  # strangers' lines; the meta is the first one in all other files
    for line in own:
        before.append(line)
        if line.type == "session_meta" and (meta := meta_of(line.payload)) is not None:
            base = base_of(line.payload)
            return meta, _chained(path, base, find, before, own), file
    raise RolloutUnreadable(path, f"rollout at {path} is empty")


def _chained(
    path: Path, base: HistoryBase | None, find: Find, before: list[Line], own: Iterator[Line]
) -> Iterator[Line]:
    for source, end in reversed(_ancestors(path, base, find)):
        for line in _lines(source, _File()):
            if line.ordinal is not None and line.ordinal >= end:
                break
            yield line
    yield from before
    yield from own


def _ancestors(path: Path, base: HistoryBase | None, find: Find) -> list[tuple[Path, int]]:
    """The files that a history begins in, the nearest first, each with the ordinal at which it is left."""
    files: list[tuple[Path, int]] = []
    while base is not None:
        source = find(base.thread_id)
        if source is None:
            raise NoRollout(base.thread_id)
        if len(files) >= _DEEPEST_FORK:
            raise RolloutUnreadable(path, "its history has no beginning")
        files.append((source, base.end_ordinal))
        base = _base(source)
    return files


def _base(path: Path) -> HistoryBase | None:
    for line in _lines(path, _File()):
        if line.type == "session_meta":
            return base_of(line.payload)
    return None


def _lines(path: Path, file: _File) -> Iterator[Line]:
    for text in read_texts(path):
        file.torn = not text.endswith(b"\n")
        line = decode(text)
        if line is None:
            continue
        if line.ordinal is not None:
            file.next_ordinal = max(file.next_ordinal, line.ordinal + 1)
        yield line
