"""The client for callers without an event loop: one runs in a thread of its own (anyio's portal).

Arguments, results and exceptions are those of the async client; each method here is one of its methods, waited for.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from typing import IO, Any, Generic, ParamSpec, TypedDict, TypeVar, Unpack

from anyio import to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal

from app_server.client.client import Client
from app_server.client.connection import Trace
from app_server.client.errors import ServerGone
from app_server.client.feed import Arrived
from app_server.client.handlers import BY_NAME, all_handlers
from app_server.client.login import FollowedLogin, Started
from app_server.client.starting import COMMAND, spawn
from app_server.client.thread import OpenThread
from app_server.client.turn import FollowedTurn, Said
from protocol.account import (
    ChatgptAuthTokensRefreshParams,
    ChatgptAuthTokensRefreshResponse,
    ChatgptLoginStarted,
    DeviceCodeLoginStarted,
)
from protocol.base import WireValue
from protocol.method import ServerRequest
from protocol.thread import ThreadResumeParams, ThreadStartParams
from protocol.tools import (
    DynamicToolCallParams,
    DynamicToolCallResponse,
    ToolRequestUserInputParams,
    ToolRequestUserInputResponse,
)
from protocol.turn import TurnStartParams

Q = ParamSpec("Q")
T = TypeVar("T")
Handler = Callable[[Any], WireValue]


class SyncOptions(TypedDict, total=False):
    """See the parameters of :func:`spawn`."""

    env: Mapping[str, str] | None
    stderr: int | IO[bytes] | None
    trace: Trace | None
    handler_timeout: float
    stop_timeout: float
    refresh_tokens: Callable[[ChatgptAuthTokensRefreshParams], ChatgptAuthTokensRefreshResponse]
    tool_call: Callable[[DynamicToolCallParams], DynamicToolCallResponse]
    request_user_input: Callable[[ToolRequestUserInputParams], ToolRequestUserInputResponse]


class _Loop:
    """The way into the event loop; behind it there is a server until the block is left."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal
        self.left = False

    def blocking(self, function: Callable[Q, Awaitable[T]]) -> Callable[Q, T]:
        """The same, for threads that wait."""

        @wraps(function)
        def call(*args: Q.args, **kwargs: Q.kwargs) -> T:
            if self.left:
                raise ServerGone
            return self._portal.call(partial(function, *args, **kwargs))

        return call

    def iterating(self, values: AsyncIterator[T]) -> Iterator[T]:
        """The same values, none of which is None."""

        async def following() -> T | None:
            return await anext(values, None)

        return iter(self.blocking(following), None)


class SyncTurn:
    """See :class:`FollowedTurn`; iterating it gives its notifications as they come. ``interrupt`` is for another thread
    than the one that reads it."""

    def __init__(self, turn: FollowedTurn, loop: _Loop) -> None:
        self.id, self.thread_id, self._turn, self._loop = turn.id, turn.thread_id, turn, loop
        self.completed = loop.blocking(turn.completed)
        self.answer = loop.blocking(turn.answer)
        self.steer = loop.blocking(turn.steer)
        self.interrupt = loop.blocking(turn.interrupt)

    def __iter__(self) -> Iterator[Arrived]:
        return self._loop.iterating(self._turn)

    def texts(self) -> Iterator[str]:
        """What the model says, in pieces as they come."""
        return self._loop.iterating(self._turn.texts())


class SyncLogin(Generic[Started]):
    """See :class:`FollowedLogin`."""

    def __init__(self, login: FollowedLogin[Started], loop: _Loop) -> None:
        self.started: Started = login.started
        self.login_id = login.login_id
        self.completed = loop.blocking(login.completed)
        self.cancel = loop.blocking(login.cancel)


class SyncThread:
    """See :class:`OpenThread`."""

    def __init__(self, opened: OpenThread, loop: _Loop) -> None:
        self.id, self.thread, self._loop = opened.id, opened.thread, loop
        self._ask = loop.blocking(opened.ask)

    def ask(self, *said: Said, timeout: float = 60) -> SyncTurn:
        """Begin a turn."""
        return SyncTurn(self._ask(*said, timeout=timeout), self._loop)


class SyncClient:
    """See :class:`Client`; any thread may call it."""

    def __init__(self, client: Client, loop: _Loop) -> None:
        self._client, self._loop = client, loop
        self.initialize = loop.blocking(client.initialize)
        self.request = loop.blocking(client.request)
        self.notification = loop.blocking(client.notification)
        self.log_in_with_api_key = loop.blocking(client.log_in_with_api_key)
        self.log_in_with_tokens = loop.blocking(client.log_in_with_tokens)

    def notifications(self) -> Iterator[Arrived]:
        """Notifications as they come; ends with the connection."""
        return self._loop.iterating(self._client.notifications())

    def log_in_with_browser(self, *, timeout: float = 60) -> SyncLogin[ChatgptLoginStarted]:
        """Begin a login in a browser on this machine."""
        return SyncLogin(self._loop.blocking(self._client.log_in_with_browser)(timeout=timeout), self._loop)

    def log_in_with_device_code(self, *, timeout: float = 60) -> SyncLogin[DeviceCodeLoginStarted]:
        """Begin a login in a browser anywhere."""
        return SyncLogin(self._loop.blocking(self._client.log_in_with_device_code)(timeout=timeout), self._loop)

    def start_thread(self, params: ThreadStartParams | None = None, *, timeout: float = 60) -> SyncThread:
        """Begin a thread."""
        return SyncThread(self._loop.blocking(self._client.start_thread)(params, timeout=timeout), self._loop)

    def resume_thread(self, params: ThreadResumeParams | str, *, timeout: float = 60) -> SyncThread:
        """Go on with a stored thread."""
        return SyncThread(self._loop.blocking(self._client.resume_thread)(params, timeout=timeout), self._loop)

    def start_turn(
        self, params: TurnStartParams, *, timeout: float = 60, trace_context: Mapping[str, str] | None = None
    ) -> SyncTurn:
        """Begin a turn."""
        start = self._loop.blocking(self._client.start_turn)
        return SyncTurn(start(params, timeout=timeout, trace_context=trace_context), self._loop)


@contextmanager
def spawn_sync(
    command: Sequence[str] = COMMAND,
    *,
    handlers: Mapping[ServerRequest[Any, Any], Handler] | None = None,
    **options: Unpack[SyncOptions],
) -> Iterator[SyncClient]:
    """As :func:`spawn`; handlers are plain functions, each called in a worker thread."""
    further: dict[str, Any] = dict(options)
    named = {name: further.pop(name) for name in BY_NAME if name in further}
    threaded = {asked: partial(_in_thread, handler) for asked, handler in all_handlers(handlers, named).items()}
    server = partial(spawn, command, handlers=threaded, **further)
    failure: BaseException | None = None
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(server()) as client:
        loop = _Loop(portal)
        try:
            yield SyncClient(client, loop)
        except BaseException as error:  # of this thread: within the event loop, Ctrl-C would end it before the server
            failure = error
        finally:
            loop.left = True
    if failure is not None:
        raise failure


async def _in_thread(handler: Handler, params: WireValue) -> WireValue:
    try:
        return await to_thread.run_sync(handler, params, abandon_on_cancel=True)
    except (SystemExit, KeyboardInterrupt) as error:
        raise RuntimeError("a handler cannot end the program: it runs in a thread") from error
