"""What this server is busy with: the counts of those who keep them, by name, for ``server/diagnostics``.

Each service counts for itself, in plain integers; they are read here when somebody asks.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.auth.manager import AuthManager
from app_server.auth.refresh_counts import RefreshCounts
from app_server.backend.http import HttpClient
from app_server.outgoing import Outgoing
from app_server.version import __version__
from protocol.diagnosis import ServerDiagnosticsGauge, ServerDiagnosticsProcess, ServerDiagnosticsResponse

if TYPE_CHECKING:
    from app_server.connection import Connection
    from app_server.conversations import Conversations


class ServerDiagnostics:
    """Reads the counts.

    :param connection: the client's; it is there by the time somebody asks.
    :param conversations: None until the client has asked for one.
    """

    def __init__(
        self,
        outgoing: Outgoing,
        auth: AuthManager,
        client: HttpClient,
        connection: "Callable[[], Connection]",
        conversations: "Callable[[], Conversations | None]",
    ) -> None:
        self._outgoing = outgoing
        self._auth = auth
        self._client = client
        self._connection = connection
        self._conversations = conversations
        self._begun = time.monotonic()

    def report(self) -> ServerDiagnosticsResponse:
        """Everything there is to count, as it is now."""
        return ServerDiagnosticsResponse(
            process=ServerDiagnosticsProcess(id=os.getpid(), resident_memory_bytes=_resident_memory()),
            gauges=_named(self._gauges()),
            counters=_named(self._counters()),
            version=__version__,
            uptime_ms=round((time.monotonic() - self._begun) * 1000),
        )

    def _gauges(self) -> Mapping[str, int]:
        connection, conversations = self._connection(), self._conversations()
        lanes = {
            f"app.lanes.{scope.value}.{name}": value
            for scope, lane in connection.lanes.items()
            for name, value in (("waiting", lane.waiting), ("running", lane.running), ("deferred", lane.deferred))
        }
        return {
            "app.requests.in_flight": connection.in_flight,
            "app.requests.queued_bytes": connection.queued_bytes,
            **lanes,
            "app.output.queued_bytes": self._outgoing.queued_bytes,
            "app.server_requests.unanswered": self._outgoing.unanswered,
            "app.upstream.in_flight": self._client.in_flight,
            "app.threads.loaded": 0 if conversations is None else len(conversations.threads),
            "app.turns.running": 0 if conversations is None else conversations.turns.counts.running,
        }

    def _counters(self) -> Mapping[str, int]:
        connection, conversations = self._connection(), self._conversations()
        turns = None if conversations is None else conversations.turns.counts
        return {
            "app.requests.received": connection.received,
            "app.requests.answered": connection.answered,
            "app.requests.failed": connection.failed,
            **dict(_refreshes("parent", self._auth.parent_refreshes)),
            **dict(_refreshes("managed", self._auth.managed_refreshes)),
            "app.retries.request": 0 if conversations is None else conversations.api.resends,
            "app.retries.stream": 0 if turns is None else turns.retried,
            "app.turns.started": 0 if turns is None else turns.started,
            "app.turns.completed": 0 if turns is None else turns.completed,
            "app.turns.interrupted": 0 if turns is None else turns.interrupted,
            "app.turns.failed": 0 if turns is None else turns.failed,
            "app.upstream.requests": self._client.requests,
            "app.upstream.unanswered": self._client.unanswered,
        }


def _refreshes(kind: str, counts: RefreshCounts) -> Iterator[tuple[str, int]]:
    yield f"app.refreshes.{kind}.asked", counts.asked
    yield f"app.refreshes.{kind}.succeeded", counts.succeeded
    yield f"app.refreshes.{kind}.failed", counts.failed


def _named(values: Mapping[str, int]) -> list[ServerDiagnosticsGauge]:
    return [ServerDiagnosticsGauge(name=name, value=value) for name, value in values.items()]


def _resident_memory() -> int | None:
    """In bytes; None where there is no ``/proc`` (proc(5))."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
