"""``session_meta``, the record that a file begins with: to and from :class:`SessionMeta`."""

from datetime import UTC, datetime
from typing import Any

from app_server.rollouts.stored import HistoryBase, SessionMeta, timestamp


def payload_of(meta: SessionMeta) -> dict[str, Any]:
    """The payload of the record. Members that the reference requires come first and are never left out."""
    payload: dict[str, Any] = {
        "session_id": meta.session_id,
        "id": meta.id,
        "timestamp": timestamp(meta.created_at),
        "cwd": meta.cwd,
        "originator": meta.originator or "",
        "cli_version": meta.cli_version,
        "source": meta.source,
        "history_mode": meta.history_mode,
    }
    optional = {
        "forked_from_id": meta.forked_from_id,
        "parent_thread_id": meta.parent_thread_id,
        "thread_source": meta.thread_source,
        "model_provider": meta.model_provider,
        "base_instructions": {"text": meta.base_instructions} if meta.base_instructions is not None else None,
        "developer_instructions": meta.developer_instructions,
        "dynamic_tools": list(meta.dynamic_tools) or None,
        "git": dict(zip(("commit_hash", "branch", "repository_url"), meta.git, strict=True)) if meta.git else None,
    }
    payload.update((name, value) for name, value in optional.items() if value is not None)
    return payload


def meta_of(payload: dict[str, Any]) -> SessionMeta | None:
    """The meta in a payload; None without the members that the reference requires."""
    thread_id, cwd, version = payload.get("id"), payload.get("cwd"), payload.get("cli_version")
    created_at = _moment(payload.get("timestamp"))
    originator = payload.get("originator")
    if not (isinstance(thread_id, str) and isinstance(cwd, str) and isinstance(version, str)):
        return None
    if created_at is None or not isinstance(originator, str):
        return None
    base, tools, git = payload.get("base_instructions"), payload.get("dynamic_tools"), payload.get("git")
    return SessionMeta(
        id=thread_id,
        session_id=_text(payload, "session_id") or thread_id,
        created_at=created_at,
        cwd=cwd,
        originator=originator or None,
        cli_version=version,
        source=payload.get("source", "vscode"),
        model_provider=_text(payload, "model_provider"),
        forked_from_id=_text(payload, "forked_from_id"),
        parent_thread_id=_text(payload, "parent_thread_id"),
        thread_source=_text(payload, "thread_source"),
        base_instructions=_text(base, "text") if isinstance(base, dict) else None,
        developer_instructions=_text(payload, "developer_instructions"),
        dynamic_tools=tuple(tools) if isinstance(tools, list) else (),
        history_mode="paginated" if payload.get("history_mode") == "paginated" else "legacy",
        git=(_text(git, "commit_hash"), _text(git, "branch"), _text(git, "repository_url"))
        if isinstance(git, dict)
        else None,
    )


def base_of(payload: dict[str, Any]) -> HistoryBase | None:
    """Where the history begins, for a fork whose file has only what came after."""
    base = payload.get("history_base")
    if isinstance(base, dict):
        thread_id, end = base.get("thread_id"), base.get("end_ordinal_exclusive")
    else:
        thread_id, end = payload.get("forked_from_id"), payload.get("forked_from_ordinal_exclusive")
    if isinstance(thread_id, str) and isinstance(end, int) and not isinstance(end, bool):
        return HistoryBase(thread_id, end)
    return None


def _text(payload: dict[str, Any], name: str) -> str | None:
    value = payload.get(name)
    return value if isinstance(value, str) else None


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
