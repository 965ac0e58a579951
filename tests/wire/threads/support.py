"""Threads and what is left of them: their files, their locks, and what the model is told when they go on.

How a turn is begun and heard to its end stands in ``tests.wire.turns.support``; how a server is started, in
``conftest``.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anyio

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import DEADLINE, Json, ServerProcess
from tests.wire.turns.support import RESPONSES, Course, conversation, start_thread, talk

NOBODY: Final = "01a1fdca-cf50-755d-98b8-94821808da8f"
"""The id of no thread."""

NOT_AN_ID: Final = (
    "invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-], found `x` at 1"
)
"""What is wrong with the id ``x``."""


def refused(message: str) -> Json:
    """The error of a request that makes no sense as it stands."""
    return {"code": -32600, "message": message}


def no_rollout(thread_id: str) -> Json:
    """The error of a request about a thread that is not stored."""
    return refused(f"no rollout found for thread id {thread_id}")


def being_written(thread_id: str) -> Json:
    """The error of a request for a thread that another process has loaded."""
    return refused(f"thread {thread_id} already has an active writer")


async def thread_with(server: ServerProcess, *texts: str, **params: Any) -> str:
    """The id of a new thread in which this has been said, and echoed."""
    thread_id = await start_thread(server, "once", **params)
    for text in texts:
        assert (await talk(server, thread_id, text)).status == "completed"
    return thread_id


async def resume(server: ServerProcess, thread_id: str, **params: Any) -> Json:
    """Resume a thread; the answer. What is said besides is taken as heard."""
    result: Json = await server.result("thread/resume", {"threadId": thread_id, **params})
    await server.barrier()
    return result


async def fork(server: ServerProcess, thread_id: str, **params: Any) -> Json:
    """Fork a thread; the answer. What is said besides is taken as heard."""
    result: Json = await server.result("thread/fork", {"threadId": thread_id, **params})
    await server.barrier()
    return result


async def read(server: ServerProcess, thread_id: str, *, turns: bool = True) -> Json:
    """The thread as it is."""
    result = await server.result("thread/read", {"threadId": thread_id, "includeTurns": turns})
    thread: Json = result["thread"]
    return thread


async def listed(server: ServerProcess, **params: Any) -> list[str]:
    """The ids of a list of threads."""
    return [thread["id"] for thread in (await server.result("thread/list", params))["data"]]


async def unload(server: ServerProcess, thread_id: str) -> None:
    """Have a thread let go of."""
    assert await server.result("thread/unsubscribe", {"threadId": thread_id}) == {"status": "unsubscribed"}
    assert await server.notification("thread/closed") == {"threadId": thread_id}


async def kill(server: ServerProcess) -> None:
    """End a server as the system does when memory is short."""
    server.process.kill()
    await server.exit_status()


def told(fake: FakeOpenAI) -> list[tuple[str, str]]:
    """What the model was told last: who said what."""
    return conversation(fake.requests.of(RESPONSES)[-1])


def said(turn: Json) -> list[str]:
    """The texts of a turn's messages."""
    texts: list[str] = []
    for item in turn["items"]:
        if item["type"] == "userMessage":
            texts.extend(part["text"] for part in item["content"])
        elif item["type"] == "agentMessage":
            texts.append(item["text"])
    return texts


def echoed(*texts: str) -> list[tuple[str, str]]:
    """What the model is told of turns in which the fake has echoed, the last of which it has still to answer."""
    pairs = [(role, text) for text in texts for role in ("user", "assistant")]
    return pairs[:-1]


def cut_off(path: Path, count: int) -> None:
    """Take the last bytes of a file away."""
    os.truncate(path, path.stat().st_size - count)


def lines_of(path: str | Path) -> list[Json]:
    """The lines of a rollout."""
    return [json.loads(line) for line in Path(path).read_bytes().splitlines()]


def files_below(home: Path) -> set[str]:
    """What there is in a home, which need not be there, but for the locks that stay."""
    found = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    return {name for name in found if not name.endswith(".coordination.lock")}


async def comes_true(condition: Callable[[], bool]) -> None:
    """Wait for something that no message tells of."""
    with anyio.fail_after(DEADLINE):
        while not condition():  # noqa: ASYNC110 - no event tells of it
            await anyio.sleep(0.01)


def spoken(course: Course) -> tuple[str, list[str]]:
    """How a turn has ended, and what the model said in it."""
    return course.status, course.spoken
