"""The configuration: ``config.toml`` in CODEX_HOME, ``-c key=value`` arguments and environment variables.

    settings, warnings = load_settings(["model=gpt-5"], os.environ)

Whatever is wrong is a warning and a default, never a failure, so that a typo cannot lock anybody out. What to read
where: ``settings`` what can be set · ``known`` under which names · ``checks`` what a value must look like · ``load``
in what order it is looked for · ``layers`` the places a value can come from · ``toml_source``, ``overrides``,
``environment`` these places · ``configuration`` what remains for the time after the start: ``overlay`` the settings
of one thread, ``disclosure`` what clients are told.
"""

from app_server.config.configuration import Configuration
from app_server.config.load import load_configuration, load_settings
from app_server.config.overrides import OverrideError
from app_server.config.settings import ModelProvider, Settings
from app_server.config.warnings import ConfigError, ConfigWarning, TextPosition, TextRange

__all__ = [
    "ConfigError",
    "ConfigWarning",
    "Configuration",
    "ModelProvider",
    "OverrideError",
    "Settings",
    "TextPosition",
    "TextRange",
    "load_configuration",
    "load_settings",
]
