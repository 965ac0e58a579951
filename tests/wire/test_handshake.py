"""``initialize`` and what it decides (wire.md section 2, section 16 on lenience and the user agent)."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import INITIALIZE, Json, ServerProcess, run_to_end, running_server

REQUESTS: dict[str, Json] = {
    "account/read": {},
    "account/login/start": {"type": "apiKey", "apiKey": "sk-early"},
    "account/login/cancel": {"loginId": "3f0c2a52-9e4e-4be7-8a3b-5f1f2d3c4b5a"},
    "account/logout": {},
    "account/rateLimits/read": {},
    "getAuthStatus": {},
}

NOT_INITIALIZED = {"code": -32600, "message": "Not initialized"}
ALREADY_INITIALIZED = {"code": -32600, "message": "Already initialized"}


def client(name: str = "test", version: str = "1.0", **more: Any) -> Json:
    return {"clientInfo": {"name": name, "version": version}, **more}


def refusal(text: str) -> Json:
    return {"code": -32600, "message": f"Invalid request: {text}"}


async def test_every_request_before_the_handshake_is_refused_and_not_carried_out(home: Path) -> None:
    async with running_server(home, initialize=False, forked=True) as server:
        for method, params in REQUESTS.items():
            assert await server.error(method, params) == NOT_INITIALIZED, method
        await server.initialize()
        assert (await server.result("account/read", {}))["account"] is None


async def test_what_is_wrong_with_a_request_wins_over_not_initialized(home: Path) -> None:
    async with running_server(home, initialize=False, forked=True) as server:
        assert "unknown variant `nonsense`" in (await server.error("nonsense", {}))["message"]
        assert await server.error("account/read") == refusal("missing field `params`")
        wrong_type = await server.error("account/read", {"refreshToken": 5})
        assert wrong_type == refusal("invalid type: integer `5`, expected a boolean")
        await server.send(b"not json\n")
        assert (await server.answer(None))["error"]["code"] == -32700


async def test_a_second_handshake_is_refused_and_changes_nothing(server: ServerProcess) -> None:
    muting = client("other", capabilities={"optOutNotificationMethods": ["account/updated"]})
    assert await server.error("initialize", muting) == ALREADY_INITIALIZED
    await server.result("account/logout")
    await server.notification("account/updated")


async def test_what_is_wrong_with_a_second_handshake_wins_over_already_initialized(server: ServerProcess) -> None:
    assert await server.error("initialize") == refusal("missing field `params`")
    assert await server.error("initialize", {}) == refusal("missing field `clientInfo`")


async def test_the_handshake_says_who_answers_and_where_it_lives(home: Path) -> None:
    async with running_server(home, initialize=False, forked=True) as server:
        result = await server.result("initialize", client("my-editor", "7.8"))
    assert set(result) == {"userAgent", "codexHome", "platformFamily", "platformOs"}
    assert result["codexHome"] == str(home)
    assert (result["platformFamily"], result["platformOs"]) == ("unix", "linux")
    # Clients take the version apart; two of them refuse anything below 0.149.0 (wire.md section 16).
    shape = r"my-editor/(\d+)\.(\d+)\.(\d+) \([^;()]+ [^;()]+; [^;()]+\) \S+ \(my-editor; 7\.8\)"
    agent = re.fullmatch(shape, result["userAgent"])
    assert agent is not None, result["userAgent"]
    assert tuple(map(int, agent.groups())) == (0, 169, 0) >= (0, 149, 0)


@pytest.fixture
def linked_home(home: Path) -> Path:
    """A symbolic link that leads to ``home``."""
    home.mkdir()
    link = home.with_name("link")
    link.symlink_to(home)
    return link


async def test_a_home_reached_through_a_link_is_told_by_its_real_path(home: Path, linked_home: Path) -> None:
    async with running_server(linked_home, initialize=False, forked=True) as server:
        assert (await server.result("initialize", INITIALIZE))["codexHome"] == str(home)


INCOMPLETE: list[tuple[Any, str]] = [
    (..., "missing field `params`"),
    (None, "missing field `params`"),
    ({}, "missing field `clientInfo`"),
    ([], "missing field `clientInfo`"),
    ({"clientInfo": {"version": "1"}}, "missing field `name`"),
    ({"clientInfo": {"name": "x"}}, "missing field `version`"),
    ({"clientInfo": {"name": 5, "version": "1"}}, "invalid type: integer `5`, expected a string"),
    ({"clientInfo": {"name": "x", "version": None}}, "invalid type: null, expected a string"),
    (client(capabilities={"experimentalApi": "yes"}), 'invalid type: string "yes", expected a boolean'),
]


async def test_a_handshake_that_lacks_something_is_refused_with_the_reason_and_can_be_repeated(home: Path) -> None:
    async with running_server(home, initialize=False, forked=True) as server:
        for params, text in INCOMPLETE:
            assert await server.error("initialize", params) == refusal(text)
            assert await server.error("getAuthStatus", {}) == NOT_INITIALIZED
        await server.initialize()
        await server.result("getAuthStatus", {})


async def test_a_client_name_that_is_no_header_value_is_refused_with_the_name(home: Path) -> None:
    async with running_server(home, initialize=False, forked=True) as server:
        for name in ("a\nb", "a\rb", "nul\0", "\x7f", "\x1b[31m"):
            message = f"Invalid clientInfo.name: '{name}'. Must be a valid HTTP header value."
            assert await server.error("initialize", client(name)) == {"code": -32600, "message": message}
            assert await server.error("getAuthStatus", {}) == NOT_INITIALIZED
        await server.initialize()


async def test_a_client_version_that_is_no_header_value_does_not_get_into_the_user_agent(home: Path) -> None:
    async with running_server(home, initialize=False, forked=True) as server:
        agent = (await server.result("initialize", client("x", "1\n2\x00\x7f3")))["userAgent"]
    assert agent.endswith(" (x; 1_2__3)")


# More of these, without a process each, are in test_cold_start.py.
@pytest.mark.parametrize(
    "params",
    [
        {"clientInfo": {"name": "x", "title": "An Editor", "version": "1", "icon": "x.png"}, "unknown": {"deep": [1]}},
        client(
            "Éditeur\t日本",
            capabilities={"extensions": None, "optOutNotificationMethods": None, "somethingNew": 1},
        ),
    ],
)
async def test_a_handshake_may_leave_out_null_or_add_what_is_optional(home: Path, params: Json) -> None:
    async with running_server(home, initialize=False, forked=True) as server:
        agent = (await server.result("initialize", params))["userAgent"]
        assert agent.startswith(f"{params['clientInfo']['name']}/0.169.0 ")
        await server.result("getAuthStatus", {})


async def test_member_order_and_a_jsonrpc_member_do_not_matter_and_none_is_sent_back(home: Path) -> None:
    params = b'{"clientInfo":{"version":"1","name":"x"}}'
    source = (
        b'{"params":' + params + b',"jsonrpc":"2.0","id":"a","method":"initialize"}\n'
        b'{"jsonrpc":"1.0","method":"initialized"}\n'
        b'{"params":{},"method":"getAuthStatus","id":"b","jsonrpc":"2.0"}\n'
        b'{"jsonrpc":null,"params":{},"method":"nonsense","id":"c"}\n'
    )
    ended = await run_to_end(home, source)
    assert set(ended.answers()) == {"a", "b", "c"}
    assert all("jsonrpc" not in message for message in ended.messages)


async def test_initialized_is_not_required_and_never_refused(home: Path) -> None:
    async with running_server(home, initialize=False, forked=True) as server:
        await server.send({"method": "initialized"})
        await server.initialize()
        await server.result("getAuthStatus", {})
        await server.send({"method": "initialized"}, {"method": "initialized", "params": {}})
        assert await server.barrier() == []


async def test_requests_written_right_behind_the_handshake_are_answered(home: Path) -> None:
    async with running_server(home, initialize=False, forked=True) as server:
        await server.send(
            {"id": 1, "method": "initialize", "params": INITIALIZE},
            {"id": 2, "method": "account/read", "params": {}},
            {"id": 3, "method": "initialize", "params": INITIALIZE},
            {"id": 4, "method": "getAuthStatus", "params": {}},
        )
        assert "result" in await server.answer(1)
        assert "result" in await server.answer(2)
        assert (await server.answer(3))["error"] == ALREADY_INITIALIZED
        assert "result" in await server.answer(4)


async def test_answers_have_exactly_the_members_of_the_dialect(server: ServerProcess) -> None:
    await server.send({"id": 1, "method": "getAuthStatus", "params": {}}, {"id": 2, "method": "nonsense"})
    lines = {json.loads(line)["id"]: json.loads(line) for line in (await server.line(), await server.line())}
    assert set(lines[1]) == {"id", "result"}
    assert set(lines[2]) == {"id", "error"}
    assert set(lines[2]["error"]) == {"code", "message"}
