"""Who is logged in, and of what use that is, from what a store holds."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey, Credential, ManagedTokens, PersonalAccessToken
from app_server.auth.journal import FileJournal
from app_server.auth.stores.ephemeral_store import EphemeralStore
from app_server.auth.stores.file_store import FileStore
from app_server.auth.tokens import parse_claims
from app_server.config import Settings
from app_server.diagnosis.login import describe_state, expiry_text, findings, login_state, on_the_wire
from app_server.fake_openai.tokens import mint_jwt

AUTH = "https://api.openai.com/auth"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def managed(expires_at: datetime | None = NOW, **members: Any) -> ManagedTokens:
    claims = {
        "email": "user@example.com",
        "exp": None if expires_at is None else int(expires_at.timestamp()),
        AUTH: {"chatgpt_plan_type": "plus", "chatgpt_account_id": "acct-1"},
    }
    token = SecretStr(mint_jwt(claims))
    return ManagedTokens(
        **{
            "id_token": token,
            "access_token": token,
            "refresh_token": SecretStr("rt.canary"),
            "account_id": "acct-1",
            "claims": parse_claims(token),
            **members,
        }
    )


async def holding(credential: Credential) -> EphemeralStore:
    store = EphemeralStore()
    await store.save(credential)
    return store


async def test_nobody_is_no_problem(settings: Settings) -> None:
    state = await login_state(settings, EphemeralStore())
    assert on_the_wire(state) is None
    assert describe_state(state) == ""
    assert [(finding.status, finding.summary) for finding in findings(state)] == [("ok", "Nobody is logged in.")]


async def test_a_managed_login_is_described_without_its_tokens(settings: Settings) -> None:
    tokens = managed()
    state = await login_state(settings, await holding(tokens))
    login = on_the_wire(state)
    assert login is not None
    assert login.model_dump() == {
        "auth_mode": "chatgpt",
        "source": "store",
        "email": "user@example.com",
        "plan_type": "plus",
        "account_id": "acct-1",
        "expires_at": int(NOW.timestamp()),
        "renewable": True,
        "usable": True,
    }
    (finding,) = findings(state)
    assert finding.status == "ok"
    assert finding.summary == "Logged in: ChatGPT, plan plus, user@example.com."
    assert tokens.access_token.get_secret_value() not in f"{finding}{login}"


async def test_an_api_key_neither_runs_out_nor_shows(settings: Settings) -> None:
    state = await login_state(settings, await holding(ApiKey(SecretStr("sk-canary"))))
    (finding,) = findings(state)
    assert (finding.summary, finding.details) == ("Logged in: API key.", None)
    login = on_the_wire(state)
    assert login is not None
    assert (login.auth_mode, login.renewable, login.expires_at) == ("apikey", False, None)


@pytest.mark.parametrize("members", [{"account_id": None}, {"refresh_token": SecretStr("")}])
async def test_a_login_that_cannot_be_renewed_is_told(settings: Settings, members: dict[str, Any]) -> None:
    state = await login_state(settings, await holding(managed(**members)))
    assert [finding.name for finding in findings(state) if finding.status == "warning"] == ["refresh"]


async def test_the_token_of_the_environment_comes_first(settings: Settings) -> None:
    settings = settings._replace(access_token=SecretStr("at-canary"))
    state = await login_state(settings, await holding(managed()))
    assert isinstance(state.credential, PersonalAccessToken)
    assert state.outranked == managed()
    assert describe_state(state) == (
        "personal access token, from the environment variable CODEX_ACCESS_TOKEN, "
        "which outranks the stored login (ChatGPT, plan plus, user@example.com)"
    )


@pytest.mark.parametrize("change", [{"forced_login_method": "api"}, {"forced_chatgpt_workspace_id": ("acct-2",)}])
async def test_a_login_that_the_configuration_forbids_is_ignored_and_told(
    settings: Settings, change: dict[str, Any]
) -> None:
    state = await login_state(settings._replace(**change), await holding(managed()))
    assert state.credential is None
    warning, nobody = findings(state)
    assert (warning.status, nobody.summary) == ("warning", "Nobody is logged in.")
    assert "not allowed by the configuration" in warning.summary


async def test_a_store_that_cannot_be_read_is_told(settings: Settings) -> None:
    (settings.codex_home / "auth.json").write_text('"canary"')
    state = await login_state(settings, FileStore(settings.codex_home))
    warning, _ = findings(state)
    assert (warning.status, warning.summary) == ("warning", "The stored login cannot be read.")
    assert "canary" not in (warning.details or "")


async def test_what_the_journal_knows_of_this_very_login_is_told(settings: Settings) -> None:
    journal = FileJournal(settings.codex_home)
    store = await holding(managed())
    await journal.begin(SecretStr("rt.of-another-login"))
    assert not (await login_state(settings, store)).interrupted
    await journal.begin(SecretStr("rt.canary"))
    interrupted = await login_state(settings, store)
    assert interrupted.interrupted
    assert [finding.status for finding in findings(interrupted)] == ["ok", "warning"]
    await journal.refused(SecretStr("rt.canary"), "it was revoked")
    refused = await login_state(settings, store)
    assert findings(refused)[1].details == "it was revoked"
    login = on_the_wire(refused)
    assert login is not None
    assert not login.usable


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (timedelta(hours=1), "The token is good until 2026-01-01 12:00 UTC; it is renewed by itself."),
        (timedelta(), "The token ran out at 2026-01-01 12:00 UTC; it is renewed by itself."),
        (timedelta(days=-3), "The token ran out at 2026-01-01 12:00 UTC; it is renewed by itself."),
    ],
)
def test_when_the_token_runs_out_is_told(left: timedelta, text: str) -> None:
    assert expiry_text(managed(), NOW - left) == text


def test_a_token_that_does_not_say_when_it_runs_out_is_not_guessed_about() -> None:
    assert expiry_text(managed(None)) is None
