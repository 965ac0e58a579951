"""Which path leads where, and who may go there: the table of routes, bearer tokens, and the shapes of answers.

The routes themselves are in ``issuer``, ``backend`` and ``responses``; which tokens are good is in ``state``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import orjson

from app_server.fake_openai.expiries import Expiry
from app_server.fake_openai.faults import Fault
from app_server.fake_openai.state import State, Verdict
from app_server.fake_openai.tokens import Account
from app_server.http_server import Request, Response

UNKNOWN_ROUTE: Final = "unknown"
"""Name under which requests for paths that lead nowhere are recorded and can be faulted."""

_REASONS: Final = {
    Verdict.EXPIRED: "Provided authentication token is expired. Please try signing in again.",
    Verdict.REVOKED: "Provided authentication token was revoked. Please try signing in again.",
    Verdict.UNKNOWN: "Provided authentication token is not one of this fake. Mint one, or sign in.",
}


class Access(Enum):
    """What a route asks of the ``Authorization`` header."""

    OPEN = "open"
    """Nothing."""
    CHATGPT = "chatgpt"
    """An access token or personal access token of the fake that is good."""
    API = "api"
    """The same, or an API key of any text."""
    PERSONAL = "personal"
    """A personal access token."""


@dataclass(frozen=True)
class Exchange:
    """One request that has come as far as its route."""

    request: Request
    account: Account | None
    """Whose token it carries; None for API keys and on open routes."""
    fault: Fault | None = None
    """What is to go wrong while the answer is under way."""
    expiry: Expiry | None = None
    """Tokens that are to expire while the answer is under way."""

    def fields(self) -> dict[str, Any]:
        """The members of a JSON object or form in the body.

        :raises ValueError: it is neither.
        """
        return parse_fields(self.request)


@dataclass(frozen=True)
class Route:
    """A named thing that the fake answers.

    :param methods: handlers by HTTP method.
    """

    name: str
    access: Access
    paths: tuple[str, ...]
    methods: Mapping[str, Callable[[Exchange], Response]]


class RouteTable:
    """Finds routes by path and judges who may use them."""

    def __init__(self, state: State, routes: Iterable[Route]) -> None:
        self._state = state
        self._routes = tuple(routes)
        self._by_path = {path: route for route in self._routes for path in route.paths}

    @property
    def names(self) -> list[str]:
        """Names that faults and recorded requests go by."""
        return [*(route.name for route in self._routes), UNKNOWN_ROUTE]

    def find(self, path: str) -> Route | None:
        """The route of this path; a trailing slash makes no difference."""
        return self._by_path.get(path) or self._by_path.get(path.rstrip("/"))

    def authorize(self, route: Route | None, bearer: str | None) -> tuple[Account | None, Response | None]:
        """Whose token it is, and the answer of refusal, if the route is not for this token."""
        if route is None or route.access is Access.OPEN:
            return None, None
        if bearer is None:
            return None, unauthorized("Missing bearer authentication in header.")
        verdict, account = self._state.judge(bearer)
        is_key = verdict is Verdict.UNKNOWN and not (bearer.startswith("at-") or bearer.count(".") == 2)
        if route.access is Access.API and is_key:
            return None, None
        if verdict is not Verdict.GOOD:
            return None, unauthorized(_REASONS[verdict])
        if route.access is Access.PERSONAL and not bearer.startswith("at-"):
            return None, unauthorized("This endpoint is for personal access tokens (at-…).")
        return account, None


def dispatch(route: Route | None, exchange: Exchange) -> Response:
    """The route's own answer, or 404 or 405."""
    request = exchange.request
    if route is None:
        return api_error(404, "not_found", f"The fake has no {request.method} {request.path}.")
    method = "GET" if request.method == "HEAD" else request.method
    if (handler := route.methods.get(method)) is None:
        refusal = api_error(405, "method_not_allowed", f"{request.path} is not for {request.method}.")
        return Response(405, (*refusal.headers, ("allow", ", ".join(route.methods))), refusal.body)
    try:
        return handler(exchange)
    except ValueError as error:
        return api_error(400, "invalid_request_error", str(error))


def bearer_of(request: Request) -> str | None:
    """The bearer token of the ``Authorization`` header (RFC 6750 section 2.1), None when there is none."""
    scheme, _, token = (request.headers.get("authorization") or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def parse_fields(request: Request) -> dict[str, Any]:
    """The members of a JSON object or an HTML form in the body.

    :raises ValueError: it is neither.
    """
    if (request.headers.get("content-type") or "").startswith("application/x-www-form-urlencoded"):
        from urllib.parse import parse_qsl  # noqa: PLC0415 - keeps this module's imports to what every route needs

        return dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))
    if request.headers.get("content-encoding"):
        raise ValueError("The fake reads bodies without content-encoding only.")
    try:
        fields = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"The body is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise ValueError("The body is not a JSON object.")  # noqa: TRY004 - one kind of bad input
    return fields


def json_response(status: int, value: Any, *headers: tuple[str, str]) -> Response:
    """An answer in JSON."""
    return Response(status, (("content-type", "application/json"), *headers), orjson.dumps(value))


def api_error(status: int, code: str, message: str) -> Response:
    """An error in the shape of the OpenAI API."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return json_response(status, {"error": error})


def unauthorized(message: str) -> Response:
    """The 401 of the backend."""
    return api_error(401, "token_expired", message)
