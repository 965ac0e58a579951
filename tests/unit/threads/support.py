"""Threads and turns in memory: what the client is told is recorded, the model and the parent do as they are told."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anyio
from anyio.abc import TaskGroup

from app_server.backend.limit_headers import AccountLimits
from app_server.backend.response_failures import UpstreamFailure
from app_server.backend.responses import AccountPin, ResponsesApi, ResponseStream
from app_server.config.settings import ModelProvider, Settings
from app_server.outgoing import Outgoing
from app_server.rollouts.stored import SessionMeta
from app_server.threads.announcements import ThreadAnnouncements
from app_server.threads.context_window import ContextLimits
from app_server.threads.dynamic_tools import DynamicTools
from app_server.threads.history import History
from app_server.threads.input_queue import Input
from app_server.threads.inputs import PreparedInput
from app_server.threads.prompt import request_body
from app_server.threads.settings import ThreadSettings, settle
from app_server.threads.thread import Kept, LiveThread
from app_server.threads.tool_calls import ToolFailed
from app_server.threads.turn import RunningTurn
from app_server.threads.turn_record import TurnRecord
from app_server.transport.memory import MemoryTransport
from protocol.base import WireValue
from protocol.json_codec import loads
from protocol.method import ServerNotification
from protocol.thread import ThreadStartParams
from protocol.tools import (
    DynamicToolCallParams,
    DynamicToolCallResponse,
    ToolRequestUserInputParams,
    ToolRequestUserInputResponse,
)
from protocol.turn_error import CodexErrorInfo
from protocol.user_input import TextUserInput, UserInput

DEADLINE = 5.0
"""Seconds for any one test."""

THREAD = "01a1fdc1-0000-7000-8000-000000000001"
OTHER = "01a1fdc1-0000-7000-8000-000000000002"
TURN = "01a1fdc1-0000-7000-8000-00000000000f"

Event = dict[str, Any]
Told = tuple[str, dict[str, Any]]

LOOKUP = [{"type": "function", "name": "lookup", "description": "Looks up", "inputSchema": {}}]

ASK = '{"questions": [{"id": "q", "header": "H", "question": "?", "options": [{"label": "A", "description": "d"}]}]}'
"""The arguments of a question to the user."""


class Client(Outgoing):
    """Hears what is said, decoded from the bytes that would go out."""

    def __init__(self) -> None:
        super().__init__(MemoryTransport.pair()[0])
        self.told: list[Told] = []
        self._waiting: dict[str, anyio.Event] = {}

    def notify(self, notification: ServerNotification[Any], params: WireValue) -> None:
        self.notify_encoded(notification, params.to_json())

    def notify_encoded(self, notification: ServerNotification[Any], params: bytes) -> None:
        self.told.append((notification.method, loads(params)))
        if (waiting := self._waiting.pop(notification.method, None)) is not None:
            waiting.set()

    async def heard(self, method: str) -> None:
        """Wait until this is said, the next time."""
        await self._waiting.setdefault(method, anyio.Event()).wait()

    def of(self, method: str) -> list[dict[str, Any]]:
        """The params of all notifications of a kind."""
        return [params for said, params in self.told if said == method]

    @property
    def methods(self) -> list[str]:
        """What was said, in order, with the kind of the item where there is one."""
        return [f"{method} {params['item']['type']}" if "item" in params else method for method, params in self.told]

    def items(self, kind: str = "") -> list[dict[str, Any]]:
        """The items that are complete."""
        items = [params["item"] for params in self.of("item/completed")]
        return [item for item in items if not kind or item["type"] == kind]

    @property
    def statuses(self) -> list[str]:
        """What the thread has been doing."""
        return [params["status"]["type"] for params in self.of("thread/status/changed")]


def the_end(client: Client) -> dict[str, Any]:
    """The one conclusion, after which nothing more is said of the turn."""
    [ended] = client.of("turn/completed")
    assert client.told[-1][0] == "turn/completed"
    turn: dict[str, Any] = ended["turn"]
    return turn


class Stored:
    """Takes what is to be stored."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def __call__(self, *records: Any) -> None:
        self.records += records

    @property
    def kinds(self) -> list[str]:
        """The types of the records."""
        return [record.payload["type"] if record.type == "event_msg" else record.type for record in self.records]


def record(client: Client, history: History | None = None, store: Stored | None = None) -> TurnRecord:
    """The record of a turn of its own."""
    say = ThreadAnnouncements(client, THREAD)
    return TurnRecord(THREAD, TURN, say, history if history is not None else History(), store or Stored())


# The model


def failure(message: str = "broken", retry: Any = "no", kind: Any = "other", **more: Any) -> UpstreamFailure:
    """A failure of the upstream."""
    return UpstreamFailure(message, CodexErrorInfo(kind), retry=retry, **more)


def added(item_id: str = "msg_1", **more: Any) -> Event:
    """A message begins."""
    item = {"type": "message", "id": item_id, "role": "assistant", "content": [], **more}
    return {"type": "response.output_item.added", "item": item}


def delta(text: str, item_id: str = "msg_1") -> Event:
    """More of a message."""
    return {"type": "response.output_text.delta", "item_id": item_id, "delta": text}


def message_done(text: str, item_id: str | None = "msg_1", **more: Any) -> Event:
    """A message is complete."""
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}], **more}
    return done(item if item_id is None else {**item, "id": item_id})


def done(item: Any) -> Event:
    """An item is complete."""
    return {"type": "response.output_item.done", "item": item}


def call_done(call_id: str = "call_1", name: str = "lookup", arguments: str = "{}") -> Event:
    """The model calls a tool."""
    call = {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "name": name, "arguments": arguments}
    return done(call)


def completed(tokens: int | None = None, **more: Any) -> Event:
    """The response is complete."""
    usage = None if tokens is None else {"input_tokens": tokens - 1, "output_tokens": 1, "total_tokens": tokens}
    return {"type": "response.completed", "response": {"id": "resp_1", "usage": usage, **more}}


def said(text: str, tokens: int | None = None) -> list[Event]:
    """A whole response of one message."""
    return [added(), delta(text), message_done(text), completed(tokens)]


class Hang:
    """A stream that says nothing more until it is let go on."""

    def __init__(self) -> None:
        self.reached = anyio.Event()
        self.go_on = anyio.Event()

    async def wait(self) -> None:
        self.reached.set()
        await self.go_on.wait()


Step = list[Event] | UpstreamFailure | Hang | Callable[[], None]
Answer = list[Event] | UpstreamFailure | tuple[Step, ...]


class FakeStream(ResponseStream):
    """Yields what it is told to. A callable step happens in place, without anything being waited for."""

    def __init__(self, steps: Iterable[Step], headers: Mapping[str, str]) -> None:
        self._steps = steps
        self._made = self._make()
        self.headers = headers

    def batches(self) -> AsyncGenerator[list[Event], None]:
        return self._made

    async def _make(self) -> AsyncGenerator[list[Event], None]:
        for step in self._steps:
            if isinstance(step, UpstreamFailure):
                raise step
            if isinstance(step, Hang):
                await step.wait()
            elif callable(step):
                step()
            else:
                yield step


class Model(ResponsesApi):
    """Gives each request the next of its answers: events, a failure in place of a stream, or a stream in steps."""

    def __init__(self, *answers: Answer, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.answers = list(answers)
        self.bodies: list[Any] = []
        self.headers = headers

    @asynccontextmanager
    async def open(
        self,
        settings: Settings,
        provider_id: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        pin: AccountPin | None = None,
    ) -> AsyncIterator[ResponseStream]:
        self.bodies.append(body)
        answer = self.answers.pop(0)
        if isinstance(answer, UpstreamFailure):
            raise answer
        stream = FakeStream(answer if isinstance(answer, tuple) else (answer,), self.headers)
        async with aclosing(stream.batches()):
            yield stream

    def texts(self, number: int = -1) -> list[tuple[str, str]]:
        """What a request told of messages, calls and outputs, but for the surroundings."""
        told = []
        for item in self.bodies[number]["input"]:
            if item["type"] == "message":
                text = "".join(part["text"] for part in item["content"])
                if not text.startswith("<environment_context>"):
                    told.append((item["role"], text))
            else:
                told.append((item["type"], item.get("output") or item.get("arguments")))
        return told


# The parent


class Parent:
    """Has tools, which do as they are told.

    :param tool: carries out a call.
    :param user: answers questions.
    """

    def __init__(
        self,
        tool: Callable[[DynamicToolCallParams], Awaitable[DynamicToolCallResponse]] | None = None,
        user: Callable[[ToolRequestUserInputParams], Awaitable[ToolRequestUserInputResponse]] | None = None,
    ) -> None:
        self._tool = tool
        self._user = user
        self.called: list[DynamicToolCallParams] = []
        self.asked: list[ToolRequestUserInputParams] = []

    async def call(self, params: DynamicToolCallParams, timeout: float) -> DynamicToolCallResponse:
        self.called.append(params)
        if self._tool is None:
            raise ToolFailed("there is no tool")
        return await self._tool(params)

    async def ask(self, params: ToolRequestUserInputParams, timeout: float) -> ToolRequestUserInputResponse:
        self.asked.append(params)
        if self._user is None:
            raise ToolFailed("there is no user")
        return await self._user(params)


def output(text: str, *, success: bool = True) -> DynamicToolCallResponse:
    """What a tool gives back."""
    given = {"contentItems": [{"type": "inputText", "text": text}], "success": success}
    return DynamicToolCallResponse.model_validate(given)


# Threads


def settings(tmp_path: Path, retries: int = 0, **config: Any) -> ThreadSettings:
    """The settings of a thread whose provider allows so many retries of a stream."""
    provider = ModelProvider("Mock", "http://127.0.0.1:1/v1", request_max_retries=0, stream_max_retries=retries)
    made = Settings(codex_home=tmp_path / "home", model_provider="mock", model_providers={"mock": provider}, **config)
    return settle(made, ThreadStartParams(), str(tmp_path), lambda _: "test-model")


def meta(tmp_path: Path, thread_id: str = THREAD) -> SessionMeta:
    """What a thread is from its beginning."""
    moment = datetime(2026, 11, 21, 10, tzinfo=UTC)
    return SessionMeta(thread_id, thread_id, moment, str(tmp_path), "tests", "0.0.0", model_provider="mock")


def nobody(_: LiveThread) -> None:
    """Does not care that a thread has settled down."""


def thread(
    tmp_path: Path,
    client: Client,
    *,
    kept: Kept | None = None,
    compact_at: int = 1_000_000,
    thread_id: str = THREAD,
    settled_down: Callable[[LiveThread], None] = nobody,
    with_settings: ThreadSettings | None = None,
) -> LiveThread:
    """A loaded thread with one tool, ``lookup``."""
    return LiveThread(
        meta(tmp_path, thread_id),
        with_settings or settings(tmp_path),
        lambda _: ContextLimits(shown_window=950, compact_at=compact_at),
        AccountLimits(),
        DynamicTools.from_stored(LOOKUP),
        ThreadAnnouncements(client, thread_id),
        kept,
        settled_down,
    )


def text_input(text: str, client_id: str | None = None) -> Input:
    """What the user says."""
    content = [UserInput(TextUserInput(text=text))]
    return Input(PreparedInput(content, [{"type": "input_text", "text": text}]), client_id)


def turn_of(live: LiveThread, model: Model, parent: Parent | None = None, text: str | None = None) -> RunningTurn:
    """A turn that has not begun; without a text, one that only compacts."""
    first = None if text is None else text_input(text)
    return RunningTurn(live.turn_context(), live, model, parent or Parent(), first)


def begin(
    live: LiveThread, model: Model, tasks: TaskGroup, text: str | None = "Hi", parent: Parent | None = None
) -> RunningTurn:
    """Begin a turn; without a text, one that only compacts."""
    turn = turn_of(live, model, parent, text)
    live.begin(turn)
    tasks.start_soon(turn.run)
    return turn


async def course(live: LiveThread, model: Model, text: str | None = "Hi", parent: Parent | None = None) -> None:
    """A whole turn."""
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            begin(live, model, tasks, text, parent)


def body_of(live: LiveThread) -> dict[str, Any]:
    """What a request would say now."""
    return request_body(live.settings, live.window.history, (), live.id)
