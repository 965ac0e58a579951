"""What every wire model has in common: names, strictness, and the JSON it turns into."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from protocol.account import (
    Account,
    AccountUpdatedNotification,
    ApiKeyAccount,
    ApiKeyLogin,
    ChatgptAccount,
    GetAccountResponse,
    GetAuthStatusResponse,
    LoginAccountParams,
    WorkspaceRouting,
)
from protocol.base import Int32, Int64, UInt, WireModel, WireSecret, WireUnion, experimental_field
from protocol.json_codec import loads
from protocol.lifecycle import ConfigWarningNotification, InitializeResponse
from protocol.method import Empty, decode
from protocol.rate_limits import GetAccountRateLimitsResponse, RateLimitSnapshot


class Sample(WireModel):
    """A model of the test's own."""

    plain_name: str = "x"
    secret_name: WireSecret | None = None
    new_field: str | None = experimental_field()
    newer_field: bool = experimental_field(default=False, description="d")
    small: Int32 = 0
    large: Int64 = 0
    unsigned: UInt = 0


def test_members_are_written_in_camel_case_and_nulls_are_written_too() -> None:
    assert (
        GetAccountResponse(requires_openai_auth=True).to_json()
        == b'{"account":null,"userId":null,"requiresOpenaiAuth":true,"workspaceRouting":null}'
    )
    assert AccountUpdatedNotification(auth_mode="apikey").to_json() == b'{"authMode":"apikey","planType":null}'
    assert Empty().to_json() == b"{}"


def test_a_union_is_written_as_the_variant_it_holds() -> None:
    assert Account(ApiKeyAccount(type="apiKey")).to_json() == b'{"type":"apiKey"}'
    response = GetAccountResponse(
        account=Account(ChatgptAccount(type="chatgpt", email=None, plan_type="plus")),
        requires_openai_auth=True,
        workspace_routing=WorkspaceRouting(
            chatgpt_account_id="a", backend_origin="https://b.example", account_routing_override="us"
        ),
    )
    assert loads(response.to_json())["account"] == {
        "type": "chatgpt",
        "email": None,
        "planType": "plus",
        "workspaceName": None,
    }


def test_python_names_are_for_python_and_wire_names_for_the_wire() -> None:
    assert Sample(plain_name="a").plain_name == "a"
    assert decode(Sample, {"plainName": "a"}).plain_name == "a"
    assert decode(Sample, {"plain_name": "a"}).plain_name == "x"


def test_unknown_members_are_ignored() -> None:
    assert decode(Sample, {"zzz": [1], "": None, "PlainName": 5, "__class__": 1, "model_config": {}}) == Sample()


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("plainName", 5),
        ("plainName", None),
        ("plainName", b"x"),
        ("small", "5"),
        ("small", 5.0),
        ("small", True),
        ("newerField", 1),
        ("newerField", "true"),
        ("secretName", 5),
        ("small", 2**31),
        ("small", -(2**31) - 1),
        ("large", 2**63),
        ("large", -(2**63) - 1),
        ("unsigned", -1),
        ("unsigned", 2**64),
    ],
)
def test_values_are_never_coerced_nor_let_out_of_range(member: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        Sample.model_validate({member: value})


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("small", 2**31 - 1),
        ("small", -(2**31)),
        ("large", 2**63 - 1),
        ("large", -(2**63)),
        ("unsigned", 0),
        ("unsigned", 2**64 - 1),
    ],
)
def test_integers_reach_to_the_ends_of_their_range(member: str, value: int) -> None:
    assert loads(decode(Sample, {member: value}).to_json())[member] == value


def test_a_model_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Sample().plain_name = "b"  # type: ignore[misc] # this is the test
    with pytest.raises(ValidationError):
        Account(ApiKeyAccount(type="apiKey")).root = ChatgptAccount(type="chatgpt", email=None, plan_type="plus")  # type: ignore[misc] # this is the test


def test_equal_models_are_equal_and_hashable() -> None:
    assert Sample(plain_name="a") == Sample(plain_name="a")
    assert hash(Sample(plain_name="a")) == hash(Sample(plain_name="a"))


def test_experimental_fields_are_known_by_their_python_names() -> None:
    assert Sample.experimental_fields == {"new_field", "newer_field"}
    assert Empty.experimental_fields == frozenset()


def test_secrets_are_written_into_the_message_that_carries_them_and_nowhere_else() -> None:
    params = LoginAccountParams(ApiKeyLogin(type="apiKey", api_key=SecretStr("sk-1")))

    assert params.to_json() == b'{"type":"apiKey","apiKey":"sk-1"}'
    assert GetAuthStatusResponse(auth_token=SecretStr("t")).to_json() == (
        b'{"authMethod":null,"authToken":"t","requiresOpenaiAuth":null}'
    )
    assert "sk-1" not in str(params.model_dump())


@pytest.mark.parametrize("text", ["\ud800", "/home/\udcff/codex", "a\udfffé😀"])
def test_lone_surrogates_are_written_as_escapes(text: str) -> None:
    warning = ConfigWarningNotification(summary=text, path=text)

    assert loads(warning.to_json()) == {"summary": text, "details": None, "path": text, "range": None}
    warning.to_json().decode("utf-8")


def test_lone_surrogates_beside_secrets_and_in_unions_are_written_too() -> None:
    assert loads(GetAuthStatusResponse(auth_token=SecretStr("\ud800")).to_json())["authToken"] == "\ud800"
    params = LoginAccountParams(ApiKeyLogin(type="apiKey", api_key=SecretStr("\ud800")))
    assert loads(params.to_json()) == {"type": "apiKey", "apiKey": "\ud800"}


def test_a_home_whose_path_is_not_utf8_can_be_told() -> None:
    home = b"/home/\xff".decode("utf-8", "surrogateescape")
    response = InitializeResponse(user_agent="u", codex_home=home, platform_family="unix", platform_os="linux")

    assert response.to_json().isascii()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("beside", ["x", "\ud800"])
def test_numbers_that_json_does_not_have_are_written_as_null(number: float, beside: str) -> None:
    response = GetAccountRateLimitsResponse(
        rate_limits=RateLimitSnapshot(), rate_limit_upsell={"a": number, "b": [number]}, account_id=beside
    )

    assert loads(response.to_json())["rateLimitUpsell"] == {"a": None, "b": [None]}


def test_line_ends_in_strings_are_escaped() -> None:
    assert b"\n" not in ConfigWarningNotification(summary="a\nb\r\u2028", path="\ud800\n").to_json()


def test_a_union_is_named_and_its_variants_are_models() -> None:
    decoded = decode(LoginAccountParams, {"type": "apiKey", "apiKey": "k"})

    assert isinstance(decoded, WireUnion)
    assert isinstance(decoded.root, ApiKeyLogin)
