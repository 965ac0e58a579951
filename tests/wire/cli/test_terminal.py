"""The commands at a real terminal: what is drawn, what is asked, and what Ctrl-C does."""

import re
import sys
from pathlib import Path

import pytest

from app_server.fake_openai.server import FakeOpenAI
from tests.support.cli import Commands, browser, sign_in
from tests.support.port_holder import holding_a_port
from tests.support.upstream import stored

CTRL_C = "\x03"
END_OF_INPUT = "\x04"
KEY = "sk-proj-canary-0123456789-abcdefghijkl-wxyz"

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who holds a port")


async def test_the_time_left_is_counted_down_until_ctrl_c_cancels(commands: Commands, home: Path) -> None:
    async with commands.at_terminal("login", "--no-open") as terminal:
        await terminal.until("waiting for the browser… 10:00 left (Ctrl-C cancels)")
        await terminal.until("\r\x1b[Kwaiting for the browser… 9:59 left")
        terminal.type(CTRL_C)
        assert await terminal.status() == 130
    assert terminal.screen.endswith("Cancelled.\r\n")
    assert not (home / "auth.json").exists()


async def test_the_waiting_line_gives_way_to_the_outcome(commands: Commands, tmp_path: Path) -> None:
    program = browser(tmp_path)
    async with commands.at_terminal("login", env={"BROWSER": str(program)}) as terminal:
        assert await terminal.status() == 0
    assert terminal.screen.endswith("\r\x1b[KLogged in as user@example.com (ChatGPT, plan plus).\r\n")


async def test_a_key_that_is_typed_does_not_show(commands: Commands, home: Path) -> None:
    async with commands.at_terminal("login", "--with-api-key") as terminal:
        await terminal.until("API key: ")
        terminal.type(f"{KEY}\n")
        assert await terminal.status() == 0
    assert KEY not in terminal.screen
    assert "Logged in with the API key sk-proj-…wxyz." in terminal.screen
    assert stored(home)["OPENAI_API_KEY"] == KEY


@pytest.mark.parametrize(("keys", "status"), [(CTRL_C, 130), (END_OF_INPUT, 1)])
async def test_no_key_is_no_login(commands: Commands, home: Path, keys: str, status: int) -> None:
    async with commands.at_terminal("login", "--with-api-key") as terminal:
        await terminal.until("API key: ")
        terminal.type(keys)
        assert await terminal.status() == status
    assert "Traceback" not in terminal.screen
    assert not (home / "auth.json").exists()


async def test_ctrl_c_ends_the_wait_for_a_paste(commands: Commands) -> None:
    async with commands.at_terminal("login", "--paste") as terminal:
        await terminal.until("the address> ")
        terminal.type(CTRL_C)
        assert await terminal.status() == 130
    assert terminal.screen.endswith("Cancelled.\r\n")


@needs_proc
async def test_a_stale_login_server_is_ended_after_a_yes(commands: Commands, tmp_path: Path) -> None:
    with holding_a_port(tmp_path, "codex") as holder:
        ports = f"app_server.login_callback_ports={holder.port}"
        async with commands.at_terminal("login", "--no-open", overrides=(ports,)) as terminal:
            await terminal.until(f"is a login server of yours. End it and take port {holder.port}? [y/N] ")
            assert holder.is_alive
            terminal.type("y\n")
            screen = await terminal.until("left (Ctrl-C cancels)")
            assert f"port {holder.port}… freed (ended stale codex pid {holder.pid})\r\n" in screen
            address = re.search(r"  (http://\S+)\r\n", screen)
            assert address is not None
            assert f"127.0.0.1%3A{holder.port}%2Fauth%2Fcallback" in address[1]
            assert not holder.is_alive
            await sign_in(address[1])
            assert await terminal.status() == 0


@needs_proc
async def test_after_a_no_the_holder_is_left_alone_and_named_with_a_remedy(
    fake: FakeOpenAI, commands: Commands, tmp_path: Path
) -> None:
    with holding_a_port(tmp_path, "codex") as holder:
        ports = f"app_server.login_callback_ports={holder.port}"
        async with commands.at_terminal("login", overrides=(ports,)) as terminal:
            await terminal.until("[y/N] ")
            terminal.type("\n")
            assert await terminal.status() == 1
        assert holder.is_alive
    assert f"error: failed to start login server: Port 127.0.0.1:{holder.port} is already in use" in terminal.screen
    assert "device code" in terminal.screen
