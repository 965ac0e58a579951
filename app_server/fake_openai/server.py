"""``FakeOpenAI``: the offline issuer and backend as one server on loopback, and what programs it from Python.

Example::

    async with FakeOpenAI.running() as fake:
        tokens = fake.mint()
        fake.fault("usage", status=401)
        fake.script(reasoning="Thinking", tool_calls=[{"name": "lookup", "arguments": {"q": "x"}}])
        fake.expire_tokens(after_events=3)
        ...  # start a server with fake.environment() and fake.config_overrides(), let it read limits, have a turn
        first, second = await fake.requests.wait_for("usage", count=2)
        assert fake.requests.of("responses")[0].json["stream"]

Not here: what the routes answer (``issuer``, ``backend``, ``responses``), and the same over HTTP (``control``).
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Self

import anyio

from app_server.fake_openai.backend import Backend
from app_server.fake_openai.control import PREFIX, Control
from app_server.fake_openai.expiries import Expiries, Expiry
from app_server.fake_openai.faults import Fault, FaultBook, check_route
from app_server.fake_openai.issuer import Issuer
from app_server.fake_openai.recorder import Recorder
from app_server.fake_openai.responses import Responses
from app_server.fake_openai.routing import UNKNOWN_ROUTE, Exchange, RouteTable, bearer_of, dispatch
from app_server.fake_openai.script import Script
from app_server.fake_openai.state import Settings, State
from app_server.fake_openai.tokens import Account, TokenSet
from app_server.http_server import HttpServer, Limits, Request, Response, bind_loopback

_LIMITS: Final = Limits(
    header_bytes=64 * 1024,
    body_bytes=64 * 1024 * 1024,
    connections=1024,
    request_seconds=60.0,
    idle_seconds=60.0,
    send_seconds=600.0,  # tests stop reading on purpose
)


class FakeOpenAI:
    """One running fake; made by ``running``."""

    def __init__(
        self, port: int, accounts: Sequence[Account], settings: Settings | None, clock: Callable[[], float]
    ) -> None:
        self.port = port
        self.base_url = f"http://127.0.0.1:{port}"
        self.state = State(self.base_url, accounts, settings, clock)
        self.requests = Recorder(clock)
        """What it was asked, its control endpoint aside."""
        self._faults = FaultBook()
        self._expiries = Expiries(self.state)
        self._responses = Responses(self.state, self._faults, self._expiries)
        self._routes = RouteTable(
            self.state,
            [*Issuer(self.state).routes(), *Backend(self.state).routes(), *self._responses.routes()],
        )
        self._control = Control(self)

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        port: int = 0,
        *,
        accounts: Sequence[Account] = (Account(),),
        settings: Settings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> AsyncIterator[Self]:
        """A fake that serves until the block is left.

        :param port: 0 lets the system choose.
        :param accounts: at least one; the first signs in.
        :param clock: Unix seconds; decides what has expired.
        :raises OSError: the port cannot be had.
        """
        failure: BaseException | None = None
        with bind_loopback(port) as listener:
            fake = cls(listener.getsockname()[1], accounts, settings, clock)
            async with anyio.create_task_group() as tasks:
                await tasks.start(HttpServer(fake._handle, _LIMITS).serve, listener)
                try:
                    yield fake
                except anyio.get_cancelled_exc_class():
                    raise
                except BaseException as error:
                    failure = error  # raised below, so that it does not come out wrapped in an exception group
                tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    # -- pointing a server at it

    def environment(self) -> dict[str, str]:
        """The environment variables that make a server use it (wire.md section 1)."""
        return {
            "CODEX_APP_SERVER_LOGIN_ISSUER": self.base_url,
            "CODEX_REFRESH_TOKEN_URL_OVERRIDE": f"{self.base_url}/oauth/token",
            "CODEX_REVOKE_TOKEN_URL_OVERRIDE": f"{self.base_url}/oauth/revoke",
            "CODEX_AUTHAPI_BASE_URL": self.base_url,
        }

    def config_overrides(self) -> list[str]:
        """The ``key=value`` pairs, values in TOML, for ``-c``."""
        return [
            f'chatgpt_base_url="{self.base_url}/backend-api"',
            f'openai_base_url="{self.base_url}/v1"',
        ]

    # -- programming it

    @property
    def route_names(self) -> list[str]:
        """Names for ``fault`` and ``requests``."""
        return self._routes.names

    def mint(
        self,
        account_id: str | None = None,
        *,
        expires_in: int | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> TokenSet:
        """Tokens of a new sign-in, as if someone had just logged in.

        :param account_id: None: the current account.
        :param expires_in: seconds; negative: the access token is born expired.
        :param claims: replaces claims of the id and access token; None as a value leaves the claim out.
        :raises ValueError: there is no such account.
        """
        return self.state.sign_in(self._account(account_id), expires_in=expires_in, claims=claims)

    def mint_personal(self, account_id: str | None = None) -> str:
        """A personal access token (``at-…``).

        :raises ValueError: there is no such account.
        """
        return self.state.mint_personal(self._account(account_id))

    def expire(self, token: str) -> None:
        """From now on this access token is answered with 401, this refresh token with ``refresh_token_expired``."""
        self.state.expire(token)

    def expire_tokens(
        self, account_id: str | None = None, *, after_requests: int = 0, after_events: int | None = None
    ) -> None:
        """All access tokens that an account has then are answered with 401; its refresh tokens stay good.

        At once by default; a stream that is under way goes on, and the next request with the token is refused.

        :param account_id: None: the current account.
        :param after_requests: so many requests of the route ``responses`` that carry a good token are let through.
        :param after_events: then, in the middle of the next stream, when it has sent so many events, or its last.
        :raises ValueError: there is no such account, a number is negative, or too many are waiting.
        """
        if after_requests < 0 or (after_events is not None and after_events < 0):
            raise ValueError("after_requests and after_events are counted from 0")
        self._expiries.add(Expiry(self._account(account_id).account_id, after_requests, after_events))

    def revoke(self, token: str) -> None:
        """End the sign-in of this access or refresh token."""
        self.state.revoke(token)

    def fault(self, route: str, **effect: Any) -> None:
        """Make something go wrong; the members of ``faults.Fault`` are the arguments.

        :raises ValueError: there is no such route, member or value.
        """
        self.add_fault(Fault(route=route, **effect))

    def add_fault(self, fault: Fault) -> None:
        """Make something go wrong.

        :raises ValueError: it could never happen, or too many are waiting.
        """
        check_route(fault, self.route_names)
        self._faults.add(fault)

    def clear_faults(self) -> None:
        """Nothing goes wrong any more; what hangs goes on."""
        self._faults.clear()

    async def wait_hanging(self, count: int = 1, *, timeout: float = 5.0) -> None:
        """Wait until so many requests or streams hang, so that a release cannot come too early.

        :param timeout: seconds.
        :raises TimeoutError: with how many hang instead.
        """
        await self._faults.wait_hanging(count, timeout)

    def release(self) -> None:
        """What hangs goes on; faults stay."""
        self._faults.release()

    def script(self, **answer: Any) -> None:
        """Queue an answer of the Responses API; the members of ``script.Script`` are the arguments.

        :raises ValueError: there is no such member or value, or too many are waiting.
        """
        self.add_script(Script(**answer))

    def add_script(self, script: Script) -> None:
        """Queue an answer of the Responses API.

        :raises ValueError: too many are waiting.
        """
        self._responses.add_script(script)

    def add_account(self, account: Account, *, current: bool = False) -> None:
        """Add an account or replace the one with its id; the current one signs in."""
        self.state.add_account(account, current=current)

    def configure(self, **settings: Any) -> None:
        """Change switches; the members of ``state.Settings`` are the arguments.

        :raises ValueError: there is no such member or value.
        """
        self.state.settings = Settings(**{**self.state.settings.model_dump(), **settings})

    def refuse_authorization(self, error: str, description: str = "", *, times: int = 1) -> None:
        """Let the next authorization pages end with this error."""
        self.state.authorize_refusals.extend([(error, description)] * min(times, 1000))

    def approve_device(self, user_code: str, account_id: str | None = None) -> None:
        """Approve the device sign-in that waits under this code.

        :raises ValueError: there is no such code or account.
        """
        self._decide_device(user_code, self._account(account_id))

    def deny_device(self, user_code: str) -> None:
        """Deny the device sign-in that waits under this code.

        :raises ValueError: there is no such code.
        """
        self._decide_device(user_code, None)

    def reset(self) -> None:
        """Back to how it started: accounts, settings, no tokens, faults, scripts or recorded requests."""
        self.state.reset()
        self._faults.clear()
        self._expiries.clear()
        self._responses.clear()
        self.requests.clear()

    def _account(self, account_id: str | None) -> Account:
        try:
            return self.state.account(account_id)
        except KeyError:
            raise ValueError(f"unknown account {account_id!r}") from None

    def _decide_device(self, user_code: str, account: Account | None) -> None:
        try:
            self.state.decide_device(user_code, account)
        except KeyError:
            raise ValueError(f"no device sign-in waits under {user_code!r}") from None

    # -- serving

    async def _handle(self, request: Request) -> Response:
        if request.path.startswith(PREFIX):
            return await self._control.handle(request)
        route = self._routes.find(request.path)
        name = route.name if route else UNKNOWN_ROUTE
        self.requests.record(name, request)
        bearer = bearer_of(request)
        account, refusal = self._routes.authorize(route, bearer)
        fault = self._faults.take(name, bearer, request, authorized=refusal is None)
        expiry = None
        if name == "responses" and refusal is None and account is not None:
            expiry = self._expiries.count_request(account, bearer or "")
        exchange = Exchange(request, account, fault, expiry)
        answer: Response | None = None
        if fault is not None:
            if fault.when == "after":
                answer = refusal or dispatch(route, exchange)
            answer = await self._faults.enact(fault, request) or answer
        return answer or refusal or dispatch(route, exchange)
