"""A typed client for Python parents: start the server, or embed it, and talk to it in the terms of ``protocol``.

    async with spawn() as client:
        await client.initialize("my-editor", "1.0")
        await client.request(LOGIN_START, LoginAccountParams(ApiKeyLogin(type="apiKey", api_key=SecretStr(key))))
        thread = (await client.request(THREAD_START, ThreadStartParams())).thread
        hello = UserInput(TextUserInput(text="Hello"))
        turn = await client.start_turn(TurnStartParams(thread_id=thread.id, input=[hello]))
        async for notification, params in turn:
            ...

What the server asks of its parent is answered by handlers given to :func:`spawn` or :func:`in_process`.
"""

import logging
import os
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import IO, TYPE_CHECKING, Any, Final, Literal, TypeVar

import anyio
from anyio.abc import Process, TaskGroup

from app_server.followed_turn import FollowedTurn
from app_server.pending import AnswerTimedOut, ConnectionClosed, PeerRefused, PendingRequests, result_of
from app_server.transport.base import MessageTooLong, Transport, TransportClosed
from app_server.transport.memory import MemoryTransport
from app_server.transport.process import ProcessTransport
from protocol.base import WireValue
from protocol.catalogue import SERVER_NOTIFICATIONS
from protocol.errors import InternalError, InvalidRequest, WireError
from protocol.jsonrpc import (
    ErrorObject,
    Notification,
    Request,
    Response,
    decode,
    encode_error,
    encode_request,
    encode_result,
)
from protocol.lifecycle import (
    INITIALIZE,
    ClientInfo,
    InitializeCapabilities,
    InitializeParams,
    InitializeResponse,
)
from protocol.method import ClientRequest, ServerNotification, ServerRequest
from protocol.method import decode as decode_model
from protocol.turn import TURN_START, TurnStartParams

if TYPE_CHECKING:
    from app_server.config import Configuration

P = TypeVar("P", bound=WireValue)
R = TypeVar("R", bound=WireValue)

ServerRequestHandler = Callable[[Any], Awaitable[WireValue]]
"""Answers a request of the server; it may raise :class:`protocol.errors.WireError` to answer with an error."""

Handlers = Mapping[ServerRequest[Any, Any], ServerRequestHandler]

MAX_UNREAD: Final = 10_000
"""Notifications kept for a reader that does not come; the oldest are dropped beyond that."""

STOP_TIMEOUT: Final = 7.0
"""Seconds that a server has to end once its input is closed (its own drain takes 5), before it is killed."""

Trace = Callable[[Literal["sent", "received"], bytes], None]
"""Sees every line that passes, for narration and for logs; the lines hold secrets."""

log = logging.getLogger(__name__)


class ServerError(Exception):
    """The server answered a request with an error.

    :param error: its code, message and data.
    """

    def __init__(self, method: str, error: ErrorObject) -> None:
        super().__init__(f"{method}: {error.message} ({error.code})")
        self.code = error.code
        self.message = error.message
        self.data = error.data


class ServerGone(Exception):
    """The server has closed the connection, or was never there.

    :param status: its exit status, where it is known.
    :param reason: why, where more than the status is known.
    """

    def __init__(self, status: int | None = None, reason: str = "the server is gone") -> None:
        super().__init__(reason if status is None else f"the server exited with status {status}")
        self.status = status


class Client:
    """One connection to a server; made by :func:`spawn` or :func:`in_process`."""

    def __init__(
        self,
        transport: Transport,
        handlers: Handlers,
        tasks: TaskGroup,
        trace: Trace | None = None,
        exit_status: Callable[[], Awaitable[int | None]] | None = None,
    ) -> None:
        self._transport = transport
        self._trace = trace
        self._exit_status = exit_status
        self._tasks = tasks
        self._handlers = {declaration.method: (declaration, handler) for declaration, handler in handlers.items()}
        self._notifications = {declaration.method: declaration for declaration in SERVER_NOTIFICATIONS}
        self._pending = PendingRequests()
        self._unread: deque[tuple[ServerNotification[Any], Any]] = deque(maxlen=MAX_UNREAD)
        self._turns: list[FollowedTurn] = []
        self._arrived = anyio.Event()
        self._closed = False

    async def initialize(
        self, name: str, version: str, *, experimental_api: bool = True, opt_out: Sequence[str] = ()
    ) -> InitializeResponse:
        """The handshake, which comes before everything else.

        :raises ServerError: the server refused.
        :raises ServerGone: the connection is closed.
        """
        capabilities = InitializeCapabilities(
            experimental_api=experimental_api, opt_out_notification_methods=list(opt_out) or None
        )
        params = InitializeParams(client_info=ClientInfo(name=name, version=version), capabilities=capabilities)
        return await self.request(INITIALIZE, params)

    async def request(self, declaration: ClientRequest[P, R], params: P, *, timeout: float = 60) -> R:
        """Send a request and wait for its result.

        :param timeout: seconds to wait.
        :raises ServerError: the server answered with an error.
        :raises ServerGone: the connection closed before an answer came.
        :raises InvalidAnswer: the result does not fit the declared model.
        :raises TimeoutError: no answer in time.
        """
        try:
            # A server that has stopped reading holds up the sending, too.
            with self._pending.open() as (request_id, answer), anyio.fail_after(timeout):
                await self._send(encode_request(request_id, declaration.method, params.to_json()))
                return await result_of(declaration, answer, timeout)
        except PeerRefused as refusal:
            raise ServerError(declaration.method, refusal.error) from None
        except (AnswerTimedOut, TimeoutError):
            raise TimeoutError(f"{declaration.method}: no answer within {timeout:g} s") from None
        except (ConnectionClosed, TransportClosed):
            raise await self._gone() from None

    async def start_turn(self, params: TurnStartParams, *, timeout: float = 60) -> FollowedTurn:
        """Begin a turn, or give the input to the one that runs in the thread.

        What is notified of it from now on goes to the turn that is returned, and not to :meth:`notifications`.

        :param timeout: seconds to wait for it to be accepted; the turn itself may take as long as it likes.
        :raises ServerError, ServerGone, InvalidAnswer, TimeoutError: as :meth:`request` does.
        """
        turn = FollowedTurn(params.thread_id, self.request, self._gone, MAX_UNREAD)
        # Before it is asked for: notifications may come in the same breath as the answer.
        self._turns.append(turn)
        try:
            others = turn.accepted((await self.request(TURN_START, params, timeout=timeout)).turn)
        except BaseException:
            self._turns.remove(turn)
            self._hand_back(turn.unread)
            raise
        self._hand_back(others)
        if self._closed:
            turn.close()
        return turn

    async def notification(self, declaration: ServerNotification[P], *, timeout: float = 60) -> P:
        """The next notification of this kind, dropping those of other kinds before it.

        :param timeout: seconds to wait.
        :raises ServerGone: the connection closed first.
        :raises TimeoutError: none came in time.
        """
        with anyio.fail_after(timeout):
            async for arrived, params in self.notifications():
                if arrived is declaration:
                    result: P = params
                    return result
        raise await self._gone()

    async def notifications(self) -> AsyncIterator[tuple[ServerNotification[Any], Any]]:
        """Notifications as they come, each with its declaration and its typed params; ends with the connection.

        Those of turns begun with :meth:`start_turn` are not among them.
        """
        while True:
            while self._unread:
                yield self._unread.popleft()
            if self._closed:
                return
            await self._arrived.wait()

    async def run(self) -> None:
        """Read until the server closes the connection; the context managers of this module call it."""
        try:
            while (line := await self._receive()) is not None:
                if self._trace is not None:
                    self._trace("received", line)
                await self._take(line)
        finally:
            self._closed = True
            self._pending.close()
            for turn in self._turns:
                turn.close()
            self._wake()

    async def _receive(self) -> bytes | None:
        while True:
            try:
                return await self._transport.receive()
            except MessageTooLong as error:
                log.warning("the server wrote a line that is too long: %s", error)

    async def _gone(self) -> ServerGone:
        return ServerGone(None if self._exit_status is None else await self._exit_status())

    async def _send(self, line: bytes) -> None:
        if self._trace is not None:
            self._trace("sent", line)
        await self._transport.send(line)

    async def _take(self, line: bytes) -> None:
        try:
            message = decode(line)
        except WireError as error:
            log.warning("the server wrote a line that is no message: %s", error.message)
            return
        match message:
            case Response():
                self._pending.resolve(message)
            case Request():
                self._tasks.start_soon(self._answer, message)
            case Notification():
                self._keep(message)

    def _keep(self, message: Notification) -> None:
        declaration = self._notifications.get(message.method)
        if declaration is None:
            log.debug("ignored a notification that is not declared: %s", message.method)
            return
        try:
            params = decode_model(declaration.params, message.params)
        except InvalidRequest as error:
            log.warning("ignored %s: %s", message.method, error.message)
            return
        takers = [turn for turn in self._turns if turn.concerns(params)]
        for turn in takers:
            turn.take(declaration, params)
        self._turns = [turn for turn in self._turns if not turn.ended]
        if not takers:
            self._unread.append((declaration, params))
            self._wake()

    def _hand_back(self, notifications: Iterable[tuple[ServerNotification[Any], Any]]) -> None:
        self._unread.extend(notifications)
        self._wake()

    def _wake(self) -> None:
        self._arrived.set()
        self._arrived = anyio.Event()

    async def _answer(self, request: Request) -> None:
        try:
            if request.method not in self._handlers:
                raise InvalidRequest(f"this client does not answer {request.method}")
            declaration, handler = self._handlers[request.method]
            result = await handler(decode_model(declaration.params, request.params))
            answer = encode_result(request.id, result.to_json())
        except WireError as error:
            answer = encode_error(request.id, error)
        except Exception:
            log.exception("the handler of %s failed", request.method)
            answer = encode_error(request.id, InternalError(f"the client's handler of {request.method} failed"))
        try:
            await self._send(answer)
        except TransportClosed:
            log.debug("the server is gone; nobody waits for the answer")


@asynccontextmanager
async def spawn(
    command: Sequence[str] = (sys.executable, "-m", "app_server"),
    *,
    env: Mapping[str, str] | None = None,
    handlers: Handlers | None = None,
    stderr: int | IO[bytes] | None = None,
    trace: Trace | None = None,
) -> AsyncIterator[Client]:
    """Start a server as a subprocess, and end it with the block.

    :param command: what to start.
    :param env: variables to set besides this process's own.
    :param handlers: what to answer to the server's requests; see ``protocol.catalogue.SERVER_REQUESTS``.
    :param stderr: where its log goes; this process's stderr by default.
    :param trace: sees every line.
    :raises ServerGone: the command cannot be started.
    """
    try:
        process = await anyio.open_process(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, **(env or {})},
        )
    except OSError as error:
        raise ServerGone(reason=f"the server cannot be started: {error}") from error
    transport = ProcessTransport(process)
    failure: Exception | None = None
    try:
        async with anyio.create_task_group() as tasks:
            client = Client(transport, handlers or {}, tasks, trace, transport.exit_status)
            tasks.start_soon(client.run)
            try:
                yield client
            except Exception as error:
                failure = error  # raised below, so that it does not come out wrapped in an exception group
            finally:
                with anyio.CancelScope(shield=True):
                    await _stop(process, transport)
                tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await process.aclose()
    if failure is not None:
        raise failure


async def _stop(process: Process, transport: ProcessTransport) -> None:
    await transport.aclose()
    with anyio.move_on_after(STOP_TIMEOUT) as deadline:
        await process.wait()
    if deadline.cancelled_caught:
        process.kill()


@asynccontextmanager
async def in_process(
    configuration: "Configuration", *, handlers: Handlers | None = None, trace: Trace | None = None
) -> AsyncIterator[Client]:
    """Run a server in this event loop, without a subprocess, and end it with the block.

    :param configuration: from :func:`app_server.config.load_configuration`.
    :param handlers, trace: as for :func:`spawn`.
    """
    from app_server.compose import serve  # noqa: PLC0415 - a parent that spawns has no use for the server's modules

    server_end, client_end = MemoryTransport.pair(configuration.settings.max_line_bytes)
    failure: Exception | None = None

    async def run_server() -> None:
        try:
            await serve(server_end, configuration)
        except Exception:
            # To the client it is a server that has died, as a subprocess would have.
            log.exception("the server failed")
            await server_end.aclose()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_server)
        client = Client(client_end, handlers or {}, tasks, trace)
        tasks.start_soon(client.run)
        try:
            yield client
        except Exception as error:
            failure = error  # raised below, so that it does not come out wrapped in an exception group
        finally:
            with anyio.CancelScope(shield=True):
                await client_end.aclose()
    if failure is not None:
        raise failure
