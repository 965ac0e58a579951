"""The models of the surface against lines of the reference: what it writes is read and written again unchanged."""

from collections.abc import Iterator
from types import NoneType
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from protocol import account, catalogue, items, lifecycle, rate_limits, user_input
from protocol.base import WireModel
from protocol.errors import InvalidRequest
from protocol.json_codec import dumps, loads
from protocol.method import decode
from protocol.serde_text import NO_VARIANT
from tests.unit.protocol import reference_lines

SNAPSHOT = {
    "limitId": "codex",
    "limitName": None,
    "normalModelSlug": None,
    "primary": {"usedPercent": 38, "windowDurationMins": 300, "resetsAt": 1800000000},
    "secondary": None,
    "credits": {"hasCredits": True, "unlimited": False, "balance": "5.0"},
    "individualLimit": {"limit": "10", "used": "5", "remainingPercent": 50, "resetsAt": 1800000000},
    "spendControlReached": False,
    "planType": "plus",
    "rateLimitReachedType": "rate_limit_reached",
}

EMPTY_SNAPSHOT = dict.fromkeys(SNAPSHOT)

LINES: list[tuple[Any, Any]] = [
    (
        lifecycle.InitializeResponse,
        {
            "userAgent": "x/0.169.0 (Debian 12.0.0; x86_64) xterm (x; 1)",
            "codexHome": "/home/x/.codex",
            "platformFamily": "unix",
            "platformOs": "linux",
        },
    ),
    (
        lifecycle.ConfigWarningNotification,
        {
            "summary": "s",
            "details": "d",
            "path": "/p",
            "range": {"start": {"line": 1, "column": 2}, "end": {"line": 1, "column": 9}},
        },
    ),
    (
        account.GetAccountResponse,
        {"account": None, "userId": None, "requiresOpenaiAuth": True, "workspaceRouting": None},
    ),
    (
        account.GetAccountResponse,
        {"account": {"type": "apiKey"}, "userId": None, "requiresOpenaiAuth": True, "workspaceRouting": None},
    ),
    (
        account.GetAccountResponse,
        {
            "account": {"type": "chatgpt", "email": "a@b.c", "planType": "plus", "workspaceName": "Acme"},
            "userId": "u1",
            "requiresOpenaiAuth": True,
            "workspaceRouting": {
                "chatgptAccountId": "acct-1",
                "backendOrigin": "https://x.example",
                "accountRoutingOverride": "us",
            },
        },
    ),
    (account.GetAuthStatusResponse, {"authMethod": None, "authToken": None, "requiresOpenaiAuth": True}),
    (account.GetAuthStatusResponse, {"authMethod": "apikey", "authToken": "sk", "requiresOpenaiAuth": True}),
    (
        account.GetAuthStatusResponse,
        {"authMethod": "personalAccessToken", "authToken": None, "requiresOpenaiAuth": True},
    ),
    (account.LoginAccountResponse, {"type": "apiKey"}),
    (account.LoginAccountResponse, {"type": "chatgptAuthTokens"}),
    (
        account.LoginAccountResponse,
        {"type": "chatgpt", "loginId": "d94fd3d3-3a3c-4a13-b3b2-a4a35f6ae1b1", "authUrl": "https://i.example/?a=b"},
    ),
    (
        account.LoginAccountResponse,
        {"type": "chatgptDeviceCode", "loginId": "l", "verificationUrl": "https://i.example/d", "userCode": "AB-CD"},
    ),
    (account.CancelLoginAccountResponse, {"status": "canceled"}),
    (account.CancelLoginAccountResponse, {"status": "notFound"}),
    (account.LogoutAccountResponse, {}),
    (
        account.AccountLoginCompletedNotification,
        {"loginId": None, "success": True, "error": None, "onboardingEntrypoint": None},
    ),
    (
        account.AccountLoginCompletedNotification,
        {"loginId": "l", "success": False, "error": "Login was not completed", "onboardingEntrypoint": None},
    ),
    (account.AccountUpdatedNotification, {"authMode": "chatgptAuthTokens", "planType": "unknown"}),
    (account.AccountUpdatedNotification, {"authMode": None, "planType": None}),
    (account.ChatgptAuthTokensRefreshParams, {"reason": "unauthorized", "previousAccountId": "acct-1"}),
    (
        account.ChatgptAuthTokensRefreshResponse,
        {"accessToken": "t", "chatgptAccountId": "acct-1", "chatgptPlanType": None},
    ),
    (rate_limits.AccountRateLimitsUpdatedNotification, {"rateLimits": EMPTY_SNAPSHOT}),
    (
        rate_limits.GetAccountRateLimitsResponse,
        {
            "ordinaryUsageAllowed": True,
            "rateLimits": SNAPSHOT,
            "rateLimitsByLimitId": {"codex": SNAPSHOT, "feat": EMPTY_SNAPSHOT},
            "rateLimitResetCredits": {
                "availableCount": 2,
                "credits": [
                    {
                        "id": "c1",
                        "resetType": "codexRateLimits",
                        "status": "available",
                        "grantedAt": 1767225600,
                        "expiresAt": None,
                        "title": "t",
                        "description": None,
                    }
                ],
            },
            "accountId": "acct-1",
            "rateLimitUpsell": {"a_b": [1, {"c": None}]},
        },
    ),
    *reference_lines.RESULTS,
    *reference_lines.SENT,
]


@pytest.mark.parametrize(("model", "line"), LINES, ids=lambda value: getattr(value, "__name__", ""))
def test_what_the_reference_writes_is_read_and_written_again_unchanged(model: Any, line: Any) -> None:
    written = decode(model, loads(dumps(line))).to_json()

    assert loads(written) == line
    assert list(loads(written)) == list(line)


def test_every_result_and_everything_that_is_announced_is_among_those_lines() -> None:
    sent = {
        *(declaration.result for declaration in catalogue.CLIENT_REQUESTS if not declaration.experimental),
        *(declaration.params for declaration in catalogue.SERVER_NOTIFICATIONS if not declaration.experimental),
        *(declaration.params for declaration in catalogue.SERVER_REQUESTS),
        *(declaration.result for declaration in catalogue.SERVER_REQUESTS),
    }

    assert sent <= {model for model, _ in [*LINES, reference_lines.CONFIG]}


def test_settings_that_have_no_member_are_passed_on_and_those_that_have_one_are_null_when_they_are_not_set() -> None:
    model, line = reference_lines.CONFIG
    written = loads(decode(model, loads(dumps(line))).to_json())

    settings = {name: value for name, value in written.pop("config").items() if value is not None}
    assert {"config": settings, **written} == line


def core_schema(model: type[WireModel]) -> str:
    model.model_rebuild(force=True)
    return repr(model.__pydantic_core_schema__)


@pytest.mark.parametrize(
    "model",
    [
        items.AgentMessageDeltaNotification,
        items.PlanDeltaNotification,
        items.ReasoningSummaryTextDeltaNotification,
        items.ReasoningTextDeltaNotification,
    ],
)
def test_no_python_runs_while_a_delta_is_made_and_written(model: type[WireModel]) -> None:
    # A turn can have tens of thousands of them; pydantic's core does them alone unless a model has hooks.
    assert "'function-" not in core_schema(model)
    assert "'function-" in core_schema(user_input.ImageUserInput), "this is how a hook shows"


def wire_models(base: type[WireModel] = WireModel) -> Iterator[type[WireModel]]:
    """Every model that ``protocol`` declares."""
    for model in base.__subclasses__():
        if model.__module__.startswith("protocol."):
            yield model
        yield from wire_models(model)


@pytest.mark.parametrize("model", list(wire_models()), ids=lambda model: model.__name__)
def test_null_is_accepted_for_what_may_be_null_and_for_nothing_else(model: type[WireModel]) -> None:
    nullable, accepted = set(), set()
    for name, field in model.model_fields.items():
        if field.annotation in (Any, NoneType) or NoneType in get_args(field.annotation):
            nullable.add(name)
        member = field.alias or name
        refused: set[Any] = set()
        try:
            model.model_validate({member: None}, by_alias=True, by_name=False)
        except ValidationError as error:
            refused = {found["loc"][:1] for found in error.errors() if found["type"] not in ("missing", NO_VARIANT)}
        if (member,) not in refused:
            accepted.add(name)
    assert accepted == nullable


def test_tokens_of_the_older_shape_take_their_account_from_the_id_token() -> None:
    for older in (
        {"type": "chatgptAuthTokens", "accessToken": "a", "idToken": "i"},
        {"type": "chatgptAuthTokens", "accessToken": "a", "idToken": "i", "chatgptAccountId": None},
    ):
        login = decode(account.LoginAccountParams, older).root
        assert isinstance(login, account.ChatgptAuthTokensLogin)
        assert login.chatgpt_account_id == ""
        assert login.id_token is not None
        assert login.id_token.get_secret_value() == "i"


def test_an_account_that_is_given_counts_before_the_id_token() -> None:
    params = {"type": "chatgptAuthTokens", "accessToken": "a", "idToken": "i", "chatgptAccountId": "acct-1"}
    login = decode(account.LoginAccountParams, params).root

    assert isinstance(login, account.ChatgptAuthTokensLogin)
    assert login.chatgpt_account_id == "acct-1"


@pytest.mark.parametrize("id_token", [None, ""])
def test_an_id_token_that_is_none_makes_no_older_shape(id_token: Any) -> None:
    with pytest.raises(InvalidRequest, match="missing field `chatgptAccountId`"):
        decode(account.LoginAccountParams, {"type": "chatgptAuthTokens", "accessToken": "a", "idToken": id_token})


def test_an_answer_to_the_refresh_may_leave_the_plan_out_and_nothing_else() -> None:
    answer = decode(account.ChatgptAuthTokensRefreshResponse, {"accessToken": "t", "chatgptAccountId": "c"})

    assert answer.chatgpt_plan_type is None
    with pytest.raises(InvalidRequest, match="missing field `accessToken`"):
        decode(account.ChatgptAuthTokensRefreshResponse, {})
    with pytest.raises(InvalidRequest, match="missing field `chatgptAccountId`"):
        decode(account.ChatgptAuthTokensRefreshResponse, {"accessToken": "t"})
