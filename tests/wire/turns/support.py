"""Conversations with a server under test, and the course of a turn: what the client is told of it, in order.

How a server is started stands in ``conftest``; what goes wrong upstream, in the tests.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from app_server.fake_openai.recorder import RecordedRequest
from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import Json, ServerProcess
from tests.support.upstream import without_times

RESPONSES: Final = "responses"
"""The fake's route of the Responses API."""

COMPLETED: Final = "turn/completed"
DELTA: Final = "item/agentMessage/delta"
LIMITS_UPDATED: Final = "account/rateLimits/updated"

KEY_VARIABLE: Final = "PROVIDER_KEY"
KEY: Final = "sk-of-the-provider"

AT_ONCE: Final = 1.0
"""Seconds within which an interrupted turn is over, measured by the client; the aim is 0.1."""

DROPPED: Final = "stream disconnected before completion: Transport error: network error: error decoding response body"
ENDED: Final = "stream disconnected before completion: stream closed before response.completed"
NO_ANSWER: Final = "stream disconnected before completion: error sending request"
SILENT: Final = "stream disconnected before completion: idle timeout waiting for SSE"


def provider(name: str, base_url: str, *, request: int = 0, stream: int = 0, **more: str) -> list[str]:
    """The overrides for a model provider with a key of its own.

    :param request: ``request_max_retries``.
    :param stream: ``stream_max_retries``.
    :param more: further members, values in TOML; ``env_key="none"`` leaves the key out.
    """
    members = {
        "name": f'"{name}"',
        "base_url": f'"{base_url}"',
        "env_key": f'"{KEY_VARIABLE}"',
        "request_max_retries": str(request),
        "stream_max_retries": str(stream),
        **more,
    }
    return [f"model_providers.{name}.{key}={value}" for key, value in members.items() if value != "none"]


def text_input(text: str) -> list[Json]:
    """What the user says."""
    return [{"type": "text", "text": text, "text_elements": []}]


async def start_thread(server: ServerProcess, provider_id: str, **params: Any) -> str:
    """The id of a new thread whose turns go to this provider."""
    started = await server.result("thread/start", {"modelProvider": provider_id, **params})
    thread_id: str = started["thread"]["id"]
    await server.take(lambda message: message.get("method") == "thread/started" and thread_of(message) == thread_id)
    return thread_id


async def begin(server: ServerProcess, thread_id: str, text: str = "Hello", **params: Any) -> str:
    """Begin a turn; its id."""
    begun = await server.result("turn/start", {"threadId": thread_id, "input": text_input(text), **params})
    turn_id: str = begun["turn"]["id"]
    return turn_id


def thread_of(message: Json) -> str | None:
    """The thread that a notification is about."""
    params = message.get("params") or {}
    found: str | None = params.get("threadId") or params.get("thread", {}).get("id")
    return found


def turn_of(message: Json) -> str | None:
    """The turn that a notification is about."""
    params = message.get("params") or {}
    found: str | None = params.get("turnId") or params.get("turn", {}).get("id")
    return found


@dataclass(frozen=True)
class Course:
    """All that was said of one turn, up to its end.

    :param messages: notifications in the order in which they came, without their times.
    """

    turn_id: str
    messages: list[Json]

    @property
    def methods(self) -> list[str]:
        """What was said, in short."""
        return [message["method"] for message in self.messages]

    @property
    def turn(self) -> Json:
        """The turn as it ended."""
        turn: Json = self.messages[-1]["params"]["turn"]
        return turn

    @property
    def status(self) -> str:
        """How it ended."""
        status: str = self.turn["status"]
        return status

    @property
    def error(self) -> Json:
        """Why it failed, which is said twice."""
        assert self.status == "failed", self.turn
        (said,) = [params for params in self.params("error") if not params["willRetry"]]
        assert said["error"] == self.turn["error"]
        error: Json = said["error"]
        return error

    @property
    def notices(self) -> list[Json]:
        """Errors after which it went on."""
        return [params["error"] for params in self.params("error") if params["willRetry"]]

    @property
    def spoken(self) -> list[str]:
        """The messages of the model that were completed."""
        items = [params["item"] for params in self.params("item/completed")]
        return [item["text"] for item in items if item["type"] == "agentMessage"]

    @property
    def streamed(self) -> str:
        """What the model said, piece by piece."""
        return "".join(params["delta"] for params in self.params(DELTA))

    def params(self, method: str) -> list[Json]:
        """The params of the notifications of this method."""
        return [message["params"] for message in self.messages if message["method"] == method]

    def check(self) -> None:
        """It began once and ended once, at the end, and whatever was completed had been started."""
        counts = Counter(self.methods)
        assert counts["turn/started"] == counts[COMPLETED] == 1, self.methods
        assert self.messages[-1]["method"] == COMPLETED
        assert {turn_of(message) for message in self.messages} <= {self.turn_id, None}
        started = [params["item"]["id"] for params in self.params("item/started")]
        completed = [params["item"]["id"] for params in self.params("item/completed")]
        assert set(completed) <= set(started)
        assert len(completed) == len(set(completed)), completed
        assert sum(not params["willRetry"] for params in self.params("error")) == (self.status == "failed")


async def course(server: ServerProcess, thread_id: str, turn_id: str) -> Course:
    """Wait for the end of the only turn that runs."""
    messages = []
    while True:
        message = await server.take(lambda said: thread_of(said) == thread_id or said.get("method") == LIMITS_UPDATED)
        messages.append(message)
        if message["method"] == COMPLETED:
            break
    found = Course(turn_id, without_times(messages))
    found.check()
    return found


async def courses(server: ServerProcess, turns: dict[str, str]) -> dict[str, Course]:
    """Wait for the ends of turns that run at once.

    :param turns: their ids by those of their threads, which are those of the courses too.
    """
    said: dict[str, list[Json]] = {thread_id: [] for thread_id in turns}
    running = set(turns)
    while running:
        message = await server.take(lambda message: thread_of(message) in turns)
        thread_id = str(thread_of(message))
        said[thread_id].append(message)
        if message["method"] == COMPLETED:
            running.remove(thread_id)
    found = {thread_id: Course(turn_id, without_times(said[thread_id])) for thread_id, turn_id in turns.items()}
    for one in found.values():
        one.check()
    return found


async def talk(server: ServerProcess, thread_id: str, text: str = "Hello", **params: Any) -> Course:
    """One whole turn."""
    turn_id = await begin(server, thread_id, text, **params)
    return await course(server, thread_id, turn_id)


async def works(server: ServerProcess, fake: FakeOpenAI, thread_id: str) -> RecordedRequest:
    """The next turn of a thread goes well, whatever came before; its request."""
    done = await talk(server, thread_id, "And now?")
    assert (done.status, done.spoken, done.turn["error"]) == ("completed", ["And now?"], None)
    return fake.requests.of(RESPONSES)[-1]


async def delta(server: ServerProcess, thread_id: str) -> str:
    """Wait for the next piece of what the model says. It counts as seen, but stays for ``course``."""
    passed: list[Json] = []
    try:
        while True:
            message = await server.message()
            passed.append(message)
            if message.get("method") == DELTA and thread_of(message) == thread_id:
                piece: str = message["params"]["delta"]
                return piece
    finally:
        server.messages[:0] = passed


def nothing_more(said: Iterable[Json]) -> None:
    """What is left when all turns have ended says nothing about any of them."""
    late = [message for message in said if turn_of(message) is not None or message.get("method") == "error"]
    assert late == []


def asked(fake: FakeOpenAI, containing: str = "") -> list[RecordedRequest]:
    """The requests to the model, or those of them that hold this text."""
    return [request for request in fake.requests.of(RESPONSES) if containing.encode() in request.body]


def conversation(request: RecordedRequest) -> list[tuple[str, str]]:
    """What the model was given: who said what, without the context that precedes what the user says."""
    items = [item for item in request.json["input"] if item["type"] == "message"]
    said = [(item["role"], "".join(part["text"] for part in item["content"])) for item in items]
    return [(role, text) for role, text in said if not text.startswith("<environment_context>") and role != "developer"]
