"""``ThreadedFakeOpenAI``: the offline upstream in a thread of its own.

A plain test, a test on any event loop and programs that a test starts can all use it, and it goes on answering while
the test blocks. What it can do is ``app_server.fake_openai``'s business; here it is only reached from other threads.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Self, TypeVar

import anyio.to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal

from app_server.fake_openai.recorder import RecordedRequest, Recorder
from app_server.fake_openai.server import FakeOpenAI
from app_server.fake_openai.state import Settings
from app_server.fake_openai.tokens import Account, TokenSet

R = TypeVar("R")


async def _wait(portal: BlockingPortal, function: Callable[[], Awaitable[R]]) -> R:
    """Wait on this event loop for what happens on the fake's; to cancel the one cancels the other."""
    future = portal.start_task_soon(function)
    try:
        return await anyio.to_thread.run_sync(future.result, abandon_on_cancel=True)
    finally:
        future.cancel()


class RecordedRequests:
    """What the fake was asked, oldest first: iterate over it, or ask for one route's."""

    def __init__(self, recorder: Recorder, portal: BlockingPortal) -> None:
        self._recorder = recorder
        self._portal = portal

    def __iter__(self) -> Iterator[RecordedRequest]:
        return iter(self.of(None))

    def __len__(self) -> int:
        return len(self.of(None))

    def of(self, route: str | None) -> list[RecordedRequest]:
        """The requests of one route; of all for None."""
        return self._portal.call(self._recorder.of, route)

    async def wait_for(
        self,
        route: str | None = None,
        *,
        count: int = 1,
        where: Callable[[RecordedRequest], bool] = lambda _: True,
        timeout: float = 5.0,
    ) -> list[RecordedRequest]:
        """Wait until so many requests have been recorded, those already there included.

        :param where: only those for which it holds; called in the fake's thread.
        :param timeout: seconds.
        :raises TimeoutError: with what came instead.
        """
        wait = partial(self._recorder.wait_for, route, count=count, where=where, timeout=timeout)
        return await _wait(self._portal, wait)

    def wait_for_sync(
        self,
        route: str | None = None,
        *,
        count: int = 1,
        where: Callable[[RecordedRequest], bool] = lambda _: True,
        timeout: float = 5.0,
    ) -> list[RecordedRequest]:
        """As :meth:`wait_for`, for tests without an event loop: it blocks."""
        wait = partial(self._recorder.wait_for, route, count=count, where=where, timeout=timeout)
        return self._portal.call(wait)


class ThreadedFakeOpenAI:
    """One running fake; made by :meth:`running`. Its methods may be called from any thread.

    They do what those of ``FakeOpenAI`` with the same names do. What waits is a coroutine, and has a twin for tests
    without an event loop whose name ends in ``_sync``.
    """

    def __init__(self, fake: FakeOpenAI, portal: BlockingPortal) -> None:
        self._fake = fake
        self._portal = portal
        self.port = fake.port
        self.base_url = fake.base_url
        self.requests = RecordedRequests(fake.requests, portal)
        """What it was asked, its control endpoint aside."""

    @classmethod
    @contextmanager
    def running(
        cls, port: int = 0, *, accounts: Sequence[Account] = (Account(),), settings: Settings | None = None
    ) -> Iterator[Self]:
        """A fake that serves until the block is left.

        :param port: 0 lets the system choose.
        :param accounts: at least one; the first signs in.
        :raises OSError: the port cannot be had.
        """
        with (
            start_blocking_portal("asyncio") as portal,
            portal.wrap_async_context_manager(FakeOpenAI.running(port, accounts=accounts, settings=settings)) as fake,
        ):
            yield cls(fake, portal)

    # -- pointing a server at it

    def environment(self) -> dict[str, str]:
        """The environment variables that make a server use it."""
        return self._fake.environment()

    def config_overrides(self) -> list[str]:
        """The ``key=value`` pairs, values in TOML, for ``-c`` or ``config.toml``."""
        return self._fake.config_overrides()

    # -- programming it

    @property
    def route_names(self) -> list[str]:
        """Names for :meth:`fault` and ``requests``."""
        return self._fake.route_names

    def mint(
        self, account_id: str | None = None, *, expires_in: int | None = None, claims: Mapping[str, Any] | None = None
    ) -> TokenSet:
        """Tokens of a new sign-in.

        :param account_id: None: the current account.
        :param expires_in: seconds; negative: the access token is born expired.
        :param claims: replaces claims of the id and access token; None as a value leaves the claim out.
        :raises ValueError: there is no such account.
        """
        return self._portal.call(partial(self._fake.mint, account_id, expires_in=expires_in, claims=claims))

    def mint_personal(self, account_id: str | None = None) -> str:
        """A personal access token (``at-…``).

        :raises ValueError: there is no such account.
        """
        return self._portal.call(self._fake.mint_personal, account_id)

    def expire(self, token: str) -> None:
        """From now on this access token is answered with 401, this refresh token with ``refresh_token_expired``."""
        self._portal.call(self._fake.expire, token)

    def expire_tokens(
        self, account_id: str | None = None, *, after_requests: int = 0, after_events: int | None = None
    ) -> None:
        """All access tokens that an account has then are answered with 401; its refresh tokens stay good.

        :param account_id: None: the current account.
        :param after_requests: so many requests to the model with a good token are let through first.
        :param after_events: then, in the middle of the next stream, when it has sent so many events, or its last.
        :raises ValueError: there is no such account, a number is negative, or too many are waiting.
        """
        self._portal.call(
            partial(self._fake.expire_tokens, account_id, after_requests=after_requests, after_events=after_events)
        )

    def revoke(self, token: str) -> None:
        """End the sign-in of this access or refresh token."""
        self._portal.call(self._fake.revoke, token)

    def fault(self, route: str, **effect: Any) -> None:
        """Make something go wrong; the members of ``fake_openai.faults.Fault`` are the arguments.

        :raises ValueError: there is no such route, member or value.
        """
        self._portal.call(partial(self._fake.fault, route, **effect))

    def clear_faults(self) -> None:
        """Nothing goes wrong any more; what hangs goes on."""
        self._portal.call(self._fake.clear_faults)

    async def wait_hanging(self, count: int = 1, *, timeout: float = 5.0) -> None:
        """Wait until so many requests or streams hang.

        :param timeout: seconds.
        :raises TimeoutError: with how many hang instead.
        """
        await _wait(self._portal, partial(self._fake.wait_hanging, count, timeout=timeout))

    def wait_hanging_sync(self, count: int = 1, *, timeout: float = 5.0) -> None:
        """As :meth:`wait_hanging`, for tests without an event loop: it blocks."""
        self._portal.call(partial(self._fake.wait_hanging, count, timeout=timeout))

    def release(self) -> None:
        """What hangs goes on; faults stay."""
        self._portal.call(self._fake.release)

    def script(self, **answer: Any) -> None:
        """Queue an answer of the model; the members of ``fake_openai.script.Script`` are the arguments.

        :raises ValueError: there is no such member or value, or too many are waiting.
        """
        self._portal.call(partial(self._fake.script, **answer))

    def add_account(self, account: Account, *, current: bool = False) -> None:
        """Add an account or replace the one with its id; the current one signs in."""
        self._portal.call(partial(self._fake.add_account, account, current=current))

    def configure(self, **settings: Any) -> None:
        """Change switches; the members of ``fake_openai.state.Settings`` are the arguments.

        :raises ValueError: there is no such member or value.
        """
        self._portal.call(partial(self._fake.configure, **settings))

    def refuse_authorization(self, error: str, description: str = "", *, times: int = 1) -> None:
        """Let the next authorization pages end with this error."""
        self._portal.call(partial(self._fake.refuse_authorization, error, description, times=times))

    def approve_device(self, user_code: str, account_id: str | None = None) -> None:
        """Approve the device sign-in that waits under this code.

        :raises ValueError: there is no such code or account.
        """
        self._portal.call(self._fake.approve_device, user_code, account_id)

    def deny_device(self, user_code: str) -> None:
        """Deny the device sign-in that waits under this code.

        :raises ValueError: there is no such code.
        """
        self._portal.call(self._fake.deny_device, user_code)

    def reset(self) -> None:
        """Back to how it started: accounts, settings, no tokens, faults, scripts or recorded requests."""
        self._portal.call(self._fake.reset)
