"""Telling the issuer about tokens that are not used any more (wire.md section 5, RFC 7009)."""

import dataclasses
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import TaskGroup
from pydantic import SecretStr

from app_server.auth.credentials import ApiKey, Claims, Credential, ExternalTokens, PersonalAccessToken
from app_server.auth.revocation import REVOKE_TIMEOUT, Revocation
from tests.unit.auth.fakes import DEADLINE, Gate, others_run, tokens


class Issuer:
    """Answers with a status, or not at all."""

    def __init__(self, outcome: int | OSError = 200) -> None:
        self.outcome = outcome
        self.asked: list[tuple[str, dict[str, str], float]] = []
        self.gate: Gate | None = None

    async def post(self, url: str, body: dict[str, str], timeout: float) -> int:
        self.asked.append((url, body, timeout))
        if self.gate is not None:
            await self.gate.passed()
        await anyio.lowlevel.checkpoint()
        if isinstance(self.outcome, OSError):
            raise self.outcome
        return self.outcome


@asynccontextmanager
async def revocation(issuer: Issuer) -> AsyncIterator[tuple[Revocation, TaskGroup]]:
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            yield Revocation(issuer.post, "https://issuer.example/oauth/revoke", "app_1", tasks), tasks
            tasks.cancel_scope.cancel()


async def test_the_refresh_token_is_named_and_with_it_the_whole_sign_in_ends() -> None:
    issuer = Issuer()
    async with revocation(issuer) as (revoke, _):
        revoke.begin(tokens())
        await revoke.finished()
    body = {"token": "refresh-1", "token_type_hint": "refresh_token", "client_id": "app_1"}
    assert issuer.asked == [("https://issuer.example/oauth/revoke", body, REVOKE_TIMEOUT)]


async def test_without_one_the_access_token_is_named() -> None:
    issuer = Issuer()
    login = dataclasses.replace(tokens(), refresh_token=SecretStr(""))
    async with revocation(issuer) as (revoke, _):
        revoke.begin(login)
        await revoke.finished()
    ((_, body, _),) = issuer.asked
    assert (body["token"], body["token_type_hint"]) == (login.access_token.get_secret_value(), "access_token")


@pytest.mark.parametrize(
    "credential",
    [
        None,
        ApiKey(SecretStr("sk")),
        PersonalAccessToken(SecretStr("at-1")),
        ExternalTokens(SecretStr("t"), "account-1", "plus", Claims()),
    ],
)
async def test_what_is_not_ours_is_not_revoked(credential: Credential | None) -> None:
    issuer = Issuer()
    async with revocation(issuer) as (revoke, _):
        revoke.begin(credential)
        await revoke.finished()
        await others_run()
    assert issuer.asked == []


@pytest.mark.parametrize("outcome", [200, 400, 503, OSError("error sending request")])
async def test_whatever_comes_of_it_nothing_is_raised_and_no_token_is_logged(
    outcome: int | OSError, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with revocation(Issuer(outcome)) as (revoke, _):
        revoke.begin(tokens())
        await revoke.finished()
    assert len(caplog.records) == 1
    assert "refresh-1" not in caplog.text


async def test_the_end_waits_for_every_exchange_and_the_beginning_for_none() -> None:
    issuer = Issuer()
    gate = issuer.gate = Gate()
    finished = anyio.Event()
    async with revocation(issuer) as (revoke, tasks):

        async def finish() -> None:
            await revoke.finished()
            finished.set()

        revoke.begin(tokens(1))
        revoke.begin(tokens(2))
        assert issuer.asked == []
        tasks.start_soon(finish)
        await others_run()
        assert len(issuer.asked) == 2
        assert not finished.is_set()
        gate.open()
        await finished.wait()


async def test_when_nothing_is_under_way_there_is_nothing_to_wait_for() -> None:
    async with revocation(Issuer()) as (revoke, _):
        await revoke.finished()


async def test_an_exchange_that_is_cancelled_counts_as_over() -> None:
    issuer = Issuer()
    issuer.gate = Gate()
    async with revocation(issuer) as (revoke, tasks):
        revoke.begin(tokens())
        await issuer.gate.reached.wait()
        tasks.cancel_scope.cancel()
    await revoke.finished()
