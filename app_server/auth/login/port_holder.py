"""Who listens on a port of this machine, as far as the system tells: Linux, through ``/proc`` (proc(5)).

Best effort and bounded: elsewhere, or where processes of other users hide their files, the answer is None.
"""

import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

SEARCH_TIMEOUT: Final = 0.5
"""Seconds for one search; a machine can have very many processes."""

_LISTENING: Final = "0A"
_MAX_NAME: Final = 32


class Holder(NamedTuple):
    """A process that listens on a port.

    :param name: as the system shows it, made printable.
    """

    pid: int
    name: str


def find_holder(port: int, *, timeout: float = SEARCH_TIMEOUT, proc: Path = Path("/proc")) -> Holder | None:
    """The process that keeps others from listening on 127.0.0.1 at this port. It blocks: call it in a thread.

    :param timeout: seconds after which it gives up.
    """
    give_up_at = time.monotonic() + timeout
    sockets = {f"socket:[{inode}]" for inode in _inodes(port, proc, give_up_at)}
    if not sockets:
        return None
    for pid in _pids(proc):
        if time.monotonic() > give_up_at:
            return None
        if _has_one_of(sockets, proc / str(pid) / "fd"):
            return Holder(pid, _name(proc / str(pid)))
    return None


def _inodes(port: int, proc: Path, give_up_at: float) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            with (proc / "net" / table).open(encoding="ascii", errors="replace") as lines:
                for line in lines:
                    fields = line.split()
                    if len(fields) > 9 and fields[3] == _LISTENING and _covers_loopback(fields[1], port):
                        yield fields[9]
                    if time.monotonic() > give_up_at:
                        return
        except OSError:
            continue


def _covers_loopback(local_address: str, port: int) -> bool:
    address, _, listening_port = local_address.partition(":")
    if listening_port != f"{port:04X}":
        return False
    # 127.0.0.1 itself, also mapped into IPv6, or any address, which is all zeros in both.
    return address.endswith(_native_hex("127.0.0.1")) or not address.strip("0")


def _native_hex(address: str) -> str:
    """An IPv4 address as the kernel writes it: the number that its four bytes are on this machine."""
    return f"{struct.unpack('=I', socket.inet_aton(address))[0]:08X}"


def _pids(proc: Path) -> list[int]:
    try:
        # Young processes first: who holds a sign-in port has hardly been there since the start of the machine.
        return sorted((int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()), reverse=True)
    except OSError:
        return []


def _has_one_of(sockets: set[str], descriptors: Path) -> bool:
    try:
        return any(_target(descriptor) in sockets for descriptor in descriptors.iterdir())
    except OSError:  # it is another user's, or has just ended
        return False


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""


def _name(process: Path) -> str:
    try:
        name = (process / "comm").read_bytes().decode(sys.getfilesystemencoding(), "replace").rstrip("\n")
    except OSError:
        name = ""
    printable = "".join(character if character.isprintable() else "?" for character in name)
    return printable[:_MAX_NAME] or "unknown"
