"""``app-server doctor``: what stands in the way of a login, for people or as JSON.

What is looked at stands in ``app_server.diagnosis``. No server is started: it would begin to repair what is looked at.
"""

from collections.abc import Sequence
from typing import Final

from app_server.auth.stores.opening import open_store
from app_server.backend.http import HttpClient
from app_server.cli.console import Console
from app_server.cli.own_server import prepare
from app_server.cli.own_server import run as run_to_end
from app_server.config import ConfigWarning, Settings
from app_server.diagnosis.report import Diagnosis
from protocol.diagnosis import DiagnoseAccountResponse, DiagnosisFinding

_MARKS: Final = {"ok": "  ok   ", "warning": "  warn ", "error": " ERROR "}


def run(overrides: Sequence[str], *, json: bool, check_upstream: bool) -> int:
    """Look at everything and tell it; returns 1 if something stands in the way of a login.

    :param overrides: the ``key=value`` of ``-c``.
    :param json: whether to write one JSON object, the result of ``account/diagnose``.
    :param check_upstream: whether to ask the issuer and the backend if they answer.
    """
    configuration = prepare(overrides)
    settings, warnings = configuration.settings, configuration.warnings
    return run_to_end(_examine, settings, warnings, json, check_upstream)


async def _examine(settings: Settings, warnings: Sequence[ConfigWarning], json: bool, check_upstream: bool) -> int:
    client = HttpClient(settings.ca_certificate)
    try:
        diagnosis = Diagnosis(settings, warnings, client, open_store(settings.credentials_store, settings.codex_home))
        report = await diagnosis.report(check_upstream=check_upstream)
    finally:
        await client.aclose()
    console = Console()
    if json:
        console.write(report.to_json())
    else:
        _tell(report, console)
    return 1 if any(finding.status == "error" for finding in report.findings) else 0


def _tell(report: DiagnoseAccountResponse, console: Console) -> None:
    for finding in report.findings:
        _tell_finding(finding, console)
    counts = {status: sum(finding.status == status for finding in report.findings) for status in ("error", "warning")}
    if counts["error"]:
        console.say("\nA login cannot be expected to work before what is marked as ERROR is put right.")
    elif counts["warning"]:
        console.say("\nNothing stands in the way of a login.")
    else:
        console.say("\nEverything is as it should be.")


def _tell_finding(finding: DiagnosisFinding, console: Console) -> None:
    console.say(f"{_MARKS[finding.status]}{finding.name:<14} {finding.summary}")
    for line in (finding.details or "").splitlines():
        console.say(f"{'':22}{line}")
