"""The beginning of a rollout, read only as far as a list needs it: the meta, the first thing the user said, the model.

It never changes once it is there, because a rollout only grows.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app_server.rollouts.lines import Line, decode
from app_server.rollouts.meta import base_of, meta_of
from app_server.rollouts.stored import SessionMeta
from app_server.rollouts.stored_items import preview, preview_of

_FARTHEST: Final = 8 * 2**20
"""Bytes after which nobody has said anything; instructions and tools may come first, and they can be long."""

_BUFFER: Final = 65_536

_LEADING: Final = 160
"""Bytes in which the type of a record shows."""

_TELLING: Final = (b'"session_meta"', b'"turn_context"', b'"event_msg"')


@dataclass(frozen=True, slots=True)
class Head:
    """What the beginning tells."""

    meta: SessionMeta
    preview: str
    context: dict[str, Any]
    base_thread_id: str | None
    """The thread in whose file the history begins."""


def read_head(path: Path) -> Head | None:
    """The beginning of a file; None if there is no thread in it, or it cannot be read. Blocks."""
    reading = _Reading()
    seen = 0
    try:
        with path.open("rb", buffering=_BUFFER) as file:
            for text in file:
                seen += len(text)
                if seen > _FARTHEST:
                    break
                # Most of the bytes are what the model sees, of which a list needs nothing.
                leading = text[:_LEADING]
                if any(mark in leading for mark in _TELLING) and (line := decode(text)) is not None:
                    reading.take(line)
                    if reading.is_complete:
                        break
    except OSError:
        return None
    return reading.head()


class _Reading:
    def __init__(self) -> None:
        self._meta: SessionMeta | None = None
        self._base: str | None = None
        self._preview = ""
        self._context: dict[str, Any] = {}

    @property
    def is_complete(self) -> bool:
        return self._meta is not None and bool(self._preview)

    def head(self) -> Head | None:
        return None if self._meta is None else Head(self._meta, self._preview, self._context, self._base)

    def take(self, line: Line) -> None:
        payload = line.payload
        if line.type == "turn_context":
            self._context = payload
        elif line.type == "session_meta":
            if self._meta is None and (meta := meta_of(payload)) is not None:
                self._meta, base = meta, base_of(payload)
                self._base = None if base is None else base.thread_id
        elif payload.get("type") == "thread_settings_applied" and not self._context:
            settings = payload.get("thread_settings")
            self._context = settings if isinstance(settings, dict) else {}
        elif not self._preview:
            self._preview = _said(payload)


def _said(payload: dict[str, Any]) -> str:
    item = payload.get("item")
    if payload.get("type") == "item_completed" and isinstance(item, dict) and item.get("type") == "UserMessage":
        return preview_of(item)
    if payload.get("type") == "user_message":
        images = bool(payload.get("images") or payload.get("local_images"))
        return preview(str(payload.get("message", "")), images=images)
    return ""
