"""The settings of one thread: what ``thread/start`` brings, laid over the settings of the server.

Here, other than at the start, whatever is wrong is an error: the client that says it is there to read it.
"""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from app_server.codex_home import as_text
from app_server.config.environment import OWN_TABLE
from app_server.config.known import FIELDS, PROVIDERS, SELECTED_PROVIDER, Found, examine
from app_server.config.overrides import put
from app_server.config.settings import DEFAULT_PROVIDER, ModelProvider, Settings
from app_server.config.toml_source import read_text
from app_server.config.warnings import ConfigError

_OF_A_THREAD: Final = ("dynamic_tool_timeout", "user_input_timeout", "max_image_bytes")
"""Those of our own settings that a thread can have for itself; the others bound the process."""

_MAX_TOLD: Final = 50


def lay_over(settings: Settings, overrides: Mapping[str, Any]) -> tuple[Settings, list[str]]:
    """The settings with these laid over them, and messages about what is ignored.

    :raises ConfigError: a value is wrong.
    """
    table: dict[str, Any] = {}
    for key, value in overrides.items():
        put(table, key.split("."), _without_nulls(value))
    changes: dict[str, Any] = {}
    providers: dict[str, dict[str, Any]] = {}
    ignored: list[str] = []
    selected: str | None = None
    for found in examine(table):
        if found.problem is not None:
            raise ConfigError(f"{found.problem}\nin `{'.'.join(found.keys)}`\n")
        if found.unknown or (found.keys[0] == OWN_TABLE and found.keys[1] not in _OF_A_THREAD):
            ignored.append(".".join(found.keys))
        elif found.keys[0] == PROVIDERS:
            _collect(providers.setdefault(found.keys[1], {}), found)
        elif found.keys[0] == SELECTED_PROVIDER:
            selected = found.value
        else:
            changes[FIELDS.get(found.keys[0], found.keys[-1])] = found.value
    if file := changes.get("model_instructions_file"):
        changes["model_instructions_file"] = os.path.join(settings.codex_home, file)  # noqa: PTH118 - a string is wanted
    if providers or "openai_base_url" in changes:
        changes["model_providers"] = _providers(settings, providers, changes)
    settings = settings._replace(**changes)
    if selected is not None:
        settings = _select(settings, selected)
    return settings, [_about(sorted(ignored))] if ignored else []


def with_instructions(settings: Settings) -> Settings:
    """The settings with the instructions of the file that they name, if they name one.

    :raises ConfigError: it cannot be read, or says nothing.
    """
    path = settings.model_instructions_file
    if path is None:
        return settings
    try:
        instructions = read_text(path).strip()
    except UnicodeDecodeError:
        raise _unreadable(path, "it is not UTF-8") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _unreadable(path, f"{reason} (os error {error.errno})" if error.errno else reason) from None
    except ValueError:
        raise _unreadable(path, "it is no path") from None
    if not instructions:
        raise ConfigError(f"model instructions file is empty: {as_text(path)}")
    return settings._replace(instructions=instructions)


def _without_nulls(value: Any) -> Any:
    """A copy, because dotted keys are put into it, without what counts as absent."""
    if isinstance(value, Mapping):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return value


def _collect(fields: dict[str, Any], found: Found) -> None:
    if len(found.keys) == 3:
        fields[found.keys[2]] = found.value
    else:
        fields.setdefault(found.keys[2], {})[found.keys[3]] = found.value


def _providers(
    settings: Settings, changed: Mapping[str, dict[str, Any]], changes: Mapping[str, Any]
) -> Mapping[str, ModelProvider]:
    providers = dict(settings.model_providers)
    if "openai_base_url" in changes:
        builtin = providers[DEFAULT_PROVIDER]
        providers[DEFAULT_PROVIDER] = builtin._replace(base_url=changes["openai_base_url"])
    for name, fields in changed.items():
        base = providers.get(name) or ModelProvider(name)
        merged: dict[str, Any] = {
            field: MappingProxyType({**getattr(base, field), **value}) if isinstance(value, dict) else value
            for field, value in fields.items()
        }
        providers[name] = base._replace(**merged)
    return MappingProxyType(providers)


def _select(settings: Settings, name: str) -> Settings:
    if name not in settings.model_providers:
        raise ConfigError(f"Model provider `{name}` not found")
    return settings._replace(model_provider=name)


def _about(ignored: list[str]) -> str:
    settings = "setting" if len(ignored) == 1 else "settings"
    lines = [f"  session-flags: `{keys[:200]}` is ignored." for keys in ignored[:_MAX_TOLD]]
    if len(ignored) > _MAX_TOLD:
        lines.append(f"  … and {len(ignored) - _MAX_TOLD} more.")
    head = f"Codex is ignoring {len(ignored)} unrecognized configuration {settings}."
    return "\n".join([f"{head} Check for typos or deprecated settings.", *lines])


def _unreadable(path: str, reason: str) -> ConfigError:
    return ConfigError(f"failed to read model instructions file {as_text(path)}: {reason}")
