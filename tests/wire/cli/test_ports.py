"""The ports for the callback, looked at in the open before a login begins, by the real command."""

import re
import socket
import sys
from pathlib import Path

import pytest

from tests.support.cli import Commands, sign_in
from tests.support.port_holder import holding_a_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who holds a port")


async def test_with_agreement_beforehand_a_stale_login_server_is_ended(commands: Commands, tmp_path: Path) -> None:
    with holding_a_port(tmp_path, "codex") as holder:
        ports = f"app_server.login_callback_ports=[{holder.port}, 0]"
        async with commands.running("login", "--no-open", "--take-port", overrides=(ports,)) as command:
            said = await command.until("waiting for")
            first, *_ = said.splitlines()
            assert first == f"checking port {holder.port}… freed (ended stale codex pid {holder.pid})"
            assert f"127.0.0.1%3A{holder.port}%2Fauth%2Fcallback" in said
            address = re.search(r"  (http://\S+)\n", said)
            assert address is not None
            await sign_in(address[1])
            assert (await command.outcome()).status == 0


async def test_another_program_is_left_alone_and_the_next_port_is_used(commands: Commands, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    with holding_a_port(tmp_path, "vscodex") as holder:
        ports = f"app_server.login_callback_ports=[{holder.port}, {free}]"
        async with commands.running("login", "--no-open", "--take-port", overrides=(ports,)) as command:
            said = await command.until("waiting for")
            assert re.match(rf"checking port {holder.port}… held by .+ \(pid {holder.pid}\)\n", said)
            assert f"\nchecking port {free}… free\n" in said
            assert f"127.0.0.1%3A{free}%2Fauth%2Fcallback" in said
            assert holder.is_alive
            command.interrupt()
            assert (await command.outcome()).status == 130
