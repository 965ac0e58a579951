"""Putting the settings together: environment variables above ``-c`` arguments above ``config.toml`` above defaults.

What a value must look like stands in ``checks``; unknown keys are left alone, because config.toml is shared with a
program that has many more, but for those in our own table, where an unknown one is a typo.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from app_server.codex_home import codex_home
from app_server.config import checks
from app_server.config.environment import (
    LOGIN_VARIABLES,
    OWN_NAMES,
    OWN_TABLE,
    OWN_VARIABLES,
    Environment,
    ca_certificate,
)
from app_server.config.layers import Layer, Layers
from app_server.config.overrides import Overrides
from app_server.config.settings import BUILT_IN_PROVIDERS, DEFAULT_PROVIDER, ModelProvider, Settings
from app_server.config.toml_source import read_toml
from app_server.config.warnings import ConfigWarning

if TYPE_CHECKING:
    from pydantic import SecretStr

ACCESS_TOKEN_VARIABLE: Final = "CODEX_ACCESS_TOKEN"  # noqa: S105 - the name of a variable

MAX_WARNINGS: Final = 50
"""More of them nobody reads."""

_PROVIDERS: Final = "model_providers"

_RETRIES: Final = checks.at_most(100)

_PROVIDER_FIELDS: Final[Mapping[str, checks.Check]] = {
    "name": checks.name,
    "base_url": checks.optional_base_url,
    "env_key": checks.optional_string,
    "requires_openai_auth": checks.boolean,
    "request_max_retries": _RETRIES,
    "stream_max_retries": _RETRIES,
    "stream_idle_timeout_ms": checks.at_most(24 * 3600 * 1000),
    "supports_websockets": checks.boolean,
    "wire_api": checks.wire_api,
}

_PROVIDER_TABLES: Final[Mapping[str, checks.Check]] = {
    "http_headers": checks.secret,
    "env_http_headers": checks.string,
    "query_params": checks.secret,
}

_HOUR: Final = 3600.0

_OWN_CHECKS: Final[Mapping[str, checks.Check]] = {
    "max_line_bytes": checks.integer(1024, 2**31 - 1),
    "max_concurrent_requests": checks.integer(1, 65_536),
    "max_queued_bytes": checks.integer(1024, 2**31 - 1),
    "external_refresh_timeout": checks.seconds(_HOUR),
    "drain_timeout": checks.seconds(_HOUR, zero=True),
    "upstream_timeout": checks.seconds(_HOUR),
    "login_callback_ports": checks.ports,
}


def load_settings(argv_overrides: Sequence[str], environ: Mapping[str, str]) -> tuple[Settings, list[ConfigWarning]]:
    """The settings, and what is wrong with them.

    :param argv_overrides: the ``key=value`` of ``-c`` arguments, in their order.
    :raises OverrideError: one of them is no ``key=value``; nothing else is ever raised.
    """
    warnings: list[ConfigWarning] = []

    def warn(warning: ConfigWarning) -> None:
        if len(warnings) < MAX_WARNINGS:
            warnings.append(warning)

    home = codex_home(environ)
    file = read_toml(os.path.join(home, "config.toml"), warn)  # noqa: PTH118 - a string is wanted
    places: list[Layer] = [Environment(environ, OWN_VARIABLES), Overrides(argv_overrides)]
    layers = Layers(places if file is None else [*places, file], warn)
    from_environment = Layers([Environment(environ, LOGIN_VARIABLES)], warn)
    defaults = Settings(Path(home))
    accounts = _accounts(layers, defaults)
    providers, provider = _providers(layers, accounts["openai_base_url"])
    settings = defaults._replace(
        **accounts,
        **_login(from_environment, defaults),
        **_own(layers, defaults, warn),
        model_providers=providers,
        model_provider=provider,
        access_token=_access_token(environ, warn),
        ca_certificate=ca_certificate(environ),
    )
    return settings, warnings


def _login(layers: Layers, defaults: Settings) -> dict[str, Any]:
    return {
        "issuer": layers.value(("issuer",), checks.base_url, defaults.issuer),
        "client_id": layers.value(("client_id",), checks.name, defaults.client_id),
        "refresh_url_override": layers.value(("refresh_url",), checks.url, None),
        "revoke_url_override": layers.value(("revoke_url",), checks.url, None),
        "authapi_base_url": layers.value(("authapi_base_url",), checks.base_url, defaults.authapi_base_url),
    }


def _accounts(layers: Layers, defaults: Settings) -> dict[str, Any]:
    stores = checks.one_of("file", "keyring", "auto", "ephemeral")
    methods = checks.one_of("chatgpt", "api")
    summaries = checks.one_of("auto", "concise", "detailed", "none")
    return {
        "chatgpt_base_url": layers.value(("chatgpt_base_url",), checks.chatgpt_base_url, defaults.chatgpt_base_url),
        "openai_base_url": layers.value(("openai_base_url",), checks.optional_base_url, None),
        "credentials_store": layers.value(("cli_auth_credentials_store",), stores, defaults.credentials_store),
        "forced_login_method": layers.value(("forced_login_method",), methods, None),
        "forced_chatgpt_workspace_id": layers.value(("forced_chatgpt_workspace_id",), checks.workspaces, ()),
        "model": layers.value(("model",), checks.optional_string, None),
        "model_reasoning_effort": layers.value(("model_reasoning_effort",), checks.optional_string, None),
        "model_reasoning_summary": layers.value(("model_reasoning_summary",), summaries, None),
    }


def _own(layers: Layers, defaults: Settings, warn: Callable[[ConfigWarning], None]) -> dict[str, Any]:
    unknown = [f"`{OWN_TABLE}.{name}`" for name in layers.members((OWN_TABLE,)) if name not in OWN_NAMES]
    if unknown:
        warn(
            ConfigWarning(
                f"Ignoring {len(unknown)} unknown configuration setting{'s' if len(unknown) > 1 else ''}.",
                f"Check for typos: {', '.join(unknown)}. Known are: {', '.join(OWN_NAMES)}.",
            )
        )
    return {
        name: layers.value((OWN_TABLE, name), check, getattr(defaults, name)) for name, check in _OWN_CHECKS.items()
    }


def _providers(layers: Layers, openai_base_url: str | None) -> tuple[Mapping[str, ModelProvider], str]:
    """All providers, and the name of the selected one."""
    providers = dict(BUILT_IN_PROVIDERS)
    providers[DEFAULT_PROVIDER] = providers[DEFAULT_PROVIDER]._replace(base_url=openai_base_url)
    for provider in layers.members((_PROVIDERS,)):
        if provider in BUILT_IN_PROVIDERS:
            layers.reject_everywhere(
                (_PROVIDERS, provider), "built-in providers cannot be overridden; give yours another name"
            )
        elif layers.members((_PROVIDERS, provider)):
            providers[provider] = _provider(layers, provider)

    def is_known(value: object) -> str:
        name = checks.string(value)
        if name not in providers:
            raise checks.WrongValue("Model provider not found; known are " + ", ".join(providers))
        return name

    return MappingProxyType(providers), layers.value(("model_provider",), is_known, DEFAULT_PROVIDER)


def _provider(layers: Layers, provider: str) -> ModelProvider:
    fields: dict[str, Any] = {"name": provider}
    for field, check in _PROVIDER_FIELDS.items():
        value = layers.value((_PROVIDERS, provider, field), check, None)
        if value is not None:
            fields[field] = value
    for field, check in _PROVIDER_TABLES.items():
        table = (_PROVIDERS, provider, field)
        members = {name: layers.value((*table, name), check, None) for name in layers.members(table)}
        fields[field] = MappingProxyType({name: value for name, value in members.items() if value is not None})
    return ModelProvider(**fields)


def _access_token(environ: Mapping[str, str], warn: Callable[[ConfigWarning], None]) -> "SecretStr | None":
    """The personal access token of the environment; that there is one is always told, its value never."""
    text = environ.get(ACCESS_TOKEN_VARIABLE, "").strip()
    if not text:
        return None
    if not (text.startswith("at-") and len(text) > len("at-") and text.isascii() and text.isprintable()):
        warn(
            ConfigWarning(
                f"The environment variable {ACCESS_TOKEN_VARIABLE} is set, but ignored.",
                "It holds no personal access token; those begin with at-.",
            )
        )
        return None
    warn(
        ConfigWarning(
            f"The environment variable {ACCESS_TOKEN_VARIABLE} outranks every login.",
            f"Its token is used instead of the account that is logged in with. Unset {ACCESS_TOKEN_VARIABLE} and "
            "start again to use that account.",
        )
    )
    return checks.secret(text)
