"""``initialize`` (wire.md section 2)."""

from collections.abc import Callable, Sequence

from app_server.outgoing import Outgoing
from app_server.router import Reply
from app_server.session import Session
from app_server.user_agent import is_header_value, platform_family, platform_os
from protocol.errors import InvalidRequest
from protocol.lifecycle import (
    CONFIG_WARNING,
    ConfigWarningNotification,
    InitializeParams,
    InitializeResponse,
)


class LifecycleHandlers:
    """The handshake.

    :param codex_home: absolute path that clients are told.
    :param warnings: what the configuration gave cause to say.
    :param connected: called once the client has its answer and the warnings.
    """

    def __init__(
        self,
        session: Session,
        outgoing: Outgoing,
        codex_home: str,
        warnings: Sequence[ConfigWarningNotification],
        connected: Callable[[], None],
    ) -> None:
        self._session = session
        self._outgoing = outgoing
        self._codex_home = codex_home
        self._warnings = warnings
        self._connected = connected

    async def initialize(self, params: InitializeParams) -> Reply[InitializeResponse]:
        """Settle who the client is and what it can do."""
        client = params.client_info
        if not is_header_value(client.name):
            raise InvalidRequest(f"Invalid clientInfo.name: '{client.name}'. Must be a valid HTTP header value.")
        capabilities = params.capabilities
        experimental_api = capabilities is not None and capabilities.experimental_api
        self._session.begin(client.name, client.version, experimental_api=experimental_api)
        if capabilities is not None and capabilities.opt_out_notification_methods:
            self._outgoing.mute(frozenset(capabilities.opt_out_notification_methods))
        response = InitializeResponse(
            user_agent=self._session.user_agent,
            codex_home=self._codex_home,
            platform_family=platform_family(),
            platform_os=platform_os(),
        )
        return Reply(response, self._after)

    def _after(self) -> None:
        for warning in self._warnings:
            self._outgoing.notify(CONFIG_WARNING, warning)
        self._connected()
