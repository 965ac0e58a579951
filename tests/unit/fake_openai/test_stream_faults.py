"""Streams that break off, end or stop at any event or byte, as a client sees it."""

from typing import Any

import anyio
import httpx2
import orjson
import pytest

from app_server.fake_openai.server import FakeOpenAI

KEY = {"authorization": "Bearer sk-1"}
ASK = {"input": "hello", "stream": True}
WHOLE = "data: {}\n\n" * 4
"""Four events of ten bytes."""


async def read(client: httpx2.AsyncClient) -> tuple[bytes, bool]:
    """What came of the answer's body, and whether HTTP calls it complete."""
    received = b""
    try:
        async with client.stream("POST", "/v1/responses", json=ASK, headers=KEY) as answer:
            assert answer.status_code == 200
            async for chunk in answer.aiter_raw():
                received += chunk
    except httpx2.RemoteProtocolError:
        return received, False
    return received, True


@pytest.fixture(autouse=True)
def _script(fake: FakeOpenAI) -> None:
    fake.script(events=["data: {}\n\n"] * 4, times=None)


@pytest.mark.parametrize(
    ("place", "length"),
    [
        ({"after_events": 0}, 0),
        ({"after_events": 3}, 30),
        ({"after_events": 4}, 40),
        ({"after_events": 99}, 40),
        ({"inside_event": 0}, 5),
        ({"inside_event": 2}, 25),
        ({"inside_event": 99}, 40),
        ({"after_bytes": 0}, 0),
        ({"after_bytes": 10}, 10),
        ({"after_bytes": 13}, 13),
        ({"after_bytes": 40}, 40),
        ({"after_bytes": 99}, 40),
    ],
)
async def test_a_stream_drops_or_ends_at_any_place_and_at_the_latest_at_its_end(
    fake: FakeOpenAI, client: httpx2.AsyncClient, place: dict[str, Any], length: int
) -> None:
    ((name, count),) = place.items()
    fake.fault("responses", **{f"drop_{name}": count})
    assert await read(client) == (WHOLE[:length].encode(), False)
    fake.fault("responses", **{f"end_{name}": count})
    assert await read(client) == (WHOLE[:length].encode(), True)
    assert await read(client) == (WHOLE.encode(), True)


@pytest.mark.parametrize(
    ("fault", "length"),
    [
        ({"hang_after_events": 0}, 0),
        ({"hang_after_events": 4}, 40),
        ({"hang_inside_event": 1}, 15),
        ({"hang_after_bytes": 33}, 33),
        ({"hang_after_bytes": 99}, 40),
    ],
)
async def test_a_stream_hangs_at_any_place_and_goes_on_when_released(
    fake: FakeOpenAI, client: httpx2.AsyncClient, fault: dict[str, Any], length: int
) -> None:
    fake.fault("responses", **fault)
    received = b""
    arrived, finished = anyio.Event(), anyio.Event()

    async def take() -> None:
        nonlocal received
        async with client.stream("POST", "/v1/responses", json=ASK, headers=KEY) as answer:
            chunks = answer.aiter_raw()
            while len(received) < length:
                received += await anext(chunks)
            arrived.set()
            received += b"".join([chunk async for chunk in chunks])
        finished.set()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take)
            await fake.wait_hanging()
            await arrived.wait()
            await anyio.wait_all_tasks_blocked()
            assert len(received) == length
            assert not finished.is_set()
            fake.release()
    assert received.decode() == WHOLE


@pytest.mark.parametrize("place", [{"after_events": 2}, {"after_bytes": 20}])
async def test_at_one_place_it_hangs_before_it_drops(
    fake: FakeOpenAI, client: httpx2.AsyncClient, place: dict[str, int]
) -> None:
    ((name, count),) = place.items()
    fake.fault("responses", **{f"hang_{name}": count, f"drop_{name}": count})
    with anyio.fail_after(5):
        async with client.stream("POST", "/v1/responses", json=ASK, headers=KEY) as answer:
            chunks = answer.aiter_raw()
            assert len(await anext(chunks)) == 20
            await fake.wait_hanging()
            fake.release()
            with pytest.raises(httpx2.RemoteProtocolError):
                await anext(chunks)


async def test_the_usual_stream_can_be_cut_inside_its_last_event(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.reset()
    whole, _ = await read(client)
    fake.fault("responses", drop_inside_event=whole.count(b"\n\n") - 1)
    cut, complete = await read(client)
    assert not complete
    assert cut.count(b"\n\n") == whole.count(b"\n\n") - 1
    assert cut.rsplit(b"\n\n", 1)[1].startswith(b"event: response.completed\ndata: {")


async def test_cuts_and_pieces_go_together(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.reset()
    fake.script(events=["data: {}\n\n"] * 4, chunk_bytes=3)
    fake.fault("responses", drop_after_bytes=25)
    assert await read(client) == (WHOLE[:25].encode(), False)


@pytest.mark.parametrize("effect", ["drop", "end", "hang"])
@pytest.mark.parametrize("place", ["after_events", "inside_event", "after_bytes"])
async def test_a_route_that_does_not_stream_refuses_faults_of_streams(
    fake: FakeOpenAI, effect: str, place: str
) -> None:
    with pytest.raises(ValueError, match="does not stream"):
        fake.fault("usage", **{f"{effect}_{place}": 1})
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        fake.fault("responses", **{f"{effect}_{place}": -1})


async def test_what_comes_before_a_cut_is_whole_json(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.reset()
    fake.fault("responses", end_after_events=5)
    received, complete = await read(client)
    assert complete
    blocks = received.decode().split("\n\n")[:-1]
    assert [orjson.loads(block.split("data: ")[1])["sequence_number"] for block in blocks] == [0, 1, 2, 3, 4]
