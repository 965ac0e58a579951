"""The one login that may be pending: what replaces it, what is left of it, and when it is too late to end it."""

from collections.abc import Awaitable, Callable

import anyio
import pytest

from app_server.auth.credentials import ManagedTokens
from app_server.auth.errors import DeviceCodeNotEnabled
from app_server.pending_login import PendingLogin, PendingLogins

Announced = list[tuple[str | None, str | None]]


class Flow:
    """A login that notes when it is closed.

    :param events: where.
    """

    def __init__(self, name: str, events: list[str]) -> None:
        self.login_id = name
        self._events = events

    async def run(self, commit: Callable[[ManagedTokens], Awaitable[None]]) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self._events.append(f"{self.login_id} closed")


@pytest.fixture
def announced() -> Announced:
    return []


@pytest.fixture
def logins(announced: Announced) -> PendingLogins:
    return PendingLogins(lambda login_id, error: announced.append((login_id, error)))


async def attach(logins: PendingLogins, pending: PendingLogin, name: str, events: list[str]) -> Flow | None:
    """Start a flow of this name."""

    async def start() -> Flow:
        await anyio.lowlevel.checkpoint()
        events.append(f"{name} started")
        return Flow(name, events)

    return await logins.attach(pending, start)


async def test_the_flow_before_has_let_go_of_its_port_before_the_next_is_started(logins: PendingLogins) -> None:
    events: list[str] = []
    await attach(logins, logins.begin("browser"), "one", events)
    await attach(logins, logins.begin("browser"), "two", events)

    assert events == ["one started", "one closed", "two started"]


async def test_a_login_that_is_abandoned_before_it_has_started_leaves_no_flow(
    logins: PendingLogins, announced: Announced
) -> None:
    events: list[str] = []
    pending = logins.begin("browser")

    async def start_at_the_last_moment() -> Flow:
        events.append("one started")
        logins.begin("device")
        return Flow("one", events)

    assert await logins.attach(pending, start_at_the_last_moment) is None
    assert pending.flow is None
    # What closes it is not cut off by its own end.
    assert events == ["one started", "one closed"]
    assert announced == []


async def test_an_abandoned_login_does_not_go_on_starting(logins: PendingLogins) -> None:
    pending = logins.begin("browser")
    waiting = anyio.Event()

    async def start_forever() -> Flow:
        waiting.set()
        await anyio.sleep_forever()
        raise AssertionError

    attached: list[Flow | None] = []
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:

            async def run() -> None:
                attached.append(await logins.attach(pending, start_forever))

            tasks.start_soon(run)
            await waiting.wait()
            logins.abandon()
    assert attached == [None]


async def test_a_login_that_cannot_be_started_is_forgotten(logins: PendingLogins, announced: Announced) -> None:
    async def refuse() -> Flow:
        raise DeviceCodeNotEnabled

    pending = logins.begin("device")
    with pytest.raises(DeviceCodeNotEnabled):
        await logins.attach(pending, refuse)
    logins.drop(pending)

    assert logins.current is None
    logins.abandon()
    assert announced == []


async def test_only_what_the_client_knows_of_is_announced_and_only_once(
    logins: PendingLogins, announced: Announced
) -> None:
    pending = logins.begin("browser")
    await attach(logins, pending, "one", [])
    pending.known = True
    logins.abandon()
    logins.abandon()

    assert announced == [("one", "Login server error: Login was not completed")]
    assert not logins.end(pending, None)
    assert len(announced) == 1


async def test_the_gate_is_for_the_login_that_is_pending(logins: PendingLogins) -> None:
    replaced, pending = logins.begin("browser"), logins.begin("browser")

    assert not logins.pass_gate(replaced)
    assert not replaced.past_gate
    assert logins.pass_gate(pending)
    assert pending.past_gate
