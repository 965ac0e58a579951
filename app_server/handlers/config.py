"""``config/read``."""

from app_server.config import Configuration
from app_server.router import Reply
from protocol.config import ConfigReadParams, ConfigReadResponse


class ConfigHandlers:
    """The configuration in force."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    async def read(self, params: ConfigReadParams) -> Reply[ConfigReadResponse]:
        """``config/read``."""
        return Reply(self._configuration.read(include_layers=params.include_layers))
