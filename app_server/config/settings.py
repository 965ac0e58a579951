"""What can be set, with its type, unit and default. Where the values come from stands in ``load``.

The classes are named tuples and no dataclasses, because these are built 6 times faster and every start builds them.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from pydantic import SecretStr

CredentialsStore = Literal["file", "keyring", "auto", "ephemeral"]
LoginMethod = Literal["chatgpt", "api"]
ReasoningSummary = Literal["auto", "concise", "detailed", "none"]
Verbosity = Literal["low", "medium", "high"]
ApprovalsReviewer = Literal["user", "auto_review", "guardian_subagent"]
SandboxMode = Literal["read-only", "workspace-write", "danger-full-access"]

DEFAULT_PROVIDER: Final = "openai"
NOTHING: Final[Mapping[str, "SecretStr"]] = MappingProxyType({})
NO_NAMES: Final[Mapping[str, str]] = MappingProxyType({})


class ModelProvider(NamedTuple):
    """Where turns are sent to: one table of ``model_providers`` (wire.md section 1).

    :param name: for people.
    :param base_url: without a trailing slash; None means the default for the kind of login.
    :param env_key: environment variable that holds the API key.
    :param requires_openai_auth: whether requests carry the credentials of this server's account.
    :param request_max_retries: how often a request is sent again before its stream has begun.
    :param stream_max_retries: how often a broken stream is begun again.
    :param stream_idle_timeout_ms: milliseconds of silence that break a stream.
    :param supports_websockets: whether the WebSocket transport may be tried.
    :param http_headers: sent with every request.
    :param env_http_headers: header by name of the environment variable that holds its value.
    :param query_params: appended to every URL.
    :param experimental_bearer_token: a key that stands in the configuration itself; the one of ``env_key`` wins.
    """

    name: str
    base_url: str | None = None
    env_key: str | None = None
    requires_openai_auth: bool = False
    request_max_retries: int = 4
    stream_max_retries: int = 5
    stream_idle_timeout_ms: int = 300_000
    supports_websockets: bool = False
    http_headers: Mapping[str, "SecretStr"] = NOTHING
    env_http_headers: Mapping[str, str] = NO_NAMES
    query_params: Mapping[str, "SecretStr"] = NOTHING
    wire_api: Literal["responses"] = "responses"
    experimental_bearer_token: "SecretStr | None" = None


BUILT_IN_PROVIDERS: Final[Mapping[str, ModelProvider]] = MappingProxyType(
    {
        DEFAULT_PROVIDER: ModelProvider("OpenAI", requires_openai_auth=True, supports_websockets=True),
        "ollama": ModelProvider("Ollama", "http://localhost:11434/v1"),
        "lmstudio": ModelProvider("LM Studio", "http://localhost:1234/v1"),
    }
)
"""Providers that need no table; a table of the same name is ignored, as in the reference."""


class Settings(NamedTuple):
    """Everything that can be set, checked. URLs are http or https and have no trailing slash.

    :param codex_home: absolute; need not exist.
    :param chatgpt_base_url: the ChatGPT backend.
    :param openai_base_url: base of the built-in provider; None means the default for the kind of login.
    :param credentials_store: where credentials are kept (``cli_auth_credentials_store``).
    :param forced_login_method: the only kind of login that is allowed.
    :param forced_chatgpt_workspace_id: the only workspaces that are allowed; empty allows all.
    :param model_provider: the selected one; always a key of ``model_providers``.
    :param model_context_window: tokens that the model is said to hold; None for what the catalogue knows.
    :param model_auto_compact_token_limit: tokens of history at which it is compacted; None for a share of the window.
    :param model_verbosity: how much the model says.
    :param service_tier: how urgently requests are served.
    :param instructions: in place of the base instructions.
    :param model_instructions_file: a file with these, which wins over ``instructions``; absolute. It is read when a
        thread begins (:meth:`app_server.config.configuration.Configuration.for_thread`), not at the start.
    :param developer_instructions: said beside the base instructions.
    :param compact_prompt: in place of the request for a summary.
    :param approval_policy: kept and told to clients, enforced by nobody, as the next two: a word, or a table
        ``granular``.
    :param issuer: of browser and device logins.
    :param refresh_url_override: the refresh endpoint whatever the issuer of a login.
    :param revoke_url_override: the revoke endpoint whatever the issuer.
    :param authapi_base_url: base of the API that says whose a personal access token is.
    :param access_token: a personal access token (``at-…``) from the environment.
    :param ca_certificate: PEM file with CAs to trust besides the system's.
    :param max_line_bytes: longest line that a client may send.
    :param max_concurrent_requests: requests outside the account queue that are worked on at once; more wait in order.
    :param max_queued_bytes: requests admitted and not answered, beyond which reading pauses.
    :param external_refresh_timeout: seconds that the parent has to answer a refresh request.
    :param drain_timeout: seconds that requests have to finish after the end of input.
    :param upstream_timeout: seconds for one plain exchange with an upstream.
    :param login_callback_ports: ports of the login callback, tried in this order; 0 is any free one.
    :param dynamic_tool_timeout: seconds that the parent has to answer a tool call.
    :param user_input_timeout: seconds that the user has to answer a question of the model.
    :param thread_unload_delay: seconds after which a thread is let go of that nobody has subscribed to.
    :param max_image_bytes: longest image file that is sent to the model.
    :param otel: whether spans are made for OpenTelemetry.
    """

    codex_home: Path

    chatgpt_base_url: str = "https://chatgpt.com/backend-api"
    openai_base_url: str | None = None
    credentials_store: CredentialsStore = "file"
    forced_login_method: LoginMethod | None = None
    forced_chatgpt_workspace_id: tuple[str, ...] = ()
    model_provider: str = DEFAULT_PROVIDER
    model_providers: Mapping[str, ModelProvider] = BUILT_IN_PROVIDERS
    model: str | None = None
    model_reasoning_effort: str | None = None
    model_reasoning_summary: ReasoningSummary | None = None
    model_context_window: int | None = None
    model_auto_compact_token_limit: int | None = None
    model_verbosity: Verbosity | None = None
    service_tier: str | None = None
    instructions: str | None = None
    model_instructions_file: str | None = None
    developer_instructions: str | None = None
    compact_prompt: str | None = None
    approval_policy: str | Mapping[str, Mapping[str, bool]] | None = None
    approvals_reviewer: ApprovalsReviewer | None = None
    sandbox_mode: SandboxMode | None = None

    issuer: str = "https://auth.openai.com"
    client_id: str = "app_EMoamEEZ73f0CkXaXp7hrann"
    refresh_url_override: str | None = None
    revoke_url_override: str | None = None
    authapi_base_url: str = "https://auth.openai.com/api/accounts"
    access_token: "SecretStr | None" = None
    ca_certificate: str | None = None

    max_line_bytes: int = 64 * 1024 * 1024
    max_concurrent_requests: int = 256
    max_queued_bytes: int = 32 * 1024 * 1024
    external_refresh_timeout: float = 10.0
    drain_timeout: float = 5.0
    upstream_timeout: float = 30.0
    login_callback_ports: tuple[int, ...] = (1455, 1457)
    dynamic_tool_timeout: float = 600.0
    user_input_timeout: float = 3600.0
    thread_unload_delay: float = 60.0
    max_image_bytes: int = 20 * 1024 * 1024
    otel: bool = False

    @property
    def provider(self) -> ModelProvider:
        """The selected provider."""
        return self.model_providers[self.model_provider]

    @property
    def requires_openai_auth(self) -> bool:
        """Whether the selected provider needs this server's account."""
        return self.provider.requires_openai_auth

    @property
    def refresh_url(self) -> str:
        """The refresh endpoint of logins made with these settings. Stored logins may name another issuer."""
        return self.refresh_url_override or f"{self.issuer}/oauth/token"

    @property
    def revoke_url(self) -> str:
        """The revoke endpoint; it follows the issuer (wire.md section 15.18)."""
        return self.revoke_url_override or f"{self.issuer}/oauth/revoke"

    def __repr__(self) -> str:
        # URLs and providers of strangers do not belong into logs just because somebody logs the settings.
        return f"Settings(codex_home={str(self.codex_home)!r}, model_provider={self.model_provider!r})"
