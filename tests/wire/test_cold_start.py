"""The first answer, given before the real server is there: it must be the real server's, byte for byte, and whatever
is not certain to be must be left to the real server (``app_server.cold_start``).

Most of these run both in the test's own process, on pipes of their own; some in a process that starts for real.
"""

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from app_server.cold_start import ColdStart, answer_first
from app_server.compose import serve
from app_server.config import load_configuration
from app_server.transport.stdio import StdioTransport
from tests.support.forked import PipeReader
from tests.support.server import Json, run_to_end, running_server


def line(request_id: Any = 1, **params: Any) -> bytes:
    """An ``initialize`` as most clients write it."""
    message = {
        "id": request_id,
        "method": "initialize",
        "params": {"clientInfo": {"name": "x", "version": "1"}, **params},
    }
    return json.dumps(message).encode() + b"\n"


def named(name: str, version: str = "1", **more: Any) -> bytes:
    client_info = {"name": name, "version": version, **more}
    return (
        json.dumps(
            {"id": 1, "method": "initialize", "params": {"clientInfo": client_info}}, ensure_ascii=False
        ).encode()
        + b"\n"
    )


def spelled(text: str) -> bytes:
    """An ``initialize`` with these members, as they are."""
    return f'{{{text},"params":{{"clientInfo":{{"name":"x","version":"1"}}}}}}\n'.encode()


PLAIN = [
    line(),
    line(0),
    line(-1),
    line(2**63 - 1),
    line(2**64 - 1),
    line(-(2**63)),
    line(""),
    line("a-b-c"),
    spelled('"id":"é日本\u2028\x7f","method":"initialize"'),
    spelled(r'"id":"\u0000\u001f\b\f\n\r\t\"\\\/é","method":"initialize"'),
    spelled('"jsonrpc":"2.0","id":1,"method":"initialize","result":{},"error":null'),
    spelled('"id":1,"id":2,"method":"nonsense","method":"initialize"'),
    spelled('"\\u0069d":1,"method":"\\u0069nitialize"'),
    spelled('"id":1,"method":"initialize","x":1e300,"y":[[[{}]]],"z":123456789012345678901234567890'),
    b"  " + line().rstrip() + b" \t\r\n",
    b"\xef\xbb\xbf" + line(),
    line(capabilities=None),
    line(capabilities={}),
    line(capabilities={"experimentalApi": True, "requestAttestation": False}),
    line(capabilities={"optOutNotificationMethods": ["account/updated", "", "nonsense"], "extensions": {"a": [1]}}),
    line(capabilities={"optOutNotificationMethods": None, "extensions": None}),
    line(unknown={"deep": [None]}, another=1.5),
    named(""),
    named("codex_vscode", "0.1.0-beta.1+build"),
    named("name with (parens); and\ttab/slash", ""),
    named("x", "1\n2\x00\x7f"),
    named("x", "é日本😀"),
    named("x", " 1 "),
    named("x", "1", title=None),
    named("x", "1", title="Ein Titel \u2028 😀", icon={"url": 1}),
    named("n" * 1_000, "v" * 500),
]

NOT_PLAIN = [
    b"\n" + line(),
    b'{"method":"initialized"}\n' + line(),
    b'{"id":1,"method":"getAuthStatus","params":{}}\n',
    b"nonsense\n",
    b"[" + line().rstrip() + b"]\n",
    b"\n",
    line().rstrip(),
    line()[:40],
    spelled('"method":"initialize"'),
    spelled('"id":null,"method":"initialize"'),
    spelled('"id":1.0,"method":"initialize"'),
    spelled('"id":true,"method":"initialize"'),
    spelled('"id":[1],"method":"initialize"'),
    spelled(f'"id":{2**64},"method":"initialize"'),
    spelled(f'"id":{-(2**63) - 1},"method":"initialize"'),
    spelled(f'"id":1{"0" * 5_000},"method":"initialize"'),
    spelled('"id":1,"method":"Initialize"'),
    spelled('"id":1,"method":["initialize"]'),
    spelled('"id":1,"method":"initialize","x":NaN'),
    spelled('"id":1,"method":"initialize","x":-Infinity'),
    spelled(r'"id":"\ud800","method":"initialize"'),
    spelled(r'"id":"\uDFFF","method":"initialize"'),
    line().replace(b'"x"', b'"\xff"'),
    line().replace(b'"1"', b'"\xed\xa0\x80"'),
    line().replace(b'"1"', b'"tab\there"'),
    line().rstrip() + b"\x00\n",
    b"\xef\xbb\xbf\xef\xbb\xbf" + line(),
    line().decode().encode("utf-16-le"),
    line().decode().encode("utf-16-be"),
    line().decode().encode("utf-16"),
    spelled('"id":1,"method":"initialize","x":' + "[" * 100_000 + "]" * 100_000)[: 60 * 1024] + b"\n",
    b'{"id":1,"method":"initialize"}\n',
    b'{"id":1,"method":"initialize","params":null}\n',
    b'{"id":1,"method":"initialize","params":[]}\n',
    b'{"id":1,"method":"initialize","params":{}}\n',
    b'{"id":1,"method":"initialize","params":{"clientInfo":{"name":"x"}}}\n',
    b'{"id":1,"method":"initialize","params":{"clientInfo":{"version":"1"}}}\n',
    b'{"id":1,"method":"initialize","params":{"client_info":{"name":"x","version":"1"}}}\n',
    b'{"id":1,"method":"initialize","params":{"clientInfo":{"name":1,"version":"1"}}}\n',
    b'{"id":1,"method":"initialize","params":{"clientInfo":{"name":"x","version":1}}}\n',
    b'{"id":1,"method":"initialize","params":{"clientInfo":{"name":"x","version":"1","title":1}}}\n',
    named("a\nb"),
    named("a\x7f"),
    named("é"),
    line(capabilities=[]),
    line(capabilities=True),
    line(capabilities={"experimentalApi": 1}),
    line(capabilities={"experimentalApi": None}),
    line(capabilities={"extensions": []}),
    line(capabilities={"optOutNotificationMethods": "account/updated"}),
    line(capabilities={"optOutNotificationMethods": [1]}),
    line(capabilities={"optOutNotificationMethods": {}}),
    line(capabilities={"somethingNew": True}),
    named("n" * 2_500),
]


class Pipes:
    """The standard streams of a server that has not begun: the client's ends and the server's."""

    def __init__(self) -> None:
        self.stdin, self.to_stdin = os.pipe()
        self.from_stdout, self.stdout = os.pipe()

    def say(self, data: bytes) -> None:
        os.write(self.to_stdin, data)

    def close(self) -> None:
        for fd in (self.stdin, self.to_stdin, self.from_stdout, self.stdout):
            try:
                os.close(fd)
            except OSError:
                continue  # closed by the test, or by a transport that owned it


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    pipes = Pipes()
    yield pipes
    pipes.close()


def cold_answer(data: bytes, home: Path) -> tuple[bytes, ColdStart]:
    """What is answered to ``data`` before the real server is there, and what is left to it."""
    pipes = Pipes()
    try:
        pipes.say(data)
        cold_start = answer_first(pipes.stdin, pipes.stdout, str(home))
        os.close(pipes.stdout)
        return os.read(pipes.from_stdout, 64 * 1024), cold_start
    finally:
        pipes.close()


@asynccontextmanager
async def real_server(pipes: Pipes, home: Path, cold_start: ColdStart) -> AsyncIterator[PipeReader]:
    """The real server on these pipes, with nothing answered yet; gives what it writes."""
    configuration = load_configuration([], {"CODEX_HOME": str(home)})
    transport = StdioTransport(os.dup(pipes.stdin), os.dup(pipes.stdout), received=cold_start.received)
    reader = PipeReader(os.dup(pipes.from_stdout))
    async with reader, anyio.create_task_group() as tasks:
        tasks.start_soon(serve, transport, configuration)
        yield reader
        tasks.cancel_scope.cancel()


async def next_line(reader: PipeReader) -> bytes:
    received = b""
    with anyio.fail_after(10):
        while not received.endswith(b"\n"):
            received += await reader.receive()
    return received


@pytest.mark.parametrize("data", PLAIN, ids=range(len(PLAIN)))
async def test_a_plain_handshake_is_answered_as_the_real_server_answers_it(
    data: bytes, home: Path, pipes: Pipes
) -> None:
    answer, cold_start = cold_answer(data, home)
    assert cold_start.answered is not None
    assert cold_start.received == b""
    pipes.say(data)
    async with real_server(pipes, home, ColdStart(b"", None)) as reader:
        assert await next_line(reader) == answer


@pytest.mark.parametrize("data", NOT_PLAIN, ids=range(len(NOT_PLAIN)))
def test_what_is_not_plain_is_left_to_the_real_server_with_every_byte(data: bytes, home: Path) -> None:
    assert cold_answer(data, home) == (b"", ColdStart(data, None))


def test_what_came_with_the_handshake_is_handed_on(home: Path) -> None:
    behind = b'{"id":2,"method":"getAuthStatus","params":{}}\n\xff\n{"half'
    _, cold_start = cold_answer(line() + behind, home)
    assert cold_start.received == behind
    assert cold_start.answered == (1, {"clientInfo": {"name": "x", "version": "1"}})


def test_an_input_that_says_nothing_yet_or_never_will_is_not_waited_for(home: Path, pipes: Pipes) -> None:
    nothing = ColdStart(b"", None)
    assert answer_first(pipes.stdin, pipes.stdout, str(home)) == nothing
    os.close(pipes.to_stdin)
    assert answer_first(pipes.stdin, pipes.stdout, str(home)) == nothing


def test_files_are_left_to_the_real_server_unread(home: Path, tmp_path: Path, pipes: Pipes) -> None:
    (tmp_path / "file").write_bytes(line())
    pipes.say(line())
    with (tmp_path / "file").open("r+b") as file:
        assert answer_first(file.fileno(), pipes.stdout, str(home)) == ColdStart(b"", None)
        assert answer_first(pipes.stdin, file.fileno(), str(home)) == ColdStart(b"", None)
        assert file.read() == line()


def test_a_client_that_reads_nothing_any_more_is_left_to_the_real_server(home: Path, pipes: Pipes) -> None:
    os.close(pipes.from_stdout)
    pipes.say(line())
    assert answer_first(pipes.stdin, pipes.stdout, str(home)) == ColdStart(line(), None)


async def test_a_handshake_in_two_writes_is_answered_the_same_wherever_it_is_cut(home: Path) -> None:
    data = line("cut", capabilities={"experimentalApi": True})
    expected, _ = cold_answer(data, home)
    for cut in range(1, len(data)):
        pipes = Pipes()
        try:
            pipes.say(data[:cut])
            cold_start = answer_first(pipes.stdin, pipes.stdout, str(home))
            assert cold_start == ColdStart(data[:cut], None)
            async with real_server(pipes, home, cold_start) as reader:
                pipes.say(data[cut:])
                assert await next_line(reader) == expected, cut
        finally:
            pipes.close()


# In a process


HEAVY = ("asyncio", "anyio", "orjson", "pydantic", "httpx2", "ssl", "tomllib")


@pytest.fixture
def without_heavy_imports(tmp_path: Path) -> dict[str, str]:
    """An environment in which a server ends with status 7 as soon as it imports something heavy."""
    directory = tmp_path / "modules"
    directory.mkdir()
    for module in HEAVY:
        (directory / f"{module}.py").write_text("raise SystemExit(7)")
    return {"PYTHONPATH": str(directory)}


async def test_the_first_answer_waits_for_no_heavy_import(home: Path, without_heavy_imports: dict[str, str]) -> None:
    ended = await run_to_end(home, line(), env=without_heavy_imports, forked=False)
    assert ended.status == 7
    assert ended.output == cold_answer(line(), home)[0]
    late = await run_to_end(home, b"\n" + line(), env=without_heavy_imports, forked=False)
    assert (late.status, late.output) == (7, b"")


def without_times(output: bytes) -> list[Json]:
    return [{**json.loads(one), "emittedAtMs": 0} for one in output.splitlines()]


async def test_a_conversation_is_the_same_whoever_gives_the_first_answer(home: Path) -> None:
    """A blank line in front keeps the first answer for the real server."""
    opt_out = {"experimentalApi": True, "optOutNotificationMethods": ["account/updated"]}
    conversation = b"".join(
        [
            line("first", capabilities=opt_out),
            b'{"id":2,"method":"account/login/start","params":{"type":"apiKey","apiKey":"sk-same"}}\n',
            line("again"),
            b'{"id":3,"method":"account/login/start","params":{"type":"chatgptAuthTokens"}}\n',
            b'{"id":4,"method":"account/logout"}\n',
            b"{bad\n",
            *(b'{"id":%d,"method":"getAuthStatus","params":{}}\n' % number for number in range(100, 600)),
        ]
    )
    cold, late = (
        await run_to_end(home, conversation, forked=False),
        await run_to_end(home, b"\n" + conversation, forked=False),
    )
    assert cold.status == late.status == 0
    assert cold.output.splitlines()[0] == late.output.splitlines()[0] == cold_answer(line("first"), home)[0].rstrip()
    key = str
    assert sorted(without_times(cold.output), key=key) == sorted(without_times(late.output), key=key)
    assert set(cold.answers()) == {"first", "again", 2, 3, 4, None, *range(100, 600)}


async def test_what_the_configuration_gives_cause_to_say_comes_right_after_the_first_answer(
    home: Path, broken_config: None
) -> None:
    for before in (b"", b"\n"):
        ended = await run_to_end(home, before + line(capabilities={}), forked=False)
        assert [message.get("method", "answer") for message in ended.messages] == ["answer", "configWarning"]
        muted = line(capabilities={"optOutNotificationMethods": ["configWarning"]})
        assert len((await run_to_end(home, before + muted, forked=False)).messages) == 1


@pytest.fixture
def broken_config(home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("model = [")


async def test_more_than_fits_into_one_read_may_come_with_the_handshake(home: Path) -> None:
    requests = [
        b'{"id":%d,"method":"getAuthStatus","params":{"x":"' % number + b"y" * 100 + b'"}}\n' for number in range(5_000)
    ]
    async with running_server(home, initialize=False) as server, anyio.create_task_group() as tasks:
        tasks.start_soon(server.send, line("first") + b"".join(requests))
        assert (await server.message())["id"] == "first"
        assert [(await server.message())["id"] for _ in range(5_000)] == list(range(5_000))


async def test_a_home_that_is_not_utf_8_is_told_in_utf_8_by_both(tmp_path: Path) -> None:
    home = os.fsdecode(os.fsencode(tmp_path) + b"/h\xff\xe9")
    for before in (b"", b"\n"):
        ended = await run_to_end(Path(home), before + line(), forked=False)
        assert ended.messages[0]["result"]["codexHome"].endswith("/h\ufffd\ufffd")
