"""What a request to the model consists of, besides the history (Responses API, wire.md section 14)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from app_server.threads.history import ENVIRONMENT_TAG
from app_server.threads.response_items import Item, message
from app_server.threads.settings import ThreadSettings

DEFAULT_INSTRUCTIONS: Final = (
    "You are an assistant inside another application. Answer in Markdown unless told otherwise, be brief and exact, "
    "and say so when you do not know. The only tools you have are those you are given."
)

PLAN_MODE: Final = (
    "<collaboration_mode>\nPlan mode: do not act. Find out what is needed, ask the user where it is not clear, and end "
    "with a complete plan between <proposed_plan> and </proposed_plan>, each on a line of its own.\n"
    "</collaboration_mode>"
)

COMPACT_PROMPT: Final = (
    "Write a hand-off summary of this conversation for another model that goes on with it and will see nothing else. "
    "Keep what was asked for, what has been done and decided and why, what is still to do, and every name, number, "
    "text or reference that will be needed. Write nothing but the summary."
)


def context_items(settings: ThreadSettings) -> list[Item]:
    """What the model is told about its surroundings: the developer's words, and where and when it is."""
    texts = [settings.developer_instructions] if settings.developer_instructions else []
    if settings.mode is not None and settings.mode.settings.developer_instructions:
        texts.append(settings.mode.settings.developer_instructions)
    elif settings.plan_mode:
        texts.append(PLAN_MODE)
    today = datetime.now().astimezone()
    environment = (
        f"{ENVIRONMENT_TAG}\n  <cwd>{settings.cwd}</cwd>\n  <current_date>{today:%Y-%m-%d}</current_date>\n"
        f"  <timezone>{today.tzname()}</timezone>\n</environment_context>"
    )
    return [*([message("developer", *texts)] if texts else []), message("user", environment)]


def request_body(
    settings: ThreadSettings,
    history: Iterable[Item],
    tools: Sequence[dict[str, Any]],
    thread_id: str,
    output_schema: Any = None,
) -> dict[str, Any]:
    """The body of a streaming request.

    :param output_schema: JSON Schema of the answer, or None.
    """
    body: dict[str, Any] = {
        "model": settings.model,
        "instructions": settings.base_instructions or DEFAULT_INSTRUCTIONS,
        "input": list(history),
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": thread_id,
    }
    if tools:
        body |= {"tools": list(tools), "tool_choice": "auto", "parallel_tool_calls": True}
    reasoning = {
        **({"effort": settings.effort} if settings.effort else {}),
        **({"summary": settings.summary} if settings.summary not in (None, "none") else {}),
    }
    if reasoning:
        body["reasoning"] = reasoning
    text: dict[str, Any] = {}
    if settings.config.model_verbosity is not None:
        text["verbosity"] = settings.config.model_verbosity
    if output_schema is not None:
        text["format"] = {
            "type": "json_schema",
            "name": "codex_output_schema",
            "strict": True,
            "schema": output_schema,
        }
    if text:
        body["text"] = text
    if settings.service_tier:
        body["service_tier"] = settings.service_tier
    return body
