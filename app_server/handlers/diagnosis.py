"""``account/diagnose``, which the reference does not have, and ``server/diagnostics``."""

from app_server.diagnosis.report import Diagnosis
from app_server.diagnosis.server import ServerDiagnostics
from app_server.router import Reply
from protocol.diagnosis import (
    DiagnoseAccountParams,
    DiagnoseAccountResponse,
    ServerDiagnosticsParams,
    ServerDiagnosticsResponse,
)


class DiagnosisHandlers:
    """What stands in the way of a login, and what the server is busy with."""

    def __init__(self, diagnosis: Diagnosis, server: ServerDiagnostics) -> None:
        self._diagnosis = diagnosis
        self._server = server

    async def diagnose(self, params: DiagnoseAccountParams) -> Reply[DiagnoseAccountResponse]:
        """``account/diagnose``."""
        return Reply(await self._diagnosis.report(check_upstream=params.check_upstream is not False))

    async def server(self, params: ServerDiagnosticsParams) -> Reply[ServerDiagnosticsResponse]:
        """``server/diagnostics``."""
        return Reply(self._server.report())
