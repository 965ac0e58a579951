"""One client's life: reading, the handshake, admitting requests, answering them, and the orderly end.

    transport.receive -> jsonrpc.decode -> router.resolve -> lane -> handler -> Reply -> outgoing

The reading path never waits for a handler or for a client's answer. It pauses only when more is admitted than
``Backlog`` allows; that bound is generous, because the answer to a request of ours may stand behind it in the pipe.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from anyio.abc import TaskGroup

from app_server.lanes import Backlog, Lane
from app_server.outgoing import Outgoing
from app_server.router import Call, Deferred, Reply, Router, as_wire_error, require_experimental_api
from app_server.session import Session
from app_server.transport.base import MessageTooLong, Transport, TransportClosed
from protocol.errors import AlreadyInitialized, InternalError, InvalidRequest, NotInitialized, WireError
from protocol.jsonrpc import MalformedRequest, Notification, Request, RequestId, Response, decode
from protocol.lifecycle import INITIALIZED
from protocol.method import Scope

log = logging.getLogger(__name__)


class Connection:
    """Serves one client until it goes.

    :param transport: where its messages come from; what goes to it goes through ``outgoing``.
    :param session: what the handshake settles, shared with the handlers.
    :param max_concurrent: requests outside the account queue that run at once.
    :param max_backlog_bytes: bytes of requests that may be admitted before reading pauses.
    :param drain_timeout: seconds that requests already received have to finish once the client has closed its side.
    :param closing: called once the client has closed its side, before the last answers are waited for.
    :param finish: waits for what must not be torn off, within the same time.
    """

    def __init__(
        self,
        transport: Transport,
        outgoing: Outgoing,
        router: Router,
        session: Session,
        *,
        max_concurrent: int,
        max_backlog_bytes: int,
        drain_timeout: float,
        closing: Callable[[], None] = lambda: None,
        finish: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._transport = transport
        self._outgoing = outgoing
        self._router = router
        self._session = session
        self._max_concurrent = max_concurrent
        self._drain_timeout = drain_timeout
        self._closing = closing
        self._finish_services = finish
        self._backlog = Backlog(max_backlog_bytes)
        self._lanes: dict[Scope, Lane] = {}
        self._running: dict[int, Call] = {}
        self._ending = anyio.Event()
        self.received = 0
        """Requests with a usable id; each is answered, has failed, or is in flight."""
        self.answered = 0
        self.failed = 0

    @property
    def in_flight(self) -> int:
        """Requests that have been admitted and not answered."""
        return self._backlog.calls

    @property
    def queued_bytes(self) -> int:
        """What they count as; see :class:`Backlog`."""
        return self._backlog.bytes

    @property
    def lanes(self) -> Mapping[Scope, Lane]:
        """Where they wait and run."""
        return self._lanes

    def end(self) -> None:
        """Read no more; answer what was received; then :meth:`run` returns."""
        self._ending.set()

    async def run(self, answered: Request | None = None) -> None:
        """Serve until the client closes its side, stops reading, or :meth:`end` is called.

        :param answered: an ``initialize`` whose answer has been sent; what follows the answer has not.
        """
        async with anyio.create_task_group() as tasks:
            self._lanes = {
                Scope.ACCOUNT: Lane(1, tasks, self._carry_out, self._finish),
                Scope.CONCURRENT: Lane(self._max_concurrent, tasks, self._carry_out, self._finish),
            }
            tasks.start_soon(self._write)
            if answered is not None:
                await self._adopt_handshake(answered)
            await self._read_until_end()
            await self._drain(tasks)

    async def _write(self) -> None:
        try:
            await self._outgoing.run()
        except TransportClosed:
            self._outgoing.close()
            self._ending.set()

    async def _read_until_end(self) -> None:
        async with anyio.create_task_group() as readers:

            async def until(ended: Any) -> None:
                await ended()
                readers.cancel_scope.cancel()

            readers.start_soon(until, self._ending.wait)
            readers.start_soon(until, self._transport.wait_closed)
            readers.start_soon(until, self._input_overdue)
            await self._read()
            readers.cancel_scope.cancel()

    async def _input_overdue(self) -> None:
        """The client has closed its side, and what it sent could not be read in time, because it takes no answers."""
        await self._transport.wait_input_ended()
        await anyio.sleep(self._drain_timeout)

    async def _read(self) -> None:
        while True:
            await self._backlog.room()
            line = await self._receive()
            if line is None:
                return
            await self._take(line)

    async def _take_received(self) -> None:
        """Take in the lines that were read before the end was asked for, and read no more."""
        line: bytes | None = b""
        while line is not None:
            await self._take(line)
            line = None
            with anyio.CancelScope() as at_once:
                at_once.cancel()
                line = await self._receive()

    async def _receive(self) -> bytes | None:
        """The next line, None at the end; a blank one in place of one that was too long and has been refused."""
        try:
            return await self._transport.receive()
        except MessageTooLong as error:
            await self._refuse(None, InvalidRequest(f"Invalid request: {error}"))
            return b""

    async def _take(self, line: bytes) -> None:
        if not line or line.isspace():
            return
        try:
            message = decode(line)
        except MalformedRequest as error:
            self.received += 1
            await self._refuse(error.request_id, error)
            return
        except WireError as error:
            log.debug("a line was refused: %s", error.message)
            await self._refuse(None, error)
            return
        match message:
            case Request():
                await self._admit(message, len(line))
            case Response():
                self._outgoing.resolve(message)
            case Notification(method=method) if method != INITIALIZED.method:
                log.debug("ignored an unknown notification")

    async def _refuse(self, request_id: RequestId | None, error: WireError) -> None:
        """Answer with an error at once. Nothing but the reading itself bounds how many of these there are."""
        if request_id is not None:
            self.failed += 1
        self._outgoing.fail(request_id, error)
        await self._outgoing.room()

    async def _admit(self, request: Request, size: int) -> None:
        self.received += 1
        try:
            call = self._router.resolve(request, size)
            scope = call.declaration.scope
            if scope is Scope.HANDSHAKE:
                if self._session.initialized:
                    raise AlreadyInitialized
            elif not self._session.initialized:
                raise NotInitialized
            require_experimental_api(call, self._session.experimental_api)
        except WireError as error:
            await self._refuse(request.id, error)
            return
        self._backlog.enter(call)
        call.scope.begin()
        if scope is Scope.HANDSHAKE:
            await self._carry_out(call)
        else:
            self._lanes[scope].admit(call)

    async def _adopt_handshake(self, answered: Request) -> None:
        self.received += 1
        self.answered += 1
        outcome = await self._router.carry_out(self._router.resolve(answered, 0))
        if isinstance(outcome, Reply):
            _follow_up(outcome)

    async def _carry_out(self, call: Call) -> Deferred[Any] | None:
        self._running[id(call)] = call
        with call.scope:
            try:
                await self._outgoing.room()
                outcome = await self._router.carry_out(call)
            except Exception as error:
                self._answer_error(call, error)
                return None
            if isinstance(outcome, Deferred):
                return outcome
            self._answer(call, outcome)
        return None

    async def _finish(self, call: Call, deferred: Deferred[Any]) -> None:
        with call.scope:
            try:
                reply = await deferred.finish()
            except Exception as error:
                self._answer_error(call, error)
            else:
                self._answer(call, reply)

    def _answer(self, call: Call, reply: Reply[Any]) -> None:
        if id(call) not in self._running:
            return  # it came too late: the drain has answered
        try:
            self._outgoing.respond(call.id, reply.result)
        except Exception as error:
            self._answer_error(call, error)
            return
        self.answered += 1
        self._forget(call)
        _follow_up(reply)

    def _answer_error(self, call: Call, error: Exception) -> None:
        if id(call) in self._running:
            told = as_wire_error(error)
            self._outgoing.fail(call.id, told)
            self.failed += 1
            self._forget(call, told.code)

    def _forget(self, call: Call, error_code: int | None = None) -> None:
        del self._running[id(call)]
        self._backlog.leave(call)
        call.scope.end(error_code)

    async def _drain(self, tasks: TaskGroup) -> None:
        """Answer what was received, within the time there is; what is then left gets an error."""
        self._outgoing.refuse_answers()
        self._closing()
        with anyio.move_on_after(self._drain_timeout) as deadline:
            await self._take_received()
            await self._backlog.empty()
            if self._finish_services is not None:
                await self._finish_services()
        if deadline.cancelled_caught:
            unanswered = [*self._running.values(), *(call for lane in self._lanes.values() for call in lane.abandon())]
            self._running.clear()
            for call in unanswered:
                self._outgoing.fail(call.id, InternalError("the server is shutting down"))
                call.scope.end(InternalError.code)
        with anyio.move_on_after(1):
            await self._outgoing.flush()
        tasks.cancel_scope.cancel()


def _follow_up(reply: Reply[Any]) -> None:
    try:
        reply.then()
    except Exception:
        # The answer is out; this fault of ours is nobody's business but the log's.
        log.exception("internal error after answering a request")
