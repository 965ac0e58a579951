"""``account/diagnose``, which the reference does not have."""

from app_server.diagnosis.report import Diagnosis
from app_server.router import Reply
from protocol.diagnosis import DiagnoseAccountParams, DiagnoseAccountResponse


class DiagnosisHandlers:
    """What stands in the way of a login."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        self._diagnosis = diagnosis

    async def diagnose(self, params: DiagnoseAccountParams) -> Reply[DiagnoseAccountResponse]:
        """``account/diagnose``."""
        return Reply(await self._diagnosis.report(check_upstream=params.check_upstream is not False))
