"""A typed client for Python parents: start the server, or embed it, and talk to it in the terms of ``protocol``.

    async with spawn() as client:
        await client.initialize("my-editor", "1.0")
        await client.request(LOGIN_START, LoginAccountParams(ApiKeyLogin(type="apiKey", api_key=SecretStr(key))))
        thread = (await client.request(THREAD_START, ThreadStartParams())).thread
        hello = UserInput(TextUserInput(text="Hello"))
        turn = await client.start_turn(TurnStartParams(thread_id=thread.id, input=[hello]))
        async for notification, params in turn:
            ...

What the server asks of its parent is answered by handlers (``client_handlers``) given to :func:`spawn` or
:func:`in_process`. Callers without an event loop have ``sync_client``.
"""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import IO, TYPE_CHECKING, Final, Literal, TypeVar, Unpack

import anyio
from anyio.abc import Process, TaskGroup

from app_server.client_handlers import HANDLER_TIMEOUT, Answers, Handlers, NamedHandlers, all_handlers
from app_server.followed_turn import FollowedTurn
from app_server.notification_feed import NotificationFeed
from app_server.pending import (
    AnswerTimedOut,
    ConnectionClosed,
    InvalidAnswer,
    PeerRefused,
    PendingRequests,
    result_of,
)
from app_server.transport.base import MessageTooLong, Transport, TransportClosed
from app_server.transport.memory import MemoryTransport
from app_server.transport.process import ProcessTransport
from protocol.base import WireValue
from protocol.catalogue import SERVER_NOTIFICATIONS
from protocol.errors import InvalidRequest, WireError
from protocol.jsonrpc import (
    ErrorObject,
    Notification,
    Request,
    Response,
    decode,
    encode_request,
)
from protocol.lifecycle import (
    INITIALIZE,
    ClientInfo,
    InitializeCapabilities,
    InitializeParams,
    InitializeResponse,
)
from protocol.method import ClientRequest, ServerNotification
from protocol.method import decode as decode_model
from protocol.turn import TURN_START, TurnStartParams

if TYPE_CHECKING:
    from app_server.config import Configuration

__all__ = ["Client", "Handlers", "InvalidAnswer", "ServerError", "ServerGone", "in_process", "spawn"]

P = TypeVar("P", bound=WireValue)
R = TypeVar("R", bound=WireValue)

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
    :param stderr: the end of what it wrote to stderr, masked, where :func:`spawn` was asked to keep it.
    """

    def __init__(self, status: int | None = None, reason: str = "the server is gone", stderr: str = "") -> None:
        why = reason if status is None else f"the server exited with status {status}{_signal_name(status)}"
        super().__init__(f"{why}; the end of its stderr:\n{stderr}" if stderr else why)
        self.status = status
        self.stderr = stderr


class Client:
    """One connection to a server; made by :func:`spawn` or :func:`in_process`."""

    def __init__(
        self,
        transport: Transport,
        answers: Answers,
        tasks: TaskGroup,
        trace: Trace | None = None,
        gone: Callable[[], Awaitable[ServerGone]] | None = None,
    ) -> None:
        self._transport = transport
        self._answers = answers
        self._tasks = tasks
        self._trace = trace
        self._why_gone = gone
        self._declared = {declaration.method: declaration for declaration in SERVER_NOTIFICATIONS}
        self._pending = PendingRequests()
        self._feed = NotificationFeed(MAX_UNREAD)
        self._turns: list[FollowedTurn] = []

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
            self._feed.put(turn.refused())
            raise
        self._feed.put(others)
        if self._feed.ended:
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
                    return params  # type: ignore[no-any-return] # decoded by this very declaration
        raise await self._gone()

    def notifications(self) -> NotificationFeed:
        """Notifications as they come, each with its declaration and its typed params; ends with the connection.

        Those of turns begun with :meth:`start_turn` are not among them. Each is seen once, however often they are
        iterated.
        """
        return self._feed

    async def run(self) -> None:
        """Read until the server closes the connection; the context managers of this module call it."""
        try:
            while (line := await self._receive()) is not None:
                if self._trace is not None:
                    self._trace("received", line)
                await self._take(line)
        finally:
            self._pending.close()
            for turn in self._turns:
                turn.close()
            self._feed.end()

    async def _receive(self) -> bytes | None:
        while True:
            try:
                return await self._transport.receive()
            except MessageTooLong as error:
                log.warning("the server wrote a line that is too long: %s", error)

    async def _gone(self) -> ServerGone:
        return ServerGone() if self._why_gone is None else await self._why_gone()

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
                if not self._pending.resolve(message):
                    log.debug("the server answered a request that nobody waits for")
            case Request():
                self._tasks.start_soon(self._answer, message)
            case Notification():
                self._keep(message)

    def _keep(self, message: Notification) -> None:
        declaration = self._declared.get(message.method)
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
            self._feed.put([(declaration, params)])

    async def _answer(self, request: Request) -> None:
        answer = await self._answers.to(request)
        try:
            await self._send(answer)
        except TransportClosed:
            log.debug("the server is gone; nobody waits for the answer")


def _signal_name(status: int) -> str:
    """What a negative status means, where the system has signals."""
    with suppress(ValueError):
        return f" ({signal.Signals(-status).name})" if status < 0 else ""
    return ""


@asynccontextmanager
async def spawn(
    command: Sequence[str] = (sys.executable, "-m", "app_server"),
    *,
    env: Mapping[str, str] | None = None,
    handlers: Handlers | None = None,
    stderr: int | IO[bytes] | None = None,
    trace: Trace | None = None,
    handler_timeout: float = HANDLER_TIMEOUT,
    stop_timeout: float = STOP_TIMEOUT,
    **named: Unpack[NamedHandlers],
) -> AsyncIterator[Client]:
    """Start a server as a subprocess, and end it with the block.

    :param command: what to start; a string is one word.
    :param env: variables to set besides this process's own.
    :param handlers: what to answer to the server's requests; see ``protocol.catalogue.SERVER_REQUESTS``.
    :param stderr: where its log goes; this process's stderr by default. With ``subprocess.PIPE`` it is read, and its
        end kept for :attr:`ServerGone.stderr`.
    :param trace: sees every line.
    :param handler_timeout: seconds that a handler has before it is cancelled and the server told.
    :param stop_timeout: seconds that the server has to end by itself when the block is left; then it is killed.
    :param named: handlers by name: ``refresh_tokens``, ``tool_call``, ``request_user_input``.
    :raises ServerGone: the command cannot be started.
    """
    answers = Answers(all_handlers(handlers, named), handler_timeout)
    process = await _start([command] if isinstance(command, str) else list(command), env or {}, stderr)
    transport = ProcessTransport(process)

    async def gone() -> ServerGone:
        return ServerGone(await transport.exit_status(), stderr=await transport.last_words())

    failure: Exception | None = None
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(transport.watch)
            tasks.start_soon(transport.read_stderr)
            client = Client(transport, answers, tasks, trace, gone)
            tasks.start_soon(client.run)
            try:
                yield client
            except Exception as error:
                failure = error  # raised below, so that it does not come out wrapped in an exception group
            finally:
                with anyio.CancelScope(shield=True):
                    await _stop(process, transport, stop_timeout)
                tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await process.aclose()
    if failure is not None:
        raise failure


async def _start(command: list[str], env: Mapping[str, str], stderr: int | IO[bytes] | None) -> Process:
    try:
        if not command:
            raise ValueError("the command is empty")
        return await anyio.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env={**os.environ, **env}
        )
    except (OSError, ValueError) as error:
        raise ServerGone(reason=f"the server cannot be started: {error}") from error


async def _stop(process: Process, transport: ProcessTransport, timeout: float) -> None:
    await transport.aclose()
    with anyio.move_on_after(timeout) as deadline:
        await process.wait()
    if deadline.cancelled_caught:
        process.kill()


@asynccontextmanager
async def in_process(
    configuration: "Configuration",
    *,
    handlers: Handlers | None = None,
    trace: Trace | None = None,
    handler_timeout: float = HANDLER_TIMEOUT,
    **named: Unpack[NamedHandlers],
) -> AsyncIterator[Client]:
    """Run a server in this event loop, without a subprocess, and end it with the block.

    :param configuration: from :func:`app_server.config.load_configuration`.
    :param handlers, trace, handler_timeout, named: as for :func:`spawn`.
    """
    from app_server.compose import serve  # noqa: PLC0415 - a parent that spawns has no use for the server's modules

    server_end, client_end = MemoryTransport.pair(configuration.settings.max_line_bytes)
    answers = Answers(all_handlers(handlers, named), handler_timeout)
    failure: Exception | None = None
    ended = anyio.Event()

    async def run_server() -> None:
        try:
            await serve(server_end, configuration)
        except Exception:
            # To the client it is a server that has died, as a subprocess would have.
            log.exception("the server failed")
            await server_end.aclose()
        finally:
            ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_server)
        client = Client(client_end, answers, tasks, trace)
        tasks.start_soon(client.run)
        try:
            yield client
        except Exception as error:
            failure = error  # raised below, so that it does not come out wrapped in an exception group
        finally:
            with anyio.CancelScope(shield=True):
                await client_end.aclose()
                # Its own drain has a deadline; handlers that still run would have none.
                await ended.wait()
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
