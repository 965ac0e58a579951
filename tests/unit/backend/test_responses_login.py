"""Responses on behalf of who is logged in: 401s in the middle, other accounts, and the backend of a workspace."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from app_server.auth.credentials import ExternalTokens
from app_server.auth.errors import ParentRefused, RefreshRejected, RefreshUnavailable
from app_server.auth.parent import tokens_from_parent
from app_server.backend.providers import at_origin, base_url, is_chatgpt
from app_server.backend.response_failures import unrecovered
from app_server.backend.responses import AccountPin
from app_server.config.settings import BUILT_IN_PROVIDERS, DEFAULT_PROVIDER
from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import Account
from tests.unit.auth.manager_support import KEY
from tests.unit.backend.support import Bench, bench, provider

CHANGED = (
    "The account has changed since this turn began, so the turn was not sent to the new one. Send the message again to "
    "use it."
)


def minted(fake: FakeOpenAI, account_id: str = "acct-1") -> ExternalTokens:
    tokens = fake.mint(account_id)
    return tokens_from_parent(SecretStr(tokens.access_token), account_id=account_id, plan=None)


def elsewhere(fake: FakeOpenAI) -> str:
    """The fake at an origin that is not that of the ChatGPT backend."""
    return f"http://localhost:{fake.port}/v1"


@asynccontextmanager
async def logged_in(**settings: Any) -> AsyncIterator[tuple[FakeOpenAI, Bench, ExternalTokens]]:
    """A fake with two accounts, and the parent's tokens of the first in force."""
    async with FakeOpenAI.running(accounts=(Account(), Account(account_id="acct-2"))) as fake:
        defaults = {"chatgpt_base_url": f"{fake.base_url}/backend-api"}
        mine = provider(elsewhere(fake), requires_openai_auth=True)
        async with bench(mine, **{**defaults, **settings}) as b:
            tokens = minted(fake)
            b.auth.use_tokens(tokens)
            yield fake, b, tokens


def bearers(fake: FakeOpenAI) -> list[str | None]:
    return [asked.bearer for asked in fake.requests.of("responses")]


async def test_the_request_carries_the_token_and_the_account() -> None:
    async with logged_in() as (fake, b, tokens):
        await b.events()
        (asked,) = fake.requests.of("responses")
        assert asked.bearer == tokens.access_token.get_secret_value()
        assert asked.headers.get("chatgpt-account-id") == "acct-1"


async def test_an_expired_token_is_replaced_and_nothing_is_seen_of_it() -> None:
    async with logged_in() as (fake, b, tokens):
        newer = minted(fake)
        fake.expire(tokens.access_token.get_secret_value())
        b.parents_answers = [newer]
        assert (await b.events())[-1]["type"] == "response.completed"
        assert bearers(fake) == [tokens.access_token.get_secret_value(), newer.access_token.get_secret_value()]
        assert len({asked.body for asked in fake.requests.of("responses")}) == 1


async def test_a_hundred_with_one_expired_token_ask_the_parent_once() -> None:
    async with logged_in() as (fake, b, tokens):
        fake.expire(tokens.access_token.get_secret_value())
        b.parents_answers = [minted(fake)]
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(b.events)
        assert b.asked_parent == 1


async def test_a_new_token_that_is_refused_too_is_a_401() -> None:
    async with logged_in() as (fake, b, _):
        fake.fault("responses", times=None, status=401, json={"error": {"message": "no"}})
        b.parents_answers = [minted(fake)]
        failed = await b.failure()
        assert failed.message == f"unexpected status 401 Unauthorized: no, url: {elsewhere(fake)}/responses"
        assert failed.info == {"httpConnectionFailed": {"httpStatusCode": 401}}
        # Each new stream asks anew, as in the reference.
        assert failed.failure.retry == "stream"
        assert len(bearers(fake)) == 2


async def test_a_parent_that_refuses_is_told_with_its_own_words_beside() -> None:
    async with logged_in() as (fake, b, tokens):
        fake.expire(tokens.access_token.get_secret_value())
        b.parents_answers = [ParentRefused(-32000, "signed out there")]
        failed = await b.failure()
        assert (failed.message, failed.info) == ("auth refresh request failed: code=-32000", "other")
        assert (failed.failure.details, failed.failure.retry) == ("signed out there", "no")


async def test_a_conversation_is_not_sent_to_another_account() -> None:
    async with logged_in() as (fake, b, tokens):

        def logs_in_elsewhere() -> ExternalTokens:
            other = minted(fake, "acct-2")
            b.auth.use_tokens(other)
            return other

        fake.expire(tokens.access_token.get_secret_value())
        b.parents_answers = [logs_in_elsewhere]
        failed = await b.failure()
        assert (failed.message, failed.info, failed.failure.retry) == (CHANGED, "other", "no")
        assert bearers(fake) == [tokens.access_token.get_secret_value()]


async def test_nor_to_the_owner_of_an_api_key() -> None:
    async with logged_in() as (fake, b, tokens):
        fake.fault("responses", status=401, hang=True)
        failures: list[str] = []

        async def ask() -> None:
            failures.append((await b.failure()).message)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await fake.requests.wait_for("responses")
            await b.auth.forget()
            await b.auth.use_api_key(KEY.key)
            fake.release()
        assert failures == [CHANGED]
        assert bearers(fake) == [tokens.access_token.get_secret_value()]


async def test_a_turn_stays_with_the_account_of_its_first_request() -> None:
    async with logged_in() as (fake, b, _):
        pin = AccountPin()
        await b.events(pin=pin)
        b.auth.use_tokens(minted(fake))
        await b.events(pin=pin)
        b.auth.use_tokens(minted(fake, "acct-2"))
        assert (await b.failure(pin=pin)).message == CHANGED
        await b.events(pin=AccountPin())
        await b.auth.forget()
        failed = await b.failure(pin=pin)
        assert (failed.info, failed.failure.retry) == ("unauthorized", "no")
        assert failed.message.endswith(
            "you have since logged out or signed in to another account. Please sign in again."
        )
        assert len(bearers(fake)) == 3


async def test_a_turn_that_was_begun_by_nobody_may_be_gone_on_with_by_anybody() -> None:
    async with logged_in() as (_, b, tokens):
        await b.auth.forget()
        pin = AccountPin()
        await b.failure(pin=pin)
        b.auth.use_tokens(tokens)
        assert (await b.events(pin=pin))[-1]["type"] == "response.completed"


@pytest.mark.parametrize(
    ("error", "kind"),
    [(RefreshRejected("Please log out and sign in again."), "unauthorized"), (RefreshUnavailable("hang"), "other")],
)
def test_only_a_new_login_helping_is_unauthorized(error: RefreshRejected | RefreshUnavailable, kind: str) -> None:
    failure = unrecovered(error)
    assert (failure.message, failure.info.root, failure.retry) == (error.message, kind, "no")


# The backend of a workspace


@asynccontextmanager
async def at_chatgpt() -> AsyncIterator[tuple[FakeOpenAI, Bench]]:
    """A provider at the origin of the ChatGPT backend."""
    async with logged_in() as (fake, _, tokens):
        mine = provider(f"{fake.base_url}/backend-api/codex", requires_openai_auth=True)
        async with bench(mine, chatgpt_base_url=f"{fake.base_url}/backend-api") as there:
            there.auth.use_tokens(tokens)
            yield fake, there


async def test_a_lookup_that_fails_is_told_and_nothing_is_sent() -> None:
    async with at_chatgpt() as (fake, b):
        fake.fault("accounts_check", status=500)
        failed = await b.failure()
        assert (failed.message, failed.info, failed.failure.retry) == (
            *("workspace routing discovery failed", "other", "stream"),
        )
        assert bearers(fake) == []


async def test_a_refused_lookup_is_not_made_again_and_says_what_the_parent_said() -> None:
    async with at_chatgpt() as (fake, b):
        fake.fault("accounts_check", status=401)
        b.parents_answers = [ParentRefused(-32000, "signed out there")]
        failed = await b.failure()
        assert failed.message == "workspace routing discovery unauthorized (401)"
        assert (failed.failure.details, failed.failure.retry) == ("signed out there", "no")


async def test_the_request_goes_to_the_workspaces_own_origin() -> None:
    async with at_chatgpt() as (fake, b):
        # Nobody speaks TLS there, but that is where it goes.
        fake.add_account(Account(backend_origin=f"https://127.0.0.1:{fake.port}", routing_override="us"))
        failed = await b.failure()
        assert f"(https://127.0.0.1:{fake.port}/backend-api/codex/responses)" in failed.message
        assert len(fake.requests.of("accounts_check")) == 1
        assert bearers(fake) == []


async def test_a_provider_elsewhere_needs_no_lookup() -> None:
    async with logged_in() as (fake, b, _):
        await b.events()
        assert fake.requests.of("accounts_check") == []


async def test_the_default_base_follows_the_login() -> None:
    async with logged_in(chatgpt_base_url="https://chatgpt.com/backend-api") as (_, b, tokens):
        built_in = BUILT_IN_PROVIDERS[DEFAULT_PROVIDER]
        for credential in (KEY, None):
            assert base_url(b.settings, built_in, credential) == "https://api.openai.com/v1"
        base = base_url(b.settings, built_in, tokens)
        assert base == "https://chatgpt.com/backend-api/codex"
        assert is_chatgpt(b.settings, base)
        assert is_chatgpt(b.settings, "https://chatgpt.com:443/backend-api/x")
        assert not is_chatgpt(b.settings, "https://chatgpt.com/v1")
        assert not is_chatgpt(b.settings, "https://api.openai.com/v1")
        assert at_origin(base, "https://us.example") == "https://us.example/backend-api/codex"
