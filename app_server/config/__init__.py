"""The configuration: ``config.toml`` in CODEX_HOME, ``-c key=value`` arguments and environment variables.

    settings, warnings = load_settings(["model=gpt-5"], os.environ)

Whatever is wrong is a warning and a default, never a failure, so that a typo cannot lock anybody out. What to read
where: ``settings`` what can be set · ``load`` in what order it is looked for · ``checks`` what a value must look
like · ``layers`` the places a value can come from · ``toml_source``, ``overrides``, ``environment`` these places.
"""

from app_server.config.load import load_settings
from app_server.config.overrides import OverrideError
from app_server.config.settings import ModelProvider, Settings
from app_server.config.warnings import ConfigWarning, TextPosition, TextRange

__all__ = [
    "ConfigWarning",
    "ModelProvider",
    "OverrideError",
    "Settings",
    "TextPosition",
    "TextRange",
    "load_settings",
]
