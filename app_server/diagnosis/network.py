"""The way to the issuer and the backend: CA file, proxies, and whether the two answer.

Of a proxy's URL only scheme, host and port are told: the rest is its credentials.
"""

import ssl
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies

import anyio.to_thread

from app_server.backend.http import HttpClient, UpstreamUnreachable
from app_server.config import Settings
from protocol.diagnosis import DiagnosisFinding, FindingStatus

UPSTREAM_TIMEOUT: Final = 5.0
"""Seconds for an upstream to answer anything at all."""

_UNREADABLE: Final = "a URL that cannot be read"

_CA_VARIABLES: Final = ("CODEX_CA_CERTIFICATE", "SSL_CERT_FILE")
"""The first that is set counts."""


async def examine_certificates(settings: Settings, environ: Mapping[str, str]) -> list[DiagnosisFinding]:
    """Whom upstreams are trusted to be vouched for by."""
    path = settings.ca_certificate
    if path is None:
        summary = "Certificates are checked against the trust store of the system."
        return [DiagnosisFinding(name="certificates", status="ok", summary=summary)]
    named = next((name for name in _CA_VARIABLES if environ.get(name) == path), "the configuration")
    try:
        count = await anyio.to_thread.run_sync(_count_authorities, path)
    except OSError as error:  # ssl.SSLError is one
        reason = error.strerror if not isinstance(error, ssl.SSLError) else "it holds no certificate in PEM"
        return [
            DiagnosisFinding(
                name="certificates",
                status="warning",
                summary=f"The CA file {path} of {named} cannot be used.",
                details=f"{reason}; only the trust store of the system counts.",
            )
        ]
    return [
        DiagnosisFinding(
            name="certificates",
            status="ok",
            summary=f"The {count} authorities in {path} ({named}) are trusted besides those of the system."
            if count != 1
            else f"The authority in {path} ({named}) is trusted besides those of the system.",
        )
    ]


async def examine_proxy(environ: Mapping[str, str]) -> list[DiagnosisFinding]:
    """Which proxies requests go through."""
    configured = getproxies()
    exceptions = configured.get("no", "")
    described = [
        f"{scheme}: {_without_credentials(configured[scheme])} ({_variable(scheme, environ)})"
        for scheme in ("https", "http", "all")
        if configured.get(scheme)
    ]
    if not described or "*" in (host.strip() for host in exceptions.split(",")):
        return [DiagnosisFinding(name="proxy", status="ok", summary="No proxy is used.")]
    return [
        DiagnosisFinding(
            name="proxy",
            status="warning" if any(_UNREADABLE in text for text in described) else "ok",
            summary=f"Requests go through a proxy; {'; '.join(described)}.",
            details=f"Except for: {exceptions} ({_variable('no', environ)})" if exceptions else None,
        )
    ]


async def examine_upstream(
    client: HttpClient, name: str, url: str, *, needed: bool, timeout: float = UPSTREAM_TIMEOUT
) -> list[DiagnosisFinding]:
    """Whether an upstream answers; what it answers does not matter much.

    :param name: of the finding.
    :param needed: whether a login needs it.
    :param timeout: seconds that it has.
    """
    unreachable: FindingStatus = "error" if needed else "warning"
    begun = time.monotonic()
    try:
        answer = await client.send("HEAD", url, timeout=timeout)
    except UpstreamUnreachable as error:
        reason = f"It was silent for {timeout:g} s." if error.timed_out else _NO_CONNECTION
        return [_upstream(name, unreachable, f"{url} does not answer.", reason)]
    except (ValueError, ImportError) as error:
        # The client cannot even be built: a proxy's URL makes no sense, or its kind needs a package.
        reason = f"Check the variables of proxies ({type(error).__name__})."
        return [_upstream(name, unreachable, "No request can be made.", reason)]
    milliseconds = round((time.monotonic() - begun) * 1000)
    summary = f"{url} answers within {milliseconds} ms (status {answer.status_code})."
    if answer.status_code == 407:
        return [_upstream(name, unreachable, summary, "A proxy on the way wants credentials.")]
    if answer.status_code >= 500:
        return [_upstream(name, "warning", summary, "It is there, and has a problem of its own.")]
    return [_upstream(name, "ok", summary)]


_NO_CONNECTION: Final = (
    "The name is not known, the connection was refused or dropped, or the certificate is not trusted."
)


def _upstream(name: str, status: FindingStatus, summary: str, details: str | None = None) -> DiagnosisFinding:
    return DiagnosisFinding(name=name, status=status, summary=summary, details=details)


def _count_authorities(path: str) -> int:
    with open(path, "rb"):  # noqa: PTH123 - for the system's own words; OpenSSL's are none
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=path)
        return context.cert_store_stats()["x509"]


def _without_credentials(url: str) -> str:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if not parts.hostname or ("@" in url and "@" not in parts.netloc):
            return _UNREADABLE
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        shown = f"{parts.scheme}://{host}{'' if parts.port is None else f':{parts.port}'}"
    except ValueError:
        return _UNREADABLE
    return f"{shown}, with credentials" if "@" in parts.netloc else shown


def _variable(scheme: str, environ: Mapping[str, str]) -> str:
    """The name of the variable that says so, in the order in which they count."""
    lower = f"{scheme}_proxy"
    if environ.get(lower):
        return lower
    return next((name for name in environ if name.lower() == lower and environ[name]), "settings of the system")
