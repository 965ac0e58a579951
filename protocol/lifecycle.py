"""The handshake: ``initialize``, ``initialized``, and the warnings that may follow it (wire.md section 2)."""

from typing import Annotated, Any

from pydantic import Field

from protocol.base import UInt, WireModel
from protocol.errors import AlreadyInitialized, InvalidRequest
from protocol.method import ClientNotification, ClientRequest, Scope, ServerNotification


class ClientInfo(WireModel):
    """Who is calling; the name becomes part of the user agent and the ``originator`` of a login."""

    name: str
    title: str | None = None
    version: str


class InitializeCapabilities(WireModel):
    """Client-declared capabilities negotiated during initialize."""

    experimental_api: bool = False
    """Opt into receiving experimental API methods and fields."""
    request_attestation: bool = False
    """Opt into `attestation/generate` requests; this server never sends one."""
    required_human_approval: bool = False
    """Accepted and without effect: this server runs nothing that needs a person's approval."""
    explicit_gateway_oauth: bool = False
    """Accepted and without effect: this server has no gateway."""
    mcp_server_openai_form_elicitation: bool = False
    """Accepted and without effect: this server runs no MCP servers."""
    extensions: dict[str, Any] | None = None
    """MCP extension settings declared by the client; without effect here."""
    # Without fail_fast, a long list of anything else is a finding for each member, at almost a kilobyte a finding.
    opt_out_notification_methods: Annotated[list[str], Field(fail_fast=True)] | None = None
    """Exact notification method names that should be suppressed for this connection."""


class InitializeParams(WireModel):
    """Who the client is and what it can do."""

    client_info: ClientInfo
    capabilities: InitializeCapabilities | None = None


class InitializeResponse(WireModel):
    """Who the server is and where it lives."""

    user_agent: str
    codex_home: str
    """Absolute path to the server's $CODEX_HOME directory."""
    platform_family: str
    """`unix` or `windows`."""
    platform_os: str
    """`macos`, `linux`, or `windows`."""


class TextPosition(WireModel):
    """A place in a text file."""

    line: UInt
    """1-based line number."""
    column: UInt
    """1-based column number (in Unicode scalar values)."""


class TextRange(WireModel):
    """A stretch of a text file."""

    start: TextPosition
    end: TextPosition


class ConfigWarningNotification(WireModel):
    """Something about the configuration or the environment that the user should know; the server goes on."""

    summary: str
    """Concise summary of the warning."""
    details: str | None = None
    """Optional extra guidance or error details."""
    path: str | None = None
    """Optional path to the config file that triggered the warning."""
    range: TextRange | None = None
    """Optional range for the error location inside the config file."""


INITIALIZE = ClientRequest(
    "initialize",
    InitializeParams,
    InitializeResponse,
    scope=Scope.HANDSHAKE,
    errors=(InvalidRequest, AlreadyInitialized),
)
"""The handshake, which comes before everything else."""
INITIALIZED = ClientNotification("initialized")
"""Accepted; not required."""
CONFIG_WARNING = ServerNotification("configWarning", ConfigWarningNotification)
"""Something about the configuration that the user should know."""
