"""What is done on whose behalf: tasks go on with it, and what is for nobody does not."""

import dataclasses
from datetime import UTC, datetime, timedelta

import anyio
from pydantic import SecretStr

from app_server.auth.credentials import ManagedTokens
from app_server.auth.schedule import Schedule
from app_server.auth.token_endpoint import RefreshReason
from app_server.request_context import CURRENT, RequestContext, inside
from tests.unit.auth.fakes import DEADLINE, tokens
from tests.unit.auth.samples import jwt


class Refresher:
    """Says on whose behalf it was asked."""

    def __init__(self) -> None:
        self.seen: RequestContext | None = None
        self.asked = anyio.Event()

    async def newer_than(self, used: ManagedTokens, reason: RefreshReason) -> ManagedTokens:
        self.seen = CURRENT.get()
        self.asked.set()
        return used


async def test_a_task_goes_on_under_the_request_that_started_it() -> None:
    seen: list[RequestContext] = []
    over = anyio.Event()

    async def turn() -> None:
        await over.wait()
        with inside(turn_id="u"):
            seen.append(CURRENT.get())

    async with anyio.create_task_group() as tasks:
        with inside(method="turn/start", request_id=1):
            tasks.start_soon(turn)
        with inside(method="turn/start", request_id=2):
            tasks.start_soon(turn)
        assert CURRENT.get() == RequestContext()
        over.set()
    assert sorted((each.request_id, each.turn_id) for each in seen) == [(1, "u"), (2, "u")]


async def test_tokens_that_run_out_are_refreshed_on_nobodys_behalf() -> None:
    soon = int((datetime.now(UTC) + timedelta(seconds=1)).timestamp())
    login = dataclasses.replace(tokens(), access_token=SecretStr(jwt({"exp": soon})))
    refresher = Refresher()
    async with anyio.create_task_group() as tasks:
        with inside(method="account/login/start", request_id=1, tracer="kept"):
            Schedule(tasks).watch(login, refresher)
        with anyio.fail_after(DEADLINE):
            await refresher.asked.wait()
    assert refresher.seen == RequestContext(tracer="kept")
