"""``app-server login status`` and ``app-server logout``."""

import time
from pathlib import Path

from pydantic import SecretStr

from app_server.auth.journal import FileJournal
from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import TokenSet
from tests.support.cli import Commands
from tests.support.upstream import managed_login, store

NOBODY = "Nobody is logged in.\n"


def left_in(home: Path) -> list[str]:
    return sorted(path.name for path in home.glob("*"))


def secrets_of(tokens: TokenSet) -> tuple[str, ...]:
    return (tokens.id_token, tokens.access_token, tokens.refresh_token)


async def test_nobody_is_told_with_status_1(commands: Commands, home: Path) -> None:
    outcome = await commands.run("login", "status")
    assert (outcome.status, outcome.out, outcome.err) == (1, NOBODY, "")
    assert not left_in(home)


async def test_who_is_logged_in_is_told_with_masked_tokens_and_without_any_request(
    fake: FakeOpenAI, commands: Commands, home: Path
) -> None:
    tokens = fake.mint(expires_in=-60)
    before = store(home, managed_login(tokens)).read_bytes()
    outcome = await commands.run("login", "status")
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == "Logged in: ChatGPT, plan plus, user@example.com"
    assert lines[1] == f"  token eyJ…{tokens.access_token[-4:]}, refresh token …{tokens.refresh_token[-4:]}"
    assert lines[2] == "  account acct-1"
    assert lines[3].startswith(f"  The token ran out at {time.gmtime().tm_year}")
    assert lines[3].endswith("; it is renewed by itself.")
    assert not [secret for secret in secrets_of(tokens) if secret in outcome.said]
    assert (home / "auth.json").read_bytes() == before
    assert len(fake.requests) == 0


async def test_a_token_of_the_environment_is_told_before_the_stored_login(
    fake: FakeOpenAI, commands: Commands, home: Path
) -> None:
    store(home, {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-canary-of-the-store-0123456789"})
    token = fake.mint_personal()
    outcome = await commands.run("login", "status", env={"CODEX_ACCESS_TOKEN": token})
    assert outcome.status == 0
    assert outcome.out.startswith(
        "Logged in: personal access token, from the environment variable CODEX_ACCESS_TOKEN, "
        "which outranks the stored login (API key)\n"
    )
    assert "CODEX_ACCESS_TOKEN" in outcome.err
    assert token not in outcome.said
    assert "canary" not in outcome.said


async def test_a_login_that_the_issuer_has_refused_to_renew_counts_as_none(
    fake: FakeOpenAI, commands: Commands, home: Path
) -> None:
    tokens = fake.mint()
    store(home, managed_login(tokens))
    await FileJournal(home).refused(SecretStr(tokens.refresh_token), "your refresh token was revoked")
    outcome = await commands.run("login", "status")
    assert outcome.status == 1
    assert outcome.out.startswith("Logged in: ChatGPT, plan plus, user@example.com\n")
    assert outcome.err == "error: the login is of no use any more: your refresh token was revoked\n"


async def test_a_file_that_is_not_understood_is_told(commands: Commands, home: Path) -> None:
    store(home, b'{"tokens": "canary"}')
    outcome = await commands.run("login", "status")
    assert (outcome.status, outcome.out) == (1, NOBODY)
    assert outcome.err.startswith("error: the stored login cannot be read: ")
    assert "canary" not in outcome.said


async def test_a_login_that_the_configuration_forbids_is_told(fake: FakeOpenAI, commands: Commands, home: Path) -> None:
    store(home, managed_login(fake.mint()))
    outcome = await commands.run("login", "status", overrides=("forced_login_method=api",))
    assert (outcome.status, outcome.out) == (1, NOBODY)
    assert outcome.err == "warning: the stored login is not allowed by the configuration and is ignored\n"


async def test_logging_out_removes_the_login_and_revokes_it(fake: FakeOpenAI, commands: Commands, home: Path) -> None:
    tokens = fake.mint()
    store(home, managed_login(tokens))
    outcome = await commands.run("logout")
    assert (outcome.status, outcome.out, outcome.err) == (0, "Logged out.\n", "")
    assert "auth.json" not in left_in(home)
    assert [request.fields()["token"] for request in fake.requests.of("revoke")] == [tokens.refresh_token]


async def test_logging_nobody_out_is_no_failure(commands: Commands) -> None:
    outcome = await commands.run("logout")
    assert (outcome.status, outcome.out, outcome.err) == (0, NOBODY, "")


async def test_what_the_environment_says_stays_after_logging_out(
    fake: FakeOpenAI, commands: Commands, home: Path
) -> None:
    store(home, {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-canary-of-the-store-0123456789"})
    outcome = await commands.run("logout", env={"CODEX_ACCESS_TOKEN": fake.mint_personal()})
    assert outcome.status == 0
    assert outcome.out == "Logged out, but for what the environment says.\n"
    assert "CODEX_ACCESS_TOKEN" in outcome.err
    assert "auth.json" not in left_in(home)


async def test_a_login_that_cannot_be_removed_is_told(commands: Commands, home: Path) -> None:
    (home / "auth.json").mkdir(parents=True)
    outcome = await commands.run("logout")
    assert outcome.status == 1
    assert outcome.err.startswith("error: logout failed: ")
