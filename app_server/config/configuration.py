"""The configuration for as long as the server runs: the settings in force, and where they came from.

Nothing is computed before somebody asks: most servers are never asked for more than the settings.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from app_server.config.layers import Sources
from app_server.config.settings import Settings
from app_server.config.warnings import ConfigWarning

if TYPE_CHECKING:
    from protocol.config import ConfigReadResponse


class Configuration:
    """The settings of the server, and what can be derived from them.

    :param settings: in force.
    :param warnings: what was wrong with them.
    :param sources: where they came from; None for settings that somebody made by hand.
    """

    def __init__(
        self, settings: Settings, warnings: Sequence[ConfigWarning] = (), sources: Sources | None = None
    ) -> None:
        self.settings = settings
        self.warnings = warnings
        self._sources = sources

    def for_thread(self, overrides: Mapping[str, Any] | None = None) -> tuple[Settings, list[str]]:
        """The settings of one thread: ``thread/start.config`` laid over those of the server.

        :param overrides: keys of ``config.toml``, with or without dots in them, and their values as JSON; null counts
            as absent. Settings of the process, such as the store of credentials, are checked, and have no effect on
            the services that run already.
        :returns: and the messages of ``warning`` notifications for what is ignored.
        :raises ConfigError: a value is wrong, or the file with the instructions cannot be read.
        """
        from app_server.config.overlay import lay_over, with_instructions  # noqa: PLC0415 - no thread, no import

        settings, messages = lay_over(self.settings, overrides) if overrides else (self.settings, [])
        return with_instructions(settings), messages

    def read(self, *, include_layers: bool = False) -> "ConfigReadResponse":
        """The answer to ``config/read``; no part of it holds a secret."""
        from app_server.config.disclosure import disclose  # noqa: PLC0415 - hardly ever asked

        return disclose(self.settings, self._sources, include_layers=include_layers)
