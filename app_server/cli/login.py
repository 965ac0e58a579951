"""``app-server login``: the four ways to log in, for a person at a terminal or a script.

The login itself is the server's; here is what needs a person: a browser, a code to read, a URL to paste, a key to
type, and a line that says how long there is time.
"""

import getpass
import os
import sys
from collections.abc import Sequence
from typing import Final, Literal, TypeVar

import anyio
from pydantic import SecretStr

from app_server.auth.login import browser, device_code
from app_server.cli.browser import can_open, open_browser
from app_server.cli.console import MAX_LINE, Console
from app_server.cli.masking import masked
from app_server.cli.own_server import OwnServer, run_with_server
from app_server.cli.take_port import prepare_ports
from app_server.client import ServerError, ServerGone
from protocol.account import (
    ACCOUNT_READ,
    GET_AUTH_STATUS,
    LOGIN_CANCEL,
    LOGIN_COMPLETE,
    LOGIN_START,
    ApiKeyLogin,
    CancelLoginAccountParams,
    ChatgptAccount,
    ChatgptLogin,
    ChatgptLoginStarted,
    CompleteLoginAccountParams,
    DeviceCodeLogin,
    DeviceCodeLoginStarted,
    GetAccountParams,
    GetAuthStatusParams,
    LoginAccountParams,
)

How = Literal["browser", "paste", "device", "key"]

PASTE_ATTEMPTS: Final = 5
"""URLs that are not the callback of the login, after which nobody is asked again."""

FAREWELL: Final = 0.5
"""Seconds that the browser has to fetch its page once the login has ended."""

CANCEL_TIMEOUT: Final = 5.0
"""Seconds for the server to confirm that a login is cancelled."""

Started = TypeVar("Started", ChatgptLoginStarted, DeviceCodeLoginStarted)


class NoKey(Exception):
    """There is no API key on standard input; the text says what is there."""


def run(overrides: Sequence[str], how: How, *, open_url: bool, take_port: bool) -> int:
    """Log in; returns the exit status.

    :param overrides: the ``key=value`` of ``-c``.
    :param open_url: whether to open the browser.
    :param take_port: whether the user agrees that a stale login server is ended for its port.
    """
    console = Console()
    match how:
        case "key":
            try:
                key = _read_key()
            except (NoKey, KeyboardInterrupt) as error:
                console.fail(str(error) or "cancelled")
                return 1 if isinstance(error, NoKey) else 130
            return run_with_server(overrides, console, lambda server: _with_key(server, key))
        case "device":
            return run_with_server(overrides, console, _with_device_code)
        case _:
            opens = open_url and how != "paste"
            return run_with_server(
                overrides,
                console,
                lambda server: _with_browser(server, paste=how == "paste", opens=opens, take_port=take_port),
            )


async def _with_key(server: OwnServer, key: SecretStr) -> int:
    await server.client.request(LOGIN_START, LoginAccountParams(ApiKeyLogin(type="apiKey", api_key=key)))
    server.console.say(f"Logged in with the API key {masked(key)}.")
    return 0


async def _with_browser(server: OwnServer, *, paste: bool, opens: bool, take_port: bool) -> int:
    console = server.console
    # Who pastes needs no port, and where the server refuses the login, none is of any use.
    if not paste and server.settings.forced_login_method != "api":
        await prepare_ports(server.settings.login_callback_ports, console, take=take_port)
    started = await _start_browser(server, paste=paste)
    opens = opens and can_open()
    if opens:
        console.say("\nYour browser is opened to log in. If none shows up, open this address:")
    else:
        console.say("\nOpen this address in a browser to log in:")
    console.say(f"\n  {started.auth_url}\n")
    if not (opens or paste):
        console.say("If that browser is on another machine, use --paste or --device-auth instead.")
    if paste:
        console.say(
            "Afterwards the browser is sent to an address that begins with http://127.0.0.1, and may not be able to "
            "show it.\nCopy that address from the browser and paste it here."
        )
    scope = anyio.CancelScope()
    outcome = 1
    async with anyio.create_task_group() as tasks:
        if opens:
            tasks.start_soon(open_browser, started.auth_url)
        if paste:
            tasks.start_soon(_take_pasted, server, started.login_id, scope)
        with scope:
            outcome = await _wait(
                server, started.login_id, browser.LOGIN_TIMEOUT, "waiting for the browser", quietly=paste
            )
        tasks.cancel_scope.cancel()
    await anyio.sleep(FAREWELL)
    return outcome


async def _with_device_code(server: OwnServer) -> int:
    console = server.console
    started = await _start(
        server, LoginAccountParams(DeviceCodeLogin(type="chatgptDeviceCode")), DeviceCodeLoginStarted
    )
    console.say("\nOpen this address in a browser on any device, log in, and enter the code:")
    console.say(f"\n  {started.verification_url}\n\n  {started.user_code}\n")
    console.say("Enter it only if you have asked for it yourself, and give it to nobody.")
    return await _wait(server, started.login_id, device_code.LOGIN_TIMEOUT, "waiting for the code to be entered")


async def _start_browser(server: OwnServer, *, paste: bool) -> ChatgptLoginStarted:
    try:
        return await _start(server, LoginAccountParams(ChatgptLogin(type="chatgpt")), ChatgptLoginStarted)
    except ServerError as error:
        if not (paste and isinstance(error.data, dict) and "remedy" in error.data):
            raise
    # No port is free, and whoever pastes needs none.
    login = ChatgptLogin(type="chatgpt", paste_callback=True)
    return await _start(server, LoginAccountParams(login), ChatgptLoginStarted)


async def _start(server: OwnServer, params: LoginAccountParams, expected: type[Started]) -> Started:
    started = (await server.client.request(LOGIN_START, params)).root
    if not isinstance(started, expected):
        raise ServerGone  # it is our own server, and does not do this
    return started


async def _wait(server: OwnServer, login_id: str, timeout: float, what: str, *, quietly: bool = False) -> int:
    """Wait for the end of the login and tell it; a login that is not waited for any more is cancelled.

    :param timeout: seconds that the login has, to show how many are left.
    :param quietly: whether the line below is somebody else's.
    """
    console = server.console
    if not (quietly or console.has_terminal):
        console.say(f"{what}, for {timeout / 60:.0f} min at most…")
    try:
        async with anyio.create_task_group() as tasks:
            if console.has_terminal and not quietly:
                tasks.start_soon(_count_down, console, what, anyio.current_time() + timeout)
            completed = await server.login_completed(login_id)
            tasks.cancel_scope.cancel()
    except anyio.get_cancelled_exc_class():
        await _cancel(server, login_id)
        console.close_line()
        raise
    console.close_line()
    if not completed.success:
        console.fail(completed.error or "the login has failed")
        if await _auth_method(server) == "chatgpt":
            console.say("A stored login is in place all the same; see app-server login status")
        return 1
    console.say(f"Logged in{await _as_whom(server)}.")
    return 0


async def _count_down(console: Console, what: str, deadline: float) -> None:
    while True:
        left = max(0, round(deadline - anyio.current_time()))
        console.update(f"{what}… {left // 60}:{left % 60:02} left (Ctrl-C cancels)")
        await anyio.sleep(1)


async def _cancel(server: OwnServer, login_id: str) -> None:
    with anyio.move_on_after(CANCEL_TIMEOUT, shield=True):
        answer = await server.client.request(LOGIN_CANCEL, CancelLoginAccountParams(login_id=login_id))
        if answer.status == "canceled":
            server.console.say("Cancelled.")
        else:
            server.console.say("The login had ended already; see app-server login status")


async def _take_pasted(server: OwnServer, login_id: str, waiting: anyio.CancelScope) -> None:
    """Ask for the URL that the browser has ended on, until one is accepted."""
    for _ in range(PASTE_ATTEMPTS):
        pasted = await server.console.ask("\nthe address> ")
        if pasted is None:
            server.console.fail("standard input has ended, and no address was pasted")
            break
        try:
            params = CompleteLoginAccountParams(login_id=login_id, callback_url=SecretStr(pasted))
            await server.client.request(LOGIN_COMPLETE, params)
        except ServerError as error:
            server.console.fail(error.message)
        else:
            return
    else:
        server.console.fail(f"that was not the address of this login {PASTE_ATTEMPTS} times")
    waiting.cancel()


async def _as_whom(server: OwnServer) -> str:
    """Who the new login is, where it is in force and the backend knows them."""
    if await _auth_method(server) != "chatgpt":
        return ""
    try:
        account = (await server.client.request(ACCOUNT_READ, GetAccountParams())).account
    except ServerError:
        return ""
    if account is None or not isinstance(account.root, ChatgptAccount):
        return ""
    return f" as {account.root.email or 'a user without an address'} (ChatGPT, plan {account.root.plan_type})"


async def _auth_method(server: OwnServer) -> str | None:
    return (await server.client.request(GET_AUTH_STATUS, GetAuthStatusParams())).auth_method


def key_from(text: str) -> SecretStr:
    """The API key in what somebody has typed, or a script has written, without the space around it.

    :raises NoKey: there is none.
    """
    key = text.strip()
    if not key:
        raise NoKey("there is no API key on standard input")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise NoKey("what is on standard input is no API key")
    return SecretStr(key)


def _read_key() -> SecretStr:
    """From a terminal without showing it, else the whole of standard input; raises NoKey."""
    if sys.stdin is None:
        text = ""
    elif sys.stdin.isatty():
        try:
            text = getpass.getpass("API key: ")
        except EOFError:
            text = ""
    else:
        text = _read_all().decode(errors="replace")
    return key_from(text)


def _read_all() -> bytes:
    content = b""
    while len(content) <= MAX_LINE and (chunk := os.read(sys.stdin.fileno(), MAX_LINE)):
        content += chunk
    return content
