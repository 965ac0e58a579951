"""Whether ports can be had, found out without disturbing anybody."""

import os
import socket
import sys
from collections.abc import Iterator

import pytest

from app_server.diagnosis.ports import examine_all, findings, port_state
from app_server.http_server import bind_loopback
from protocol.diagnosis import DiagnosedPort, PortHolder

FREE = DiagnosedPort(port=1455, state="free")
HELD = DiagnosedPort(port=1457, state="held", holder=PortHolder(pid=7, name="codex"))
RESERVED = DiagnosedPort(port=1457, state="reserved")


@pytest.fixture
def held() -> Iterator[int]:
    with bind_loopback(0) as listener:
        yield listener.getsockname()[1]


def test_a_port_that_somebody_listens_on_is_held(held: int) -> None:
    assert port_state(held) == "held"


def test_a_port_is_free_again_once_nobody_listens(held: int) -> None:
    with socket.create_connection(("127.0.0.1", held)):
        pass
    assert port_state(held) == "held"
    with bind_loopback(0) as listener:
        port: int = listener.getsockname()[1]
    assert port_state(port) == "free"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a bound port is taken")
def test_looking_does_not_keep_anybody_from_listening() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        with bind_loopback(port):
            assert port_state(port) == "held"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who holds a port")
async def test_the_holder_is_named_and_any_free_port_is_not_looked_at(held: int) -> None:
    (found,) = await examine_all([held, 0, held])
    assert (found.port, found.state) == (held, "held")
    assert found.holder is not None
    assert found.holder.pid == os.getpid()


@pytest.mark.parametrize(
    ("ports", "needed", "status", "summary"),
    [
        ([], True, "ok", "The callback takes any free port."),
        ([FREE], True, "ok", "Port 1455 is free."),
        ([FREE, HELD], True, "warning", "Port 1455 is free; port 1457 is held by codex (pid 7)."),
        (
            [HELD, RESERVED],
            True,
            "error",
            "Port 1457 is held by codex (pid 7); port 1457 is reserved by the operating system.",
        ),
        ([HELD], False, "ok", "Port 1457 is held by codex (pid 7)."),
        ([DiagnosedPort(port=1, state="held")], True, "error", "Port 1 is held."),
        ([DiagnosedPort(port=1, state="unavailable")], True, "error", "Port 1 is unavailable."),
    ],
)
def test_only_when_no_port_is_free_a_login_cannot_work(
    ports: list[DiagnosedPort], needed: bool, status: str, summary: str
) -> None:
    (finding,) = findings(ports, needed=needed)
    assert (finding.status, finding.summary) == (status, summary)
    assert (finding.details is None) is (status == "ok")
