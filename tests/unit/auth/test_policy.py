"""Which logins the configuration allows (wire.md section 6)."""

from collections.abc import Callable

import pytest
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey, Claims, Credential, ExternalTokens, PersonalAccessToken
from app_server.auth.errors import LoginNotAllowed, ParentAnswerUnusable
from app_server.auth.policy import LoginPolicy
from tests.unit.auth.fakes import tokens

KEY = ApiKey(SecretStr("sk"))
MANAGED = tokens()
NOBODYS = tokens(account_id=None)
EXTERNAL = ExternalTokens(SecretStr("t"), "account-1", "plus", Claims())
PERSONAL = PersonalAccessToken(SecretStr("at-1"), account_id="account-1")
UNIDENTIFIED = PersonalAccessToken(SecretStr("at-1"))

Check = Callable[[LoginPolicy], None]
CHECKS: dict[str, Check] = {
    "key": LoginPolicy.require_api_key_allowed,
    "bedrock": LoginPolicy.require_bedrock_allowed,
    "chatgpt": LoginPolicy.require_chatgpt_allowed,
    "external": lambda policy: policy.require_external_tokens_allowed("account-1"),
}


@pytest.mark.parametrize(
    ("policy", "refused"),
    [
        (LoginPolicy(), {}),
        (
            LoginPolicy("chatgpt"),
            {
                "key": "API key login is disabled. Use ChatGPT login instead.",
                "bedrock": "Amazon Bedrock login is disabled. Use ChatGPT login instead.",
            },
        ),
        (
            LoginPolicy("api"),
            {
                "chatgpt": "ChatGPT login is disabled. Use API key login instead.",
                "external": "External ChatGPT auth is disabled. Use API key login instead.",
            },
        ),
        (
            LoginPolicy(workspaces=("account-2", "account-3")),
            {
                "external": 'External auth must use one of workspace(s) ["account-2", "account-3"], '
                'but received "account-1".'
            },
        ),
        (LoginPolicy(workspaces=("account-2", "account-1")), {}),
    ],
)
def test_what_may_be_begun(policy: LoginPolicy, refused: dict[str, str]) -> None:
    for name, check in CHECKS.items():
        if name in refused:
            with pytest.raises(LoginNotAllowed) as raised:
                check(policy)
            assert raised.value.message == refused[name]
        else:
            check(policy)


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        (LoginPolicy(), [KEY, MANAGED, NOBODYS, EXTERNAL, PERSONAL, UNIDENTIFIED]),
        (LoginPolicy("chatgpt"), [MANAGED, NOBODYS, EXTERNAL, PERSONAL, UNIDENTIFIED]),
        (LoginPolicy("api"), [KEY]),
        (LoginPolicy(workspaces=("account-1",)), [KEY, MANAGED, EXTERNAL, PERSONAL]),
        (LoginPolicy(workspaces=("account-2",)), [KEY]),
        (LoginPolicy("chatgpt", ("account-2", "account-1")), [MANAGED, EXTERNAL, PERSONAL]),
    ],
)
def test_which_stored_logins_may_be_used(policy: LoginPolicy, allowed: list[Credential]) -> None:
    every: list[Credential] = [KEY, MANAGED, NOBODYS, EXTERNAL, PERSONAL, UNIDENTIFIED]
    assert [credential for credential in every if policy.allows(credential)] == allowed


@pytest.mark.parametrize(
    ("workspaces", "account_id", "refused"),
    [
        ((), "account-1", None),
        ((), "account-2", "account-1"),
        (("account-1", "account-2"), "account-1", None),
        # One that is allowed is another one all the same.
        (("account-1", "account-2"), "account-2", "account-1"),
        (("account-1",), "account-2", "account-1"),
        (("account-1", "account-3"), "account-2", "account-1, account-3"),
    ],
)
def test_refreshed_tokens_go_on_with_the_same_account(
    workspaces: tuple[str, ...], account_id: str, refused: str | None
) -> None:
    policy = LoginPolicy(workspaces=workspaces)
    if refused is None:
        policy.require_refreshed_account(account_id, "account-1")
        return
    with pytest.raises(ParentAnswerUnusable) as raised:
        policy.require_refreshed_account(account_id, "account-1")
    assert raised.value.message == (
        f"Login is restricted to workspace(s) {refused}, but current credentials belong to {account_id}"
    )
