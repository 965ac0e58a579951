"""Spans for OpenTelemetry: those of a server in this process; and that nothing of it is loaded unless it is asked for,
from servers of their own."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from app_server.compose import serve
from app_server.config import load_configuration
from app_server.fake_openai.server import FakeOpenAI
from app_server.transport.memory import MemoryTransport
from tests.support.server import COMMAND, DEADLINE, INITIALIZE, Json, environment, running_server
from tests.support.upstream import COMPLETED, LIMITS, LOGIN, REFRESH, fresh, server_with, tokens_login
from tests.wire.observability.conftest import SECRET
from tests.wire.turns.support import text_input

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
CONTEXT = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "a=b"}
TOOL = {"name": "weather", "description": "Tells the weather.", "inputSchema": {"type": "object"}}


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """What a parent sets up that has the server in its own process. A process can do so once."""
    provider, exporter = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> InMemorySpanExporter:
    exporter.clear()
    return exporter


class Parent:
    """Talks to a server in this process, in lines; what is said is kept until it is asked for."""

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport
        self._kept: list[Json] = []

    async def send(self, **message: Any) -> None:
        await self._transport.send(json.dumps(message).encode() + b"\n")

    async def take(self, **members: Any) -> Json:
        """The first message with these members."""
        with anyio.fail_after(DEADLINE):
            while True:
                for message in self._kept:
                    if members.items() <= message.items():
                        self._kept.remove(message)
                        return message
                line = await self._transport.receive()
                assert line is not None
                self._kept.append(json.loads(line))

    async def ask(self, method: str, params: Any, **more: Any) -> Json:
        """The answer to a request, whose id is its method."""
        await self.send(id=method, method=method, params=params, **more)
        return await self.take(id=method)


def overrides(fake: FakeOpenAI) -> list[str]:
    """A server whose provider takes the login, and has a secret in the query of its URLs."""
    mine = {
        "name": '"Mine"',
        "base_url": f'"{fake.base_url}/v1"',
        "requires_openai_auth": "true",
        "query_params": f'{{ key = "{SECRET}" }}',
    }
    provider = [f"model_providers.mine.{name}={value}" for name, value in mine.items()]
    return [*fake.config_overrides(), *provider, 'model_provider="mine"', 'model="gpt-5.1-codex"']


@pytest.fixture
async def parent(fake: FakeOpenAI, home: Path, spans: InMemorySpanExporter) -> AsyncIterator[Parent]:
    """A client that has been greeted by a server that makes spans."""
    env = environment(home, {"APP_SERVER_OTEL": "true", **fake.environment()})
    configuration = load_configuration(overrides(fake), env)
    assert not configuration.warnings
    there, here = MemoryTransport.pair()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve, there, configuration)
        client = Parent(here)
        await client.ask("initialize", INITIALIZE)
        yield client
        await here.aclose()


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == name]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.span_id)


async def test_a_turn_is_a_tree_of_spans_below_the_clients_own(
    fake: FakeOpenAI, parent: Parent, spans: InMemorySpanExporter
) -> None:
    tokens = fake.mint()
    await parent.ask(LOGIN, tokens_login(tokens))
    await parent.take(method=COMPLETED)
    started = await parent.ask("thread/start", {"dynamicTools": [TOOL]})
    thread = started["result"]["thread"]["id"]
    fake.expire(tokens.access_token)
    fake.script(tool_calls=[{"name": "weather", "arguments": {"city": "Lisbon"}, "call_id": "call_1"}])
    spans.clear()
    fake.requests.clear()

    begun = await parent.ask("turn/start", {"threadId": thread, "input": text_input(SECRET)}, trace=CONTEXT)
    refresh = await parent.take(method=REFRESH)
    await parent.send(id=refresh["id"], result=fresh(fake.mint()))
    call = await parent.take(method="item/tool/call")
    answer = {"contentItems": [{"type": "inputText", "text": SECRET}], "success": True}
    await parent.send(id=call["id"], result=answer)
    await parent.take(method="turn/completed")
    await parent.ask("getAuthStatus", {})  # whatever unwinds after the end of a turn has done so

    (request,) = named(spans, "turn/start")
    assert request.kind is SpanKind.SERVER
    assert request.context is not None
    assert (request.context.trace_id, parent_of(request)) == (int(TRACE, 16), int(SPAN, 16))
    assert attributes(request) == {
        "rpc.system": "jsonrpc",
        "rpc.method": "turn/start",
        "rpc.jsonrpc.request_id": "turn/start",
        "gen_ai.conversation.id": thread,
    }
    (turn,) = named(spans, "turn")
    assert parent_of(turn) == id_of(request)
    assert attributes(turn) == {
        "gen_ai.conversation.id": thread,
        "gen_ai.request.model": "gpt-5.1-codex",
        "app_server.turn.id": begun["result"]["turn"]["id"],
        "app_server.turn.status": "completed",
    }
    (refreshed,) = named(spans, "refresh")
    (tool,) = named(spans, "execute_tool weather")
    assert parent_of(refreshed) == parent_of(tool) == id_of(turn)
    assert attributes(refreshed) == {"app_server.refresh.kind": "parent"}
    assert attributes(tool) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "weather",
        "gen_ai.tool.call.id": "call_1",
    }
    posts = named(spans, "POST")
    assert [post.status.status_code for post in posts] == [StatusCode.ERROR, StatusCode.UNSET, StatusCode.UNSET]
    for post, status in zip(posts, (401, 200, 200), strict=True):
        assert (post.kind, parent_of(post)) == (SpanKind.CLIENT, id_of(turn))
        expected = {
            "http.request.method": "POST",
            "url.full": f"{fake.base_url}/v1/responses",
            "server.address": "127.0.0.1",
            "server.port": int(fake.base_url.rpartition(":")[2]),
            "http.response.status_code": status,
        }
        assert attributes(post) == expected | ({"error.type": "401"} if status == 401 else {})
    # Each upstream request names the span of its own exchange, and goes on with the client's state.
    told = [request.headers.get("traceparent") for request in fake.requests.of("responses")]
    assert told == [f"00-{TRACE}-{id_of(post):016x}-01" for post in posts]
    assert {request.headers.get("tracestate") for request in fake.requests.of("responses")} == {"a=b"}
    secrets = (SECRET, tokens.access_token)
    everything = "".join(span.to_json() for span in spans.get_finished_spans())
    assert not [secret for secret in secrets if secret in everything]


async def test_a_request_that_fails_says_so_by_its_code(
    fake: FakeOpenAI, parent: Parent, spans: InMemorySpanExporter
) -> None:
    await parent.ask(LOGIN, tokens_login(fake.mint()))
    await parent.take(method=COMPLETED)
    fake.fault("usage", drop=True)
    spans.clear()
    error = (await parent.ask(LIMITS, {"excludeResetCreditDetails": True}))["error"]
    (request,) = named(spans, LIMITS)
    (get,) = named(spans, "GET")
    assert request.status.status_code is get.status.status_code is StatusCode.ERROR
    assert request.status.description is get.status.description is None
    assert attributes(request)["rpc.jsonrpc.error_code"] == error["code"]
    assert attributes(request)["error.type"] == str(error["code"])
    assert attributes(get)["error.type"] == "UpstreamUnreachable"
    assert (parent_of(request), parent_of(get)) == (None, id_of(request))  # the client brought no trace


IMPORTS = (sys.executable, "-X", "importtime", "-m", "app_server")


@pytest.mark.parametrize("env", [{}, {"OTEL_TRACES_EXPORTER": "none", "APP_SERVER_OTEL": "false"}])
async def test_nothing_is_imported_unless_it_is_asked_for(env: dict[str, str], home: Path) -> None:
    async with running_server(home, env=env, command=IMPORTS) as server:
        await server.result("thread/list", {})
        await server.close_input()
        assert await server.exit_status() == 0
    log = server.log.read_text()
    assert "app_server.tracing" in log
    assert "opentelemetry" not in log


async def test_a_process_of_its_own_exports_as_the_environment_says(fake: FakeOpenAI, home: Path) -> None:
    env = {"OTEL_TRACES_EXPORTER": "console", "OTEL_SERVICE_NAME": "of-the-parent"}
    async with server_with(fake, home, env=env) as server:
        await server.result("getAuthStatus", {})
        await server.close_input()
        assert await server.exit_status() == 0
    log = server.log.read_text()
    assert '"rpc.method": "getAuthStatus"' in log
    assert '"service.name": "of-the-parent"' in log


@pytest.mark.parametrize(
    ("env", "before", "warning"),
    [
        ({"OTEL_TRACES_EXPORTER": "no_such"}, "", "spans cannot be exported: there is no exporter 'no_such'"),
        ({"APP_SERVER_OTEL": "true"}, "sys.modules['opentelemetry'] = None", "OpenTelemetry is not installed"),
    ],
)
async def test_what_cannot_be_had_is_a_warning_and_the_server_serves(
    env: dict[str, str], before: str, warning: str, home: Path
) -> None:
    command = (COMMAND[0], "-c", f"import sys; {before}\nfrom app_server.__main__ import main; sys.exit(main())")
    async with running_server(home, env=env, command=command) as server:
        await server.result("getAuthStatus", {})
        await server.close_input()
        assert await server.exit_status() == 0
    assert warning in server.log.read_text()
