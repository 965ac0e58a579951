"""Requests that one side has sent and not got an answer to: a map from id to whoever waits.

The server uses it for what it asks its client, the Python client for what it asks the server.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio

from app_server.flight import Flight
from protocol.base import WireValue
from protocol.errors import InvalidRequest
from protocol.jsonrpc import ErrorObject, Response
from protocol.method import ClientRequest, ServerRequest, decode

P = TypeVar("P", bound=WireValue)
R = TypeVar("R", bound=WireValue)


class RequestFailed(Exception):
    """Base of the ways in which a request ends without a usable result."""


class PeerRefused(RequestFailed):
    """The peer answered with a JSON-RPC error.

    :param error: its code, message and data.
    """

    def __init__(self, error: ErrorObject) -> None:
        super().__init__(f"the peer answered with error {error.code}")
        self.error = error


class AnswerTimedOut(RequestFailed):
    """The peer did not answer in time.

    :param seconds: how long it had.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:g} s")
        self.seconds = seconds


class ConnectionClosed(RequestFailed):
    """The peer is gone, or going."""

    def __init__(self) -> None:
        super().__init__("the connection is closed")


class InvalidAnswer(RequestFailed):
    """The peer's result does not fit the declared model."""


class PendingRequests:
    """Ids are integers counted from 0 in one counter, whatever is asked (wire.md section 2)."""

    def __init__(self) -> None:
        self._next_id = 0
        self._flights: dict[int, Flight[Response]] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._flights)

    @contextmanager
    def open(self) -> Iterator[tuple[int, Flight[Response]]]:
        """A new id and its answer to come; leaving the block forgets the id, whatever ended the wait.

        :raises ConnectionClosed: nobody will answer any more.
        """
        if self._closed:
            raise ConnectionClosed
        request_id = self._next_id
        self._next_id += 1
        flight = self._flights[request_id] = Flight()
        try:
            yield request_id, flight
        finally:
            self._flights.pop(request_id, None)

    def resolve(self, response: Response) -> bool:
        """Hand an answer to whoever waits for it; returns whether anybody did."""
        # A bool is an int to Python and would find the request with id 0 or 1.
        flight = self._flights.pop(response.id, None) if type(response.id) is int else None
        if flight is not None:
            flight.succeed(response)
        return flight is not None

    def close(self) -> None:
        """Fail all that wait, and everything that is asked later."""
        self._closed = True
        for flight in self._flights.values():
            flight.fail(ConnectionClosed())


async def result_of(
    declaration: ClientRequest[P, R] | ServerRequest[P, R], flight: Flight[Response], timeout: float
) -> R:
    """Wait for the answer and decode its result.

    :param timeout: seconds to wait.
    :raises PeerRefused: the peer answered with an error.
    :raises AnswerTimedOut: no answer in time.
    :raises ConnectionClosed: the peer is gone.
    :raises InvalidAnswer: the result does not fit the declared model.
    """
    try:
        with anyio.fail_after(timeout):
            answer = await flight.outcome()
    except TimeoutError:
        raise AnswerTimedOut(timeout) from None
    if answer.error is not None:
        raise PeerRefused(answer.error)
    try:
        # Not quoted: what was sent in place of the result can be a token all the same.
        return decode(declaration.result, answer.result, quote=False)
    except InvalidRequest as error:
        raise InvalidAnswer(error.message) from None
