"""Where a provider's requests go and what they carry: base URL, query, headers, key (wire.md sections 1, 12 and 14).

Whose credential it is, and what happens when it is refused, is ``authorized``'s business.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from app_server.auth.credentials import ApiKey, Credential
from app_server.backend.response_failures import misconfigured
from app_server.config.settings import DEFAULT_PROVIDER, ModelProvider, Settings
from app_server.user_agent import is_header_value
from app_server.version import WIRE_VERSION

API_BASE_URL: Final = "https://api.openai.com/v1"

RESPONSES: Final = "/responses"


class Endpoint(NamedTuple):
    """What can be known about a provider before anybody is asked.

    :param headers: names in lower case; they may hold keys.
    :param own_key: the provider's own key, if it has one: it is used instead of this server's login.
    """

    provider: ModelProvider
    headers: Mapping[str, str]
    own_key: bool

    @property
    def wants_login(self) -> bool:
        """Whether requests carry the credential of this server's account; no other provider ever gets it."""
        return self.provider.requires_openai_auth and not self.own_key


def endpoint(settings: Settings, provider_id: str, headers: Mapping[str, str], environ: Mapping[str, str]) -> Endpoint:
    """The provider with this id, and the headers of a request to it.

    :param headers: of this request; those that the configuration gives the provider win.
    :param environ: holds keys.
    :raises UpstreamFailure: there is no such provider, or a key is missing.
    """
    provider = settings.model_providers.get(provider_id)
    if provider is None:
        raise misconfigured(f"Model provider `{provider_id}` not found")
    merged = {"accept": "text/event-stream", "accept-encoding": "identity", "content-type": "application/json"}
    if provider_id == DEFAULT_PROVIDER:
        merged["version"] = WIRE_VERSION
    merged |= {name.lower(): value for name, value in headers.items()}
    merged |= {name.lower(): value.get_secret_value() for name, value in provider.http_headers.items()}
    for name, variable in provider.env_http_headers.items():
        if value := environ.get(variable, "").strip():
            merged[name.lower()] = value
    key = _key(provider, environ)
    if key is not None:
        merged["authorization"] = f"Bearer {key}"
    for name, value in merged.items():
        if not is_header_value(value):
            raise misconfigured(f"The value of the header `{name}` for model provider `{provider_id}` is not one.")
    return Endpoint(provider, merged, own_key=key is not None)


def base_url(settings: Settings, provider: ModelProvider, credential: Credential | None) -> str:
    """The provider's, or the default for this kind of login."""
    if provider.base_url is not None:
        return provider.base_url
    if credential is None or isinstance(credential, ApiKey):
        return API_BASE_URL
    return f"{settings.chatgpt_base_url}/codex"


def is_chatgpt(settings: Settings, base: str) -> bool:
    """Whether this is the ChatGPT backend, where requests go to the backend of their workspace. Another path of the
    same host is not: so a provider of one's own is left alone, as in the reference."""
    backend, path = settings.chatgpt_base_url, urlsplit(base).path
    return _origin(base) == _origin(backend) and f"{path}/".startswith(f"{urlsplit(backend).path}/")


def at_origin(base: str, origin: str) -> str:
    """The same path at another origin."""
    return origin + urlsplit(base).path


def url_of(base: str, provider: ModelProvider, path: str = RESPONSES) -> str:
    """The URL of a path below the base, with the provider's query; it may hold a key."""
    if not provider.query_params:
        return base + path
    query = {name: value.get_secret_value() for name, value in provider.query_params.items()}
    return f"{base}{path}?{urlencode(query, quote_via=quote)}"


def _key(provider: ModelProvider, environ: Mapping[str, str]) -> str | None:
    if provider.env_key is None:
        token = provider.experimental_bearer_token
        return None if token is None else token.get_secret_value()
    key = environ.get(provider.env_key, "").strip()
    if not key:
        raise misconfigured(f"Missing environment variable: `{provider.env_key}`.")
    return key


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
