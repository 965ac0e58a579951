"""The standard streams as a transport, over what knows no readiness: files, devices, terminals."""

import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from app_server.transport.base import TransportClosed
from app_server.transport.stdio import CHUNK, StdioTransport
from tests.unit.transport.conftest import Descriptors

DEADLINE = 5.0


async def test_a_file_is_received_to_its_end(tmp_path: Path, descriptors: Descriptors) -> None:
    path = tmp_path / "requests"
    lines = [b"%d %b" % (number, b"x" * number) for number in range(1500)]
    path.write_bytes(b"\n".join(lines) + b"\nunfinished")
    assert path.stat().st_size > 2 * CHUNK
    transport = StdioTransport(descriptors.open(path, os.O_RDONLY), descriptors.null())

    with anyio.fail_after(DEADLINE):
        assert [await transport.receive() for _ in lines] == lines
        assert [await transport.receive(), await transport.receive()] == [None, None]
    await transport.aclose()


async def test_a_file_is_written_whole_and_in_order(tmp_path: Path, descriptors: Descriptors) -> None:
    path = tmp_path / "answers"
    transport = StdioTransport(descriptors.null(), descriptors.open(path, os.O_WRONLY | os.O_CREAT))
    lines = [b"%d\n" % number * 1000 for number in range(300)]

    with anyio.fail_after(DEADLINE):
        for line in lines:
            await transport.send(line)
    await transport.aclose()

    assert path.read_bytes() == b"".join(lines)


async def test_the_null_device_is_at_its_end_and_takes_everything(descriptors: Descriptors) -> None:
    transport = StdioTransport(descriptors.null(), descriptors.null())

    with anyio.fail_after(DEADLINE):
        await transport.send(b"x" * 1_000_000)
        assert await transport.receive() is None
    await transport.aclose()


async def test_a_directory_for_input_is_the_end_of_input(tmp_path: Path, descriptors: Descriptors) -> None:
    transport = StdioTransport(descriptors.open(tmp_path, os.O_RDONLY), descriptors.null())

    with anyio.fail_after(DEADLINE):
        assert await transport.receive() is None
    await transport.aclose()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_is_an_output_that_nobody_reads(descriptors: Descriptors) -> None:
    transport = StdioTransport(descriptors.null(), descriptors.open("/dev/full", os.O_WRONLY))

    with anyio.fail_after(DEADLINE), pytest.raises(TransportClosed):
        await transport.send(b"x\n")
    await transport.aclose()


async def test_a_terminal_is_read_and_written(descriptors: Descriptors) -> None:
    master, slave = descriptors.terminal()
    transport = StdioTransport(slave, os.dup(slave))
    os.write(master, b"one\ntwo\n")

    with anyio.fail_after(DEADLINE):
        assert [await transport.receive(), await transport.receive()] == [b"one", b"two"]
        await transport.send(b"answer\n")
        await anyio.wait_readable(master)
        assert os.read(master, 100) == b"answer\n"
    await transport.aclose()


@pytest.mark.parametrize("blocking", [True, False])
async def test_a_terminal_that_stalls_stops_nobody_but_the_sender(blocking: bool, descriptors: Descriptors) -> None:
    master, slave = descriptors.terminal()
    os.set_blocking(slave, blocking)
    transport = StdioTransport(descriptors.null(), slave)
    data = b"".join(b"%07d\n" % number for number in range(25_000))
    done = False

    async def send() -> None:
        nonlocal done
        await transport.send(data)
        done = True

    received = b""
    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            assert not done
            while len(received) < len(data):
                await anyio.wait_readable(master)
                received += os.read(master, 1 << 16)

    assert received == data
    await transport.aclose()


async def test_a_terminal_that_hangs_up_is_the_end_of_input_and_of_output(descriptors: Descriptors) -> None:
    master, slave = descriptors.terminal()
    transport = StdioTransport(slave, os.dup(slave))
    os.close(master)

    with anyio.fail_after(DEADLINE):
        assert await transport.receive() is None
        with pytest.raises(TransportClosed):
            await transport.send(b"x\n")
    await transport.aclose()


@pytest.mark.parametrize("kind", ["file", "null device", "terminal"])
async def test_files_and_terminals_are_never_told_to_be_closed(
    kind: str, tmp_path: Path, descriptors: Descriptors
) -> None:
    if kind == "file":
        stdout = descriptors.open(tmp_path / "answers", os.O_RDWR | os.O_CREAT)
    elif kind == "null device":
        stdout = descriptors.null()
    else:
        _, stdout = descriptors.terminal()
    transport = StdioTransport(descriptors.null(), stdout)
    returned = False

    async def wait() -> None:
        nonlocal returned
        await transport.wait_closed()
        returned = True

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    assert not returned
    await transport.aclose()


async def test_a_file_for_input_and_a_pipe_for_output_go_together(tmp_path: Path, descriptors: Descriptors) -> None:
    path = tmp_path / "requests"
    path.write_bytes(b"one\n")
    reader, stdout = descriptors.pipe()
    transport = StdioTransport(descriptors.open(path, os.O_RDONLY), stdout)
    results: list[Any] = []

    async def read() -> None:
        results.append(await transport.receive())

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            tasks.start_soon(transport.send, b"answer\n")
        await anyio.wait_readable(reader)

    assert results == [b"one"]
    assert os.read(reader, 100) == b"answer\n"
    await transport.aclose()
    assert not descriptors.is_open(stdout)
