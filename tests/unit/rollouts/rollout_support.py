"""Threads for the tests of rollouts: written by the writer itself, or line by line as other programs do."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app_server.rollouts import records
from app_server.rollouts.layout import path_of
from app_server.rollouts.reading import read_thread
from app_server.rollouts.records import Record
from app_server.rollouts.stored import SessionMeta, StoredThread
from app_server.rollouts.writer import RolloutWriter
from protocol.items import AgentMessageThreadItem, UserMessageThreadItem
from protocol.turn import Turn
from protocol.user_input import TextUserInput, UserInput

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def thread_id(number: int) -> str:
    """A UUID of version 7 whose time is ``NOON``."""
    milliseconds = f"{int(NOON.timestamp() * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}-7000-8000-{number:012x}"


def meta(number: int = 1, **changes: Any) -> SessionMeta:
    """The meta of a thread."""
    values: dict[str, Any] = {
        "id": thread_id(number),
        "session_id": thread_id(number),
        "created_at": NOON,
        "cwd": "/work",
        "originator": "tests",
        "cli_version": "1.2.3",
        "model_provider": "openai",
    }
    return SessionMeta(**values | changes)


def message(role: str, text: str) -> dict[str, Any]:
    """An item that the model sees."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def turn_records(thread: str, turn: str, said: str = "hello", answer: str | None = "hi") -> list[Record]:
    """A turn of one question and one answer."""
    user = UserMessageThreadItem(id=f"{turn}-u", content=[UserInput(TextUserInput(text=said))])
    told = [
        records.task_started(turn, 100, 1000),
        records.turn_context(turn, {"model": "gpt-5.2", "effort": "high", "cwd": "/work"}),
        records.response_item(message("user", said), turn),
        records.item_completed(thread, turn, user, 1, 2),
    ]
    if answer is not None:
        told += [
            records.item_completed(thread, turn, AgentMessageThreadItem(id=f"{turn}-a", text=answer), 3, 4),
            records.response_item(message("assistant", answer), turn),
        ]
    ended = Turn(id=turn, items=[], status="completed", started_at=100, completed_at=101, duration_ms=900)
    return [*told, records.task_complete(ended, answer)]


def written(home: Path, about: SessionMeta, *more: Record) -> Path:
    """A thread's file with these records."""
    path = path_of(home, about.created_at, about.id)
    writer = RolloutWriter(path, about)
    writer.materialize()
    writer.append(*more)
    return path


def spoken(home: Path, number: int, said: str = "hello", **changes: Any) -> Path:
    """A thread in which something has been said."""
    about = meta(number, **changes)
    return written(home, about, *turn_records(about.id, f"turn-{number}", said))


def line(kind: str, payload: dict[str, Any], **more: Any) -> bytes:
    """A line as other programs write it."""
    return (
        json.dumps({"timestamp": "2026-11-20T12:00:00.000Z", **more, "type": kind, "payload": payload}).encode() + b"\n"
    )


def event(kind: str, **members: Any) -> bytes:
    """A line of something that happened."""
    return line("event_msg", {"type": kind, **members})


def session(number: int = 1, **changes: Any) -> bytes:
    """The first line, as other programs write it; it says nothing of the form, which means the legacy one."""
    payload = {
        "id": thread_id(number),
        "timestamp": "2026-11-20T12:00:00.000Z",
        "cwd": "/work",
        "originator": "other",
        "cli_version": "0.1.0",
    }
    return line("session_meta", payload | changes)


def raw(home: Path, number: int, *lines: bytes, archived: bool = False) -> Path:
    """A file of these lines."""
    path = path_of(home, NOON, thread_id(number))
    if archived:
        path = home / "archived_sessions" / path.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(lines))
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The records of a file, which has to have nothing else."""
    content = path.read_bytes()
    assert content.endswith(b"\n")
    return [json.loads(text) for text in content.splitlines()]


def paths_in(directory: Path) -> list[Path]:
    """Everything in a directory, at any depth."""
    return sorted(directory.rglob("*"))


def settle(home: Path) -> None:
    """Make all directories look as if nothing had changed for a while."""
    for directory, _, _ in os.walk(home):
        os.utime(directory, ns=(10**18 + 1, 10**18 + 1))


def read(path: Path, **files: Path) -> StoredThread:
    """A thread from its file, and from those of its ancestors by their ids."""
    return read_thread(path, archived=False, find=files.get)


def said(thread: StoredThread) -> list[tuple[str, str, list[str]]]:
    """Turns, how they ended, and what was said in them."""
    return [(turn.id, turn.status, [_text_of(item.root) for item in turn.items]) for turn in thread.turns]


def seen(thread: StoredThread) -> list[str]:
    """The texts that the model sees."""
    return [item["content"][0]["text"] for item in thread.history]


def _text_of(item: Any) -> str:
    if item.type == "agentMessage":
        return str(item.text)
    return str(item.content[0].root.text) if item.type == "userMessage" else str(item.type)
