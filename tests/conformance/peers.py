"""The two servers: ours and the reference, each with all that it needs to speak to the fake and to nobody else.

Where the reference's program is, ``APP_SERVER_REFERENCE`` says (``make conformance`` sets it).
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from app_server.fake_openai.server import FakeOpenAI
from tests.support import reference as the_reference
from tests.support.server import COMMAND, ServerProcess
from tests.support.upstream import server_with
from tests.wire.turns.support import KEY, KEY_VARIABLE, provider


@dataclass(frozen=True)
class Peer:
    """A server under test.

    :param name: ``ours`` or ``reference``.
    :param command: what starts it.
    :param overrides: ``key=value`` for ``-c`` that only this one needs.
    """

    name: str
    command: tuple[str, ...]
    overrides: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        return self.name

    def start(
        self,
        fake: FakeOpenAI,
        home: Path,
        *overrides: str,
        env: Mapping[str, str] | None = None,
        **options: Any,
    ) -> AbstractAsyncContextManager[ServerProcess]:
        """Start it with the providers of these tests.

        :param overrides: further ``key=value`` for ``-c``; they win.
        :param options: those of ``tests.support.server.running_server``.
        """
        own = {"CODEX_APP_SERVER_LOGIN_CLIENT_ID": "client-of-the-tests", KEY_VARIABLE: KEY, **(env or {})}
        environment = the_reference.environment(home, own)
        return server_with(
            fake, home, *self.overrides, *providers(fake), *overrides, env=environment, command=self.command, **options
        )


def providers(fake: FakeOpenAI) -> list[str]:
    """The overrides for the providers: ``once`` and ``again`` (two retries of the stream) have a key of their own,
    ``login`` wants the server's login, ``silent`` is patient for 0.3 s.
    """
    base = f"{fake.base_url}/v1"
    http = partial(provider, supports_websockets="false")
    return [
        *http("once", base),
        *http("again", base, stream=2),
        *http("silent", base, stream_idle_timeout_ms="300"),
        *http("login", base, env_key="none", requires_openai_auth="true"),
    ]


def ours() -> Peer:
    """The server of this project, from the tree."""
    return Peer("ours", COMMAND)


def reference() -> Peer:
    """The reference.

    :raises LookupError: nothing says where its program is.
    """
    return Peer("reference", the_reference.command(), the_reference.OVERRIDES)


PEERS: Final = {"ours": ours, "reference": reference}
