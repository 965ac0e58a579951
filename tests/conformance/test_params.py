"""What a request's method and params may look like, what needs ``experimentalApi``, and the texts that refuse them
(wire.md section 2).
"""

from typing import Any

import pytest

from tests.conformance.conftest import Differs
from tests.conformance.support import NOBODY_ID, invalid, refused
from tests.support.server import INITIALIZE, Json, ServerProcess
from tests.support.upstream import LOGIN, Start
from tests.wire.turns.support import text_input

LOGIN_TYPES = (
    "`apiKey`, `chatgpt`, `chatgptDeviceCode`, `chatgptAuthTokens`, `amazonBedrock`, `amazonBedrockAccessKeys`"
)
NOT_AN_ID = "invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-], found `x` at 1"
TOO_SHORT = "invalid length: expected length 32 for simple format, found 0"

INVALID: list[tuple[str, Any, str]] = [
    (LOGIN, {}, "missing field `type`"),
    (LOGIN, [], "missing field `type`"),
    (LOGIN, ..., "missing field `params`"),
    (LOGIN, None, "missing field `params`"),
    (LOGIN, {"type": "apiKey"}, "missing field `apiKey`"),
    (LOGIN, {"type": "apiKey", "apiKey": 5}, "invalid type: integer `5`, expected a string"),
    (LOGIN, {"type": "apiKey", "apiKey": None}, "invalid type: null, expected a string"),
    (LOGIN, {"type": "apiKey", "apiKey": {}}, "invalid type: map, expected a string"),
    (LOGIN, {"type": "zzz"}, f"unknown variant `zzz`, expected one of {LOGIN_TYPES}"),
    (LOGIN, {"type": "chatgpt", "appBrand": "zzz"}, "unknown variant `zzz`, expected `codex` or `chatgpt`"),
    ("account/login/cancel", {}, "missing field `loginId`"),
    ("account/login/cancel", {"loginId": 7}, "invalid type: integer `7`, expected a string"),
    ("account/read", ..., "missing field `params`"),
    ("account/read", {"refreshToken": "yes"}, 'invalid type: string "yes", expected a boolean'),
    ("account/read", {"refreshToken": None}, "invalid type: null, expected a boolean"),
    ("getAuthStatus", None, "missing field `params`"),
    ("getAuthStatus", {"includeToken": 5}, "invalid type: integer `5`, expected a boolean"),
    ("thread/start", ..., "missing field `params`"),
    ("thread/start", {"model": 5}, "invalid type: integer `5`, expected a string"),
    ("thread/start", {"ephemeral": "x"}, 'invalid type: string "x", expected a boolean'),
    (
        "thread/start",
        {"approvalPolicy": "on-failure"},
        "unknown variant `on-failure`, expected one of `untrusted`, `on-request`, `granular`, `never`",
    ),
    (
        "thread/start",
        {"sandbox": "readOnly"},
        "unknown variant `readOnly`, expected one of `read-only`, `workspace-write`, `danger-full-access`",
    ),
    (
        "thread/start",
        {"dynamicTools": [{"type": "zz"}]},
        "unknown variant `zz`, expected `function` or `namespace`",
    ),
    ("thread/resume", {}, "missing field `threadId`"),
    ("thread/name/set", {"threadId": NOBODY_ID}, "missing field `name`"),
    ("thread/name/set", {"threadId": NOBODY_ID, "name": None}, "invalid type: null, expected a string"),
    ("thread/list", {"limit": -1}, "invalid value: integer `-1`, expected u32"),
    ("thread/read", {"threadId": 5}, "invalid type: integer `5`, expected a string"),
    ("turn/start", {"threadId": NOBODY_ID}, "missing field `input`"),
    ("turn/steer", {"threadId": NOBODY_ID, "input": []}, "missing field `expectedTurnId`"),
    ("turn/interrupt", {"threadId": NOBODY_ID}, "missing field `turnId`"),
]

REFUSED: list[tuple[str, Json, str]] = [
    ("account/login/cancel", {"loginId": "xyz"}, "invalid login id: xyz"),
    ("thread/start", {"modelProvider": "nope"}, "failed to load configuration: Model provider `nope` not found"),
    ("thread/resume", {"threadId": NOBODY_ID}, f"no rollout found for thread id {NOBODY_ID}"),
    ("thread/resume", {"threadId": "x"}, f"invalid session id: {NOT_AN_ID}"),
    ("thread/fork", {"threadId": NOBODY_ID}, f"no rollout found for thread id {NOBODY_ID}"),
    ("thread/archive", {"threadId": NOBODY_ID}, f"no rollout found for thread id {NOBODY_ID}"),
    ("thread/unarchive", {"threadId": NOBODY_ID}, f"no archived rollout found for thread id {NOBODY_ID}"),
    ("thread/delete", {"threadId": NOBODY_ID}, f"no rollout found for thread id {NOBODY_ID}"),
    ("thread/delete", {"threadId": ""}, f"invalid thread id: {TOO_SHORT}"),
    ("thread/name/set", {"threadId": NOBODY_ID, "name": "n"}, f"no rollout found for thread id {NOBODY_ID}"),
    ("thread/name/set", {"threadId": NOBODY_ID, "name": " "}, "thread name must not be empty"),
    ("thread/read", {"threadId": NOBODY_ID}, f"thread not loaded: {NOBODY_ID}"),
    ("thread/turns/list", {"threadId": NOBODY_ID}, f"thread not loaded: {NOBODY_ID}"),
    ("thread/compact/start", {"threadId": NOBODY_ID}, f"thread not found: {NOBODY_ID}"),
    ("thread/inject_items", {"threadId": NOBODY_ID, "items": [{}]}, f"thread not found: {NOBODY_ID}"),
    ("thread/list", {"cursor": "zz"}, "invalid cursor: zz"),
    ("turn/start", {"threadId": NOBODY_ID, "input": text_input("x")}, f"thread not found: {NOBODY_ID}"),
    ("turn/start", {"threadId": "x", "input": text_input("x")}, f"invalid thread id: {NOT_AN_ID}"),
    (
        "turn/steer",
        {"threadId": NOBODY_ID, "input": text_input("x"), "expectedTurnId": "t"},
        f"thread not found: {NOBODY_ID}",
    ),
    ("turn/interrupt", {"threadId": NOBODY_ID, "turnId": "t"}, f"thread not found: {NOBODY_ID}"),
    ("account/rateLimits/read", {}, "codex account authentication required to read rate limits"),
]

FUNCTION: Json = {"type": "function", "name": "t", "description": "d", "inputSchema": {}}
TOOLS: list[tuple[list[Json], str]] = [
    ([FUNCTION, FUNCTION], "duplicate dynamic tool name: t"),
    ([{**FUNCTION, "name": ""}], "dynamic tool name must not be empty"),
    ([{**FUNCTION, "name": "a b"}], "dynamic tool name must match ^[a-zA-Z0-9_-]+$ to match Responses API: a b"),
    ([{**FUNCTION, "name": "mcp__x"}], "dynamic tool name is reserved: mcp__x"),
    ([{**FUNCTION, "deferLoading": True}], "deferred dynamic tool must include a namespace: t"),
    (
        [{"type": "namespace", "name": "ns", "description": "d", "tools": []}],
        "dynamic tool namespace must contain at least one tool: ns",
    ),
    (
        [{**FUNCTION, "inputSchema": 5}],
        "dynamic tool input schema is not supported for t: invalid type: number, expected struct JsonSchema",
    ),
]

EXPERIMENTAL: list[tuple[str, Json, str]] = [
    (LOGIN, {"type": "chatgptAuthTokens", "accessToken": "a", "chatgptAccountId": "b"}, f"{LOGIN}.chatgptAuthTokens"),
    ("thread/start", {"dynamicTools": []}, "thread/start.dynamicTools"),
    ("thread/start", {"historyMode": "legacy"}, "thread/start.historyMode"),
    ("thread/start", {"runtimeWorkspaceRoots": []}, "thread/start.runtimeWorkspaceRoots"),
    ("thread/resume", {"threadId": NOBODY_ID, "path": "/x"}, "thread/resume.path"),
    ("thread/fork", {"threadId": NOBODY_ID, "path": "/x"}, "thread/fork.path"),
    ("collaborationMode/list", {}, "collaborationMode/list"),
]


async def test_an_unknown_method_is_refused_with_all_that_are_known(server: ServerProcess) -> None:
    for method in ("nonsense", "Account/Read", "", "initialized"):
        error = await server.error(method, {})
        assert error["code"] == -32600
        assert error["message"].startswith(f"Invalid request: unknown variant `{method}`, expected one of `initialize`")
        for known in ("thread/start", "account/read", "account/login/start", "getAuthStatus"):
            assert f"`{known}`" in error["message"]


async def test_params_that_cannot_be_read_are_refused_with_the_reason(server: ServerProcess) -> None:
    answers = [(method, params, await server.error(method, params)) for method, params, _ in INVALID]
    assert answers == [(method, params, invalid(text)) for method, params, text in INVALID]


async def test_a_list_where_an_object_is_needed(server: ServerProcess, differs: Differs) -> None:
    methods = ("initialize", "thread/start", "thread/read", "turn/interrupt")
    answers = {method: await server.request(method, []) for method in methods}
    seen = {method: answer.get("error", {}).get("message") for method, answer in answers.items()}
    differs("list-for-object", seen)
    assert "account" in await server.result("account/read", [])
    assert await server.error(LOGIN, []) == invalid("missing field `type`")


async def test_an_unknown_kind_of_input_is_refused_with_those_that_are_known(
    server: ServerProcess, differs: Differs
) -> None:
    error = await server.error("turn/start", {"threadId": NOBODY_ID, "input": [{"type": "zz"}]})
    differs("kinds-of-input", error["message"].removeprefix("Invalid request: unknown variant `zz`, expected "))


async def test_requests_that_make_no_sense_are_refused_with_the_reason(server: ServerProcess) -> None:
    answers = [(method, params, await server.error(method, params)) for method, params, _ in REFUSED]
    assert answers == [(method, params, refused(text)) for method, params, text in REFUSED]


async def test_dynamic_tools_that_cannot_be_offered_are_refused_with_the_reason(server: ServerProcess) -> None:
    answers = [await server.error("thread/start", {"dynamicTools": tools}) for tools, _ in TOOLS]
    assert answers == [refused(text) for _, text in TOOLS]


async def test_params_may_be_left_out_where_a_method_needs_none(server: ServerProcess) -> None:
    variants: list[Any] = [..., None, {}]
    for params in variants:
        assert await server.result("account/logout", params) == {}
        assert "authentication required" in (await server.error("account/rateLimits/read", params))["message"]


async def test_what_is_experimental_needs_the_capability(start: Start) -> None:
    async with start(initialize=False) as server:
        await server.result("initialize", {**INITIALIZE, "capabilities": {}})
        answers = [await server.error(method, params) for method, params, _ in EXPERIMENTAL]
        assert answers == [refused(f"{what} requires experimentalApi capability") for *_, what in EXPERIMENTAL]
        await server.result("thread/start", {"modelProvider": "once", "dynamicTools": None, "ephemeral": True})


@pytest.mark.parametrize("method", ["model/list", "thread/list", "thread/loaded/list", "config/read"])
async def test_lists_answer_to_no_filter_at_all(server: ServerProcess, method: str) -> None:
    result = await server.result(method, {})
    expected = {
        "model/list": {"data", "nextCursor"},
        "thread/loaded/list": {"data", "nextCursor"},
        "thread/list": {"data", "nextCursor", "backwardsCursor"},
        "config/read": {"config", "origins"},
    }[method]
    assert expected <= set(result)


async def test_too_much_input_is_refused_with_the_numbers(server: ServerProcess) -> None:
    thread = (await server.result("thread/start", {"modelProvider": "once"}))["thread"]["id"]
    error = await server.error("turn/start", {"threadId": thread, "input": text_input("x" * (1024 * 1024 + 1))})
    assert error == {
        "code": -32602,
        "message": "Input exceeds the maximum length of 1048576 characters.",
        "data": {"input_error_code": "input_too_large", "max_chars": 1048576, "actual_chars": 1048577},
    }
