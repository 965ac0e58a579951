"""What a request's method and params may look like, and the texts that refuse them (wire.md section 2).

The texts come from the reference and clients match on them; how they come about is tested in ``unit/protocol``.
"""

import os
from pathlib import Path
from typing import Any

from tests.support.server import Json, ServerProcess, running_server

LOGIN_TYPES = (
    "`apiKey`, `chatgpt`, `chatgptDeviceCode`, `chatgptAuthTokens`, `amazonBedrock`, `amazonBedrockAccessKeys`"
)


def refusal(text: str) -> Json:
    return {"code": -32600, "message": f"Invalid request: {text}"}


async def test_an_unknown_method_is_refused_with_all_that_are_known(server: ServerProcess) -> None:
    for method in ("nonsense", "account/reads", "Account/Read", "", "initialized", "account/updated"):
        error = await server.error(method, {})
        assert error["code"] == -32600
        assert error["message"].startswith(f"Invalid request: unknown variant `{method}`, expected one of `initialize`")
        for known in ("account/read", "account/login/start", "account/logout", "getAuthStatus"):
            assert f"`{known}`" in error["message"]


async def test_params_that_lack_or_spoil_a_member_are_refused_with_the_reference_text(server: ServerProcess) -> None:
    rows: list[tuple[str, Any, str]] = [
        ("account/login/start", {}, "missing field `type`"),
        ("account/login/start", [], "missing field `type`"),
        ("account/login/start", {"type": "apiKey"}, "missing field `apiKey`"),
        ("account/login/start", {"type": "apiKey", "apiKey": 5}, "invalid type: integer `5`, expected a string"),
        ("account/login/start", {"type": "apiKey", "apiKey": None}, "invalid type: null, expected a string"),
        ("account/login/start", {"type": "zzz"}, f"unknown variant `zzz`, expected one of {LOGIN_TYPES}"),
        (
            "account/login/start",
            {"type": "chatgpt", "appBrand": "zzz"},
            "unknown variant `zzz`, expected `codex` or `chatgpt`",
        ),
        ("account/login/cancel", {}, "missing field `loginId`"),
        ("account/login/cancel", {"loginId": 7}, "invalid type: integer `7`, expected a string"),
        ("account/read", {"refreshToken": "yes"}, 'invalid type: string "yes", expected a boolean'),
        ("account/read", {"refreshToken": None}, "invalid type: null, expected a boolean"),
    ]
    for method, params, text in rows:
        assert await server.error(method, params) == refusal(text), (method, params)


async def test_params_are_required_where_the_reference_requires_them(server: ServerProcess) -> None:
    for method in ("account/read", "getAuthStatus", "account/login/start", "account/login/cancel"):
        for params in (..., None):
            assert await server.error(method, params) == refusal("missing field `params`"), method


async def test_params_may_be_left_out_where_a_method_needs_none(server: ServerProcess) -> None:
    absent: list[Any] = [..., None, {}]
    for params in absent:
        assert await server.result("account/logout", params) == {}
        # It is carried out, and has nothing to read.
        limits = await server.error("account/rateLimits/read", params)
        assert limits["message"] == "codex account authentication required to read rate limits"


async def test_optional_members_may_be_null_or_missing_and_unknown_ones_are_ignored(server: ServerProcess) -> None:
    variants: list[Json] = [
        {},
        {"includeToken": None, "refreshToken": None},
        {"includeToken": False, "unknown": 1, "another": {"deep": [[]]}, "": None},
    ]
    for params in variants:
        assert (await server.result("getAuthStatus", params))["authMethod"] is None
    key = {"type": "apiKey", "apiKey": "sk-with-company", "chatgptAccountId": 5, "unknown": [1]}
    assert await server.result("account/login/start", key) == {"type": "apiKey"}


async def test_only_two_codes_answer_requests(home: Path) -> None:
    """Not even an unknown method or bad params get -32601 or -32602; -32700 is for lines that are no request."""
    nowhere = {"CODEX_HOME": os.devnull}  # no directory, so nothing can be saved
    async with running_server(home, env=nowhere, forked=True) as server:
        codes = {
            (await server.error("nonsense", {}))["code"],
            (await server.error("account/read", [1]))["code"],
            (await server.error("account/read", "text"))["code"],
            (await server.error("initialize", {}))["code"],
            (await server.error("account/rateLimits/read"))["code"],
        }
        assert codes == {-32600}
        unsaved = await server.error("account/login/start", {"type": "apiKey", "apiKey": "sk-unsaved"})
        assert unsaved["code"] == -32603
