"""What counts as a line, how long one may be, and how it may arrive (wire.md section 2; issue 2 section 3)."""

import json
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from tests.support.server import Json, ServerProcess, run_to_end, running_server

MIB = 1024 * 1024

STATUS: Json = {"authMethod": None, "authToken": None, "requiresOpenaiAuth": True}


def status_request(request_id: int, padding: int = 0, length: int | None = None) -> bytes:
    """A ``getAuthStatus``, without its line end.

    :param padding: bytes in a member that the server ignores.
    :param length: bytes of the line; sets the padding.
    """
    if length is not None:
        padding = length - len(status_request(request_id))
    head = f'{{"id":{request_id},"method":"getAuthStatus","params":{{"x":"'.encode()
    return head + b"a" * padding + b'"}}'


def refused_for_its_length(answer: Json, limit: int) -> bool:
    error = answer["error"]
    return answer["id"] is None and error["code"] == -32600 and str(limit) in error["message"]


async def test_line_ends_and_space_around_a_message_do_not_matter(server: ServerProcess) -> None:
    for index, (before, after) in enumerate(
        [(b"", b"\r"), (b"  ", b""), (b"\t", b" \t "), (b" ", b" \r"), (b"\r", b"")]
    ):
        await server.send(before + status_request(index) + after + b"\n")
        assert (await server.answer(index))["result"] == STATUS


async def test_a_byte_order_mark_is_tolerated(home: Path) -> None:
    """At the start of the stream, as text files from Windows begin, and at the start of any other line."""
    mark = b"\xef\xbb\xbf"
    first = b'{"id":0,"method":"initialize","params":{"clientInfo":{"name":"x","version":"1"}}}\n'
    ended = await run_to_end(home, mark + first + mark + status_request(1) + b"\n")
    assert {request_id for request_id, answer in ended.answers().items() if "result" in answer} == {0, 1}


async def test_a_request_may_arrive_one_byte_at_a_time(server: ServerProcess) -> None:
    line = '{"id":"é","method":"getAuthStatus","params":{}}\r\n'.encode()
    for index in range(len(line)):
        await server.send(line[index : index + 1])
    assert (await server.answer("é"))["result"] == STATUS


async def test_a_write_may_end_anywhere_within_a_request(server: ServerProcess) -> None:
    first, second = status_request(1) + b"\n", status_request(2) + b"\n"
    for cut in range(1, len(second)):
        await server.send(first + second[:cut])
        # Its answer says that the server has read as far as it can.
        await server.answer(1)
        await server.send(second[cut:])
        assert (await server.answer(2))["result"] == STATUS, cut


async def test_a_line_of_20_mib_is_answered_like_any_other(server: ServerProcess) -> None:
    await server.send(status_request(1, padding=20 * MIB) + b"\n")
    assert (await server.answer(1))["result"] == STATUS


async def test_a_key_of_2_mib_is_saved_and_given_back(server: ServerProcess) -> None:
    key = "sk-" + "k" * 2 * MIB
    assert await server.result("account/login/start", {"type": "apiKey", "apiKey": key}) == {"type": "apiKey"}
    assert (await server.result("getAuthStatus", {"includeToken": True}))["authToken"] == key


async def test_a_line_over_64_mib_is_drained_and_refused_and_the_next_one_answered(server: ServerProcess) -> None:
    limit = 64 * MIB
    await server.barrier()
    before = memory(server)
    for _ in range(64):
        await server.send(b"x" * MIB)
    await server.send(b"x\n" + status_request(1) + b"\n")
    assert refused_for_its_length(await server.answer(None), limit)
    assert (await server.answer(1))["result"] == STATUS
    # Until it was too long it might have been a message and had to be kept; then nothing of it.
    assert memory(server) - before < 32 * MIB


LIMITED: list[Callable[[Path], tuple[str, ...]]] = [
    lambda home: ("-c", "app_server.max_line_bytes=2048"),
    lambda home: write_config(home, "[app_server]\nmax_line_bytes = 2048\n"),
]


def write_config(home: Path, text: str) -> tuple[()]:
    home.mkdir()
    (home / "config.toml").write_text(text)
    return ()


def memory(server: ServerProcess) -> int:
    """Bytes that the server's process takes now."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@pytest.mark.parametrize("configure", LIMITED, ids=["argument", "config.toml"])
async def test_the_limit_of_a_line_is_configurable_and_exact(
    home: Path, configure: Callable[[Path], tuple[str, ...]]
) -> None:
    async with running_server(home, *configure(home), forked=True) as server:
        await server.send(status_request(1, length=2048) + b"\n" + status_request(2, length=2049) + b"\n")
        assert (await server.answer(1))["result"] == STATUS
        assert refused_for_its_length(await server.answer(None), 2048)
        assert (await server.result("getAuthStatus", {})) == STATUS


async def test_each_of_many_lines_that_are_too_long_is_refused_once_in_its_place(home: Path) -> None:
    async with running_server(home, "-c", "app_server.max_line_bytes=1024", forked=True) as server:
        lines = [b"y" * size + b"\n" + status_request(size) + b"\n" for size in (1025, 5_000, 65_536, 300_000)]
        await server.send(*lines)
        # Refusals are told at once and answers after them, so each kind is in order, but not both together.
        answers = [await server.message() for _ in range(2 * len(lines))]
        assert sum(refused_for_its_length(answer, 1024) for answer in answers if "error" in answer) == len(lines)
        assert [answer["id"] for answer in answers if "result" in answer] == [1025, 5_000, 65_536, 300_000]


async def test_a_line_that_is_too_long_and_never_ends_gets_no_answer(home: Path) -> None:
    first = b'{"id":0,"method":"initialize","params":{"clientInfo":{"name":"x","version":"1"}}}\n'
    ended = await run_to_end(home, first + b"z" * 5_000, "-c", "app_server.max_line_bytes=1024")
    assert ended.status == 0
    assert set(ended.answers()) == {0}


async def test_every_line_that_is_written_is_one_whole_message(server: ServerProcess) -> None:
    """Texts with line ends in them are sent escaped."""
    await server.send({"id": "a\nb\r\n", "method": "no\nsuch\u2028method", "params": {}})
    line = await server.line()
    assert json.loads(line)["id"] == "a\nb\r\n"
    await server.send(status_request(1) + b"\n")
    with anyio.fail_after(5):
        assert json.loads(await server.line()) == {"id": 1, "result": STATUS}
