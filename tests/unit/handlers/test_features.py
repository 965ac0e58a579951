"""What this server has none of, asked for well and badly (texts observed on the reference, 0.169.0)."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app_server.handlers.features import FeatureHandlers
from app_server.router import Reply
from protocol.errors import InvalidRequest
from protocol.features import (
    COLLABORATION_MODE_LIST,
    EXPERIMENTAL_FEATURE_LIST,
    MCP_SERVER_STATUS_LIST,
    PERMISSION_PROFILE_LIST,
    SKILLS_LIST,
    THREAD_GOAL_GET,
)
from protocol.method import ClientRequest

THREAD = "01a1fd94-a53f-70c2-ab30-c3d491f4b2d2"
OTHER = "01a1fd94-a53f-70c2-ab30-c3d491f4b2d3"


async def exists(thread_id: str) -> bool:
    return thread_id == THREAD


FEATURES = FeatureHandlers(exists, "/home/me")

HANDLERS: dict[ClientRequest[Any, Any], Callable[[Any], Awaitable[Reply[Any]]]] = {
    SKILLS_LIST: FEATURES.skills,
    PERMISSION_PROFILE_LIST: FEATURES.permission_profiles,
    THREAD_GOAL_GET: FEATURES.goal,
    MCP_SERVER_STATUS_LIST: FEATURES.mcp_servers,
    EXPERIMENTAL_FEATURE_LIST: FEATURES.experimental_features,
    COLLABORATION_MODE_LIST: FEATURES.collaboration_modes,
}


async def ask(method: ClientRequest[Any, Any], params: Any) -> Any:
    reply = await HANDLERS[method](method.decode(params))
    return json.loads(reply.result.to_json())


async def refusal(method: ClientRequest[Any, Any], params: Any) -> str:
    with pytest.raises(InvalidRequest) as error:
        await ask(method, params)
    return error.value.message


@pytest.mark.parametrize(
    ("method", "params", "answer"),
    [
        (SKILLS_LIST, {}, {"data": [{"cwd": "/home/me", "skills": [], "errors": []}]}),
        (
            SKILLS_LIST,
            {"cwds": ["rel", "/nonexistent"], "forceReload": True},
            {
                "data": [
                    {"cwd": "rel", "skills": [], "errors": []},
                    {"cwd": "/nonexistent", "skills": [], "errors": []},
                ]
            },
        ),
        (PERMISSION_PROFILE_LIST, {"cwd": None, "cursor": "0", "limit": 0}, {"data": [], "nextCursor": None}),
        (THREAD_GOAL_GET, {"threadId": THREAD}, {"goal": None}),
        (THREAD_GOAL_GET, {"threadId": f"{{{THREAD.upper()}}}"}, {"goal": None}),
        (MCP_SERVER_STATUS_LIST, {}, {"data": [], "nextCursor": None}),
        (
            MCP_SERVER_STATUS_LIST,
            {"threadId": THREAD, "detail": "full", "serverName": "zz", "cursor": None},
            {"data": [], "nextCursor": None},
        ),
        (EXPERIMENTAL_FEATURE_LIST, {"threadId": THREAD}, {"data": [], "nextCursor": None}),
        (COLLABORATION_MODE_LIST, {}, {"data": []}),
    ],
)
async def test_there_is_nothing(method: ClientRequest[Any, Any], params: Any, answer: Any) -> None:
    assert await ask(method, params) == answer


@pytest.mark.parametrize("method", [THREAD_GOAL_GET, MCP_SERVER_STATUS_LIST, EXPERIMENTAL_FEATURE_LIST])
async def test_threads_that_are_not_there_and_ids_that_are_none_are_refused(method: ClientRequest[Any, Any]) -> None:
    assert await refusal(method, {"threadId": OTHER.upper()}) == f"thread not found: {OTHER}"
    assert (await refusal(method, {"threadId": "zz"})).startswith("invalid thread id: invalid character: ")


@pytest.mark.parametrize(
    ("method", "what"),
    [
        (PERMISSION_PROFILE_LIST, "permission profiles"),
        (MCP_SERVER_STATUS_LIST, "MCP servers"),
        (EXPERIMENTAL_FEATURE_LIST, "feature flags"),
    ],
)
async def test_cursors_that_are_none_are_refused(method: ClientRequest[Any, Any], what: str) -> None:
    assert await refusal(method, {"cursor": "x"}) == "invalid cursor: x"
    assert await refusal(method, {"cursor": "1"}) == f"cursor 1 exceeds total {what} 0"


@pytest.mark.parametrize(
    ("method", "params", "text"),
    [
        (THREAD_GOAL_GET, {}, "missing field `threadId`"),
        (SKILLS_LIST, {"cwds": None}, "invalid type: null, expected a sequence"),
        (SKILLS_LIST, {"forceReload": None}, "invalid type: null, expected a boolean"),
        (
            MCP_SERVER_STATUS_LIST,
            {"detail": "zz"},
            "unknown variant `zz`, expected `full` or `toolsAndAuthOnly`",
        ),
        *((method, None, "missing field `params`") for method in HANDLERS),
    ],
)
async def test_bad_params_are_refused(method: ClientRequest[Any, Any], params: Any, text: str) -> None:
    assert await refusal(method, params) == f"Invalid request: {text}"


def test_only_collaboration_modes_are_experimental() -> None:
    assert [method for method in HANDLERS if method.experimental] == [COLLABORATION_MODE_LIST]
