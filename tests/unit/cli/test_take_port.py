"""Who may be ended for a port and who may not: the decision alone, then real processes that hold real ports."""

import io
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from app_server.cli.console import Console
from app_server.cli.take_port import Process, Verdict, judge, login_server, prepare_ports
from app_server.diagnosis.ports import port_state
from tests.support.port_holder import PortHolder, holding_a_port

OURS = 1000
NOBODY = -1
"""A descriptor that is none, so that nobody can answer."""

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who holds a port")


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["codex"], "codex"),
        (["codex", "login"], "codex"),
        (["/usr/local/bin/codex", "app-server"], "codex"),
        (["node", "/usr/lib/node_modules/@openai/codex/bin/codex.js", "login"], "codex"),
        (["/home/u/My Programs/codex", "login"], "codex"),
        ([r"C:\Users\u\codex\run", "login"], "codex"),
        (["npx", "codex"], "codex"),
        (["/opt/venv/bin/python", "/opt/venv/bin/app-server"], "app-server"),
        (["python", "-m", "app_server", "login"], "app_server"),
        (["python", "-m", "app_server", "-c", "model=x"], "app_server"),
        (["uv", "run", "app-server"], "app-server"),
    ],
)
def test_a_login_server_is_known_by_its_exact_name(argv: list[str], name: str) -> None:
    assert login_server(argv) == name


@pytest.mark.parametrize(
    "argv",
    [
        [],
        [""],
        ["vscodex"],
        ["/opt/vscodex/bin/vscodex", "serve"],
        ["/opt/not-codex-tool/bin/run"],
        ["codex2"],
        ["Codex"],
        ["codex.js"],
        ["my-app-server"],
        ["app-servers"],
        ["python", "-c", "codex"],
        ["bash", "-c", "/usr/bin/codex login"],
        ["bash", "-c", "codex"],
        ["node", "-e", "codex"],
        ["perl", "-e", "open('/opt/codex/x')"],
        ["python", "serve.py", "print('/usr/codex/bin')"],
        ["python", "serve.py", "--about=codex", "--dir=/opt/codex/x"],
        ["python", "serve.py", "a\n/codex/\nb"],
        ["python", "serve.py", "PATH=/opt/codex/bin"],
        ["python", "serve.py", "the codex of hammurabi"],
        ["vim", "codex.md"],
    ],
)
def test_whatever_else_mentions_the_name_is_no_login_server(argv: list[str]) -> None:
    assert login_server(argv) is None


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Verdict.STALE_LOGIN_SERVER),
        ({"pid": 1}, Verdict.OURSELVES),
        ({"uids": frozenset({OURS + 1})}, Verdict.OTHER_USER),
        ({"uids": frozenset({OURS, 0})}, Verdict.OTHER_USER),
        ({"uids": frozenset[int]()}, Verdict.OTHER_USER),
        ({"listens": False}, Verdict.ELSEWHERE),
        ({"argv": ("vscodex",)}, Verdict.OTHER_PROGRAM),
        ({"argv": ()}, Verdict.OTHER_PROGRAM),
        ({"argv": ("vscodex",), "uids": frozenset({0})}, Verdict.OTHER_USER),
    ],
)
def test_only_a_login_server_of_the_same_user_on_that_very_port_may_be_ended(
    change: dict[str, object], verdict: Verdict
) -> None:
    facts: dict[str, object] = {"pid": 4711, "uids": frozenset({OURS}), "argv": ("codex",), "listens": True, **change}
    assert judge(Process(**facts), own_uid=OURS, own_pid=1) is verdict  # type: ignore[arg-type]


async def prepare(*ports: int, take: bool) -> str:
    """What is said about these ports when nobody is there to answer a question."""
    out = io.StringIO()
    await prepare_ports(ports, Console(NOBODY, out, out), take=take)
    return out.getvalue()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


async def test_a_free_port_is_said_to_be_free_and_the_others_are_not_looked_at() -> None:
    port = free_port()
    assert await prepare(port, 1, take=True) == f"checking port {port}… free\n"


async def test_about_any_free_port_there_is_nothing_to_say() -> None:
    assert await prepare(0, take=True) == ""


@needs_proc
async def test_a_stale_login_server_is_ended_for_its_port(tmp_path: Path) -> None:
    with holding_a_port(tmp_path, "codex") as holder:
        assert await prepare(holder.port, take=True) == (
            f"checking port {holder.port}… freed (ended stale codex pid {holder.pid})\n"
        )
        assert holder.ended_by() == signal.SIGTERM
        assert port_state(holder.port) == "free"


@needs_proc
async def test_one_that_does_not_listen_to_reason_is_killed(tmp_path: Path) -> None:
    with holding_a_port(tmp_path, "stubborn", name="app_server/__main__.py") as holder:
        said = await prepare(holder.port, take=True)
        assert said.endswith(f"freed (ended stale app_server pid {holder.pid})\n")
        assert holder.ended_by() == signal.SIGKILL


@needs_proc
async def test_without_agreement_nothing_is_ended_and_the_next_port_is_looked_at(tmp_path: Path) -> None:
    free = free_port()
    with holding_a_port(tmp_path, "codex") as holder:
        said = await prepare(holder.port, free, take=False)
        assert_left_alone(holder, said)
        assert said.endswith(f"checking port {free}… free\n")
        assert "--take-port ends it" in await prepare(holder.port, take=False)
        assert holder.is_alive


@needs_proc
@pytest.mark.parametrize("words", [(), ("vscodex",), ("--codex",), ("import codex; codex()",)])
async def test_another_program_is_named_and_left_alone(tmp_path: Path, words: tuple[str, ...]) -> None:
    with holding_a_port(tmp_path, *words) as holder:
        said = await prepare(holder.port, take=True)
        assert_left_alone(holder, said)
        assert f"kill {holder.pid}" in said


def assert_left_alone(holder: PortHolder, said: str) -> None:
    assert holder.is_alive
    name = Path(f"/proc/{holder.pid}/comm").read_text().strip()
    assert said.startswith(f"checking port {holder.port}… held by {name} (pid {holder.pid})\n")


@needs_proc
async def test_the_command_itself_is_never_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        said = await prepare(listener.getsockname()[1], take=True)
    assert f"(pid {os.getpid()})" in said


async def test_a_port_whose_holder_does_not_show_comes_with_an_instruction() -> None:
    # A connection of ours keeps the port from being bound, and nobody listens on it.
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.bind(("127.0.0.1", 0))
        client.connect(server.getsockname())
        port = client.getsockname()[1]
        said = await prepare(port, take=True)
    assert said.startswith(f"checking port {port}… held\n")
    assert f":{port}" in said.splitlines()[1]
