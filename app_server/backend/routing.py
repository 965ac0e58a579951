"""Which backend serves the selected workspace: ``wham/accounts/check`` (wire.md section 12)."""

from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import anyio
from anyio.abc import TaskGroup

from app_server.auth.credentials import Credential
from app_server.auth.errors import RecoveryFailed, SignedOut
from app_server.backend.authorized import AuthorizedHttp
from app_server.backend.http import UpstreamUnreachable
from app_server.flight import Flight

LOOKUP_TIMEOUT: Final = 15.0
"""Seconds for the whole lookup, a recovery from a 401 included."""

UNAUTHORIZED: Final = "workspace routing discovery unauthorized (401)"

NO_CONSTRAINT: Final = "NO_CONSTRAINT"

RoutingOverride = Literal["NO_CONSTRAINT", "us", "us_cr"]


class RoutingError(Exception):
    """The workspace's backend is not known.

    :param message: the reference's text.
    :param details: what somebody else said about it.
    """

    def __init__(self, message: str, details: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


@dataclass(frozen=True, slots=True)
class Routing:
    """Where the requests of a workspace go.

    :param credential: the one the backend accepted: the snapshot of the caller, or what a 401 was recovered with.
    """

    credential: Credential
    account_id: str
    workspace_name: str | None
    backend_origin: str
    override: RoutingOverride


class WorkspaceRouting:
    """Looks the routing up, once for each token however many ask.

    :param http: the authorised path.
    :param base_url: the ChatGPT backend, without a slash at its end.
    :param check_path: the path of the lookup below it; the backend has two styles of paths.
    :param tasks: owns lookups under way.
    :param timeout: seconds for each exchange with the upstream.
    """

    def __init__(
        self, http: AuthorizedHttp, base_url: str, check_path: str, tasks: TaskGroup, timeout: float = LOOKUP_TIMEOUT
    ) -> None:
        self._http = http
        self._base_url = base_url
        self._url = f"{base_url}{check_path}"
        self._tasks = tasks
        self._timeout = timeout
        self._key: tuple[str, str | None] | None = None
        self._flight: Flight[Routing] = Flight()
        self._known: Routing | None = None

    def known(self, credential: Credential) -> Routing | None:
        """The routing for this token, if it has been looked up."""
        return self._known if self._key == _key(credential) else None

    async def find(self, credential: Credential) -> Routing:
        """The routing for this token; a failure is not remembered.

        :raises RoutingError: it cannot be found.
        :raises SignedOut: the credential was logged out meanwhile.
        """
        key = _key(credential)
        if key != self._key:
            self._key, self._known, self._flight = key, None, Flight()
            self._tasks.start_soon(self._look_up, key, credential, self._flight)
        return await self._flight.outcome()

    async def _look_up(self, key: tuple[str, str | None], credential: Credential, flight: Flight[Routing]) -> None:
        try:
            with anyio.fail_after(LOOKUP_TIMEOUT):
                routing = await self._ask(credential)
        except TimeoutError:
            error: Exception = RoutingError("workspace routing discovery timed out")
        except (RoutingError, RecoveryFailed) as failure:
            error = failure
        else:
            if self._key == key:
                self._key, self._known = _key(routing.credential), routing
            flight.succeed(routing)
            return
        if self._key == key:
            self._key = None
        flight.fail(error)

    async def _ask(self, credential: Credential) -> Routing:
        if not credential.account_id:
            raise RoutingError("workspace routing requires a ChatGPT account id")
        try:
            response, accepted = await self._http.get(self._url, credential, timeout=self._timeout)
        except UpstreamUnreachable as error:
            how = "timed out" if error.timed_out else "failed"
            raise RoutingError(f"workspace routing discovery {how}") from None
        except SignedOut:
            raise
        except RecoveryFailed as error:
            # The reference's text whatever became of the recovery; what did is told beside it.
            raise RoutingError(UNAUTHORIZED, error.details or error.message) from None
        if response.status_code == 401:
            raise RoutingError(UNAUTHORIZED)
        if response.status_code != 200:
            raise RoutingError("workspace routing discovery failed")
        try:
            document = response.json()
        except (ValueError, RecursionError):
            raise RoutingError("workspace routing discovery failed") from None
        return self._read(document, accepted)

    def _read(self, document: Any, credential: Credential) -> Routing:
        accounts = document.get("accounts", []) if isinstance(document, dict) else None
        if not isinstance(accounts, list) or not all(isinstance(account, dict) for account in accounts):
            raise RoutingError("workspace routing discovery failed")
        account_id = credential.account_id or ""
        entry = next((account for account in accounts if account.get("id") == account_id), None)
        if entry is None:
            raise RoutingError("selected workspace missing from routing discovery")
        origin = entry.get("workspace_backend_origin")
        if not isinstance(origin, str):
            raise RoutingError("workspace routing discovery missing backend origin")
        override = entry.get("account_routing_override")
        if override not in (NO_CONSTRAINT, "us", "us_cr"):
            raise RoutingError("workspace routing discovery has invalid account routing override")
        name = entry.get("name")
        return Routing(
            credential=credential,
            account_id=account_id,
            workspace_name=name if isinstance(name, str) else None,
            backend_origin=_origin_of_base(self._base_url) if origin == NO_CONSTRAINT else _origin(origin),
            override=override,
        )


def _key(credential: Credential) -> tuple[str, str | None]:
    return credential.bearer.get_secret_value(), credential.account_id


def _origin_of_base(base_url: str) -> str:
    parts = urlsplit(base_url)
    return _origin(f"{parts.scheme}://{parts.netloc}")


def _origin(text: str) -> str:
    """The origin that ``text`` is (RFC 6454).

    :raises RoutingError: no URL, not https, with credentials, or more than an origin.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise RoutingError("invalid workspace backend URL") from None
    if not parts.scheme or not parts.hostname:
        raise RoutingError("invalid workspace backend URL")
    if parts.scheme != "https" or "@" in parts.netloc:
        raise RoutingError("workspace backend must use an HTTPS origin without credentials")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise RoutingError("workspace routing discovery must return an origin")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}" if port in (None, 443) else f"https://{host}:{port}"
