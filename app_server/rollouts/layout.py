"""Where threads lie below CODEX_HOME, and what their files are called. Nothing here reads or writes them.

``sessions/YYYY/MM/DD/rollout-YYYY-MM-DDThh-mm-ss-<id>.jsonl`` by the local time of creation; archived threads lie
flat in ``archived_sessions`` under the same name.
"""

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Final

SESSIONS: Final = "sessions"
ARCHIVED: Final = "archived_sessions"
LOCKS: Final = "thread-writer-locks"
NAMES: Final = "session_index.jsonl"
INDEX: Final = "app_server_threads.sqlite"

_NAME: Final = re.compile(
    r"rollout-(\d{4})-(\d{2})-(\d{2})T\d{2}-\d{2}-\d{2}"
    r"-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.jsonl",
    re.ASCII,
)


_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


def is_thread_id(text: str) -> bool:
    """Whether a text is a UUID in canonical form; nothing else becomes part of a path."""
    return _ID.fullmatch(text) is not None


def created_ms(thread_id: str) -> int | None:
    """Unix time in milliseconds at which an id was made; None unless it is of version 7 (RFC 9562 section 5.7)."""
    return int(thread_id[:8] + thread_id[9:13], 16) if thread_id[14] == "7" else None


def thread_id_of(name: str) -> str | None:
    """The id in the name of a file; None if it is no rollout's name."""
    match = _NAME.fullmatch(name)
    return match[4] if match else None


def path_of(home: Path, created_at: datetime, thread_id: str) -> Path:
    """Where a new thread's file belongs."""
    local = created_at.astimezone()
    return (
        _day(home, f"{local:%Y}", f"{local:%m}", f"{local:%d}") / f"rollout-{local:%Y-%m-%dT%H-%M-%S}-{thread_id}.jsonl"
    )


def unarchived_path(home: Path, name: str) -> Path:
    """Where an archived thread's file came from.

    :raises ValueError: it is no rollout's name.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"not the name of a rollout: {name}")
    return _day(home, match[1], match[2], match[3]) / name


def day_of(home: Path, moment: datetime) -> Path:
    """The directory of the threads that were created on a day."""
    return _day(home, f"{moment:%Y}", f"{moment:%m}", f"{moment:%d}")


def make_directories(directory: Path) -> None:
    """Make a directory and those above it, for this user only: a conversation is private.

    :raises OSError: it cannot be made.
    """
    missing = []
    while not directory.is_dir():
        missing.append(directory)
        if directory == directory.parent:
            break
        directory = directory.parent
    for made in reversed(missing):
        made.mkdir(mode=0o700, exist_ok=True)


def below(home: Path, relative: str) -> str:
    """The path of something below CODEX_HOME, as a string: this is asked for every directory of a listing."""
    return f"{home}{os.sep}{relative}"


def _day(home: Path, year: str, month: str, day: str) -> Path:
    return home / SESSIONS / year / month / day
