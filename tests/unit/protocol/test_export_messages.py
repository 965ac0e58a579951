"""Messages of the wire are valid against the exported JSON Schema exactly when our own decoder accepts them."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped]
from pydantic import SecretStr

from protocol import account, catalogue, lifecycle, rate_limits
from protocol.base import WireValue
from protocol.errors import InvalidRequest
from protocol.export import generate_json
from protocol.jsonrpc import ABSENT
from protocol.method import decode as decode_model
from tests.unit.protocol import reference_lines

CLIENT: Final = {"name": "editor", "version": "1.0"}
GRANULAR: Final = {"sandbox_approval": True, "rules": True, "mcp_elicitations": False}
TOOL: Final = {"name": "t", "description": "d", "inputSchema": {"type": "object"}}

ACCEPTED: Final[list[dict[str, Any]]] = [
    {"id": 0, "method": "initialize", "params": {"clientInfo": CLIENT}},
    {"id": 1, "method": "initialize", "params": {"clientInfo": {**CLIENT, "title": None}, "capabilities": None}},
    {
        "jsonrpc": "2.0",
        "id": "a",
        "method": "initialize",
        "params": {
            "clientInfo": {**CLIENT, "title": "Editor"},
            "capabilities": {
                "experimentalApi": True,
                "extensions": {"openai/form": {}},
                "optOutNotificationMethods": ["account/updated"],
            },
        },
    },
    {"id": 2, "method": "account/login/start", "params": {"type": "apiKey", "apiKey": "sk-1"}},
    {"id": 3, "method": "account/login/start", "params": {"type": "chatgpt"}},
    {"id": 4, "method": "account/login/start", "params": {"type": "chatgpt", "appBrand": None, "unknown": 1}},
    {
        "id": 5,
        "method": "account/login/start",
        "params": {"type": "chatgpt", "appBrand": "codex", "codexStreamlinedLogin": True},
    },
    {"id": 6, "method": "account/login/start", "params": {"type": "chatgptDeviceCode"}},
    {
        "id": 7,
        "method": "account/login/start",
        "params": {"type": "chatgptAuthTokens", "accessToken": "e30.e30.x", "chatgptAccountId": "acc"},
    },
    {
        "id": 8,
        "method": "account/login/start",
        "params": {
            "type": "chatgptAuthTokens",
            "accessToken": "e30.e30.x",
            "chatgptAccountId": "acc",
            "chatgptPlanType": "plus",
            "idToken": "e30.e30.y",
        },
    },
    {
        "id": 9,
        "method": "account/login/start",
        "params": {"type": "amazonBedrockAccessKeys", "accessKeyId": "a", "secretAccessKey": "b", "region": "eu"},
    },
    {"id": 10, "method": "account/login/cancel", "params": {"loginId": "a1"}},
    {"id": 11, "method": "account/logout"},
    {"id": 12, "method": "account/logout", "params": None},
    {"id": 13, "method": "account/logout", "params": {}},
    {"id": 14, "method": "account/rateLimits/read"},
    {"id": 15, "method": "account/rateLimits/read", "params": None},
    {"id": 16, "method": "account/rateLimits/read", "params": {"excludeResetCreditDetails": True}},
    {"id": 17, "method": "account/read", "params": {}},
    {"id": 18, "method": "account/read", "params": {"refreshToken": True}},
    {"id": 19, "method": "getAuthStatus", "params": {"includeToken": True, "refreshToken": None}},
    {"id": 20, "method": "thread/start", "params": {}},
    {"id": 21, "method": "thread/start", "params": {"approvalPolicy": "on-request", "sandbox": "read-only"}},
    {"id": 22, "method": "thread/start", "params": {"approvalPolicy": {"granular": GRANULAR}, "config": {"a.b": [1]}}},
    {"id": 23, "method": "thread/start", "params": {"dynamicTools": [{"type": "function", **TOOL}]}},
    {
        "id": 24,
        "method": "thread/start",
        "params": {"dynamicTools": [{"type": "namespace", "name": "n", "description": "d", "tools": []}]},
    },
    {"id": 25, "method": "thread/list", "params": {"cwd": "/w", "limit": 0}},
    {"id": 26, "method": "thread/list", "params": {"cwd": ["/w", "/v"], "limit": None, "sortKey": "created_at"}},
    {"id": 27, "method": "thread/resume", "params": {"threadId": "t", "excludeTurns": True, "model": None}},
    {"id": 28, "method": "turn/start", "params": {"threadId": "t", "input": []}},
    {
        "id": 29,
        "method": "turn/start",
        "params": {
            "threadId": "t",
            "input": [
                {"type": "text", "text": "a", "text_elements": [{"byteRange": {"start": 0, "end": 1}}]},
                {"type": "image", "url": "data:image/png;base64,AA=="},
                {"type": "localImage", "path": "/p", "detail": "low"},
                {"type": "mention", "name": "m", "path": "p"},
            ],
            "sandboxPolicy": {"type": "externalSandbox", "networkAccess": "enabled"},
            "effort": "high",
            "outputSchema": {"type": "object"},
            "collaborationMode": {"mode": "plan", "settings": {"model": "m", "reasoning_effort": None}},
        },
    },
    {"id": 30, "method": "turn/interrupt", "params": {"threadId": "t", "turnId": ""}},
    {"id": 31, "method": "config/read", "params": {"includeLayers": True}},
]

REFUSED: Final[list[dict[str, Any]]] = [
    {"id": 0, "method": "initialize"},
    {"id": 0, "method": "initialize", "params": {}},
    {"id": 0, "method": "initialize", "params": {"clientInfo": {"name": "editor"}}},
    {"id": 0, "method": "initialize", "params": {"clientInfo": {**CLIENT, "version": 1}}},
    {"id": 0, "method": "account/login/start", "params": {}},
    {"id": 0, "method": "account/login/start", "params": {"type": "zzz"}},
    {"id": 0, "method": "account/login/start", "params": {"type": "apiKey"}},
    {"id": 0, "method": "account/login/start", "params": {"type": "apiKey", "apiKey": 5}},
    {"id": 0, "method": "account/login/start", "params": {"type": "chatgpt", "appBrand": "other"}},
    {"id": 0, "method": "account/login/start", "params": {"type": "chatgpt", "codexStreamlinedLogin": None}},
    {"id": 0, "method": "account/login/start", "params": {"type": "chatgptAuthTokens", "accessToken": "t"}},
    {"id": 0, "method": "account/login/cancel", "params": {"loginId": None}},
    {"id": 0, "method": "account/logout", "params": {"a": 1}},
    {"id": 0, "method": "account/logout", "params": []},
    {"id": 0, "method": "account/rateLimits/read", "params": {"excludeResetCreditDetails": "yes"}},
    {"id": 0, "method": "account/read", "params": None},
    {"id": 0, "method": "getAuthStatus", "params": {"includeToken": 1}},
    {"id": 0, "method": "thread/start"},
    {"id": 0, "method": "thread/start", "params": {"approvalPolicy": "granular"}},
    {"id": 0, "method": "thread/start", "params": {"approvalPolicy": {"granular": {"rules": True}}}},
    {"id": 0, "method": "thread/start", "params": {"dynamicTools": [{"type": "namespace", **TOOL}]}},
    {"id": 0, "method": "thread/list", "params": {"limit": -1}},
    {"id": 0, "method": "thread/list", "params": {"cwd": 5}},
    {"id": 0, "method": "thread/resume", "params": {"threadId": "t", "excludeTurns": None}},
    {"id": 0, "method": "turn/start", "params": {"threadId": "t"}},
    {"id": 0, "method": "turn/start", "params": {"threadId": "t", "input": [{"type": "text"}]}},
    {"id": 0, "method": "turn/start", "params": {"threadId": "t", "input": [{"type": "audio", "url": "u"}]}},
    {"id": 0, "method": "turn/start", "params": {"threadId": "t", "input": [], "effort": ""}},
    {"id": 0, "method": "turn/start", "params": {"threadId": "t", "input": [], "sandboxPolicy": {"type": "none"}}},
    {"id": 0, "method": "turn/steer", "params": {"threadId": "t", "input": []}},
]

WINDOW: Final = rate_limits.RateLimitWindow(used_percent=12, window_duration_mins=300, resets_at=1_800_000_000)
LIMITS: Final = rate_limits.RateLimitSnapshot(limit_id="codex", primary=WINDOW, plan_type="plus")

SENT: Final[list[tuple[str, WireValue]]] = [
    (
        "v1/InitializeResponse",
        lifecycle.InitializeResponse(
            user_agent="editor/0.169.0", codex_home="/h", platform_family="unix", platform_os="linux"
        ),
    ),
    ("v2/GetAccountResponse", account.GetAccountResponse(requires_openai_auth=True)),
    (
        "v2/GetAccountResponse",
        account.GetAccountResponse(
            account=account.Account(account.ChatgptAccount(type="chatgpt", email=None, plan_type="plus")),
            user_id="user-1",
            requires_openai_auth=True,
            workspace_routing=account.WorkspaceRouting(
                chatgpt_account_id="acc", backend_origin="https://b.example", account_routing_override="us"
            ),
        ),
    ),
    ("GetAuthStatusResponse", account.GetAuthStatusResponse(requires_openai_auth=False)),
    (
        "GetAuthStatusResponse",
        account.GetAuthStatusResponse(auth_method="apikey", auth_token=SecretStr("sk-1"), requires_openai_auth=True),
    ),
    ("v2/LoginAccountResponse", account.LoginAccountResponse(account.ApiKeyLoginStarted())),
    (
        "v2/LoginAccountResponse",
        account.LoginAccountResponse(account.ChatgptLoginStarted(login_id="a1", auth_url="https://a.example")),
    ),
    (
        "v2/LoginAccountResponse",
        account.LoginAccountResponse(
            account.DeviceCodeLoginStarted(login_id="a1", verification_url="https://a.example", user_code="AB-CD")
        ),
    ),
    ("v2/CancelLoginAccountResponse", account.CancelLoginAccountResponse(status="notFound")),
    ("v2/LogoutAccountResponse", account.LogoutAccountResponse()),
    (
        "v2/GetAccountRateLimitsResponse",
        rate_limits.GetAccountRateLimitsResponse(
            rate_limits=LIMITS,
            rate_limits_by_limit_id={"codex": LIMITS},
            rate_limit_reset_credits=rate_limits.RateLimitResetCreditsSummary(available_count=1),
            rate_limit_upsell={"snake_case": [1]},
        ),
    ),
    ("v2/AccountRateLimitsUpdatedNotification", rate_limits.AccountRateLimitsUpdatedNotification(rate_limits=LIMITS)),
    ("v2/AccountUpdatedNotification", account.AccountUpdatedNotification(auth_mode="chatgpt", plan_type="pro")),
    ("v2/AccountUpdatedNotification", account.AccountUpdatedNotification()),
    ("v2/AccountLoginCompletedNotification", account.AccountLoginCompletedNotification(success=False, error="no")),
    (
        "v2/ConfigWarningNotification",
        lifecycle.ConfigWarningNotification(
            summary="s",
            range=lifecycle.TextRange(
                start=lifecycle.TextPosition(line=1, column=1), end=lifecycle.TextPosition(line=1, column=9)
            ),
        ),
    ),
    (
        "ChatgptAuthTokensRefreshParams",
        account.ChatgptAuthTokensRefreshParams(reason="unauthorized", previous_account_id="acc"),
    ),
    (
        "ChatgptAuthTokensRefreshResponse",
        account.ChatgptAuthTokensRefreshResponse(access_token=SecretStr("e30.e30.x"), chatgpt_account_id="acc"),
    ),
]


LINES: Final = [*reference_lines.RESULTS, *reference_lines.SENT, reference_lines.CONFIG]


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("schemas")
    generate_json(out, experimental=True)
    return out


def validator(schemas: Path, name: str) -> Draft7Validator:
    return Draft7Validator(json.loads((schemas / f"{name}.json").read_text(encoding="utf-8")))


def decode(message: dict[str, Any]) -> None:
    (declaration,) = (d for d in catalogue.CLIENT_REQUESTS if d.method == message["method"])
    declaration.decode(message.get("params", ABSENT))


def test_every_schema_is_valid_draft_07(schemas: Path) -> None:
    files = [file for file in schemas.rglob("*.json") if file.name != "methods.json"]
    assert files
    for file in files:
        schema = json.loads(file.read_text(encoding="utf-8"))
        assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
        Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("message", ACCEPTED, ids=json.dumps)
def test_a_request_that_we_accept_is_valid(message: dict[str, Any], schemas: Path) -> None:
    decode(message)
    validator(schemas, "ClientRequest").validate(message)
    validator(schemas, "JSONRPCMessage").validate(message)


@pytest.mark.parametrize("message", REFUSED, ids=json.dumps)
def test_a_request_that_we_refuse_is_invalid(message: dict[str, Any], schemas: Path) -> None:
    with pytest.raises(InvalidRequest):
        decode(message)
    assert not validator(schemas, "ClientRequest").is_valid(message)


@pytest.mark.parametrize("request_id", [None, 1.5, True, [], {}])
def test_an_id_is_a_string_or_an_integer(request_id: Any, schemas: Path) -> None:
    request = {"id": request_id, "method": "account/read", "params": {}}
    assert not validator(schemas, "ClientRequest").is_valid(request)


@pytest.mark.parametrize(("name", "value"), SENT, ids=lambda part: part if isinstance(part, str) else "")
def test_what_we_send_is_valid(name: str, value: WireValue, schemas: Path) -> None:
    validator(schemas, name).validate(json.loads(value.to_json()))


@pytest.mark.parametrize(("name", "value"), SENT, ids=lambda part: part if isinstance(part, str) else "")
def test_what_we_send_has_every_member_so_that_typescript_need_not_ask(
    name: str, value: WireValue, schemas: Path
) -> None:
    sent = json.loads(value.to_json())
    schema = validator(schemas, name).schema
    if "oneOf" in schema:
        variants = [schema["definitions"][option["$ref"].rpartition("/")[2]] for option in schema["oneOf"]]
        (schema,) = (v for v in variants if v["properties"]["type"]["enum"] == [sent["type"]])
    assert sent.keys() == schema.get("properties", {}).keys()


@pytest.mark.parametrize(("model", "line"), LINES, ids=lambda part: getattr(part, "__name__", ""))
def test_what_the_reference_sends_is_valid_and_so_is_what_we_make_of_it(model: Any, line: Any, schemas: Path) -> None:
    schema = json.loads((schemas / "app_server_protocol.schemas.json").read_text(encoding="utf-8"))
    here = Draft7Validator({"$ref": f"#/definitions/{model.__name__}", "definitions": schema["definitions"]})
    here.validate(line)
    here.validate(json.loads(decode_model(model, line).to_json()))


def test_a_notification_of_the_server_is_valid(schemas: Path) -> None:
    params = json.loads(account.AccountUpdatedNotification(auth_mode="apikey").to_json())
    message = {"method": "account/updated", "params": params, "emittedAtMs": 1_800_000_000_000}
    validator(schemas, "ServerNotification").validate(message)
    assert not validator(schemas, "ServerNotification").is_valid(message | {"method": "account/changed"})
    assert not validator(schemas, "ServerNotification").is_valid(message | {"emittedAtMs": "now"})


def test_the_request_for_fresh_tokens_and_its_answer_are_valid(schemas: Path) -> None:
    params = {"reason": "unauthorized", "previousAccountId": "acc"}
    request = {"method": "account/chatgptAuthTokens/refresh", "id": 0, "params": params}
    validator(schemas, "ServerRequest").validate(request)
    assert not validator(schemas, "ServerRequest").is_valid(request | {"params": {"reason": "bored"}})
    answer = {"accessToken": "e30.e30.x", "chatgptAccountId": "acc", "chatgptPlanType": None}
    validator(schemas, "ChatgptAuthTokensRefreshResponse").validate(answer)
    assert not validator(schemas, "ChatgptAuthTokensRefreshResponse").is_valid({})


def test_the_notification_of_the_client_is_valid(schemas: Path) -> None:
    validator(schemas, "ClientNotification").validate({"method": "initialized"})
    assert not validator(schemas, "ClientNotification").is_valid({"method": "finalized"})


@pytest.mark.parametrize("request_id", [1, "a", None])
def test_an_error_may_lack_an_id_that_could_not_be_read(request_id: Any, schemas: Path) -> None:
    message = {"error": {"code": -32600, "message": "Not initialized"}, "id": request_id}
    validator(schemas, "JSONRPCError").validate(message)
    validator(schemas, "JSONRPCMessage").validate(message)


def test_params_that_may_be_left_out_may_be_null(schemas: Path) -> None:
    validator(schemas, "v2/NullableGetAccountRateLimitsParams").validate(None)
    assert not validator(schemas, "v2/GetAccountParams").is_valid(None)
