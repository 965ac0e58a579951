"""The ports for the callback of a login, looked at in the open before the login begins.

Here, and nowhere else, a process may be ended: a login server that was left over, of the same user, that listens on
the port, and only if that user agrees. Whatever else holds a port is named and left alone.

The decision is a pure function of what is known about the process (:func:`judge`). What is known is looked up again
once the process cannot be mistaken for another any more, right before it is ended.
"""

import contextlib
import os
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

import anyio

from app_server.auth.login.port_holder import Holder
from app_server.cli.console import Console
from app_server.diagnosis.ports import holder_of, port_state

TERMINATE_TIMEOUT: Final = 1.0
"""Seconds that a process has to end after SIGTERM, before SIGKILL."""

RELEASE_TIMEOUT: Final = 1.5
"""Seconds that the port has to become free once its holder has ended."""

_RETRY_INTERVAL: Final = 0.05

LOGIN_SERVERS: Final = frozenset(("codex", "app-server", "app_server"))
"""Names of programs that log in through these ports."""

_TEXT_OPTIONS: Final = frozenset(("-c", "-e", "-p", "--eval", "--print"))
"""What follows these is a program's text or a value, and no program's name."""

_NO_PATH: Final = re.compile(r"[\n\"'`;|&<>$(){}=]")


class Verdict(Enum):
    """What may be done about the process that holds a port."""

    STALE_LOGIN_SERVER = "a login server of yours"
    """It may be ended, if the user agrees."""
    OTHER_USER = "a process of another user"
    OTHER_PROGRAM = "not a login server"
    ELSEWHERE = "not listening on this port any more"
    OURSELVES = "this process"


@dataclass(frozen=True, slots=True)
class Process:
    """What is known about a process.

    :param uids: all of its user ids: real, effective, saved and of the file system.
    :param argv: its command line.
    :param listens: whether it is the one that listens on the port.
    """

    pid: int
    uids: frozenset[int]
    argv: tuple[str, ...]
    listens: bool


def judge(process: Process, *, own_uid: int, own_pid: int) -> Verdict:
    """Whether a process may be ended for its port."""
    if process.pid == own_pid:
        return Verdict.OURSELVES
    if process.uids != {own_uid}:
        return Verdict.OTHER_USER
    if not process.listens:
        return Verdict.ELSEWHERE
    return Verdict.OTHER_PROGRAM if login_server(process.argv) is None else Verdict.STALE_LOGIN_SERVER


def login_server(argv: Sequence[str]) -> str | None:
    """Which of ``LOGIN_SERVERS`` a command line runs: the one that is an argument, or a component of a path that is.

    Exactly: ``vscodex`` and ``not-codex-tool`` are other programs. Options, and the text of a script, only mention
    names.
    """
    previous = ""
    for argument in argv:
        is_word = not argument.startswith("-") and previous not in _TEXT_OPTIONS and not _NO_PATH.search(argument)
        if is_word:
            for component in argument.replace("\\", "/").split("/"):
                if component in LOGIN_SERVERS:
                    return component
        previous = argument
    return None


async def prepare_ports(ports: Sequence[int], console: Console, *, take: bool) -> None:
    """Say of each port whether it is free, up to the first that is; end a stale login server if that is agreed to.

    :param ports: as configured; 0 is any free port, and there is nothing to say about it.
    :param take: whether the user has agreed beforehand; otherwise they are asked, where somebody is there to answer
        and no port is free.
    """
    stale: list[tuple[int, Holder]] = []
    for port in ports:
        if port == 0:
            return
        console.begin(f"checking port {port}… ")
        state = port_state(port)
        holder = await holder_of(port) if state == "held" else None
        verdict = None if holder is None else _verdict(await _look_up(holder.pid, port))
        if verdict is Verdict.STALE_LOGIN_SERVER and holder is not None and take:
            console.end(await _free(port, holder))
            if port_state(port) == "free":
                return
            continue
        console.end(_describe(state, holder))
        if state == "free":
            return
        if verdict is Verdict.STALE_LOGIN_SERVER and holder is not None:
            stale.append((port, holder))
        elif instruction := _instruction(port, state, holder, verdict):
            console.say(f"  {instruction}")
    for port, holder in stale:
        if await _is_ended_by_agreement(port, holder, console):
            return


async def _is_ended_by_agreement(port: int, holder: Holder, console: Console) -> bool:
    name = f"{holder.name} (pid {holder.pid})"
    if not console.can_ask:
        console.say(f"  {name} is a login server of yours; --take-port ends it and takes port {port}.")
        return False
    if not await console.agree(f"{name} is a login server of yours. End it and take port {port}?"):
        return False
    console.begin(f"port {port}… ")
    console.end(await _free(port, holder))
    return port_state(port) == "free"


def _describe(state: str, holder: Holder | None) -> str:
    if state != "held":
        return "reserved by the operating system" if state == "reserved" else state
    return "held" if holder is None else f"held by {holder.name} (pid {holder.pid})"


def _instruction(port: int, state: str, holder: Holder | None, verdict: Verdict | None) -> str | None:
    if state != "held":
        return None
    if holder is None or verdict is None:
        # On Linux, where the system tells, whatever does not show belongs to somebody else.
        tell = f"sudo ss -ltnp 'sport = :{port}'" if sys.platform == "linux" else f"lsof -nP -iTCP:{port} -sTCP:LISTEN"
        return f"Who holds it cannot be seen from here; find out with: {tell}"
    if verdict is Verdict.OTHER_USER:
        return "It belongs to another user and is left alone; ask them to end it."
    if verdict is Verdict.OTHER_PROGRAM:
        return (
            f"It is not a login server and is left alone; if you can do without it, end it yourself: kill {holder.pid}"
        )
    return None


def _verdict(process: Process | None) -> Verdict | None:
    """None where the system does not tell enough to decide."""
    if process is None or sys.platform != "linux":
        return None
    return judge(process, own_uid=os.getuid(), own_pid=os.getpid())


async def _look_up(pid: int, port: int) -> Process | None:
    directory = Path("/proc") / str(pid)
    try:
        status = (directory / "status").read_text(errors="replace")
        command_line = (directory / "cmdline").read_bytes()
    except OSError:
        return None
    uids = next((line.split()[1:] for line in status.splitlines() if line.startswith("Uid:")), [])
    holder = await holder_of(port)
    return Process(
        pid,
        frozenset(map(int, uids)),
        tuple(argument.decode(errors="replace") for argument in command_line.split(b"\0") if argument),
        holder is not None and holder.pid == pid,
    )


async def _free(port: int, holder: Holder) -> str:
    """End a stale login server and wait for its port; returns what has become of that, for people."""
    name = f"{holder.name} (pid {holder.pid})"
    try:
        ended = await _end(port, holder)
    except OSError as error:
        return f"held by {name}, which cannot be ended: {error.strerror}"
    if ended is None:
        return "free" if port_state(port) == "free" else f"held by {name}"
    if await _is_released(port):
        return f"freed (ended stale {ended} pid {holder.pid})"
    return f"still held, although {name} was ended"


async def _end(port: int, holder: Holder) -> str | None:
    """End the process if it still is a stale login server; returns the name by which it is known as one.

    :raises OSError: the system does not let us.
    """
    if sys.platform != "linux":
        return None
    try:
        # From here on a signal reaches this process or nobody, even if its id is given to another one.
        fd = os.pidfd_open(holder.pid)
    except ProcessLookupError:
        return None
    try:
        process = await _look_up(holder.pid, port)
        if process is None or _verdict(process) is not Verdict.STALE_LOGIN_SERVER:
            return None
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, number)
            with anyio.move_on_after(TERMINATE_TIMEOUT) as waiting:
                await anyio.wait_readable(fd)
            if not waiting.cancelled_caught:
                break
        return login_server(process.argv)
    finally:
        os.close(fd)


async def _is_released(port: int) -> bool:
    deadline = anyio.current_time() + RELEASE_TIMEOUT
    while port_state(port) != "free":
        if anyio.current_time() >= deadline:
            return False
        await anyio.sleep(_RETRY_INTERVAL)
    return True
