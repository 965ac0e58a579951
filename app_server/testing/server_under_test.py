"""``ServerUnderTest``: what starts a server for one test, and typed clients that are connected to it.

What the server finds when it starts is made in ``homes``; pytest is the business of ``plugin``.
"""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from app_server.client import Client, Handlers, ServerGone, in_process, spawn
from app_server.config import load_configuration
from app_server.fake_openai.tokens import TokenSet
from app_server.version import __version__
from protocol.account import ACCOUNT_UPDATED


@dataclass(frozen=True)
class ServerUnderTest:
    """How a server is started in one test; any number of them, and by whatever program.

    Start one yourself, from any language, with ``command`` and ``environment``::

        subprocess.run(["node", "parent.mjs"], env=app_server.environment, timeout=30)

    or be connected to one with :meth:`connect`.
    """

    command: Sequence[str]
    """What starts it, and its arguments."""
    home: Path
    """Its CODEX_HOME, whose ``config.toml`` leads to the fake."""
    environment: Mapping[str, str] = field(repr=False)
    """All its variables, for a program that starts it, too."""
    handlers: Handlers = field(repr=False)
    """What clients answer to it, where :meth:`connect` is not told anything else."""
    timeout: float
    """Seconds for the handshake, and for a login."""
    in_process: bool
    """Clients get a server in their own event loop instead of a subprocess."""
    stderr: Path
    """Where servers of :meth:`connect` write their log; none in process, where pytest captures it itself."""

    @asynccontextmanager
    async def connect(
        self, *, tokens: TokenSet | None = None, handlers: Handlers | None = None, initialize: bool = True
    ) -> AsyncIterator[Client]:
        """Start a server, and end it with the block.

        :param tokens: log in with them, as an application does that owns its tokens.
        :param handlers: instead of those of the test.
        :param initialize: greet it; a client that has not been greeted can do nothing else.
        :raises ServerGone: it cannot be started, or ends before it has answered.
        :raises TimeoutError: it does not answer in time.
        :raises ServerError: it refuses the greeting or the login.
        """
        try:
            async with self._open(self.handlers if handlers is None else handlers) as client:
                try:
                    with anyio.fail_after(self.timeout):
                        if initialize:
                            await client.initialize("pytest", __version__)
                        if tokens is not None:
                            await log_in(client, tokens)
                except TimeoutError:
                    raise TimeoutError(f"the server did not answer within {self.timeout:g} s") from None
                yield client
        except (ServerGone, TimeoutError) as error:
            # Whatever it was that took the server away: which command that is may be all that is wrong.
            error.add_note("in process" if self.in_process else f"server: {' '.join(self.command)}")
            raise

    @asynccontextmanager
    async def _open(self, handlers: Handlers) -> AsyncIterator[Client]:
        if self.in_process:
            async with in_process(load_configuration([], self.environment), handlers=handlers) as client:
                yield client
            return
        # What is only in our environment counts as not set when it is empty.
        hidden = {name: "" for name in os.environ if name not in self.environment}
        with self.stderr.open("ab") as stderr:
            env = {**hidden, **self.environment}
            async with spawn(self.command, env=env, handlers=handlers, stderr=stderr) as client:
                yield client


async def log_in(client: Client, tokens: TokenSet) -> None:
    """Log in with tokens that the parent owns, and wait until it is announced.

    Notifications that come before are dropped.

    :raises ServerError: the server refused.
    :raises ServerGone: the connection closed.
    """
    account = tokens.account
    await client.log_in_with_tokens(tokens.access_token, account.account_id, account.plan_type)
    await client.notification(ACCOUNT_UPDATED)
