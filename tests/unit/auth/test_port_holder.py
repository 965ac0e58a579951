"""Who listens on a port: read from the system's own tables, here made-up ones."""

import os
import socket
import struct
import sys
from pathlib import Path

import pytest

from app_server.auth.login.port_holder import Holder, find_holder

PORT = 1455
LOOPBACK = f"{struct.unpack('=I', bytes([127, 0, 0, 1]))[0]:08X}"
MAPPED = f"0000000000000000{struct.unpack('=I', bytes([0, 0, 255, 255]))[0]:08X}{LOOPBACK}"
OTHER = f"{struct.unpack('=I', bytes([10, 0, 0, 1]))[0]:08X}"


def table(proc: Path, name: str, *lines: tuple[str, int, str, int]) -> None:
    """A table of sockets: local address, port, state, inode."""
    (proc / "net").mkdir(parents=True, exist_ok=True)
    rows = [
        f"{number}: {address}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 0 0 {inode} 1 0"
        for number, (address, port, state, inode) in enumerate(lines)
    ]
    (proc / "net" / name).write_text("\n".join(["  sl  local_address rem_address   st …", *rows, "a broken line"]))


def process(proc: Path, pid: int, comm: bytes | None, *inodes: int) -> None:
    (proc / str(pid) / "fd").mkdir(parents=True)
    (proc / str(pid) / "fd" / "0").symlink_to("/dev/null")
    for number, inode in enumerate(inodes, 3):
        (proc / str(pid) / "fd" / str(number)).symlink_to(f"socket:[{inode}]")
    if comm is not None:
        (proc / str(pid) / "comm").write_bytes(comm + b"\n")


@pytest.mark.parametrize(
    ("name", "address"), [("tcp", LOOPBACK), ("tcp", "0" * 8), ("tcp6", "0" * 32), ("tcp6", MAPPED)]
)
def test_the_process_that_listens_is_found_by_its_socket(tmp_path: Path, name: str, address: str) -> None:
    table(tmp_path, name, (OTHER, PORT, "0A", 7), (address, PORT, "0A", 8))
    process(tmp_path, 20, b"other", 7)
    process(tmp_path, 10, b"codex", 8)
    assert find_holder(PORT, proc=tmp_path) == Holder(10, "codex")


@pytest.mark.parametrize(
    "line",
    [(OTHER, PORT, "0A", 8), (LOOPBACK, PORT + 1, "0A", 8), (LOOPBACK, PORT, "01", 8), ("0" * 31 + "1", PORT, "0A", 8)],
)
def test_another_address_port_or_state_is_not_taken_for_it(tmp_path: Path, line: tuple[str, int, str, int]) -> None:
    table(tmp_path, "tcp", line)
    process(tmp_path, 10, b"codex", 8)
    assert find_holder(PORT, proc=tmp_path) is None


def test_a_name_is_made_printable_and_a_missing_one_is_unknown(tmp_path: Path) -> None:
    table(tmp_path, "tcp", (LOOPBACK, PORT, "0A", 8), (LOOPBACK, PORT + 1, "0A", 9))
    process(tmp_path, 10, b"\x1b[31m\xffred" + b"x" * 100, 8)
    process(tmp_path, 11, None, 9)
    holder = find_holder(PORT, proc=tmp_path)
    assert holder is not None
    assert holder.name.isprintable()
    assert holder.name.startswith("?[31m")
    assert len(holder.name) == 32
    assert find_holder(PORT + 1, proc=tmp_path) == Holder(11, "unknown")


def test_a_process_whose_files_are_hidden_is_nobody(tmp_path: Path) -> None:
    table(tmp_path, "tcp", (LOOPBACK, PORT, "0A", 8))
    (tmp_path / "10").mkdir()
    assert find_holder(PORT, proc=tmp_path) is None


def test_where_there_are_no_tables_nobody_is_found(tmp_path: Path) -> None:
    assert find_holder(PORT, proc=tmp_path / "missing") is None


def test_the_search_gives_up_when_its_time_is_over(tmp_path: Path) -> None:
    table(tmp_path, "tcp", (LOOPBACK, PORT, "0A", 8))
    process(tmp_path, 10, b"codex", 8)
    assert find_holder(PORT, timeout=-1, proc=tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these tables")
def test_on_this_machine_it_finds_this_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        holder = find_holder(listener.getsockname()[1], timeout=5)
    assert holder is not None
    assert holder.pid == os.getpid()
