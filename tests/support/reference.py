"""The reference in the place of the server under test, for tests that know nothing of it.

``APP_SERVER_TESTS_PEER=reference`` puts it there, and ``APP_SERVER_REFERENCE`` says where its program is
(``make conformance`` sets both). What differs then, and is passed over, is declared in ``tests.conformance``.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from protocol.catalogue import SERVER_NOTIFICATIONS

PEER_VARIABLE: Final = "APP_SERVER_TESTS_PEER"
PROGRAM_VARIABLE: Final = "APP_SERVER_REFERENCE"

NOWHERE: Final = "http://127.0.0.1:9"
"""Nobody listens there: the proxy for whatever would leave this machine."""

OVERRIDES: Final = (
    "features.shell_snapshot=false",
    "features.apps=false",
    "features.plugins=false",
    "features.enable_request_compression=false",
)
"""What would have the reference do things that no test is about."""

ABOUT_THE_MACHINE: Final = ("configWarning", "warning")
"""Notifications that depend on the machine and on what a server knows of models."""

COMMON: Final = frozenset(declared.method for declared in SERVER_NOTIFICATIONS) - {*ABOUT_THE_MACHINE}
"""Notifications that both servers know and that say the same wherever they run."""

_PROVIDER: Final = re.compile(r"(model_providers\.\w+)\.base_url=")


def is_under_test() -> bool:
    """Whether the reference stands in the place of our server."""
    return os.environ.get(PEER_VARIABLE) == "reference"


def command() -> tuple[str, ...]:
    """What starts it.

    :raises LookupError: nothing says where its program is.
    """
    program = os.environ.get(PROGRAM_VARIABLE, "")
    if not program:
        raise LookupError(f"{PROGRAM_VARIABLE} names no program: use make conformance")
    return (program, "app-server")


def arguments(ours: Sequence[str]) -> Iterator[str]:
    """The arguments that mean to the reference what these mean to our server: its streams come over HTTP."""
    plain = [f"{found[1]}.supports_websockets=false" for word in ours if (found := _PROVIDER.match(word))]
    for override in (*OVERRIDES, *plain):
        yield from ("-c", override)
    yield from ours


def environment(home: Path, env: Mapping[str, str]) -> dict[str, str]:
    """The variables of a test, and those that keep the reference away from this user's files and from the network. It
    insists on a home that is there.
    """
    user = home.with_name(f"{home.name}.user")
    for folder in (home, user):
        folder.mkdir(parents=True, exist_ok=True)
    return {"HOME": str(user), "HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE, "NO_PROXY": "127.0.0.1", **env}


def is_aside(line: bytes) -> bool:
    """Whether a line says what only the reference says, and nobody has asked for."""
    if b'"method"' not in line:
        return False
    message = json.loads(line)
    return "method" in message and "id" not in message and message["method"] not in COMMON
