"""What somebody can be logged in with."""

from typing import get_args

import pytest
from pydantic import SecretStr

import protocol.account
from app_server.auth.credentials import (
    ApiKey,
    Claims,
    Credential,
    ExternalTokens,
    PersonalAccessToken,
    PlanType,
    plan_type,
)
from tests.unit.auth.samples import managed_tokens

CLAIMS = Claims(email="ada@example.com", plan="hc", user_id="user-1", account_id="account-1")

CREDENTIALS: list[tuple[Credential, str, str | None]] = [
    (ApiKey(SecretStr("canary-key")), "apikey", None),
    (managed_tokens("canary-refresh"), "chatgpt", "plus"),
    (ExternalTokens(SecretStr("canary-access"), "account-1", "pro", CLAIMS), "chatgptAuthTokens", "pro"),
    (PersonalAccessToken(SecretStr("canary-token"), "ada@example.com", "user-1"), "personalAccessToken", "unknown"),
]


@pytest.mark.parametrize(("credential", "mode", "plan"), CREDENTIALS)
def test_every_credential_says_what_the_wire_calls_it(credential: Credential, mode: str, plan: str | None) -> None:
    assert credential.auth_mode == mode
    assert credential.plan_type == plan


@pytest.mark.parametrize("credential", [row[0] for row in CREDENTIALS])
def test_a_repr_shows_neither_secrets_nor_people(credential: Credential) -> None:
    text = repr(credential)
    for private in ("canary", "owner-1", "platform-key", "ada@", "user-1", "account-1", "e30."):
        assert private not in text


@pytest.mark.parametrize("credential", [row[0] for row in CREDENTIALS[1:]])
def test_whoever_has_an_account_has_an_address_and_an_id(credential: Credential) -> None:
    assert (credential.email, credential.user_id) == ("ada@example.com", "user-1")


def test_an_api_key_belongs_to_nobody_in_particular() -> None:
    key = ApiKey(SecretStr("k"))
    assert (key.email, key.user_id, key.account_id) == (None, None, None)


def test_each_kind_is_used_as_bearer_with_its_own_token() -> None:
    bearers = [credential.bearer.get_secret_value() for credential, _, _ in CREDENTIALS]
    assert bearers[0] == "canary-key"
    assert bearers[1] == managed_tokens().access_token.get_secret_value()
    assert bearers[2:] == ["canary-access", "canary-token"]


def test_equal_secrets_make_equal_credentials_of_the_same_kind_only() -> None:
    assert managed_tokens() == managed_tokens()
    assert managed_tokens("a") != managed_tokens("b")
    key: Credential = ApiKey(SecretStr("same"))
    token: Credential = PersonalAccessToken(SecretStr("same"))
    assert key != token


@pytest.mark.parametrize(
    ("named", "plan"),
    [
        ("plus", "plus"),
        ("business", "business"),
        ("hc", "enterprise"),
        ("education", "edu"),
        ("unknown", "unknown"),
        ("Plus", "unknown"),
        ("HC", "unknown"),
        ("k12", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_plan_that_a_token_names_has_a_name_on_the_wire(named: str | None, plan: str) -> None:
    assert plan_type(named) == plan


def test_the_plans_are_those_of_the_wire() -> None:
    assert set(get_args(PlanType)) == set(get_args(protocol.account.PlanType))
