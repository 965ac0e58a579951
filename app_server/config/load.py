"""Putting the settings together: environment variables above ``-c`` arguments above ``config.toml`` above defaults.

What there is to be set stands in ``known``, what a value must look like in ``checks``; unknown keys are left alone,
because config.toml is shared with a program that has many more, but for those in our own table, where an unknown one is
a typo.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from app_server.codex_home import codex_home
from app_server.config import checks
from app_server.config.configuration import Configuration
from app_server.config.environment import (
    LOGIN_VARIABLES,
    OWN_NAMES,
    OWN_TABLE,
    OWN_VARIABLES,
    Environment,
    ca_certificate,
    spans_wanted,
)
from app_server.config.known import (
    CHECKS,
    FIELDS,
    OWN_CHECKS,
    PROVIDER_CHECKS,
    PROVIDER_TABLE_CHECKS,
    PROVIDERS,
    SELECTED_PROVIDER,
)
from app_server.config.layers import Layer, Layers, Sources
from app_server.config.overrides import Overrides
from app_server.config.settings import BUILT_IN_PROVIDERS, DEFAULT_PROVIDER, ModelProvider, Settings
from app_server.config.toml_source import read_toml
from app_server.config.warnings import ConfigWarning

if TYPE_CHECKING:
    from pydantic import SecretStr

ACCESS_TOKEN_VARIABLE: Final = "CODEX_ACCESS_TOKEN"  # noqa: S105 - the name of a variable

MAX_WARNINGS: Final = 50
"""More of them nobody reads."""


def load_settings(argv_overrides: Sequence[str], environ: Mapping[str, str]) -> tuple[Settings, list[ConfigWarning]]:
    """The settings, and what is wrong with them; see :func:`load_configuration`."""
    configuration = load_configuration(argv_overrides, environ)
    return configuration.settings, list(configuration.warnings)


def load_configuration(argv_overrides: Sequence[str], environ: Mapping[str, str]) -> Configuration:
    """The settings, what is wrong with them, and where they come from.

    :param argv_overrides: the ``key=value`` of ``-c`` arguments, in their order.
    :raises OverrideError: one of them is no ``key=value``; nothing else is ever raised.
    """
    warnings: list[ConfigWarning] = []

    def warn(warning: ConfigWarning) -> None:
        if len(warnings) < MAX_WARNINGS:
            warnings.append(warning)

    home = codex_home(environ)
    path = os.path.join(home, "config.toml")  # noqa: PTH118 - a string is wanted
    variables, arguments, file = Environment(environ, OWN_VARIABLES), Overrides(argv_overrides), read_toml(path, warn)
    places: list[Layer] = [variables, arguments]
    layers = Layers(places if file is None else [*places, file], warn)
    from_environment = Layers([Environment(environ, LOGIN_VARIABLES)], warn)
    defaults = Settings(Path(home), otel=spans_wanted(environ))
    values = _values(layers, defaults)
    providers, provider = _providers(layers, values["openai_base_url"])
    settings = defaults._replace(
        **values,
        **_login(from_environment, defaults),
        **_own(layers, defaults, warn),
        model_providers=providers,
        model_provider=provider,
        access_token=_access_token(environ, warn),
        ca_certificate=ca_certificate(environ),
    )
    flags = (variables.table, arguments.table)
    return Configuration(settings, warnings, Sources(flags, path, {} if file is None else file.table))


def _login(layers: Layers, defaults: Settings) -> dict[str, Any]:
    return {
        "issuer": layers.value(("issuer",), checks.base_url, defaults.issuer),
        "client_id": layers.value(("client_id",), checks.name, defaults.client_id),
        "refresh_url_override": layers.value(("refresh_url",), checks.url, None),
        "revoke_url_override": layers.value(("revoke_url",), checks.url, None),
        "authapi_base_url": layers.value(("authapi_base_url",), checks.base_url, defaults.authapi_base_url),
    }


def _values(layers: Layers, defaults: Settings) -> dict[str, Any]:
    values = {
        FIELDS[name]: layers.value((name,), check, getattr(defaults, FIELDS[name])) for name, check in CHECKS.items()
    }
    if (instructions := values["model_instructions_file"]) is not None:
        values["model_instructions_file"] = os.path.join(defaults.codex_home, instructions)  # noqa: PTH118 - as above
    return values


def _own(layers: Layers, defaults: Settings, warn: Callable[[ConfigWarning], None]) -> dict[str, Any]:
    unknown = [f"`{OWN_TABLE}.{name}`" for name in layers.members((OWN_TABLE,)) if name not in OWN_NAMES]
    if unknown:
        warn(
            ConfigWarning(
                f"Ignoring {len(unknown)} unknown configuration setting{'s' if len(unknown) > 1 else ''}.",
                f"Check for typos: {', '.join(unknown)}. Known are: {', '.join(OWN_NAMES)}.",
            )
        )
    return {name: layers.value((OWN_TABLE, name), check, getattr(defaults, name)) for name, check in OWN_CHECKS.items()}


def _providers(layers: Layers, openai_base_url: str | None) -> tuple[Mapping[str, ModelProvider], str]:
    """All providers, and the name of the selected one."""
    providers = dict(BUILT_IN_PROVIDERS)
    providers[DEFAULT_PROVIDER] = providers[DEFAULT_PROVIDER]._replace(base_url=openai_base_url)
    for provider in layers.members((PROVIDERS,)):
        if provider in BUILT_IN_PROVIDERS:
            layers.reject_everywhere(
                (PROVIDERS, provider), "built-in providers cannot be overridden; give yours another name"
            )
        elif layers.members((PROVIDERS, provider)):
            providers[provider] = _provider(layers, provider)

    def is_known(value: object) -> str:
        name = checks.string(value)
        if name not in providers:
            raise checks.WrongValue("Model provider not found; known are " + ", ".join(providers))
        return name

    return MappingProxyType(providers), layers.value((SELECTED_PROVIDER,), is_known, DEFAULT_PROVIDER)


def _provider(layers: Layers, provider: str) -> ModelProvider:
    fields: dict[str, Any] = {"name": provider}
    for field, check in PROVIDER_CHECKS.items():
        value = layers.value((PROVIDERS, provider, field), check, None)
        if value is not None:
            fields[field] = value
    for field, check in PROVIDER_TABLE_CHECKS.items():
        table = (PROVIDERS, provider, field)
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
