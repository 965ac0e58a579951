"""A port for the callback of a browser login (wire.md section 7).

The issuer only redirects to ports that it knows, so a busy one is not replaced by just any other: another login
server that holds the first is asked once to leave, and the next port is tried. No process is ever ended here.
"""

import errno
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import anyio
from anyio import to_thread

from app_server.auth.errors import PortUnavailable
from app_server.auth.login.port_holder import Holder, find_holder
from app_server.http_server import bind_loopback

CALLBACK_PORTS: Final = (1455, 1457)
"""The ports that the issuer knows, in the order in which they are tried."""

CANCEL_TIMEOUT: Final = 2.0
"""Seconds that whoever holds the first port has to answer."""

RETRY_INTERVAL: Final = 0.2
"""Seconds between attempts at a port whose holder is leaving."""

ATTEMPTS: Final = 10
"""Attempts at a port whose holder is leaving."""

Bind = Callable[[int], socket.socket]
"""Listens on 127.0.0.1 at a port; raises OSError."""

_HOLDER_TIMEOUT: Final = 1.0
_MAX_ANSWER: Final = 4096
_SUCCESS: Final = (b"HTTP/1.1 200", b"HTTP/1.0 200")
_FAREWELL: Final = b"Login cancelled"
_FAILED: Final = "failed to start login server"
_REMEDY: Final = "Sign in with a device code, or without listening, by pasting the callback URL"

_WINDOWS_IN_USE: Final = 10048
_WINDOWS_RESERVED: Final = 10013


@dataclass(frozen=True)
class _Refusal:
    """Why a port cannot be had."""

    port: int
    reason: Literal["portInUse", "portReserved", "portUnavailable"]
    system_text: str
    holder: Holder | None = None


async def bind_callback_port(
    ports: Sequence[int] = CALLBACK_PORTS,
    *,
    bind: Bind = bind_loopback,
    cancel_timeout: float = CANCEL_TIMEOUT,
    retry_interval: float = RETRY_INTERVAL,
) -> socket.socket:
    """A socket that listens on 127.0.0.1 at the first of these ports that can be had.

    At once when the first port is free, within about 2 s otherwise, 4 s if its holder leaves but takes its time.

    :param ports: at least one; 0 lets the system choose.
    :param cancel_timeout: seconds that whoever holds the first port has to answer.
    :param retry_interval: seconds between attempts at a port whose holder is leaving.
    :raises PortUnavailable: none of them can be had.
    """
    refusals = []
    for number, port in enumerate(ports):
        bound = _try(bind, port)
        if number == 0 and isinstance(bound, _Refusal) and bound.reason == "portInUse":
            # Whoever does not say that he leaves is not waited for.
            attempts = ATTEMPTS if await _ask_to_leave(port, cancel_timeout) else 1
            bound = await _try_patiently(bind, port, attempts, retry_interval)
        if isinstance(bound, socket.socket):
            return bound
        refusals.append(bound)
    raise _unavailable([await _with_holder(refusal) for refusal in refusals])


def _try(bind: Bind, port: int) -> socket.socket | _Refusal:
    try:
        return bind(port)
    except OSError as error:
        return _Refusal(port, _reason(error), error.strerror or type(error).__name__)


def _reason(error: OSError) -> Literal["portInUse", "portReserved", "portUnavailable"]:
    code = getattr(error, "winerror", None) or error.errno
    if code in (errno.EADDRINUSE, _WINDOWS_IN_USE):
        return "portInUse"
    if code in (errno.EACCES, _WINDOWS_RESERVED):
        return "portReserved"
    return "portUnavailable"


async def _try_patiently(bind: Bind, port: int, attempts: int, interval: float) -> socket.socket | _Refusal:
    bound = _try(bind, port)
    for _ in range(attempts - 1):
        if isinstance(bound, socket.socket):
            break
        await anyio.sleep(interval)
        bound = _try(bind, port)
    return bound


async def _ask_to_leave(port: int, timeout: float) -> bool:
    """Ask a login server to give up its login; whether it says that it does."""
    request = f"GET /cancel HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    answer = b""
    with anyio.move_on_after(timeout):
        try:
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(request.encode())
                while not (_leaves(answer) or _is_of_another_kind(answer)):
                    answer += await stream.receive(_MAX_ANSWER)
        except (OSError, anyio.EndOfStream, anyio.BrokenResourceError):
            pass
    return _leaves(answer)


def _leaves(answer: bytes) -> bool:
    status_line, _, rest = answer.partition(b"\r\n")
    return status_line.startswith(_SUCCESS) and _FAREWELL in rest.partition(b"\r\n\r\n")[2]


def _is_of_another_kind(answer: bytes) -> bool:
    """Whether enough has come to know that this will not become the answer of a login server."""
    return len(answer) >= _MAX_ANSWER or answer[: len(_SUCCESS[0])] not in (
        success[: len(answer)] for success in _SUCCESS
    )


async def _with_holder(refusal: _Refusal) -> _Refusal:
    if refusal.reason != "portInUse":
        return refusal
    holder = None
    with anyio.move_on_after(_HOLDER_TIMEOUT):
        holder = await to_thread.run_sync(find_holder, refusal.port, abandon_on_cancel=True)
    return _Refusal(refusal.port, refusal.reason, refusal.system_text, holder)


def _unavailable(refusals: list[_Refusal]) -> PortUnavailable:
    """The last port is the one that is named first, as the reference names no other."""
    *others, last = refusals
    what = f"Port 127.0.0.1:{last.port} {_state(last)}"
    what += "".join(f", and port {other.port} {_state(other)}" for other in others)
    in_use = next((refusal for refusal in refusals if refusal.reason == "portInUse"), None)
    advice = f"{_REMEDY}." if in_use is None else f"{_REMEDY}; or end what holds the port and try again."
    return PortUnavailable(
        f"{_FAILED}: {what}. {advice}",
        last.reason if in_use is None else "portInUse",
        retryable=in_use is not None,
        holder=next((refusal.holder for refusal in reversed(refusals) if refusal.holder is not None), None),
    )


def _state(refusal: _Refusal) -> str:
    if refusal.reason == "portReserved":
        return f"is reserved by the operating system ({refusal.system_text})"
    if refusal.reason == "portUnavailable":
        return f"cannot be used ({refusal.system_text})"
    by = f" by {refusal.holder.name} (pid {refusal.holder.pid})" if refusal.holder else ""
    return f"is already in use{by}"
