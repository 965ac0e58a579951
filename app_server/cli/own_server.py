"""Our own server in this very process, for the commands of people: they are its clients, so that logging in, saving,
announcing and revoking exist once.
"""

import contextlib
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import anyio

from app_server.cli.console import Console
from app_server.client import Client, ServerError, ServerGone, in_process
from app_server.config import Configuration, Settings, load_configuration
from app_server.logs import LEVEL_VARIABLE, configure_logging
from app_server.pending import InvalidAnswer
from app_server.version import __version__
from protocol.account import AccountLoginCompletedNotification
from protocol.lifecycle import ConfigWarningNotification

E = TypeVar("E", bound=BaseException)

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C: 128 and the number of the signal, as shells have it."""


class OwnServer:
    """A server and what it has said.

    :param client: speaks to it.
    :param settings: those of the server.
    """

    def __init__(self, client: Client, settings: Settings, console: Console) -> None:
        self.client = client
        self.settings = settings
        self.console = console
        self._warnings: list[str] = []

    async def login_completed(self, login_id: str) -> AccountLoginCompletedNotification:
        """Wait for the end of a login.

        :raises ServerGone: the server ended first.
        """
        async for _, params in self.client.notifications():
            if isinstance(params, ConfigWarningNotification):
                self._warnings.append(f"{params.summary} {params.details or ''}".strip())
            elif isinstance(params, AccountLoginCompletedNotification) and params.login_id == login_id:
                return params
        raise ServerGone

    async def show_warnings(self) -> None:
        """Show what the server has to say about the configuration and the environment."""
        with anyio.move_on_after(0), contextlib.suppress(ServerGone):
            await self.login_completed("")
        for warning in self._warnings:
            self.console.warn(warning)
        self._warnings.clear()


Work = Callable[[OwnServer], Awaitable[int]]
"""What a command does with a server; returns the exit status."""


def run_with_server(overrides: Sequence[str], console: Console, work: Work) -> int:
    """Start a server, do the work, end the server; returns the exit status.

    :param overrides: the ``key=value`` of ``-c``.
    """
    return run(_with_server, prepare(overrides), console, work)


def prepare(overrides: Sequence[str]) -> Configuration:
    """The configuration, with what is wrong with it. The log keeps to errors unless the environment wants more of it:
    what people have to know they are told.

    :param overrides: the ``key=value`` of ``-c``.
    """
    configure_logging({LEVEL_VARIABLE: "error", **os.environ})
    return load_configuration(overrides, os.environ)


def run(command: Callable[..., Awaitable[int]], *arguments: object) -> int:
    """Run a command to its end; returns its exit status, also when it is interrupted."""
    try:
        return anyio.run(command, *arguments)
    except KeyboardInterrupt:
        return INTERRUPTED


async def _with_server(configuration: Configuration, console: Console, work: Work) -> int:
    status = 1
    async with in_process(configuration) as client:
        server = OwnServer(client, configuration.settings, console)
        try:
            await client.initialize("app-server", __version__)
            status = await work(server)
        except* ServerError as group:
            for error in leaves(group):
                console.fail(error.message)
        except* (ServerGone, TimeoutError, InvalidAnswer) as failures:
            for failure in leaves(failures):
                console.fail(str(failure))
        finally:
            await server.show_warnings()
    return status


def leaves(group: BaseExceptionGroup[E]) -> list[E]:
    """The exceptions of a group and of the groups in it."""
    return [
        leaf
        for error in group.exceptions
        for leaf in (leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]
