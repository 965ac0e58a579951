"""The Responses API: one request, and its answer as batches of decoded events.

An attempt includes what nobody is told of: the silent resends of the request, and one recovery from a 401. What the
events mean, and beginning a broken stream again, is the turn's business (``retries`` says when).
"""

import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, suppress
from typing import Any, Final

import anyio

from app_server.auth.credentials import ApiKey, Credential
from app_server.auth.errors import RecoveryFailed, SignedOut
from app_server.auth.manager import AuthManager
from app_server.backend import response_failures as failures
from app_server.backend.authorized import AuthorizedHttp, require_same_account
from app_server.backend.event_stream import EventStream, EventTooLarge
from app_server.backend.http import HttpClient, UpstreamUnreachable
from app_server.backend.http_stream import HttpStream, StreamBroken
from app_server.backend.providers import Endpoint, at_origin, base_url, endpoint, is_chatgpt, url_of
from app_server.backend.response_failures import UpstreamFailure
from app_server.backend.retries import Resends, Uniform
from app_server.backend.routing import NO_CONSTRAINT, RoutingError, WorkspaceRouting
from app_server.config.settings import Settings
from protocol.json_codec import dumps

DRAIN_TIMEOUT: Final = 0.1
"""Seconds that an upstream has, after the last event, to end its answer, so that the connection can be used again."""

_LAST: Final = frozenset({"response.completed", "response.failed", "response.incomplete"})


class AccountPin:
    """Holds a turn to the account that its first request was made for. A request that would go to another one fails
    instead (wire.md section 15.13); one for each turn."""

    def __init__(self) -> None:
        self._begun = False
        self._credential: Credential | None = None

    def check(self, credential: Credential | None) -> None:
        """Take the account of the first request, or compare with it.

        :raises RecoveryFailed: it is another account, or none any more.
        """
        if self._begun and self._credential is not None:
            if credential is None:
                raise SignedOut
            require_same_account(self._credential, credential)
        self._begun = True
        self._credential = credential


class ResponseStream:
    """The answer to one request.

    :param headers: of the answer, names in any case.
    """

    def __init__(self, answer: HttpStream) -> None:
        self._answer = answer
        self._batches = self._read()
        self.headers = answer.headers

    def batches(self) -> AsyncGenerator[list[dict[str, Any]], None]:
        """The events, one list for each piece of the stream in which some end, up to ``response.completed``. To be
        iterated over once.

        Deal with the list that has ``response.completed`` before asking on: the end of the answer is then waited for,
        up to :data:`DRAIN_TIMEOUT`.

        :raises UpstreamFailure: the response failed or is incomplete, the stream broke off, ended early, or fell
            silent; everything that came before has been yielded by then.
        """
        return self._batches

    async def _read(self) -> AsyncGenerator[list[dict[str, Any]], None]:
        parser = EventStream()
        said: str | None = None
        try:
            async with aclosing(self._answer.chunks()) as chunks:
                async for chunk in chunks:
                    events = parser.feed(chunk)
                    end, error = _look_through(events)
                    if end is None:
                        said = error or said
                        if events:
                            yield events
                        continue
                    if (failure := _failure_of(events[end])) is None:
                        yield events[: end + 1]
                        await _drain(chunks)
                        return
                    if end:
                        yield events[:end]
                    raise failure
        except StreamBroken as error:
            raise failures.broken(error) from None
        except EventTooLarge:
            raise failures.unreadable() from None
        raise failures.ended_early(said)


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    with anyio.move_on_after(DRAIN_TIMEOUT), suppress(StreamBroken):
        async for _ in chunks:
            pass


def _look_through(events: list[dict[str, Any]]) -> tuple[int | None, str | None]:
    """Where the event is that ends the response, and what an error in the stream says. Such an error is by itself no
    end: it says why, should the stream end without one."""
    said = None
    for place, event in enumerate(events):
        kind = event["type"]
        if kind in _LAST:
            return place, said
        if kind == "error":
            said = failures.error_text(event)
    return None, said


class ResponsesApi:
    """Sends requests to model providers. A thread can have some of its own: each request brings its settings.

    :param client: for providers that have nothing to do with this server's login.
    :param http: for those that require it.
    :param auth: owns the login.
    :param routing: knows the backend of a ChatGPT workspace.
    :param environ: holds the keys of providers.
    :param uniform: draws the jitter of delays.
    """

    def __init__(
        self,
        client: HttpClient,
        http: AuthorizedHttp,
        auth: AuthManager,
        routing: WorkspaceRouting,
        environ: Mapping[str, str],
        uniform: Uniform = random.uniform,
    ) -> None:
        self._client = client
        self._http = http
        self._auth = auth
        self._routing = routing
        self._environ = environ
        self._uniform = uniform
        self.resends = 0
        """Requests that were sent again because their stream had not begun."""

    @asynccontextmanager
    async def open(
        self,
        settings: Settings,
        provider_id: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        pin: AccountPin | None = None,
    ) -> AsyncIterator[ResponseStream]:
        """Ask for a response and wait for its stream to begin.

        :param settings: those of the thread.
        :param provider_id: one of their providers.
        :param body: the request, which is JSON.
        :param headers: besides those that the provider, the login and the client bring.
        :param pin: of the turn; None lets each request go to whoever is logged in.
        :raises UpstreamFailure: there is no stream.
        """
        target = endpoint(settings, provider_id, headers, self._environ)
        content = dumps(body)
        resends = Resends(target.provider, self._uniform)
        async with AsyncExitStack() as opened:
            while True:
                try:
                    answer = await self._send(opened, settings, target, content, pin)
                except UpstreamFailure as failure:
                    seconds = resends.after(failure)
                    if seconds is None:
                        raise
                    self.resends += 1
                else:
                    break
                await opened.aclose()
                await anyio.sleep(seconds)
            stream = ResponseStream(answer)
            async with aclosing(stream.batches()):
                yield stream

    async def _send(
        self, opened: AsyncExitStack, settings: Settings, target: Endpoint, content: bytes, pin: AccountPin | None
    ) -> HttpStream:
        try:
            credential = await self._credential(pin) if target.wants_login else None
            answer = await opened.enter_async_context(await self._request(settings, target, credential, content))
        except UpstreamUnreachable as error:
            raise failures.unreachable(error) from None
        except RoutingError as error:
            raise failures.unrouted(error) from None
        except RecoveryFailed as error:
            raise failures.unrecovered(error) from None
        if not 200 <= answer.status < 300:
            raise await failures.refused(answer, logged_in=credential is not None or not target.wants_login)
        return answer

    async def _credential(self, pin: AccountPin | None) -> Credential | None:
        credential = await self._auth.current()
        if pin is not None:
            pin.check(credential)
        return credential

    async def _request(
        self, settings: Settings, target: Endpoint, credential: Credential | None, content: bytes
    ) -> AbstractAsyncContextManager[HttpStream]:
        provider, headers = target.provider, target.headers
        idle_timeout = provider.stream_idle_timeout_ms / 1000
        base = base_url(settings, provider, credential)
        if credential is None:
            return self._client.stream(
                url_of(base, provider), headers=headers, content=content, idle_timeout=idle_timeout
            )
        if not isinstance(credential, ApiKey) and is_chatgpt(settings, base):
            routing = await self._routing.find(credential)
            require_same_account(credential, routing.credential)
            credential = routing.credential
            base = at_origin(base, routing.backend_origin)
            if routing.override != NO_CONSTRAINT:
                headers = {**headers, "x-openai-account-routing-override": routing.override}
        return self._http.stream(
            url_of(base, provider), credential, headers=headers, content=content, idle_timeout=idle_timeout
        )


def _failure_of(event: Mapping[str, Any]) -> UpstreamFailure | None:
    """What the last event of a response tells of, if it is a failure."""
    if event["type"] == "response.failed":
        return failures.response_failed(event)
    if event["type"] == "response.incomplete":
        return failures.response_incomplete(event)
    response = event.get("response")
    if not isinstance(response, dict):
        return failures.ended_early()
    return None if (problem := _lacking(response)) is None else failures.unparsable(problem)


def _lacking(response: Mapping[str, Any]) -> str | None:
    """What a completed response must have and does not."""
    usage = response.get("usage")
    if isinstance(usage, dict):
        for name in ("input_tokens", "output_tokens", "total_tokens"):
            if name not in usage:
                return f"missing field `{name}`"
            if not isinstance(usage[name], int):
                return f"invalid type of `{name}`"
    return None if isinstance(response.get("id"), str) else "missing field `id`"
