"""Starts the interactive logins. Their modules, and the HTTP server of the callback, are imported when somebody logs
in: most starts of this program never need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app_server.user_agent import originator

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from app_server.accounts import Brand
    from app_server.auth.login.browser import BrowserLogin
    from app_server.auth.login.device_code import DeviceCodeLogin
    from app_server.auth.login.oauth import OAuthClient
    from app_server.backend.http import HttpClient
    from app_server.config import Settings
    from app_server.session import Session


class LoginFlows:
    """Starts logins at the issuer of the configuration, in the name of the client.

    :param session: names the client.
    :param tasks: owns listeners.
    """

    def __init__(self, settings: Settings, client: HttpClient, session: Session, tasks: TaskGroup) -> None:
        self._settings = settings
        self._client = client
        self._session = session
        self._tasks = tasks

    async def browser(self, hosted_success_page: Brand | None, listen: bool) -> BrowserLogin:
        """A login through a browser, on this machine if it listens for the callback.

        :raises PortUnavailable: there is no port for the callback.
        """
        from app_server.auth.login.browser import BrowserLogin  # noqa: PLC0415 - see the module's docstring

        return await BrowserLogin.start(
            self._oauth(),
            self._tasks,
            originator=originator(self._session.client_name),
            ports=self._settings.login_callback_ports,
            hosted_success_page=hosted_success_page,
            listen=listen,
        )

    async def device(self) -> DeviceCodeLogin:
        """A login with a device code.

        :raises DeviceCodeNotEnabled: the issuer does not offer this.
        :raises DeviceCodeUnavailable: the issuer gave no code.
        """
        from app_server.auth.login.device_code import DeviceCodeLogin  # noqa: PLC0415

        return await DeviceCodeLogin.start(self._oauth())

    def _oauth(self) -> OAuthClient:
        from app_server.auth.login.oauth import OAuthClient  # noqa: PLC0415

        settings = self._settings
        return OAuthClient(self._client.send, settings.issuer, settings.client_id, settings.forced_chatgpt_workspace_id)
