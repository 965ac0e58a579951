"""A disk that takes nothing, or not everything: the client is warned, and the conversation goes on."""

from pathlib import Path
from shutil import which
from subprocess import run

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.server import COMMAND, Json, ServerProcess
from tests.support.upstream import Start
from tests.wire.threads.support import echoed, fork, lines_of, listed, read, resume, said, spoken, thread_with, told
from tests.wire.turns.support import begin, start_thread, talk


def may_mount() -> bool:
    """Whether a test can have a file system of its own."""
    unshare = which("unshare")
    command = [str(unshare), "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return unshare is not None and run(command, capture_output=True, check=False, timeout=60).returncode == 0


mounts = pytest.mark.skipif(not may_mount(), reason="a file system of its own needs the permission to mount one")


def on_disk(home: Path, options: str) -> tuple[str, ...]:
    """What starts a server whose home is a disk of its own, mounted with these options, and then with others."""
    home.mkdir(exist_ok=True)
    first, *later = options.split(";")
    script = f'mount -t tmpfs -o {first} none "$0"; '
    script += "".join(f'mount -o remount,{options} "$0"; ' for options in later)
    return ("unshare", "--mount", "sh", "-c", script + 'exec "$@"', str(home), *COMMAND)


def put_in_the_way(path: Path) -> None:
    """A file where a directory belongs, or the other way round."""
    path.parent.mkdir()
    if path.suffix:
        path.mkdir()
    else:
        path.write_text("")


async def turn_with_warnings(server: ServerProcess, thread_id: str, text: str) -> tuple[str, list[str]]:
    """How a turn ends, and what the client was warned of meanwhile."""
    await server.barrier()
    await begin(server, thread_id, text)
    finished = await server.notification("turn/completed")
    said_meanwhile: list[Json] = await server.barrier()
    warnings = [message["params"] for message in said_meanwhile if message["method"] == "warning"]
    assert {params["threadId"] for params in warnings} <= {thread_id}
    return finished["turn"]["status"], [params["message"] for params in warnings]


@pytest.mark.parametrize("obstacle", ["sessions", "thread-writer-locks", "session_index.jsonl"])
async def test_something_else_in_the_place_of_a_directory(
    fake: FakeOpenAI, start: Start, home: Path, obstacle: str
) -> None:
    put_in_the_way(home / obstacle)
    async with start() as server:
        thread_id = await start_thread(server, "once")

        status, warnings = await turn_with_warnings(server, thread_id, "One")

        assert status == "completed"
        assert len(warnings) == (obstacle == "sessions")
        assert all(warning.startswith("This conversation cannot be stored: ") for warning in warnings)
        assert await turn_with_warnings(server, thread_id, "Two") == ("completed", []), "it is said once"
        assert told(fake) == echoed("One", "Two")
        assert len((await server.result("thread/turns/list", {"threadId": thread_id}))["data"]) == 2
        assert (await server.result("thread/list", {}))["nextCursor"] is None


async def test_a_name_that_cannot_be_kept_is_an_error(fake: FakeOpenAI, start: Start, home: Path) -> None:
    (home / "session_index.jsonl").mkdir(parents=True)
    async with start() as server:
        thread_id = await thread_with(server, "One")

        error = await server.error("thread/name/set", {"threadId": thread_id, "name": "Mine"})

        assert error["code"] == -32603
        assert error["message"].startswith("failed to write ")
        assert (await read(server, thread_id))["name"] is None


@mounts
async def test_a_read_only_home(fake: FakeOpenAI, start: Start, home: Path) -> None:
    async with start(command=on_disk(home, "size=1m;ro")) as server:
        thread_id = await start_thread(server, "once")

        status, (warning,) = await turn_with_warnings(server, thread_id, "One")

        assert status == "completed"
        assert warning.startswith("This conversation cannot be stored: ")
        assert warning.endswith(": Read-only file system")
        assert await turn_with_warnings(server, thread_id, "Two") == ("completed", [])
        assert told(fake) == echoed("One", "Two")
        assert (await server.result("thread/list", {}))["data"] == []
        fork = (await server.result("thread/start", {"ephemeral": True}))["thread"]["id"]
        await server.barrier()
        assert spoken(await talk(server, fork, "Three")) == ("completed", ["Three"])


@mounts
async def test_threads_of_a_home_that_has_become_read_only(fake: FakeOpenAI, start: Start, home: Path) -> None:
    async with start() as server:
        thread_id = await thread_with(server, "One")
        await server.result("thread/name/set", {"threadId": thread_id, "name": "Mine"})
        before = lines_of((await read(server, thread_id))["path"])
    script = 'mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"; exec "$@"'
    async with start(command=("unshare", "--mount", "sh", "-c", script, str(home), *COMMAND)) as server:
        assert await listed(server) == [thread_id]
        thread = (await resume(server, thread_id))["thread"]
        forked = (await fork(server, thread_id))["thread"]
        for one in (thread, forked):
            assert (one["name"], [said(turn) for turn in one["turns"]]) == ("Mine", [["One", "One"]])
            assert (await turn_with_warnings(server, one["id"], "Two"))[0] == "completed"
            assert told(fake) == echoed("One", "Two")
        for method in ("thread/archive", "thread/delete"):
            error = await server.error(method, {"threadId": thread_id})
            assert (error["code"], error["message"].rpartition(": ")[2]) == (-32603, "Read-only file system")
        assert await listed(server) == [thread_id]
    assert lines_of(thread["path"]) == before


@mounts
async def test_a_disk_that_is_full_for_a_while(fake: FakeOpenAI, start: Start, home: Path) -> None:
    async with start(command=on_disk(home, "size=200k")) as server:
        thread_id = await start_thread(server, "once")
        assert await turn_with_warnings(server, thread_id, "One") == ("completed", [])

        status, warnings = await turn_with_warnings(server, thread_id, "x" * 200_000)

        assert status == "completed"
        assert {warning.rpartition(": ")[2] for warning in warnings} == {"No space left on device"}
        # What is small enough is kept again, and nothing is torn.
        assert (await turn_with_warnings(server, thread_id, "Three"))[0] == "completed"
        assert told(fake) == [*echoed("One", "x" * 200_000), ("assistant", "x" * 200_000), ("user", "Three")]
        await server.result("thread/unsubscribe", {"threadId": thread_id})
        await server.notification("thread/closed")
        turns = (await resume(server, thread_id))["thread"]["turns"]
        assert (said(turns[0]), said(turns[-1])) == (["One", "One"], ["Three", "Three"])
        assert spoken(await talk(server, thread_id, "Four")) == ("completed", ["Four"])
