"""What the model was told, and what the parent of a conversation does: it has tools, and it answers.

The course of a turn is that of ``tests.wire.turns.support``; how the server is started stands in ``conftest``.
"""

import base64
from collections.abc import Iterable
from typing import Any, Final

from app_server.fake_openai.recorder import RecordedRequest
from app_server.fake_openai.server import FakeOpenAI
from app_server.threads.history import SUMMARY_PREFIX
from tests.support.server import DEADLINE, Json, ServerProcess
from tests.support.upstream import without_times
from tests.wire.turns.support import COMPLETED, LIMITS_UPDATED, RESPONSES, Course, thread_of

TOOL_CALL: Final = "item/tool/call"
ASK_USER: Final = "item/tool/requestUserInput"

SCHEMA: Final[Json] = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
LOOKUP: Final[Json] = {"type": "function", "name": "lookup", "description": "Look up", "inputSchema": SCHEMA}
"""A tool as a client declares it."""

PLAN_MODE: Final[Json] = {"mode": "plan", "settings": {"model": "gpt-5.1-codex"}}
DEFAULT_MODE: Final[Json] = {"mode": "default", "settings": {"model": "gpt-5.1-codex"}}

PNG: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A picture of one point."""
PNG_URL: Final = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


# What the model was told


async def requests(fake: FakeOpenAI, count: int) -> list[RecordedRequest]:
    """Wait until the model has been asked so often; no more than that."""
    found = await fake.requests.wait_for(RESPONSES, count=count, timeout=DEADLINE)
    assert len(found) == count
    return found


async def last_body(fake: FakeOpenAI, count: int = 1) -> Json:
    """The body of the last of so many requests."""
    body: Json = (await requests(fake, count))[-1].json
    return body


def items_of(body: Json) -> list[Json]:
    """The input, without what tells the model about its surroundings."""
    return [item for item in body["input"] if not is_context(item)]


def is_context(item: Json) -> bool:
    """Whether an item is the developer's, or about the environment."""
    return item.get("role") == "developer" or (
        item.get("role") == "user"
        and texts_of(item)[:1] != []
        and texts_of(item)[0].startswith("<environment_context>")
    )


def texts_of(item: Json) -> list[str]:
    """The texts in a message."""
    return [part["text"] for part in item["content"] if "text" in part]


def told(body: Json) -> list[tuple[str, Any]]:
    """The input in short: who said what, what was called, and what came out."""
    return [_in_short(item) for item in items_of(body)]


def _in_short(item: Json) -> tuple[str, Any]:
    if item["type"] == "message":
        text = "\n".join(texts_of(item))
        return item["role"], "(aborted)" if text.startswith("<turn_aborted>") else text
    if item["type"].endswith("_call"):
        return "call", item["call_id"]
    if item["type"].endswith("_call_output"):
        return item["call_id"], item["output"]
    return item["type"], item.get("id")


# What becomes of a long history


def summed_up(summary: str) -> tuple[str, str]:
    """How the model is told a summary."""
    return "user", SUMMARY_PREFIX + summary


async def compact(server: ServerProcess, thread: str) -> Course:
    """Compact by hand, and wait for the end of it."""
    assert await server.result("thread/compact/start", {"threadId": thread}) == {}
    return await only_course(server, thread)


# The parent's tools


def call(call_id: str, name: str = "lookup", **more: Any) -> Json:
    """A call of the model, for a script of the fake."""
    return {"call_id": call_id, "name": name, "arguments": {"q": call_id}, **more}


def result(text: str, *, success: bool = True) -> Json:
    """What a tool gives back: one text."""
    return {"contentItems": [{"type": "inputText", "text": text}], "success": success}


async def called(server: ServerProcess) -> Json:
    """The server's next call of a tool."""
    return await server.server_request(TOOL_CALL)


async def answer(server: ServerProcess, request: Json, answered: Json) -> None:
    """Answer a request of the server with a result."""
    await server.send({"id": request["id"], "result": answered})


async def refuse(server: ServerProcess, request: Json, message: str) -> None:
    """Answer a request of the server with an error."""
    await server.send({"id": request["id"], "error": {"code": -32000, "message": message}})


async def only_course(server: ServerProcess, thread: str) -> Course:
    """The course of a turn whose id no answer has told, from its beginning to its end."""
    messages: list[Json] = []
    while not messages or messages[-1]["method"] != COMPLETED:
        messages.append(
            await server.take(lambda said: thread_of(said) == thread or said.get("method") == LIMITS_UPDATED)
        )
    found = Course(messages[-1]["params"]["turn"]["id"], without_times(messages))
    found.check()
    return found


def completed_items(course: Course, kind: str) -> list[Json]:
    """The completed items of one kind, without their times."""
    items = [params["item"] for params in course.params("item/completed")]
    return [without_item_times(item) for item in items if item["type"] == kind]


def started_items(course: Course, kind: str) -> list[Json]:
    """The items of one kind as they began, without their times."""
    items = [params["item"] for params in course.params("item/started")]
    return [without_item_times(item) for item in items if item["type"] == kind]


def without_item_times(item: Json) -> Json:
    """An item without what differs from run to run."""
    return {name: value for name, value in item.items() if name not in ("startedAtMs", "completedAtMs", "durationMs")}


def in_order(messages: Iterable[Json]) -> list[str]:
    """What was said, in short: methods, and of items their kind."""
    return [
        f"{message['method']} {message['params']['item']['type']}"
        if "item" in (message.get("params") or {})
        else message["method"]
        for message in messages
    ]
