"""What stdin and stdout may be, and that nothing but messages gets to stdout (issue 2 section 3)."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import anyio
import pytest

from tests.support.server import (
    COMMAND,
    Finished,
    Json,
    run_to_end,
    running_server,
    server_on_sockets,
)

CONVERSATION = (
    b'{"id":1,"method":"initialize","params":{"clientInfo":{"name":"x","version":"1"}}}\n'
    b'{"id":2,"method":"account/login/start","params":{"type":"apiKey","apiKey":"sk-streams"}}\n'
    b"{bad\n"
    b'{"id":3,"method":"getAuthStatus","params":{"includeToken":true}}\n'
)


def check(ended: Finished) -> None:
    """The conversation came to its good end."""
    assert ended.status == 0
    answers = ended.answers()
    assert set(answers) == {1, 2, 3, None}
    assert answers[3]["result"]["authToken"] == "sk-streams"


@contextmanager
def file_with(path: Path, content: bytes) -> Iterator[IO[bytes]]:
    path.write_bytes(content)
    with path.open("rb") as file:
        yield file


async def test_stdin_may_be_a_regular_file(home: Path, tmp_path: Path) -> None:
    """epoll refuses those."""
    with file_with(tmp_path / "input", CONVERSATION) as file:
        check(await run_to_end(home, file))


async def test_a_regular_file_may_be_longer_than_what_is_read_at_once(home: Path, tmp_path: Path) -> None:
    line = b'{"id":%d,"method":"account/read","params":{"x":"' + b"y" * 500 + b'"}}\n'
    with file_with(tmp_path / "input", CONVERSATION + b"".join(line % number for number in range(10, 2_010))) as file:
        ended = await run_to_end(home, file)
    assert ended.status == 0
    assert set(ended.answers()) == {1, 2, 3, None, *range(10, 2_010)}


async def test_stdin_may_be_dev_null(home: Path) -> None:
    ended = await run_to_end(home, subprocess.DEVNULL)
    assert (ended.status, ended.output, ended.log) == (0, b"", "")


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-", "<&- >&- 2>&-", ">&- </dev/null"])
async def test_standard_streams_may_be_closed_from_the_start(home: Path, closed: str) -> None:
    """A closed stdin reads as its end, and then there is nothing to be done."""
    ended = await run_to_end(home, b"", command=("sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND))
    assert (ended.status, ended.output, ended.log) == (0, b"", "")


async def test_a_closed_stderr_keeps_logs_from_the_wire(home: Path) -> None:
    ended = await run_to_end(home, CONVERSATION, command=("sh", "-c", 'exec "$@" 2>&-', "sh", *COMMAND))
    check(ended)


async def test_stdout_may_be_a_regular_file(home: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    ended = await run_to_end(
        home, CONVERSATION, command=("sh", "-c", 'out=$1; shift; exec "$@" >>"$out"', "sh", str(output), *COMMAND)
    )
    assert ended.output == b""
    check(Finished(ended.status, output.read_bytes(), ended.log))


async def test_both_may_be_regular_files(home: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    with file_with(tmp_path / "input", CONVERSATION) as file:
        ended = await run_to_end(
            home, file, command=("sh", "-c", 'out=$1; shift; exec "$@" >"$out"', "sh", str(output), *COMMAND)
        )
    check(Finished(ended.status, output.read_bytes(), ended.log))


async def test_a_stdout_that_takes_nothing_any_more_ends_the_server_without_a_traceback(home: Path) -> None:
    """A full disk is as good as nobody who reads."""
    ended = await run_to_end(home, CONVERSATION, command=("sh", "-c", 'exec "$@" >/dev/full', "sh", *COMMAND))
    assert ended.status == 0
    assert "Traceback" not in ended.log


@pytest.mark.parametrize("one_for_both", [False, True], ids=["a socket each", "one socket"])
async def test_standard_streams_may_be_sockets(home: Path, one_for_both: bool) -> None:
    """Node gives its children socketpairs for pipes."""
    async with server_on_sockets(home, one_for_both=one_for_both) as server:
        await server.initialize()
        await server.barrier()
        requests: list[Json] = [{"id": n, "method": "account/read", "params": {}} for n in range(1_000)]
        await server.send(*requests)
        assert [(await server.answer(number))["id"] for number in range(1_000)] == list(range(1_000))
        await server.send(*requests)
        await server.end_input()
        assert [message["id"] for message in await server.rest()] == list(range(1_000))
        assert await server.exit_status() == 0
    assert server.log.read_text() == ""


async def test_a_socket_that_is_closed_with_answers_unread_ends_the_server(home: Path) -> None:
    async with server_on_sockets(home) as server:
        await server.initialize()
        await server.send({"id": 1, "method": "nonsense"})
        # The beginning of an answer, whose rest stays in the socket; the server has nothing more to do.
        await server.output.receive(16)
        await server.close_output()
        assert await server.exit_status() == 0
    assert server.log.read_text() == ""


async def test_sockets_that_nobody_reads_hold_the_server_back_without_loss(home: Path) -> None:
    count = 10_000
    async with server_on_sockets(home) as server, anyio.create_task_group() as tasks:
        await server.initialize()
        tasks.start_soon(server.send, b"".join(b'{"id":%d,"method":"nonsense"}\n' % number for number in range(count)))
        assert [(await server.message())["id"] for _ in range(count)] == list(range(count))


STRAY = """
import os, sys

class Noise:
    \"\"\"Reads before the server does, and makes noise when it is at work: at certain imports.\"\"\"

    def find_spec(self, name, path=None, target=None):
        if name == "asyncio":
            print("stray: print", flush=True)
            sys.__stdout__.write("stray: write\\n")
            sys.__stdout__.flush()
            os.write(1, b"stray: fd 1\\n")
            os.system("echo stray: child process")
        if name == "app_server.cold_start":
            os.system("read line; echo stray: stdin is ${line:-empty}")
        return None

sys.meta_path.insert(0, Noise())
print("stray: left in the buffer since before the start")
"""


async def test_stray_output_within_the_server_cannot_reach_the_wire(home: Path, tmp_path: Path) -> None:
    """It comes out on stderr; and what is read by mistake is not the client's."""
    (tmp_path / "sitecustomize.py").write_text(STRAY)
    ended = await run_to_end(home, CONVERSATION, env={"PYTHONPATH": str(tmp_path), "PYTHONUNBUFFERED": ""})
    check(ended)
    for noise in ("left in the buffer", "print", "write", "fd 1", "child process", "stdin is empty"):
        assert f"stray: {noise}" in ended.log, noise
    assert b"stray:" not in ended.output


SLOW_IMPORT = """
import os, time
with open(os.environ["TEST_REACHED"], "w"):
    time.sleep(60)
"""


async def test_sigterm_during_the_imports_is_a_good_end_at_once(home: Path, tmp_path: Path) -> None:
    (tmp_path / "anyio.py").write_text(SLOW_IMPORT)
    reached = tmp_path / "reached"
    os.mkfifo(reached)
    async with running_server(home, env={"PYTHONPATH": str(tmp_path), "TEST_REACHED": str(reached)}) as server:
        # The handshake has been answered; opening the other end waits for the import.
        with anyio.fail_after(20):
            os.close(await anyio.to_thread.run_sync(os.open, reached, os.O_RDONLY))
        server.process.send_signal(signal.SIGTERM)
        assert await server.exit_status() == 0
        assert await server.rest() == []


async def test_the_command_that_is_installed_serves_as_well(home: Path) -> None:
    """Through ``app_server.__main__:main``, as the script of the distribution calls it."""
    script = "from app_server.__main__ import main; import sys; sys.exit(main())"
    check(await run_to_end(home, CONVERSATION, command=(COMMAND[0], "-c", script)))
