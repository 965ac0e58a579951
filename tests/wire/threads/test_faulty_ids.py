"""What each method says to an id that is of no thread, is no id, or is not there (wire.md section 14)."""

from typing import Any

import pytest

from tests.support.server import Json, ServerProcess
from tests.wire.threads.support import NOBODY, NOT_AN_ID, refused

UNKNOWN: list[tuple[str, Json, str]] = [
    ("thread/resume", {}, f"no rollout found for thread id {NOBODY}"),
    ("thread/fork", {}, f"no rollout found for thread id {NOBODY}"),
    ("thread/archive", {}, f"no rollout found for thread id {NOBODY}"),
    ("thread/unarchive", {}, f"no archived rollout found for thread id {NOBODY}"),
    ("thread/read", {}, f"thread not loaded: {NOBODY}"),
    ("thread/turns/list", {}, f"thread not loaded: {NOBODY}"),
    ("thread/items/list", {}, f"thread not loaded: {NOBODY}"),
    ("thread/delete", {}, f"no rollout found for thread id {NOBODY}"),
    ("thread/name/set", {"name": "x"}, f"no rollout found for thread id {NOBODY}"),
    ("thread/compact/start", {}, f"thread not found: {NOBODY}"),
    ("thread/inject_items", {"items": [{"type": "message"}]}, f"thread not found: {NOBODY}"),
    ("turn/start", {"input": []}, f"thread not found: {NOBODY}"),
    ("turn/interrupt", {"turnId": "x"}, f"thread not found: {NOBODY}"),
    ("turn/steer", {"input": [], "expectedTurnId": "x"}, f"thread not found: {NOBODY}"),
    ("thread/goal/get", {}, f"thread not found: {NOBODY}"),
    ("mcpServerStatus/list", {}, f"thread not found: {NOBODY}"),
    ("experimentalFeature/list", {}, f"thread not found: {NOBODY}"),
]
OF_A_SESSION = {"thread/resume", "thread/fork", "thread/archive", "thread/unarchive"}
OPTIONAL = {"mcpServerStatus/list", "experimentalFeature/list"}
METHODS = [(method, params) for method, params, _ in UNKNOWN] + [("thread/unsubscribe", {})]


@pytest.mark.parametrize(("method", "params", "message"), UNKNOWN)
async def test_an_id_of_no_thread(server: ServerProcess, method: str, params: Json, message: str) -> None:
    assert await server.error(method, {"threadId": NOBODY, **params}) == refused(message)


@pytest.mark.parametrize(("method", "params"), METHODS)
async def test_what_is_no_id(server: ServerProcess, method: str, params: Json) -> None:
    what = "session id" if method in OF_A_SESSION else "thread id"

    async def error(thread_id: Any) -> Json:
        return await server.error(method, {"threadId": thread_id, **params})

    assert await error("x") == refused(f"invalid {what}: {NOT_AN_ID}")
    empty = f"invalid {what}: invalid length: expected length 32 for simple format, found 0"
    assert await error("") == refused(empty)
    for traversal in (f"../{NOBODY}", f"{NOBODY}/..", f"{NOBODY}\0", "..", "*" * 36, NOBODY[:-1] + "*"):
        assert (await error(traversal))["message"].startswith(f"invalid {what}: ")
    assert await error(5) == refused("Invalid request: invalid type: integer `5`, expected a string")


@pytest.mark.parametrize(("method", "params"), [pair for pair in METHODS if pair[0] not in OPTIONAL])
async def test_without_an_id(server: ServerProcess, method: str, params: Json) -> None:
    assert await server.error(method, params) == refused("Invalid request: missing field `threadId`")
    null = await server.error(method, {"threadId": None, **params})
    assert null == refused("Invalid request: invalid type: null, expected a string")
    for absent in (..., None):
        assert await server.error(method, absent) == refused("Invalid request: missing field `params`")


@pytest.mark.parametrize(
    ("method", "member"), [("thread/name/set", "name"), ("thread/inject_items", "items"), ("turn/start", "input")]
)
async def test_without_what_has_to_be_there_besides(server: ServerProcess, method: str, member: str) -> None:
    assert await server.error(method, {"threadId": NOBODY}) == refused(f"Invalid request: missing field `{member}`")
