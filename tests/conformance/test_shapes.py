"""What the two servers say, member by member: whatever the reference sends, this server sends too, of the same kind,
unless it has been declared as left out, there (``tests.unit.protocol.differences``) or here (``MEMBERS``).

Both servers are led through the same conversation, once; each test compares one message of it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from app_server.fake_openai.server import FakeOpenAI
from protocol.catalogue import CLIENT_REQUESTS, SERVER_NOTIFICATIONS, SERVER_REQUESTS
from tests.conformance.differences import MEMBERS
from tests.conformance.peers import PEERS
from tests.support.reference import COMMON
from tests.support.server import Json, ServerProcess
from tests.support.upstream import LIMITS, LOGIN, REFRESH, fresh, tokens_login
from tests.unit.protocol.differences import LEFT_OUT
from tests.wire.turns.support import RESPONSES, text_input

TOOL: Json = {"type": "function", "name": "lookup", "description": "d", "inputSchema": {"type": "object"}}
HEADERS: Final = {
    "x-codex-primary-used-percent": "12",
    "x-codex-primary-window-minutes": "300",
    "x-codex-primary-reset-at": "1795270000",
    "x-codex-credits-has-credits": "true",
    "x-codex-credits-unlimited": "false",
    "x-codex-credits-balance": "9.99",
}

RESULTS: Final = (
    "initialize",
    LOGIN,
    "account/read",
    "getAuthStatus",
    LIMITS,
    "account/login/cancel",
    "account/logout",
    "model/list",
    "modelProvider/list",
    "modelProvider/capabilities/read",
    "permissionProfile/list",
    "collaborationMode/list",
    "thread/start",
    "turn/start",
    "thread/read",
    "thread/list",
    "thread/loaded/list",
    "thread/turns/list",
    "thread/items/list",
    "thread/resume",
    "thread/fork",
    "thread/archive",
    "thread/unarchive",
)
NOTIFICATIONS: Final = (
    "account/login/completed",
    "account/updated",
    "account/rateLimits/updated",
    "thread/started",
    "thread/status/changed",
    "thread/tokenUsage/updated",
    "thread/name/updated",
    "thread/archived",
    "thread/unarchived",
    "turn/started",
    "turn/completed",
    "item/started userMessage",
    "item/completed userMessage",
    "item/started reasoning",
    "item/completed reasoning",
    "item/started agentMessage",
    "item/completed agentMessage",
    "item/started dynamicToolCall",
    "item/completed dynamicToolCall",
    "item/agentMessage/delta",
    "item/reasoning/summaryPartAdded",
    "item/reasoning/summaryTextDelta",
    "item/reasoning/textDelta",
    "error",
    "turn/completed failed",
)
QUESTIONS: Final = ("item/tool/call", REFRESH)

DECLARED: Final = {place for places in LEFT_OUT.values() for place in places}
TYPES: Final[Mapping[str, str]] = {
    **{declared.method: declared.result.__name__ for declared in CLIENT_REQUESTS},
    **{declared.method: declared.params.__name__ for declared in SERVER_NOTIFICATIONS},
    **{declared.method: declared.params.__name__ for declared in SERVER_REQUESTS},
}
INSIDE: Final = {"thread": "Thread", "turn": "Turn", "turns": "Turn", "item": "ThreadItem", "items": "ThreadItem"}


class Recording:
    """One conversation with one server: the first message of each name."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self.said: dict[str, Any] = {}

    async def ask(self, method: str, params: Any) -> Any:
        result = await self._server.result(method, params)
        self.said.setdefault(method, result)
        return result

    async def until(self, method: str) -> Json:
        """Hear whatever comes up to a message of this method; its params."""
        while True:
            message = await self._server.message()
            name, params = message.get("method"), message.get("params")
            if name in COMMON or name in QUESTIONS:
                assert isinstance(params, dict)
                for key in (name, *names(name, params)):
                    self.said.setdefault(key, params)
            if name == method:
                return message

    async def turn(self, thread: str) -> None:
        await self.ask("turn/start", {"threadId": thread, "input": text_input("Hi")})


def names(method: str, params: Json) -> Iterator[str]:
    """The names of a message that tell more than its method."""
    if "item" in params:
        yield f"{method} {params['item']['type']}"
    if params.get("turn", {}).get("status") == "failed":
        yield f"{method} failed"


async def converse(server: ServerProcess, fake: FakeOpenAI) -> dict[str, Any]:
    """The conversation."""
    recording = Recording(server)
    ask, until = recording.ask, recording.until
    tokens = fake.mint()
    params = {"clientInfo": {"name": "test", "version": "1.0"}, "capabilities": {"experimentalApi": True}}
    await ask("initialize", params)
    await ask(LOGIN, tokens_login(tokens))
    await until("account/updated")
    await ask("account/read", {})
    await ask("getAuthStatus", {"includeToken": True})
    await ask(LIMITS, {})
    await ask("model/list", {})
    await ask("modelProvider/list", {})
    await ask("modelProvider/capabilities/read", {})
    await ask("permissionProfile/list", {})
    await ask("collaborationMode/list", {})

    fake.script(reasoning="Hm.", raw_reasoning="Raw.", tool_calls=[{"name": "lookup", "arguments": {"q": 1}}])
    fake.script(text="Done.", headers=HEADERS)
    fake.fault(RESPONSES, status=401, token=tokens.access_token)
    started = await ask("thread/start", {"modelProvider": "login", "cwd": "/", "dynamicTools": [TOOL]})
    thread = started["thread"]["id"]
    await recording.turn(thread)
    question = await until(REFRESH)
    await server.send({"id": question["id"], "result": fresh(fake.mint())})
    question = await until("item/tool/call")
    content = [{"type": "inputText", "text": "Found"}]
    await server.send({"id": question["id"], "result": {"contentItems": content, "success": True}})
    await until("turn/completed")

    await ask("thread/name/set", {"threadId": thread, "name": "Name"})
    await until("thread/name/updated")
    await ask("thread/read", {"threadId": thread, "includeTurns": True})
    await ask("thread/list", {"modelProviders": []})
    await ask("thread/loaded/list", {})
    await ask("thread/turns/list", {"threadId": thread})
    await ask("thread/items/list", {"threadId": thread})
    await ask("thread/resume", {"threadId": thread})
    fake.fault(RESPONSES, status=400, body="No.")
    await recording.turn(thread)
    await until("turn/completed")
    # Last, because a fork of the reference asks a model of its own accord, some time later.
    await ask("thread/fork", {"threadId": thread})
    await until("thread/started")
    await ask("thread/archive", {"threadId": thread})
    await until("thread/archived")
    await ask("thread/unarchive", {"threadId": thread})
    await until("thread/unarchived")
    await ask("account/logout", {})
    await ask("account/login/cancel", {"loginId": "3f0c2a52-9e4e-4be7-8a3b-5f1f2d3c4b5a"})
    return recording.said


@pytest.fixture(scope="module")
async def recorded(shared_fake: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each server said."""
    found: dict[str, dict[str, Any]] = {}
    for name, peer in PEERS.items():
        home: Path = tmp_path_factory.mktemp(name) / "home"
        shared_fake.reset()
        async with peer().start(shared_fake, home, initialize=False) as server:
            found[name] = await converse(server, shared_fake)
    return found


def kind(value: Any) -> str:
    """The kind of a JSON value."""
    return {bool: "boolean", int: "number", float: "number", str: "string", list: "list", dict: "object"}.get(
        type(value), "null"
    )


def compare(theirs: Any, ours: Any, path: str, type_name: str) -> Iterator[tuple[str, str, str]]:
    """Where they differ: the place, by path, and both kinds.

    :param type_name: of the object at the path, as far as it matters for what is left out.
    """
    if kind(theirs) != kind(ours):
        yield path, kind(theirs), kind(ours)
    elif isinstance(theirs, dict):
        if type_name == "ThreadItem":
            type_name += f".{theirs.get('type')}"
        for name, value in theirs.items():
            if f"{type_name}.{name}" in DECLARED:
                continue
            inner: str = INSIDE.get(name) or name
            if name in ours:
                yield from compare(value, ours[name], f"{path}.{name}", inner)
            else:
                yield f"{path}.{name}", kind(value), "absent"
    elif isinstance(theirs, list):
        of_list = "Thread" if path.endswith("thread/list.data") else type_name
        for one, other in pairs(theirs, ours):
            yield from compare(one, other, f"{path}[]", of_list)


def pairs(theirs: list[Any], ours: list[Any]) -> Iterator[tuple[Any, Any]]:
    """The entries to compare: those with the same id where there are some, else those at the same place."""
    by_id = {entry["id"]: entry for entry in ours if isinstance(entry, dict) and "id" in entry}
    same = [entry for entry in theirs if isinstance(entry, dict) and entry.get("id") in by_id]
    if same:
        yield from ((entry, by_id[entry["id"]]) for entry in same)
    else:
        yield from zip(theirs, ours, strict=False)


@pytest.mark.parametrize("name", [*RESULTS, *NOTIFICATIONS, *QUESTIONS])
async def test_this_server_sends_what_the_reference_sends(recorded: dict[str, dict[str, Any]], name: str) -> None:
    theirs, ours = recorded["reference"][name], recorded["ours"][name]
    found = set(compare(theirs, ours, name, TYPES[name.partition(" ")[0]]))
    declared = {
        (place, one.reference, one.ours) for place, one in MEMBERS.items() if place.startswith((f"{name}.", f"{name}["))
    }
    assert sorted(found) == sorted(declared)
