"""Exporters of spans that are no good: they cost the log a line, and never the server its answers or its end."""

import json
import time
from pathlib import Path

import pytest

from tests.support.server import running_server
from tests.wire.observability.conftest import SECRET

EXPORTER = """\
import time
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

class Exporter(SpanExporter):
    def __init__(self):
        {at_its_start}

    def export(self, spans):
        {export}
        return SpanExportResult.SUCCESS

    def shutdown(self):
        {shutdown}
"""

FINISHING = 8.0
"""Seconds for a server to end whose exporter hangs; 2 of them are the exporter's."""


def install(folder: Path, **does: str) -> dict[str, str]:
    """A package with an exporter ``mine``, and the variables of a server that uses it."""
    info = folder / "mine-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[opentelemetry_traces_exporter]\nmine = mine:Exporter\n")
    members = {"at_its_start": "pass", "export": "pass", "shutdown": "pass", **does}
    (folder / "mine.py").write_text(EXPORTER.format(**members))
    return {"PYTHONPATH": str(folder), "OTEL_TRACES_EXPORTER": "mine", "LOG_FORMAT": "json"}


async def log_of(home: Path, env: dict[str, str]) -> tuple[list[dict[str, str]], float]:
    """What a server with this exporter has logged, each line as an object, and the seconds that its end took."""
    async with running_server(home, env=env) as server:
        await server.result("getAuthStatus", {})
        began = time.monotonic()
        await server.close_input()
        assert await server.exit_status() == 0
        return [json.loads(line) for line in server.log.read_text().splitlines()], time.monotonic() - began


@pytest.mark.parametrize(
    ("does", "logger", "says"),
    [
        ({"export": f"raise OSError('Bearer {SECRET}')"}, "opentelemetry.sdk", "Exception while exporting Span."),
        ({"shutdown": f"raise OSError('Bearer {SECRET}')"}, "app_server.tracing", "spans may be lost"),
        ({"at_its_start": f"raise OSError('Bearer {SECRET}')"}, "app_server.tracing", "spans cannot be exported"),
    ],
)
async def test_one_that_fails_is_told_in_the_logs_own_format_and_without_secrets(
    does: dict[str, str], logger: str, says: str, home: Path, tmp_path: Path
) -> None:
    lines, _ = await log_of(home, install(tmp_path / "site", **does))
    assert [line for line in lines if line["logger"].startswith(logger) and line["message"].startswith(says)]
    assert SECRET not in str(lines)


@pytest.mark.parametrize("where", ["export", "shutdown"])
async def test_one_that_hangs_delays_the_end_by_no_more_than_its_deadline(
    where: str, home: Path, tmp_path: Path
) -> None:
    _, seconds = await log_of(home, install(tmp_path / "site", **{where: "time.sleep(600)"}))
    assert seconds < FINISHING
