"""Whether the ports for the callback of a browser login can be had, and who holds those that cannot.

Nobody is disturbed: the holder is not spoken to, and a port that is free stays so.
"""

import errno
import socket
import sys
from collections.abc import Sequence
from functools import partial
from typing import Final, Literal

import anyio
from anyio import to_thread

from app_server.auth.login.port_holder import Holder, find_holder
from protocol.diagnosis import DiagnosedPort, DiagnosisFinding, PortHolder

PortState = Literal["free", "held", "reserved", "unavailable"]

HOLDER_TIMEOUT: Final = 4.0
"""Seconds to find out who holds a port."""

_WINDOWS_RESERVED: Final = 10013
_IN_USE: Final = (errno.EADDRINUSE, 10048)


def port_state(port: int) -> PortState:
    """Whether a login could listen on 127.0.0.1 at this port.

    The port is bound and not listened on. On Linux that fails as long as somebody listens, and does not keep anybody
    from listening, even at this very moment.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if sys.platform == "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in _IN_USE:
                return "held"
            return "reserved" if error.errno in (errno.EACCES, _WINDOWS_RESERVED) else "unavailable"
    return "free"


async def holder_of(port: int) -> Holder | None:
    """Who listens on a port, where the system tells within a moment."""
    with anyio.move_on_after(HOLDER_TIMEOUT):
        search = partial(find_holder, port, timeout=HOLDER_TIMEOUT)
        return await to_thread.run_sync(search, abandon_on_cancel=True)
    return None


async def examine_all(ports: Sequence[int]) -> list[DiagnosedPort]:
    """All of these ports but 0, which is any free one."""
    found = []
    for port in dict.fromkeys(ports):
        if port == 0:
            continue
        state = port_state(port)
        holder = await holder_of(port) if state == "held" else None
        named = None if holder is None else PortHolder(pid=holder.pid, name=holder.name)
        found.append(DiagnosedPort(port=port, state=state, holder=named))
    return found


def findings(ports: Sequence[DiagnosedPort], *, needed: bool) -> list[DiagnosisFinding]:
    """The same for people.

    :param ports: from :func:`examine_all`.
    :param needed: whether logins through a browser are allowed at all.
    """
    if not ports:
        return [DiagnosisFinding(name="callbackPorts", status="ok", summary="The callback takes any free port.")]
    free = [port for port in ports if port.state == "free"]
    held = [port for port in ports if port.state != "free"]
    summary = "; ".join(f"port {port.port} is {_state(port)}" for port in ports)
    if not held or not needed:
        status: Literal["ok", "warning", "error"] = "ok"
    else:
        status = "warning" if free else "error"
    return [
        DiagnosisFinding(
            name="callbackPorts",
            status=status,
            summary=f"{summary[:1].upper()}{summary[1:]}.",
            details=None if status == "ok" else _REMEDY,
        )
    ]


_REMEDY: Final = (
    "A login server that is left over can be ended with app-server login --take-port. "
    "A login with a device code needs no port: app-server login --device-auth."
)


def _state(port: DiagnosedPort) -> str:
    match port.state:
        case "held" if port.holder is not None:
            return f"held by {port.holder.name} (pid {port.holder.pid})"
        case "reserved":
            return "reserved by the operating system"
        case state:
            return state
