"""Which settings there are in ``config.toml``, under which name, and what each must look like.

Read off one after another for a start (``load``), a thread (``overlay``) and ``config/read`` (``disclosure``). What a
check does stands in ``checks``, what a setting means in ``settings``.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from app_server.config import checks
from app_server.config.environment import OWN_TABLE
from app_server.config.layers import Keys
from app_server.config.settings import BUILT_IN_PROVIDERS

PROVIDERS: Final = "model_providers"
SELECTED_PROVIDER: Final = "model_provider"

_TOKENS: Final = checks.integer(1, 2**53, "i64")
_RETRIES: Final = checks.at_most(100)
_HOUR: Final = 3600.0

CHECKS: Final[Mapping[str, checks.Check]] = {
    "chatgpt_base_url": checks.chatgpt_base_url,
    "openai_base_url": checks.optional_base_url,
    "cli_auth_credentials_store": checks.one_of("file", "keyring", "auto", "ephemeral"),
    "forced_login_method": checks.one_of("chatgpt", "api"),
    "forced_chatgpt_workspace_id": checks.workspaces,
    "model": checks.optional_string,
    "model_reasoning_effort": checks.optional_string,
    "model_reasoning_summary": checks.one_of("auto", "concise", "detailed", "none"),
    "model_context_window": _TOKENS,
    "model_auto_compact_token_limit": _TOKENS,
    "model_verbosity": checks.one_of("low", "medium", "high"),
    "service_tier": checks.service_tier,
    "instructions": checks.optional_string,
    "model_instructions_file": checks.optional_string,
    "developer_instructions": checks.optional_string,
    "compact_prompt": checks.optional_string,
    "approval_policy": checks.approval_policy,
    "approvals_reviewer": checks.one_of("user", "auto_review", "guardian_subagent"),
    "sandbox_mode": checks.one_of("read-only", "workspace-write", "danger-full-access"),
}
"""The settings outside of tables, but for the selected provider, which depends on what providers there are."""

FIELDS: Final[Mapping[str, str]] = {name: name for name in CHECKS} | {
    "cli_auth_credentials_store": "credentials_store",
}
"""The names that they have in ``Settings``."""

PROVIDER_CHECKS: Final[Mapping[str, checks.Check]] = {
    "name": checks.name,
    "base_url": checks.optional_base_url,
    "env_key": checks.optional_string,
    "experimental_bearer_token": checks.optional_secret,
    "requires_openai_auth": checks.boolean,
    "request_max_retries": _RETRIES,
    "stream_max_retries": _RETRIES,
    "stream_idle_timeout_ms": checks.at_most(24 * 3600 * 1000),
    "supports_websockets": checks.boolean,
    "wire_api": checks.wire_api,
}
"""The members of a provider."""

PROVIDER_TABLE_CHECKS: Final[Mapping[str, checks.Check]] = {
    "http_headers": checks.secret,
    "env_http_headers": checks.string,
    "query_params": checks.secret,
}
"""Those that are tables, with what their members must look like."""

OWN_CHECKS: Final[Mapping[str, checks.Check]] = {
    "max_line_bytes": checks.integer(1024, 2**31 - 1),
    "max_concurrent_requests": checks.integer(1, 65_536),
    "max_queued_bytes": checks.integer(1024, 2**31 - 1),
    "external_refresh_timeout": checks.seconds(_HOUR),
    "drain_timeout": checks.seconds(_HOUR, zero=True),
    "upstream_timeout": checks.seconds(_HOUR),
    "login_callback_ports": checks.ports,
    "dynamic_tool_timeout": checks.seconds(24 * _HOUR),
    "thread_unload_delay": checks.seconds(24 * _HOUR, zero=True),
    "user_input_timeout": checks.seconds(7 * 24 * _HOUR),
    "max_image_bytes": checks.integer(1024, 2**31 - 1),
    "otel": checks.boolean,
}
"""The members of our own table."""

RESERVED: Final = (
    "model_providers contains reserved built-in provider IDs: {}. Built-in providers cannot be overridden. "
    "Rename your custom provider (for example, `openai-custom`)."
)

_NAMES_OF_THE_REFERENCE: Final = """
agents allow_login_shell allow_symlinked_codex_home analytics apps apps_mcp_product_sku audio auto_review
background_terminal_max_timeout browser_use check_for_update_on_startup client_search_provider cloud computer_use
daybreak default_permissions desktop disable_paste_burst experimental_compact_prompt_file
experimental_realtime_start_instructions experimental_realtime_webrtc_call_base_url
experimental_realtime_ws_backend_prompt experimental_realtime_ws_base_url experimental_realtime_ws_model
experimental_realtime_ws_startup_context experimental_thread_store experimental_thread_store_endpoint
experimental_use_unified_exec_tool features feedback file_opener ghost_snapshot goals hide_agent_reasoning history
hooks include_apps_instructions include_collaboration_mode_instructions include_environment_context
include_environment_context_time include_permissions_instructions js_repl_node_module_dirs js_repl_node_path log_dir
marketplaces mcp_enterprise_managed_auth mcp_oauth_callback_port mcp_oauth_callback_url mcp_oauth_credentials_store
mcp_optional_startup_grace_ms mcp_servers memories model_auto_compact_token_limit_scope model_catalog_json
model_post_turn_compact_threshold_percent notice notify orchestrator oss_provider otel permissions personality
plan_mode_reasoning_effort plugins profiles project_doc_fallback_filenames project_doc_max_bytes project_root_markers
projects realtime responses_api_metadata review_model sandbox_workspace_write shell_environment_policy
show_raw_agent_reasoning skills sqlite_home suppress_unstable_features_warning thread_unload_delay_secs
tool_output_token_limit tool_suggest tools tui web_search windows
"""
_NAMES_IN_PROVIDERS: Final = """
model_catalog_url env_key_instructions auth gateway_oauth aws project_id location credential_file capabilities
websocket_connect_timeout_ms supports_standalone_web_search
"""

_FOREIGN: Final = frozenset(_NAMES_OF_THE_REFERENCE.split())
"""What means something to the reference and nothing here: no typo, and not worth a word to whoever uses both."""

_FOREIGN_IN_PROVIDERS: Final = frozenset(_NAMES_IN_PROVIDERS.split())


class Found(NamedTuple):
    """What stands in a table of settings.

    :param keys: where.
    :param value: checked.
    :param problem: why there is no value.
    :param unknown: whether there is no such setting.
    """

    keys: Keys
    value: Any = None
    problem: str | None = None
    unknown: bool = False


def examine(table: Mapping[str, Any]) -> Iterator[Found]:
    """Everything in the table that matters here, in its order; what is null counts as absent."""
    for name, value in _members(table):
        if name in CHECKS:
            yield _checked((name,), value, CHECKS[name])
        elif name == SELECTED_PROVIDER:
            yield _checked((name,), value, checks.string)
        elif name == PROVIDERS:
            yield from _providers(value)
        elif name == OWN_TABLE:
            yield from _table((name,), value, OWN_CHECKS)
        elif name not in _FOREIGN:
            yield Found((name,), unknown=True)


def _providers(table: object) -> Iterator[Found]:
    if not isinstance(table, Mapping):
        yield _no_table((PROVIDERS,), table)
        return
    if reserved := [f"`{name}`" for name in table if name in BUILT_IN_PROVIDERS]:
        yield Found((PROVIDERS,), problem=RESERVED.format(", ".join(reserved)))
    for name, provider in _members(table):
        if name not in BUILT_IN_PROVIDERS:
            yield from _provider((PROVIDERS, name), provider)


def _provider(keys: Keys, provider: object) -> Iterator[Found]:
    if not isinstance(provider, Mapping):
        yield _no_table(keys, provider)
        return
    for name, value in _members(provider):
        if name in PROVIDER_TABLE_CHECKS:
            check = PROVIDER_TABLE_CHECKS[name]
            if isinstance(value, Mapping):
                yield from (_checked((*keys, name, member), text, check) for member, text in _members(value))
            else:
                yield _no_table((*keys, name), value)
        elif name not in _FOREIGN_IN_PROVIDERS:
            yield from _table(keys, {name: value}, PROVIDER_CHECKS)


def _table(keys: Keys, table: object, members: Mapping[str, checks.Check]) -> Iterator[Found]:
    if not isinstance(table, Mapping):
        yield _no_table(keys, table)
        return
    for name, value in _members(table):
        known = name in members
        yield _checked((*keys, name), value, members[name]) if known else Found((*keys, name), unknown=True)


def _members(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in table.items() if value is not None)


def _checked(keys: Keys, value: object, check: checks.Check) -> Found:
    try:
        return Found(keys, check(value))
    except checks.WrongValue as error:
        return Found(keys, problem=str(error))


def _no_table(keys: Keys, value: object) -> Found:
    return Found(keys, problem=str(checks.wrong_type(value, "a map")))
