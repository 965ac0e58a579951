"""The offline upstream in a thread of its own (``app_server.testing.threaded_fake``)."""

import inspect
import threading
from collections.abc import Iterator
from http.client import HTTPConnection

import anyio
import pytest

from app_server.fake_openai.server import FakeOpenAI
from app_server.testing.threaded_fake import ThreadedFakeOpenAI


@pytest.fixture
def fake() -> Iterator[ThreadedFakeOpenAI]:
    with ThreadedFakeOpenAI.running() as fake:
        yield fake


def usage(fake: ThreadedFakeOpenAI, token: str) -> int:
    """Ask for the usage, blocking; the status."""
    connection = HTTPConnection("127.0.0.1", fake.port, timeout=20)
    try:
        connection.request("GET", "/backend-api/wham/usage", headers={"authorization": f"Bearer {token}"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_it_answers_a_test_that_blocks(fake: ThreadedFakeOpenAI) -> None:
    tokens = fake.mint()
    assert usage(fake, tokens.access_token) == 200
    fake.expire_tokens()
    assert usage(fake, tokens.access_token) == 401
    fake.fault("usage", status=503)
    assert usage(fake, fake.mint().access_token) == 503
    assert [recorded.route for recorded in fake.requests] == ["usage"] * len(fake.requests)
    assert len(fake.requests.wait_for_sync("usage", count=3)) == 3
    fake.reset()
    assert len(fake.requests) == 0


async def test_an_event_loop_goes_on_while_it_waits(fake: ThreadedFakeOpenAI) -> None:
    fake.fault("usage", hang=True)
    asking = threading.Thread(target=usage, args=(fake, fake.mint().access_token))
    async with anyio.create_task_group() as tasks:
        started = anyio.Event()

        async def ask() -> None:
            await started.wait()
            asking.start()

        tasks.start_soon(ask)
        started.set()
        await fake.requests.wait_for("usage")
        await fake.wait_hanging()
        fake.release()
    await anyio.to_thread.run_sync(asking.join, 20)
    assert not asking.is_alive()


async def test_what_never_comes_is_a_timeout_and_can_be_given_up(fake: ThreadedFakeOpenAI) -> None:
    with pytest.raises(TimeoutError, match=r"did not come in .* came: nothing"):
        await fake.requests.wait_for("usage", timeout=0.01)
    with pytest.raises(TimeoutError, match="1 did not hang"):
        fake.wait_hanging_sync(timeout=0.01)
    with anyio.fail_after(20):
        with anyio.move_on_after(0.01) as given_up:
            await fake.requests.wait_for("usage", timeout=3600)
        assert given_up.cancelled_caught


def test_what_is_wrong_is_refused_where_it_is_said(fake: ThreadedFakeOpenAI) -> None:
    with pytest.raises(ValueError, match="unknown route"):
        fake.fault("no such route", status=500)
    with pytest.raises(ValueError, match="unknown account"):
        fake.mint("nobody")


def test_a_fake_ends_although_a_request_hangs() -> None:
    with ThreadedFakeOpenAI.running() as fake:
        fake.fault("usage", drop=False, hang=True)
        connection = HTTPConnection("127.0.0.1", fake.port, timeout=20)
        connection.request("GET", "/backend-api/wham/usage")
        fake.wait_hanging_sync()
    connection.close()
    with pytest.raises(RuntimeError, match="not running"):
        fake.mint()


def test_it_can_what_the_fake_can() -> None:
    """Each public method with the parameters of the other's, but for those that tests have no use for."""
    left_out = {"running", "add_fault", "add_script"}
    for name, method in inspect.getmembers(FakeOpenAI, inspect.isfunction):
        if name.startswith("_") or name in left_out:
            continue
        own = getattr(ThreadedFakeOpenAI, name)
        assert inspect.signature(own).parameters.keys() == inspect.signature(method).parameters.keys(), name
