"""The environment variables that configure this server (wire.md section 1, and our own).

CODEX_HOME is read in ``app_server.codex_home``; CODEX_ACCESS_TOKEN is a credential and is read in ``load``.
"""

from collections.abc import Mapping
from typing import Any, Final

from app_server.config.layers import Keys, Place

LOGIN_VARIABLES: Final[Mapping[str, Keys]] = {
    "CODEX_APP_SERVER_LOGIN_ISSUER": ("issuer",),
    "CODEX_APP_SERVER_LOGIN_CLIENT_ID": ("client_id",),
    "CODEX_REFRESH_TOKEN_URL_OVERRIDE": ("refresh_url",),
    "CODEX_REVOKE_TOKEN_URL_OVERRIDE": ("revoke_url",),
    "CODEX_AUTHAPI_BASE_URL": ("authapi_base_url",),
}
"""Only the environment can say these: a file that an editor or a repository writes should not move a login."""

OWN_TABLE: Final = "app_server"
OWN_NAMES: Final = (
    "max_line_bytes",
    "max_concurrent_requests",
    "max_queued_bytes",
    "external_refresh_timeout",
    "drain_timeout",
    "upstream_timeout",
    "login_callback_ports",
    "dynamic_tool_timeout",
    "thread_unload_delay",
    "user_input_timeout",
    "max_image_bytes",
    "otel",
)
"""The settings that the reference does not have: members of the table ``app_server`` in config.toml."""

OWN_VARIABLES: Final[Mapping[str, Keys]] = {f"APP_SERVER_{name.upper()}": (OWN_TABLE, name) for name in OWN_NAMES}
"""The same as variables, such as APP_SERVER_DRAIN_TIMEOUT."""


class Environment:
    """The variables of one of the mappings above as a layer; an empty one counts as not set."""

    def __init__(self, environ: Mapping[str, str], variables: Mapping[str, Keys]) -> None:
        self._names = {keys: name for name, keys in variables.items()}
        self.table: dict[str, Any] = {}
        for name, keys in variables.items():
            text = environ.get(name, "").strip()
            if not text:
                continue
            if len(keys) == 1:
                self.table[keys[0]] = text
            else:
                self.table.setdefault(keys[0], {})[keys[1]] = _value(text)

    def place(self, keys: Keys) -> Place:
        """The variable, without its value."""
        return Place(self._names[keys])


def ca_certificate(environ: Mapping[str, str]) -> str | None:
    """The path of the CA file to trust besides the system's: CODEX_CA_CERTIFICATE, else SSL_CERT_FILE."""
    return environ.get("CODEX_CA_CERTIFICATE") or environ.get("SSL_CERT_FILE") or None


def spans_wanted(environ: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's own variables ask for spans; what else they say is for its SDK."""
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    return exporter not in ("", "none") and environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"


def _value(text: str) -> object:
    """The text as TOML would have it, where it is a boolean, a number or a list of numbers."""
    if text in ("true", "false"):
        return text == "true"
    if "," in text:
        return [_number(part.strip()) for part in text.split(",")]
    return _number(text)


def _number(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
