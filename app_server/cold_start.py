"""The first answer, before the imports that every other answer waits for.

asyncio, anyio, orjson and pydantic take most of a start. A client that has already sent a plain ``initialize`` by the
time the interpreter runs is answered without them; then the real server starts and takes the same request over,
without answering it again. Whatever is not the plain case (another method first, an odd member, a line that has not
arrived whole) is left alone for the real server, with every byte that was read.

This module therefore imports next to nothing, and a test holds its answers against the real ones.
"""

import json
import os
import select
import stat
from typing import Any, Final, NamedTuple, NoReturn, TypeGuard

from app_server.codex_home import as_text
from app_server.user_agent import is_header_value, platform_family, platform_os, user_agent

_CHUNK: Final = 64 * 1024

_BOM: Final = b"\xef\xbb\xbf"

_CAPABILITIES: Final[dict[str, tuple[type, ...]]] = {
    "experimentalApi": (bool,),
    "requestAttestation": (bool,),
    "requiredHumanApproval": (bool,),
    "explicitGatewayOauth": (bool,),
    "mcpServerOpenaiFormElicitation": (bool,),
    "extensions": (dict, type(None)),
    "optOutNotificationMethods": (list, type(None)),
}


class ColdStart(NamedTuple):
    """What was read and what came of it.

    :param received: bytes for the real server to begin with.
    :param answered: the ``initialize`` that has been answered: its id and its params, or None.
    """

    received: bytes
    answered: tuple[str | int, dict[str, Any]] | None


def answer_first(stdin: int, stdout: int, codex_home: str) -> ColdStart:
    """Answer a plain ``initialize`` if it is already there; never wait for one."""
    if not _is_pipe(stdout) or not _is_pipe(stdin) or not _is_readable(stdin):
        return ColdStart(b"", None)
    received = os.read(stdin, _CHUNK)
    line, end, rest = received.partition(b"\n")
    request = _plain_initialize(line) if end else None
    if request is None:
        return ColdStart(received, None)
    request_id, params = request
    answer = _answer(request_id, params["clientInfo"], codex_home)
    if len(answer) > select.PIPE_BUF:
        return ColdStart(received, None)
    try:
        os.write(stdout, answer)
    except BrokenPipeError:
        return ColdStart(received, None)
    return ColdStart(rest, request)


def _is_pipe(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    # Node gives its children sockets for pipes. Windows has neither poll nor any other way to ask first.
    return hasattr(select, "poll") and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


def _is_readable(fd: int) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return any(events & select.POLLIN for _, events in poller.poll(0))


def _plain_initialize(line: bytes) -> tuple[str | int, dict[str, Any]] | None:
    """The id and params of an ``initialize`` that the real server would certainly accept."""
    try:
        # The standard library reads more than JSON: other encodings, NaN, and surrogates that no UTF-8 can hold.
        message = json.loads(line.removeprefix(_BOM).decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    if b"\\ud" in line.lower():
        return None
    if not isinstance(message, dict) or message.get("method") != "initialize":
        return None
    request_id, params = message.get("id"), message.get("params")
    if not _is_plain_id(request_id) or not isinstance(params, dict):
        return None
    if not _is_plain_client(params.get("clientInfo")) or not _are_plain_capabilities(params.get("capabilities")):
        return None
    return request_id, params


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _is_plain_id(value: Any) -> TypeGuard[str | int]:
    if isinstance(value, bool):
        return False
    return isinstance(value, str) or (isinstance(value, int) and -(2**63) <= value < 2**64)


def _is_plain_client(client: Any) -> bool:
    return (
        isinstance(client, dict)
        and isinstance(client.get("name"), str)
        and client["name"].isascii()
        and is_header_value(client["name"])
        and isinstance(client.get("version"), str)
        and isinstance(client.get("title"), str | None)
    )


def _are_plain_capabilities(capabilities: Any) -> bool:
    if capabilities is None:
        return True
    return isinstance(capabilities, dict) and all(
        name in _CAPABILITIES
        and isinstance(value, _CAPABILITIES[name])
        and (not isinstance(value, list) or all(isinstance(method, str) for method in value))
        for name, value in capabilities.items()
    )


def _answer(request_id: str | int, client: dict[str, str], codex_home: str) -> bytes:
    result = {
        "userAgent": user_agent(client["name"], client["version"]),
        "codexHome": as_text(codex_home),
        "platformFamily": platform_family(),
        "platformOs": platform_os(),
    }
    text = json.dumps({"id": request_id, "result": result}, ensure_ascii=False, separators=(",", ":"))
    # As jsonrpc does for every line.
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode() + b"\n"
