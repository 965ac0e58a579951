"""The answer to ``config/read``: the settings in force, and where each comes from.

Only what means something to this server is told, under its name in ``config.toml``, checked, and with a mask in place
of everything that can be a secret: headers, query parameters, bearer tokens. Whatever else the file holds, for other
programs or by mistake, stays where it is. The reference tells all of it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import SecretStr

from app_server.codex_home import as_text
from app_server.config.environment import OWN_NAMES, OWN_TABLE
from app_server.config.known import (
    FIELDS,
    PROVIDER_CHECKS,
    PROVIDER_TABLE_CHECKS,
    PROVIDERS,
    SELECTED_PROVIDER,
    examine,
)
from app_server.config.layers import Keys, Sources
from app_server.config.overrides import put
from app_server.config.settings import BUILT_IN_PROVIDERS, ModelProvider, Settings
from app_server.redaction import MASK
from protocol.config import (
    Config,
    ConfigLayer,
    ConfigLayerMetadata,
    ConfigLayerSource,
    ConfigReadResponse,
    SessionFlagsConfigLayerSource,
    UserConfigLayerSource,
)

_Table = dict[str, Any]

_NAMES_OF_VARIABLES: Final = ("env_key", "env_http_headers")


def disclose(settings: Settings, sources: Sources | None, *, include_layers: bool) -> ConfigReadResponse:
    """What a client may know of the configuration.

    :param sources: None when the settings come from no place that a client knows.
    """
    layers = [] if sources is None else list(_layers(settings, sources))
    origins = {}
    for layer in reversed(layers):
        metadata = ConfigLayerMetadata(name=layer.name, version=layer.version)
        origins.update({".".join(keys): metadata for keys in _leaves(layer.config)})
    return ConfigReadResponse(
        config=Config.model_validate(_in_force(settings)),
        origins=origins,
        layers=layers if include_layers else None,
    )


def variable_name(text: str) -> str:
    """The name of an environment variable; a mask for what is none, because keys get pasted where names belong."""
    return text if text.isascii() and text.isidentifier() else MASK


def _in_force(settings: Settings) -> _Table:
    custom = {name: one for name, one in settings.model_providers.items() if name not in BUILT_IN_PROVIDERS}
    return {
        **{name: _plain((name,), getattr(settings, field)) for name, field in FIELDS.items()},
        "forced_chatgpt_workspace_id": list(settings.forced_chatgpt_workspace_id) or None,
        SELECTED_PROVIDER: settings.model_provider,
        PROVIDERS: {name: _provider(provider) for name, provider in custom.items()},
        OWN_TABLE: {name: _plain((OWN_TABLE, name), getattr(settings, name)) for name in OWN_NAMES},
    }


def _provider(provider: ModelProvider) -> _Table:
    fields = (*PROVIDER_CHECKS, *PROVIDER_TABLE_CHECKS)
    table = {field: _plain((PROVIDERS, provider.name, field), getattr(provider, field)) for field in fields}
    return table | {field: table[field] or None for field in PROVIDER_TABLE_CHECKS}


def _plain(keys: Keys, value: Any) -> Any:
    """The value as JSON that may be shown."""
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, Mapping):
        return {name: _plain((*keys, name), member) for name, member in value.items()}
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, str) and keys[0] == PROVIDERS and keys[2] in _NAMES_OF_VARIABLES:
        return variable_name(value)
    return value


def _layers(settings: Settings, sources: Sources) -> Iterator[ConfigLayer]:
    """The highest first. The variables of the environment have no name on the wire; they count as flags."""
    if flags := _told(settings, *reversed(sources.flags)):
        yield _layer(ConfigLayerSource(SessionFlagsConfigLayerSource()), flags)
    user = UserConfigLayerSource(file=as_text(sources.path))
    yield _layer(ConfigLayerSource(user), _told(settings, sources.file))


def _layer(name: ConfigLayerSource, table: _Table) -> ConfigLayer:
    # As in the reference, but of what is told: a digest of a secret would help to guess it.
    text = json.dumps(table, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    version = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return ConfigLayer(name=name, version=version, config=table)


def _told(settings: Settings, *tables: Mapping[str, Any]) -> _Table:
    """What these tables set, the last one above the others; without what is wrong and therefore not in force."""
    told: _Table = {}
    for table in tables:
        for found in examine(table):
            wrong = found.unknown or found.problem is not None
            if found.keys == (SELECTED_PROVIDER,):
                wrong = found.value not in settings.model_providers
            if not wrong:
                put(told, found.keys, _plain(found.keys, found.value))
    return told


def _leaves(table: Mapping[str, Any], above: Keys = ()) -> Iterator[Keys]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, name))
        else:
            yield *above, name
