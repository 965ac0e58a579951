"""The listener, and the connections that it has accepted."""

import errno
import logging
import socket
import sys
from typing import Final

import anyio
from anyio.abc import SocketStream, TaskStatus

from app_server.http_server.connection import Connection, Limits
from app_server.http_server.messages import Handler

_log = logging.getLogger(__name__)

_BACKLOG: Final = 256
_OUT_OF_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def bind_loopback(port: int) -> socket.socket:
    """A non-blocking socket that listens on 127.0.0.1.

    :param port: 0 lets the system choose one; ``getsockname()[1]`` tells which.
    :raises OSError: as the system raised it: EADDRINUSE for a busy port, EACCES for a reserved one.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # There, SO_REUSEADDR would let another program steal the port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            # A connection of an earlier flow in TIME_WAIT must not keep the port busy.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


class HttpServer:
    """Answers requests by one handler.

    A handler that raises is answered for with 500 and no detail; the log names the exception's type and place
    but not its text, which may quote the request.
    """

    def __init__(self, handler: Handler, limits: Limits | None = None) -> None:
        self._handler = handler
        self._limits = limits or Limits()
        self._connections: dict[Connection, None] = {}  # ordered by since when they have been waiting

    async def serve(
        self, listener: socket.socket, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; then the listener and all connections are closed before this returns.

        :param listener: from ``bind_loopback``; owned by the server from now on.
        """
        async with anyio.create_task_group() as tasks:
            try:
                task_status.started()
                while True:
                    stream = await self._accept(listener)
                    if stream is None:
                        continue
                    if len(self._connections) >= self._limits.connections and not self._evict():
                        # Every connection is being answered: the newcomer is the one who can come again.
                        await _close(stream)
                        continue
                    connection = Connection(stream, self._handler, self._limits, self._mark_waiting)
                    self._connections[connection] = None
                    tasks.start_soon(self._run, connection)
            finally:
                listener.close()

    async def _accept(self, listener: socket.socket) -> SocketStream | None:
        # Not anyio's own listener: cancelling its accept() can lose a socket between accepting and wrapping it.
        await anyio.wait_readable(listener)
        try:
            accepted, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return None
        except OSError as error:
            if error.errno not in _OUT_OF_RESOURCES:
                raise
            _log.warning("cannot accept a connection: %s", errno.errorcode.get(error.errno, "?"))
            self._evict()
            await anyio.sleep(0.05)  # the backlog stays readable: without a pause this would spin
            return None
        try:
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with anyio.CancelScope(shield=True):
                stream = await SocketStream.from_socket(accepted)
        except (OSError, ValueError):  # it was reset before we looked at it
            accepted.close()
            return None
        return stream

    def _evict(self) -> bool:
        for connection in self._connections:
            if connection.waiting:
                del self._connections[connection]
                connection.scope.cancel()
                return True
        return False

    def _mark_waiting(self, connection: Connection) -> None:
        if connection in self._connections:  # an evicted one must not come back
            del self._connections[connection]
            self._connections[connection] = None

    async def _run(self, connection: Connection) -> None:
        try:
            with connection.scope:
                await connection.run()
        finally:
            self._connections.pop(connection, None)
            await _close(connection.stream)


async def _close(stream: SocketStream) -> None:
    with anyio.CancelScope(shield=True):
        await stream.aclose()
