"""Finding the file of a thread by its name, without an index. Blocks."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from app_server.rollouts.layout import ARCHIVED, SESSIONS, created_ms, day_of


class Found(NamedTuple):
    """Where a thread is."""

    path: Path
    archived: bool


def find_by_name(home: Path, thread_id: str) -> Found | None:
    """The file that has a thread's id in its name. If there are several, one that is not archived.

    :param thread_id: a UUID in canonical form.
    """
    ending = f"-{thread_id}.jsonl"
    for day in _likely_days(home, thread_id):
        if (path := _with_ending(day, ending)) is not None:
            return Found(path, archived=False)
    for directory in _days(home):
        if (path := _with_ending(directory, ending)) is not None:
            return Found(path, archived=False)
    path = _with_ending(home / ARCHIVED, ending)
    return None if path is None else Found(path, archived=True)


def _likely_days(home: Path, thread_id: str) -> Iterator[Path]:
    """The day on which an id was made, and, because time zones change, those around it."""
    made = created_ms(thread_id)
    if made is None:
        return
    moment = datetime.fromtimestamp(0).astimezone() + timedelta(milliseconds=made)
    for days in (0, -1, 1):
        try:
            yield day_of(home, (moment + timedelta(days=days)).astimezone())
        except OverflowError:
            return


def _days(home: Path) -> Iterator[Path]:
    for year in _directories(home / SESSIONS):
        for month in _directories(year):
            yield from _directories(month)


def _directories(directory: Path) -> list[Path]:
    # The newest first: that is what people ask for.
    return [directory / name for name in sorted(_names(directory), reverse=True) if name.isdecimal()]


def _with_ending(directory: Path, ending: str) -> Path | None:
    found = [name for name in _names(directory) if name.endswith(ending) and name.startswith("rollout-")]
    return directory / max(found) if found else None


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names are all it takes
    except OSError:
        return []
