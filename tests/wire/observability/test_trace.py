"""The ``trace`` of a request: whatever is asked of an upstream on its behalf belongs to the same trace."""

from typing import Any

import pytest

from app_server.fake_openai.recorder import RecordedRequest
from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import ServerProcess
from tests.support.upstream import LIMITS, REFRESH, UPDATED, fresh, log_in_with_tokens, managed_login, store
from tests.wire.turns.conftest import with_providers
from tests.wire.turns.support import begin, course, start_thread, talk, text_input

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
STATE = "congo=t61rcWkgMzE"
CONTEXT = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": STATE}


def spans(requests: list[RecordedRequest]) -> list[str]:
    """The span that each request of this trace names."""
    found = []
    for request in requests:
        version, trace_id, span_id, flags = (request.headers.get("traceparent") or "").split("-")
        assert (version, trace_id, flags) == ("00", TRACE, "01")
        assert request.headers.get("tracestate") == STATE
        found.append(span_id)
    return found


async def begin_traced(server: ServerProcess, thread: str, trace: Any = CONTEXT) -> str:
    params = {"threadId": thread, "input": text_input("Hello")}
    await server.send({"id": "traced", "method": "turn/start", "params": params, "trace": trace})
    turn_id: str = (await server.answer("traced"))["result"]["turn"]["id"]
    return turn_id


async def test_a_turn_belongs_to_the_trace_of_the_request_that_began_it(
    fake: FakeOpenAI, server: ServerProcess
) -> None:
    fake.fault("responses", status=403)  # the stream is begun again
    thread = await start_thread(server, "again")
    done = await course(server, thread, await begin_traced(server, thread))
    assert done.status == "completed"
    told = spans(list(fake.requests))
    assert len({SPAN, *told}) == 3

    fake.requests.clear()
    await talk(server, thread)  # the next one brings no trace
    (request,) = fake.requests
    assert request.headers.get("traceparent") is request.headers.get("tracestate") is None


async def test_a_refresh_in_a_turn_belongs_to_its_trace(
    fake: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("managed") / "home"
    tokens = fake.mint()
    store(home, managed_login(tokens))
    async with with_providers(fake, home) as server:
        await server.notification(UPDATED)  # what a start asks of the backend has been answered
        thread = await start_thread(server, "login")
        fake.expire(tokens.access_token)
        fake.requests.clear()
        done = await course(server, thread, await begin_traced(server, thread))
        assert done.status == "completed"
        routes = [request.route for request in fake.requests if request.headers.get("traceparent")]
        assert [route for route in routes if route in ("responses", "token")] == ["responses", "token", "responses"]
        spans([request for request in fake.requests if request.route in routes])


async def test_requests_that_wait_for_the_parent_keep_their_own_traces(fake: FakeOpenAI, server: ServerProcess) -> None:
    tokens = fake.mint()
    await log_in_with_tokens(server, tokens)
    fake.expire(tokens.access_token)
    fake.requests.clear()
    params = {"excludeResetCreditDetails": True}
    other = TRACE[::-1]
    traces = ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, {"traceparent": f"00-{other}-{SPAN}-00"}, None)
    for number, trace in enumerate(traces):
        await server.send({"id": f"limits-{number}", "method": LIMITS, "params": params, "trace": trace})
    asked = await server.server_request(REFRESH)
    await server.send({"id": asked["id"], "result": fresh(fake.mint())})
    for number in range(len(traces)):
        assert "result" in await server.answer(f"limits-{number}")
    told = [(request.headers.get("traceparent") or "-none-").split("-")[1] for request in fake.requests.of("usage")]
    assert sorted(told) == sorted([TRACE, other, "none"] * 2)


@pytest.mark.parametrize("trace", [5, "x", [], {}, {"traceparent": "junk", "tracestate": STATE}, {"traceparent": 5}])
async def test_a_trace_that_is_none_is_no_reason_to_refuse_a_request(
    trace: Any, fake: FakeOpenAI, server: ServerProcess
) -> None:
    thread = await start_thread(server, "once")
    done = await course(server, thread, await begin_traced(server, thread, trace))
    assert done.status == "completed"
    (request,) = fake.requests
    assert request.headers.get("traceparent") is request.headers.get("tracestate") is None


async def test_a_turn_that_is_steered_stays_with_its_trace(fake: FakeOpenAI, server: ServerProcess) -> None:
    fake.fault("responses", hang=True)
    thread = await start_thread(server, "once")
    turn_id = await begin_traced(server, thread)
    await fake.wait_hanging()
    assert await begin(server, thread, "And this") == turn_id
    assert (await course(server, thread, turn_id)).status == "completed"
    assert len(spans(list(fake.requests))) == 2
