"""Everything that can be made to go wrong, as a client sees it."""

from collections.abc import Awaitable, Callable

import anyio
import httpx2
import pytest

from app_server.fake_openai.faults import Fault
from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.tokens import CLIENT_ID
from tests.unit.fake_openai.conftest import Clock

Usage = Callable[[], Awaitable[httpx2.Response]]
KEY = {"authorization": "Bearer sk-1"}
ASK = {"input": "hello", "stream": True}


@pytest.fixture
def usage(fake: FakeOpenAI, client: httpx2.AsyncClient) -> Usage:
    """Reads usage with a good token."""
    headers = {"authorization": f"Bearer {fake.mint().access_token}"}

    async def get() -> httpx2.Response:
        return await client.get("/backend-api/wham/usage", headers=headers)

    return get


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_a_status_is_for_the_next_requests_of_the_route_only(
    fake: FakeOpenAI, client: httpx2.AsyncClient, usage: Usage, status: int
) -> None:
    fake.fault("usage", status=status, times=2)
    assert (await client.get("/v1/models", headers=KEY)).status_code == 200
    answers = [await usage() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert answers[0].json()["error"]["code"]


async def test_faults_of_one_route_are_taken_in_the_order_declared(fake: FakeOpenAI, usage: Usage) -> None:
    fake.fault("usage", status=500)
    fake.fault("*", status=503)
    assert [(await usage()).status_code for _ in range(3)] == [500, 503, 200]


async def test_a_fault_can_spare_the_first_requests(fake: FakeOpenAI, usage: Usage) -> None:
    fake.fault("usage", status=500, skip=1)
    assert [(await usage()).status_code for _ in range(3)] == [200, 500, 200]


async def test_a_standing_fault_stays_until_cleared(fake: FakeOpenAI, usage: Usage) -> None:
    fake.fault("usage", status=500, times=None)
    assert [(await usage()).status_code for _ in range(3)] == [500] * 3
    fake.clear_faults()
    assert (await usage()).status_code == 200


async def test_a_fault_can_be_for_one_token(fake: FakeOpenAI, client: httpx2.AsyncClient, usage: Usage) -> None:
    other = fake.mint().access_token
    fake.fault("*", token=other, status=401, times=None)
    assert (await usage()).status_code == 200
    answer = await client.get("/backend-api/wham/usage", headers={"authorization": f"Bearer {other}"})
    assert answer.status_code == 401


async def test_a_fault_can_be_for_requests_that_contain_a_text(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.fault("token", contains="refresh_token", status=500)
    assert (await client.post("/oauth/token", data={"grant_type": "password"})).status_code == 400
    body = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": fake.mint().refresh_token}
    assert (await client.post("/oauth/token", json=body)).status_code == 500
    fake.fault("models", contains="client_version=9", status=500)
    assert (await client.get("/v1/models?client_version=8", headers=KEY)).status_code == 200
    assert (await client.get("/v1/models?client_version=9", headers=KEY)).status_code == 500


async def test_a_fault_can_be_for_authorized_requests_only(
    fake: FakeOpenAI, client: httpx2.AsyncClient, usage: Usage
) -> None:
    fake.fault("usage", json={"plan_type": "pro"}, authorized=True)
    assert (await client.get("/backend-api/wham/usage")).status_code == 401
    assert (await usage()).json() == {"plan_type": "pro"}


async def test_an_answer_can_be_anything(fake: FakeOpenAI, usage: Usage) -> None:
    fake.fault("usage", body="<h1>Bad gateway</h1>", status=502, headers={"Content-Type": "text/html", "X-A": "b"})
    fake.fault("usage", json=[1, None])
    fake.fault("usage", body="")
    fake.fault("usage", status=204)
    raw, value, empty, nothing = [await usage() for _ in range(4)]
    assert (raw.status_code, raw.text, raw.headers["x-a"]) == (502, "<h1>Bad gateway</h1>", "b")
    assert raw.headers["content-type"] == "text/html"
    assert (value.status_code, value.json()) == (200, [1, None])
    assert (empty.status_code, empty.content) == (200, b"")
    assert (nothing.status_code, nothing.content) == (204, b"")


async def test_malformed_json_says_that_it_is_json(fake: FakeOpenAI, usage: Usage) -> None:
    fake.fault("usage", malformed=True)
    answer = await usage()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    with pytest.raises(ValueError, match=r"Expecting|column"):
        answer.json()


async def test_retry_after_means_429(fake: FakeOpenAI, usage: Usage) -> None:
    fake.fault("usage", retry_after=1.5)
    answer = await usage()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1.5")
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"


async def test_a_delay_comes_before_the_routes_own_answer(fake: FakeOpenAI, usage: Usage) -> None:
    fake.fault("usage", delay=0.1)
    started = anyio.current_time()
    assert (await usage()).status_code == 200
    assert anyio.current_time() - started >= 0.1


async def test_a_dropped_connection_has_no_answer(fake: FakeOpenAI, usage: Usage) -> None:
    fake.fault("usage", drop=True)
    with pytest.raises(httpx2.TransportError):
        await usage()
    assert (await usage()).status_code == 200


async def test_a_hanging_request_goes_on_when_released(fake: FakeOpenAI, usage: Usage) -> None:
    fake.fault("usage", hang=True)
    fake.fault("usage", hang=True, status=500)
    statuses: list[int] = []

    async def ask() -> None:
        statuses.append((await usage()).status_code)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await fake.requests.wait_for("usage", count=1)
        tasks.start_soon(ask)
        await fake.requests.wait_for("usage", count=2)
        await anyio.wait_all_tasks_blocked()
        assert statuses == []
        fake.release()
    assert sorted(statuses) == [200, 500]


async def test_waiting_for_what_hangs_ends_with_it_or_says_how_many_there_are(fake: FakeOpenAI, usage: Usage) -> None:
    fake.fault("usage", hang=True, times=2)

    async def ask() -> None:
        assert (await usage()).status_code == 200

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        tasks.start_soon(ask)
        await fake.wait_hanging(2)
        with pytest.raises(TimeoutError, match=r"3 did not hang in 0\.01 s; 2 do"):
            await fake.wait_hanging(3, timeout=0.01)
        fake.release()
    with pytest.raises(TimeoutError, match="0 do"):
        await fake.wait_hanging(timeout=0)


async def test_a_hanging_request_ends_when_its_client_leaves(fake: FakeOpenAI, usage: Usage) -> None:
    fake.fault("usage", hang=True)
    before = len(anyio.get_running_tasks())
    with anyio.move_on_after(0.05):
        await usage()
    assert len(await fake.requests.wait_for("usage")) == 1
    with anyio.fail_after(5):
        while len(anyio.get_running_tasks()) > before:
            await anyio.wait_all_tasks_blocked()


async def test_leaving_the_block_does_not_wait_for_what_hangs(clock: Clock) -> None:
    async with anyio.create_task_group() as tasks:
        with anyio.fail_after(2):
            async with FakeOpenAI.running(clock=clock) as fake, httpx2.AsyncClient(trust_env=False) as client:
                fake.fault("models", hang=True)
                tasks.start_soon(_expect_transport_error, client, f"{fake.base_url}/v1/models")
                await fake.requests.wait_for("models")


async def _expect_transport_error(client: httpx2.AsyncClient, url: str) -> None:
    with pytest.raises((httpx2.TransportError, RuntimeError)):
        await client.get(url, headers=KEY)


async def test_a_fault_after_the_work_loses_the_answer_but_not_the_effect(
    fake: FakeOpenAI, client: httpx2.AsyncClient
) -> None:
    fake.fault("token", when="after", drop=True)
    body = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": fake.mint().refresh_token}
    with pytest.raises(httpx2.TransportError):
        await client.post("/oauth/token", json=body)
    again = await client.post("/oauth/token", json=body)
    assert again.json()["error"]["code"] == "refresh_token_reused"


async def test_a_fault_before_the_work_leaves_no_effect(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.fault("token", drop=True)
    body = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": fake.mint().refresh_token}
    with pytest.raises(httpx2.TransportError):
        await client.post("/oauth/token", json=body)
    assert (await client.post("/oauth/token", json=body)).status_code == 200


async def test_a_delayed_answer_after_the_work_is_the_routes_own(fake: FakeOpenAI, usage: Usage) -> None:
    fake.fault("usage", when="after", delay=0.01)
    assert (await usage()).json()["plan_type"] == "plus"


@pytest.mark.parametrize("count", [0, 1, 4, 10])
async def test_a_stream_breaks_off_after_so_many_events(
    fake: FakeOpenAI, client: httpx2.AsyncClient, count: int
) -> None:
    fake.fault("responses", drop_after_events=count)
    received = b""

    async def read(answer: httpx2.Response) -> None:
        nonlocal received
        async for chunk in answer.aiter_raw():
            received += chunk

    async with client.stream("POST", "/v1/responses", json=ASK, headers=KEY) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx2.TransportError):
            await read(answer)
    assert received.count(b"\n\n") == count
    assert b"response.completed" in (await client.post("/v1/responses", json=ASK, headers=KEY)).content


async def test_a_stream_stops_after_so_many_events_until_released(fake: FakeOpenAI, client: httpx2.AsyncClient) -> None:
    fake.fault("responses", hang_after_events=2)
    async with client.stream("POST", "/v1/responses", json=ASK, headers=KEY) as answer:
        chunks = answer.aiter_raw()
        assert (await anext(chunks)).count(b"\n\n") == 2
        await anyio.wait_all_tasks_blocked()
        fake.release()
        rest = b"".join([chunk async for chunk in chunks])
    assert rest.endswith(b"\n\n")
    assert b"event: response.completed" in rest


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"route": "usage"}, "nothing goes wrong"),
        ({"route": "usage", "statsu": 500}, "statsu"),
        ({"route": "usage", "status": "500"}, "status"),
        ({"route": "usage", "status": 99}, "status"),
        ({"route": "usage", "status": 500, "times": 0}, "times"),
        ({"route": "usage", "delay": -1}, "delay"),
        ({"route": "usage", "delay": float("inf")}, "delay"),
        ({"route": "usage", "json": {}, "body": ""}, "one of json, body"),
        ({"route": "usage", "json": {"big": 2**70}}, "JSON"),
        ({"route": "usage", "status": 500, "headers": {"a b": "c"}}, "no header"),
        ({"route": "usage", "status": 500, "headers": {"a": "b\r\nc: d"}}, "no header"),
        ({"route": "nowhere", "status": 500}, "unknown route 'nowhere', expected one of"),
        ({"route": "usage", "drop_after_events": 1}, "does not stream"),
    ],
)
async def test_a_fault_that_could_never_happen_is_refused(
    fake: FakeOpenAI, members: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fake.add_fault(Fault.model_validate(members))


async def test_faults_are_bounded(fake: FakeOpenAI) -> None:
    for _ in range(1000):
        fake.fault("usage", status=500)
    with pytest.raises(ValueError, match="waiting already"):
        fake.fault("usage", status=500)
