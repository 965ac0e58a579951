"""All findings together, each examination with its own deadline, and none of them able to spoil the others.

What is looked at, and what counts as a problem, stands in the modules beside this one; they are imported when
somebody asks, because most servers are never asked.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from app_server.auth.manager import AuthManager
    from app_server.auth.stores.store import Store
    from app_server.backend.http import HttpClient
    from app_server.config import ConfigWarning, Settings
    from protocol.diagnosis import DiagnoseAccountResponse, DiagnosisFinding

EXAMINATION_TIMEOUT: Final = 8.0
"""Seconds for any one examination; the longest, of an upstream, has 5."""

log = logging.getLogger(__name__)


class Diagnosis:
    """Looks at everything that a login depends on.

    :param warnings: what the configuration gave cause to say.
    :param client: asks the upstreams, so that what is found holds for logins.
    :param store: where logins are kept.
    :param auth: what is in force in a server that runs; without it, the stored login is looked at.
    :param environ: the variables of the environment.
    """

    def __init__(
        self,
        settings: Settings,
        warnings: Sequence[ConfigWarning],
        client: HttpClient,
        store: Store,
        auth: AuthManager | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._settings = settings
        self._warnings = tuple(warnings)
        self._client = client
        self._store = store
        self._auth = auth
        self._environ = environ

    async def report(self, *, check_upstream: bool) -> DiagnoseAccountResponse:
        """Look at everything, at the same time.

        :param check_upstream: whether to ask the issuer and the backend if they answer.
        """
        from app_server.diagnosis import login, network, ports, software, store  # noqa: PLC0415 - see above
        from protocol.diagnosis import DiagnoseAccountResponse, DiagnosedPort, DiagnosisFinding  # noqa: PLC0415

        settings = self._settings
        found: dict[str, list[DiagnosisFinding]] = {}
        state = login.LoginState()
        callback_ports: list[DiagnosedPort] = []

        async def look_at_login() -> list[DiagnosisFinding]:
            nonlocal state
            state = await login.login_state(settings, self._store, self._auth)
            return login.findings(state)

        async def look_at_ports() -> list[DiagnosisFinding]:
            callback_ports.extend(await ports.examine_all(settings.login_callback_ports))
            return ports.findings(callback_ports, needed=settings.forced_login_method != "api")

        async def look(name: str, examine: Callable[[], Awaitable[list[DiagnosisFinding]]]) -> None:
            try:
                with anyio.fail_after(EXAMINATION_TIMEOUT):
                    found[name] = await examine()
            except Exception as error:
                # What looks for problems may meet any; its text can hold anything.
                log.warning("the examination of %s failed: %s", name, type(error).__name__, exc_info=error)
                found[name] = [
                    DiagnosisFinding(
                        name=name,
                        status="warning",
                        summary="This could not be examined.",
                        details=type(error).__name__,
                    )
                ]

        examinations: dict[str, Callable[[], Awaitable[list[DiagnosisFinding]]]] = {
            "store": lambda: store.examine(settings),
            "locks": lambda: store.examine_locks(settings),
            "login": look_at_login,
            "callbackPorts": look_at_ports,
            "certificates": lambda: network.examine_certificates(settings, self._environ),
            "proxy": lambda: network.examine_proxy(self._environ),
        }
        if check_upstream:
            examinations["issuer"] = lambda: network.examine_upstream(
                self._client, "issuer", settings.issuer, needed=settings.forced_login_method != "api"
            )
            examinations["backend"] = lambda: network.examine_upstream(
                self._client, "backend", settings.chatgpt_base_url, needed=settings.forced_login_method != "api"
            )
        async with anyio.create_task_group() as tasks:
            for name, examine in examinations.items():
                tasks.start_soon(look, name, examine)
        return DiagnoseAccountResponse(
            findings=[
                software.finding(),
                *software.configuration(settings, self._warnings),
                *(finding for name in examinations for finding in found[name]),
            ],
            login=login.on_the_wire(state),
            callback_ports=callback_ports,
            versions=software.versions(),
        )
