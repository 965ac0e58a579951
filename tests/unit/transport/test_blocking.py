"""Blocking calls on a thread of their own."""

import os
import subprocess
import sys
import threading

import anyio
import pytest

from app_server.transport.blocking import BlockingCalls

DEADLINE = 5.0


async def test_a_call_returns_what_its_function_returns() -> None:
    with anyio.fail_after(DEADLINE):
        assert await BlockingCalls("test").call(lambda: b"data") == b"data"


async def test_a_call_raises_what_its_function_raises_and_the_next_one_works() -> None:
    calls = BlockingCalls("test")

    with anyio.fail_after(DEADLINE):
        with pytest.raises(FileNotFoundError):
            await calls.call(lambda: os.open("/nowhere/at/all", os.O_RDONLY))
        assert await calls.call(lambda: 1) == 1


async def test_a_fault_of_the_function_reaches_the_caller_too() -> None:
    calls = BlockingCalls("test")

    with anyio.fail_after(DEADLINE):
        with pytest.raises(ZeroDivisionError):
            await calls.call(lambda: 1 // 0)
        assert await calls.call(lambda: 1) == 1


async def test_calls_run_in_order_on_one_daemon_thread_that_starts_with_the_first() -> None:
    before = set(threading.enumerate())
    calls = BlockingCalls("test")
    assert set(threading.enumerate()) == before

    with anyio.fail_after(DEADLINE):
        threads = [await calls.call(threading.current_thread) for _ in range(100)]

    assert len(set(threads)) == 1
    assert threads[0] not in before
    assert threads[0].daemon
    assert threads[0].name == "app-server test"


async def test_others_run_while_a_call_blocks() -> None:
    calls = BlockingCalls("test")
    release = threading.Event()

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(calls.call, release.wait)
            await anyio.wait_all_tasks_blocked()
            release.set()


async def test_a_call_that_is_given_up_does_not_hold_up_its_caller_nor_spoil_the_next() -> None:
    calls = BlockingCalls("test")
    release = threading.Event()

    def give_up() -> str:
        release.wait()
        return "nobody wants this"

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(calls.call, give_up)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        release.set()
        assert await calls.call(lambda: "next") == "next"


ENDS_WHILE_BLOCKED = """
import os, anyio
from app_server.transport.blocking import BlockingCalls

async def main():
    reader, writer = os.pipe()
    with anyio.move_on_after(0.01):
        await BlockingCalls("test").call(lambda: os.read(reader, 1))
    print("left")

anyio.run(main)
"""


def test_a_thread_that_is_blocked_for_ever_does_not_keep_the_process_alive() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ENDS_WHILE_BLOCKED], capture_output=True, text=True, timeout=20, check=False
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "left\n", "")


OUTLIVED_BY_ITS_CALL = """
import threading, anyio
from app_server.transport.blocking import BlockingCalls

calls, release = BlockingCalls("test"), threading.Event()

async def give_up():
    with anyio.move_on_after(0.01):
        await calls.call(release.wait)

async def again():
    print(await calls.call(lambda: "again"))

anyio.run(give_up)
release.set()
anyio.run(again)
"""


def test_a_call_that_outlives_its_event_loop_harms_nothing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", OUTLIVED_BY_ITS_CALL], capture_output=True, text=True, timeout=20, check=False
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "again\n", "")
