"""What goes wrong on demand: declared per route, taken by the next requests that match, in the order declared.

A fault says which requests it is for (``route``, ``token``, ``contains``, ``authorized``, ``skip``, ``times``) and what
happens to them, in this order: a delay, a hang, a dropped connection, an answer of its own. A fault without an answer
of its own lets the request through after the delay or hang; the stream that it gets then may drop, end or hang at any
event or byte (``streaming``).
"""

import itertools
import re
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal, Self

import anyio
import orjson
from anyio.abc import TaskGroup
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app_server.http_server import DropConnection, Request, Response

_MAX_FAULTS: Final = 1000
_IN_STREAM: Final = tuple(
    f"{effect}_{place}"
    for effect in ("drop", "end", "hang")
    for place in ("after_events", "inside_event", "after_bytes")
)
_MALFORMED: Final = b'{"id": "this JSON ends too early", "object": '


def _check_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not re.fullmatch(r"[\t\x20-\x7e]*", value):
            raise ValueError(f"{name!r} is no header that could be sent")
    return headers


def _check_json(value: Any) -> Any:
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise ValueError(f"it cannot be written as JSON: {error}") from None
    return value


HeaderMap = Annotated[dict[str, str], AfterValidator(_check_headers)]
Json = Annotated[Any, AfterValidator(_check_json)]


class Fault(BaseModel):
    """One thing that goes wrong. Unknown members are refused, so that a typing error cannot pass for a fault."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    route: str
    """Name of a route, or ``*`` for all."""
    times: int | None = Field(default=1, ge=1)
    """How many requests it is for; None: until reset."""
    skip: int = Field(default=0, ge=0)
    """How many matching requests pass before the first it is for."""
    token: str | None = None
    """Only requests with this bearer token."""
    contains: str | None = None
    """Only requests whose target or body contains this text."""
    authorized: bool = False
    """Only requests that the route would not answer with 401."""
    when: Literal["before", "after"] = "before"
    """``after``: the route does its work first (a token is spent, say), and only its answer is replaced or lost."""

    delay: float = Field(default=0.0, ge=0)
    """Seconds before anything else happens."""
    hang: bool = False
    """Nothing happens until released or the client is gone."""
    drop: bool = False
    """The connection is closed without an answer."""

    # Places in a stream: after so many events (0: after the headers), in the middle of the event that follows so
    # many, after so many bytes of the body. A place beyond the end is the end: after the last event.
    drop_after_events: int | None = Field(default=None, ge=0)
    """A stream breaks off after so many events: the connection is closed."""
    drop_inside_event: int | None = Field(default=None, ge=0)
    """The same in the middle of the event after so many."""
    drop_after_bytes: int | None = Field(default=None, ge=0)
    """The same after so many bytes."""
    end_after_events: int | None = Field(default=None, ge=0)
    """A stream ends after so many events as if it were complete: the answer is, in HTTP's terms."""
    end_inside_event: int | None = Field(default=None, ge=0)
    """The same in the middle of the event after so many."""
    end_after_bytes: int | None = Field(default=None, ge=0)
    """The same after so many bytes."""
    hang_after_events: int | None = Field(default=None, ge=0)
    """A stream stops after so many events until released, and then goes on."""
    hang_inside_event: int | None = Field(default=None, ge=0)
    """The same in the middle of the event after so many."""
    hang_after_bytes: int | None = Field(default=None, ge=0)
    """The same after so many bytes."""

    status: int | None = Field(default=None, ge=200, le=599)
    retry_after: float | None = Field(default=None, ge=0)
    """``Retry-After`` in seconds; alone it means status 429."""
    headers: HeaderMap = {}
    json_body: Json = Field(default=None, alias="json")
    """The answer's body as a JSON value."""
    body: str | None = None
    """The answer's body as text."""
    malformed: bool = False
    """The answer's body is JSON that ends too early."""

    @model_validator(mode="after")
    def _has_an_effect_and_one_body(self) -> Self:
        if sum((self.json_body is not None, self.body is not None, self.malformed)) > 1:
            raise ValueError("give one of json, body and malformed")
        if not (self.delay or self.hang or self.drop or self.breaks_stream or self.answers):
            raise ValueError("nothing goes wrong: give one of delay, hang, drop, …_after_events, status, body, …")
        return self

    @property
    def breaks_stream(self) -> bool:
        """Whether it is for the middle of a stream."""
        return any(getattr(self, name) is not None for name in _IN_STREAM)

    @property
    def answers(self) -> bool:
        """Whether it brings an answer of its own."""
        return not (self.status is self.retry_after is self.json_body is self.body is None and not self.malformed)

    def answer(self) -> Response:
        """The answer of its own."""
        limited = self.retry_after is not None
        given = self.malformed or self.body is not None or self.json_body is not None
        status = self.status or (429 if limited else 200)
        headers = {"content-type": "application/json"}
        if self.body is not None:
            headers["content-type"] = "text/plain; charset=utf-8"
        if self.retry_after is not None:
            headers["retry-after"] = f"{self.retry_after:g}"
        headers |= {name.lower(): value for name, value in self.headers.items()}
        if self.malformed:
            body = _MALFORMED
        elif self.body is not None:
            body = self.body.encode()
        else:
            body = orjson.dumps(self.json_body if given else _default_body(status))
        return Response(status, tuple(headers.items()), b"" if status in (204, 304) else body)


class FaultBook:
    """The faults that are waiting, and the requests that hang."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._released = anyio.Event()
        self._hanging = 0
        self._hangs = anyio.Event()

    def add(self, fault: Fault) -> None:
        """Declare a fault.

        :raises ValueError: a thousand are waiting already.
        """
        if len(self._waiting) >= _MAX_FAULTS:
            raise ValueError(f"{_MAX_FAULTS} faults are waiting already")
        self._waiting.append(_Waiting(fault))

    def clear(self) -> None:
        """Forget all faults and release what hangs."""
        self._waiting.clear()
        self.release()

    def release(self) -> None:
        """Let everything that hangs at this moment go on."""
        self._released.set()
        self._released = anyio.Event()

    async def wait_hanging(self, count: int, timeout: float) -> None:
        """Wait until so many requests hang, those that do already included.

        :param timeout: seconds.
        :raises TimeoutError: with how many hang instead.
        """
        with anyio.move_on_after(timeout):
            while self._hanging < count:
                await self._hangs.wait()
            return
        raise TimeoutError(f"{count} did not hang in {timeout:g} s; {self._hanging} do")

    def take(self, route: str, bearer: str | None, request: Request, *, authorized: bool) -> Fault | None:
        """The first waiting fault for this request, used up by one."""
        for waiting in self._waiting:
            fault = waiting.fault
            if not _is_for(fault, route, bearer, request, authorized) or next(waiting.seen) < fault.skip:
                continue
            waiting.left -= 1
            if waiting.left == 0 and fault.times is not None:
                self._waiting.remove(waiting)
            return fault
        return None

    async def enact(self, fault: Fault, request: Request) -> Response | None:
        """Let it happen; its own answer, or None when the route is to answer.

        :raises DropConnection: it drops the connection, or the client was gone before a hang was released.
        """
        if fault.delay:  # without one, whoever has seen the request recorded can release it: it hangs already
            await anyio.sleep(fault.delay)
        if fault.hang:
            await self.hang(request)
        if fault.drop:
            raise DropConnection
        return fault.answer() if fault.answers else None

    async def hang(self, request: Request) -> None:
        """Wait to be released.

        :raises DropConnection: the client was gone first.
        """
        released = self._released

        async def watch(tasks: TaskGroup) -> None:
            await request.wait_disconnected()
            tasks.cancel_scope.cancel()

        self._hanging += 1
        self._hangs.set()
        self._hangs = anyio.Event()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(watch, tasks)
                await released.wait()
                tasks.cancel_scope.cancel()
        finally:
            self._hanging -= 1
        if not released.is_set():
            raise DropConnection


class _Waiting:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.left = fault.times or 0
        self.seen = itertools.count()


def _is_for(fault: Fault, route: str, bearer: str | None, request: Request, authorized: bool) -> bool:
    return (
        fault.route in ("*", route)
        and (fault.token is None or fault.token == bearer)
        and (authorized or not fault.authorized)
        and (fault.contains is None or fault.contains in request.target or fault.contains.encode() in request.body)
    )


def _default_body(status: int) -> dict[str, Any]:
    code = {401: "token_expired", 429: "rate_limit_exceeded", 503: "server_is_overloaded"}.get(status, "fault")
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": f"Injected fault: {status}.", "type": kind, "param": None, "code": code}}


def check_route(fault: Fault, names: Iterable[str]) -> None:
    """Refuse a fault that could never happen.

    :raises ValueError: its route is none of these, or is no stream and it is for the middle of one.
    """
    known = ["*", *names]
    if fault.route not in known:
        raise ValueError(f"unknown route {fault.route!r}, expected one of {', '.join(known)}")
    if fault.breaks_stream and fault.route not in ("*", "responses"):
        raise ValueError(f"route {fault.route!r} does not stream: {', '.join(_IN_STREAM)} are for 'responses'")
