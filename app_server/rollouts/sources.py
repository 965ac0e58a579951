"""What kind of program began a thread: as rollouts have it, as clients are told, and as they filter by it."""

from collections.abc import Collection
from typing import Any, Final

_WORDS: Final = {"cli": "cli", "vscode": "vscode", "exec": "exec", "mcp": "appServer"}
_SUB_AGENTS: Final = {"review": "subAgentReview", "compact": "subAgentCompact"}

INTERACTIVE: Final = ("cli", "vscode", "custom")
"""The kinds that are listed unless the client asks for others: those that people talk to."""


def wire(source: Any) -> Any:
    """The source as clients are told it (``SessionSource``)."""
    if isinstance(source, str):
        return _WORDS.get(source, "unknown")
    if isinstance(source, dict) and isinstance(source.get("custom"), str):
        return {"custom": source["custom"]}
    if isinstance(source, dict) and "subagent" in source:
        return {"subAgent": source["subagent"]}
    return "unknown"


def kind(told: Any) -> str:
    """The kind that clients filter by (``ThreadSourceKind``), or ``custom``, which they cannot ask for.

    :param told: the source as clients are told it.
    """
    if isinstance(told, str):
        return told
    if "custom" in told:
        return "custom"
    agent = told["subAgent"]
    if isinstance(agent, str):
        return _SUB_AGENTS.get(agent, "subAgent")
    if isinstance(agent, dict) and "thread_spawn" in agent:
        return "subAgentThreadSpawn"
    return "subAgentOther" if isinstance(agent, dict) and "other" in agent else "subAgent"


def kinds_for(asked: Collection[str] | None) -> tuple[str, ...]:
    """The kinds that a filter lets through; ``subAgent`` stands for all of its kinds."""
    if not asked:
        return INTERACTIVE
    more = ("subAgentReview", "subAgentCompact", "subAgentThreadSpawn", "subAgentOther") if "subAgent" in asked else ()
    return (*asked, *more)


def parent_of(source: Any) -> str | None:
    """The thread that began this one as a sub-agent."""
    agent = source.get("subagent") if isinstance(source, dict) else None
    spawn = agent.get("thread_spawn") if isinstance(agent, dict) else None
    parent = spawn.get("parent_thread_id") if isinstance(spawn, dict) else None
    return parent if isinstance(parent, str) else None
