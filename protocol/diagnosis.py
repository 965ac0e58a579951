"""What stands in the way of a login (``account/diagnose``, which is not in the reference), and what the server is busy
with (``server/diagnostics``)."""

from typing import Literal

from protocol.account import AuthMode, PlanType
from protocol.base import Int64, UInt, UInt32, UInt64, WireModel
from protocol.method import ClientRequest, Empty, ParamsPresence

FindingStatus = Literal["ok", "warning", "error"]
"""`error`: it stands in the way of a login. `warning`: it does not, and should be looked at."""


class DiagnoseAccountParams(WireModel):
    """What to look at."""

    check_upstream: bool | None = None
    """Whether to ask the issuer and the backend if they answer, which takes up to 5 s; by default they are asked."""


class DiagnosisFinding(WireModel):
    """One thing that was looked at. Nothing in it is a secret."""

    name: str
    """What was looked at: `software`, `configuration`, `store`, `locks`, `login`, `refresh`,
    `callbackPorts`, `certificates`, `proxy`, `issuer` or `backend`. There may be several findings of one name."""
    status: FindingStatus
    summary: str
    """One sentence for people."""
    details: str | None = None
    """What lies behind it, or what can be done."""


class DiagnosedLogin(WireModel):
    """The login in force."""

    auth_mode: AuthMode
    source: Literal["store", "environment", "client"]
    """Where it comes from: a login that was made here, a variable of the environment, or the client's own tokens."""
    email: str | None = None
    plan_type: PlanType | None = None
    account_id: str | None = None
    expires_at: Int64 | None = None
    """When its token runs out, in Unix seconds, where the token says so."""
    renewable: bool = False
    """Whether this server renews the token by itself."""
    usable: bool = True
    """False once the issuer has refused to renew it: only a new login helps."""


class PortHolder(WireModel):
    """A process that listens on a port."""

    pid: UInt
    name: str


class DiagnosedPort(WireModel):
    """A port for the callback of a browser login."""

    port: UInt
    state: Literal["free", "held", "reserved", "unavailable"]
    """`reserved`: the operating system keeps it. `unavailable`: it cannot be had for another reason."""
    holder: PortHolder | None = None
    """Who listens on it, where the system tells."""


class DiagnoseAccountResponse(WireModel):
    """What was found. A login can be expected to work if no finding has the status `error`."""

    findings: list[DiagnosisFinding]
    login: DiagnosedLogin | None = None
    callback_ports: list[DiagnosedPort]
    versions: dict[str, str]
    """By name: this server, the wire it speaks, Python, the libraries it stands on, and the operating system."""


class ServerDiagnosticsParams(Empty):
    """Nothing to say."""


class ServerDiagnosticsProcess(WireModel):
    """The process of the server."""

    id: UInt32
    resident_memory_bytes: UInt64 | None = None
    """Null where the operating system does not tell."""
    physical_footprint_bytes: UInt64 | None = None
    """Always null here."""


class ServerDiagnosticsGauge(WireModel):
    """A number by its name, such as `app.requests.in_flight`."""

    name: str
    value: UInt64


class ServerDiagnosticsResponse(WireModel):
    """What the server is busy with. Nothing in it is a secret, or anything that was said."""

    process: ServerDiagnosticsProcess
    gauges: list[ServerDiagnosticsGauge]
    """How much there is of something now."""
    counters: list[ServerDiagnosticsGauge] = []
    """How often something has happened since the start."""
    version: str | None = None
    """Of this server."""
    uptime_ms: UInt64 | None = None
    """Since it began to serve this client."""


DIAGNOSE = ClientRequest(
    "account/diagnose",
    DiagnoseAccountParams,
    DiagnoseAccountResponse,
    presence=ParamsPresence.OPTIONAL,
    experimental=True,
)
"""Look for what stands in the way of a login; nothing is changed."""
SERVER_DIAGNOSTICS = ClientRequest(
    "server/diagnostics", ServerDiagnosticsParams, ServerDiagnosticsResponse, experimental=True
)
"""Look at what the server is busy with."""
