"""``load_settings``: what can be set, where, and which place wins (wire.md sections 1 and 6)."""

import subprocess
import sys
from pathlib import Path

import pytest

from app_server.config import ConfigWarning, OverrideError, Settings, load_settings


class Home:
    """A CODEX_HOME of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, text: str | bytes) -> None:
        (self.path / "config.toml").write_bytes(text if isinstance(text, bytes) else text.encode())

    def load(self, *overrides: str, **environ: str) -> tuple[Settings, list[ConfigWarning]]:
        return load_settings(overrides, {"CODEX_HOME": str(self.path), **environ})

    def settings(self, *overrides: str, **environ: str) -> Settings:
        settings, warnings = self.load(*overrides, **environ)
        assert warnings == []
        return settings


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path.resolve())


def test_without_any_configuration_there_are_defaults_and_no_warnings(home: Home) -> None:
    settings = home.settings()
    assert settings == Settings(home.path)
    assert settings.chatgpt_base_url == "https://chatgpt.com/backend-api"
    assert settings.issuer == "https://auth.openai.com"
    assert settings.client_id == "app_EMoamEEZ73f0CkXaXp7hrann"
    assert settings.refresh_url == "https://auth.openai.com/oauth/token"
    assert settings.revoke_url == "https://auth.openai.com/oauth/revoke"
    assert settings.authapi_base_url == "https://auth.openai.com/api/accounts"
    assert settings.credentials_store == "file"
    assert settings.requires_openai_auth
    assert settings.access_token is None
    assert settings.login_callback_ports == (1455, 1457)


def test_a_home_that_does_not_exist_is_a_home_without_configuration(tmp_path: Path) -> None:
    settings, warnings = load_settings([], {"CODEX_HOME": str(tmp_path / "nope")})
    assert settings.codex_home == tmp_path / "nope"
    assert warnings == []


def test_settings_cannot_be_changed(home: Home) -> None:
    settings = home.settings()
    with pytest.raises(AttributeError):
        settings.model = "x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.model_providers["x"] = settings.provider  # type: ignore[index]


def test_the_file_is_read(home: Home) -> None:
    home.write(
        """
        model = "m"
        model_reasoning_effort = "low"
        model_reasoning_summary = "concise"
        cli_auth_credentials_store = "ephemeral"
        forced_login_method = "chatgpt"
        forced_chatgpt_workspace_id = ["a", "b"]
        chatgpt_base_url = "http://127.0.0.1:1/backend-api/"
        openai_base_url = "http://127.0.0.1:2/v1/"
        model_context_window = 100000
        model_auto_compact_token_limit = 50000
        model_verbosity = "high"
        service_tier = "fast"
        instructions = "i"
        model_instructions_file = "rules.md"
        developer_instructions = "d"
        compact_prompt = "c"
        approval_policy = "never"
        approvals_reviewer = "auto_review"
        sandbox_mode = "workspace-write"
        something_of_the_reference = { that = "we do not know" }

        [app_server]
        max_line_bytes = 2048
        max_concurrent_requests = 3
        max_queued_bytes = 4096
        external_refresh_timeout = 1
        drain_timeout = 0
        upstream_timeout = 2.5
        login_callback_ports = [0, 65535]
        dynamic_tool_timeout = 7
        user_input_timeout = 86400
        max_image_bytes = 1024
        """
    )
    settings = home.settings()
    assert (settings.model, settings.model_reasoning_effort) == ("m", "low")
    assert settings.model_reasoning_summary == "concise"
    assert settings.credentials_store == "ephemeral"
    assert settings.forced_login_method == "chatgpt"
    assert settings.forced_chatgpt_workspace_id == ("a", "b")
    assert settings.chatgpt_base_url == "http://127.0.0.1:1/backend-api"
    assert settings.openai_base_url == "http://127.0.0.1:2/v1"
    assert settings.provider.base_url == "http://127.0.0.1:2/v1"
    assert (settings.max_line_bytes, settings.max_concurrent_requests, settings.max_queued_bytes) == (2048, 3, 4096)
    assert (settings.external_refresh_timeout, settings.drain_timeout, settings.upstream_timeout) == (1.0, 0.0, 2.5)
    assert settings.login_callback_ports == (0, 65535)
    assert (settings.model_context_window, settings.model_auto_compact_token_limit) == (100_000, 50_000)
    assert (settings.model_verbosity, settings.service_tier) == ("high", "priority")
    assert (settings.instructions, settings.developer_instructions, settings.compact_prompt) == ("i", "d", "c")
    assert settings.model_instructions_file == str(home.path / "rules.md")
    assert (settings.approval_policy, settings.approvals_reviewer) == ("never", "auto_review")
    assert settings.sandbox_mode == "workspace-write"
    assert (settings.dynamic_tool_timeout, settings.user_input_timeout) == (7.0, 86_400.0)
    assert settings.max_image_bytes == 1024


@pytest.mark.parametrize(
    ("toml", "policy"),
    [
        ('"untrusted"', "untrusted"),
        ('"on-failure"', "on-request"),
        (
            "{ granular = { rules = true, sandbox_approval = false, mcp_elicitations = true, other = 1 } }",
            {
                "granular": {
                    "sandbox_approval": False,
                    "rules": True,
                    "skill_approval": False,
                    "request_permissions": False,
                    "mcp_elicitations": True,
                }
            },
        ),
    ],
)
def test_approval_policies_are_words_or_tables(home: Home, toml: str, policy: object) -> None:
    home.write(f"approval_policy = {toml}")
    assert home.settings().approval_policy == policy


def test_arguments_win_over_the_file_and_the_environment_over_both(home: Home) -> None:
    home.write('model = "file"\n[app_server]\ndrain_timeout = 1\nupstream_timeout = 1\nexternal_refresh_timeout = 1')
    settings = home.settings(
        "model=argument",
        "app_server.drain_timeout=2",
        "app_server.upstream_timeout=2",
        APP_SERVER_DRAIN_TIMEOUT="3",
    )
    assert settings.model == "argument"
    assert settings.drain_timeout == 3
    assert settings.upstream_timeout == 2
    assert settings.external_refresh_timeout == 1


def test_every_setting_of_our_own_has_a_variable(home: Home) -> None:
    settings = home.settings(
        APP_SERVER_MAX_LINE_BYTES="2048",
        APP_SERVER_MAX_CONCURRENT_REQUESTS="3",
        APP_SERVER_MAX_QUEUED_BYTES="4096",
        APP_SERVER_EXTERNAL_REFRESH_TIMEOUT="0.5",
        APP_SERVER_DRAIN_TIMEOUT=" 0 ",
        APP_SERVER_UPSTREAM_TIMEOUT="",
        APP_SERVER_LOGIN_CALLBACK_PORTS="0, 1457",
    )
    assert (settings.max_line_bytes, settings.max_concurrent_requests, settings.max_queued_bytes) == (2048, 3, 4096)
    assert (settings.external_refresh_timeout, settings.drain_timeout, settings.upstream_timeout) == (0.5, 0, 30)
    assert settings.login_callback_ports == (0, 1457)
    assert home.settings(APP_SERVER_LOGIN_CALLBACK_PORTS="0").login_callback_ports == (0,)


@pytest.mark.parametrize(
    ("given", "normalised"),
    [
        ("https://chatgpt.com", "https://chatgpt.com/backend-api"),
        ("https://chatgpt.com///", "https://chatgpt.com/backend-api"),
        (" https://chatgpt.com ", "https://chatgpt.com/backend-api"),
        ("https://chatgpt.com:443", "https://chatgpt.com:443/backend-api"),
        ("https://chatgpt.com/backend-api//", "https://chatgpt.com/backend-api"),
        ("https://chatgpt.com/x", "https://chatgpt.com/x/backend-api"),
        ("https://chat.openai.com/", "https://chat.openai.com/backend-api"),
        ("https://chatgpt-staging.com", "https://chatgpt-staging.com"),
        ("http://chatgpt.com", "http://chatgpt.com"),
        ("http://127.0.0.1:9/", "http://127.0.0.1:9"),
        ("http://127.0.0.1:9/x/backend-api/y/", "http://127.0.0.1:9/x/backend-api/y"),
        ("http://[::1]:9", "http://[::1]:9"),
    ],
)
def test_the_chatgpt_base_url_is_normalised_as_the_reference_does(home: Home, given: str, normalised: str) -> None:
    home.write(f'chatgpt_base_url = "{given}"')
    assert home.settings().chatgpt_base_url == normalised
    assert home.settings(f"chatgpt_base_url={given}").chatgpt_base_url == normalised


@pytest.mark.parametrize(
    ("toml", "workspaces"),
    [
        ('""', ()),
        ('"   "', ()),
        ("[]", ()),
        ('["", ""]', ()),
        ('" c "', ("c",)),
        ('["", " a ", "b", "a"]', ("a", "b", "a")),
        ('["a,c"]', ("a,c",)),
    ],
)
def test_blank_workspaces_restrict_nothing(home: Home, toml: str, workspaces: tuple[str, ...]) -> None:
    home.write(f"forced_chatgpt_workspace_id = {toml}")
    assert home.settings().forced_chatgpt_workspace_id == workspaces


def test_the_environment_moves_every_endpoint_of_a_login(home: Home) -> None:
    settings = home.settings(
        CODEX_APP_SERVER_LOGIN_ISSUER="http://127.0.0.1:1/",
        CODEX_APP_SERVER_LOGIN_CLIENT_ID="client",
        CODEX_AUTHAPI_BASE_URL="http://127.0.0.1:2",
    )
    assert settings.issuer == "http://127.0.0.1:1"
    assert settings.client_id == "client"
    assert settings.refresh_url == "http://127.0.0.1:1/oauth/token"
    assert settings.revoke_url == "http://127.0.0.1:1/oauth/revoke"
    assert settings.refresh_url_override is None
    assert settings.authapi_base_url == "http://127.0.0.1:2"
    settings = home.settings(
        CODEX_APP_SERVER_LOGIN_ISSUER="http://127.0.0.1:1",
        CODEX_REFRESH_TOKEN_URL_OVERRIDE="http://127.0.0.1:3/refresh?x=1",
        CODEX_REVOKE_TOKEN_URL_OVERRIDE="http://127.0.0.1:4/revoke",
    )
    assert settings.refresh_url == settings.refresh_url_override == "http://127.0.0.1:3/refresh?x=1"
    assert settings.revoke_url == "http://127.0.0.1:4/revoke"


def test_an_empty_variable_is_no_variable(home: Home) -> None:
    names = ("LOGIN_ISSUER", "LOGIN_CLIENT_ID")
    environ = {f"CODEX_APP_SERVER_{name}": "" for name in names}
    assert home.settings(**environ, CODEX_ACCESS_TOKEN=" ", CODEX_CA_CERTIFICATE="") == Settings(home.path)


def test_no_file_can_move_a_login(home: Home) -> None:
    home.write('issuer = "http://a"\nclient_id = "x"\nrefresh_url = "http://b"\nrevoke_url = "http://c"')
    assert home.settings("issuer=http://d", "authapi_base_url=http://e") == Settings(home.path)


def test_the_ca_file_is_that_of_codex_before_that_of_openssl(home: Home) -> None:
    assert home.settings(SSL_CERT_FILE="/b").ca_certificate == "/b"
    assert home.settings(SSL_CERT_FILE="/b", CODEX_CA_CERTIFICATE="/a").ca_certificate == "/a"


def test_a_personal_access_token_is_announced_by_name_and_never_shown(home: Home) -> None:
    settings, warnings = home.load(CODEX_ACCESS_TOKEN=" at-canary ")
    assert settings.access_token is not None
    assert settings.access_token.get_secret_value() == "at-canary"
    assert len(warnings) == 1
    assert "CODEX_ACCESS_TOKEN" in warnings[0].summary
    assert "outranks" in warnings[0].summary
    for text in (repr(settings), str(settings), repr(tuple(settings)), repr(warnings)):
        assert "canary" not in text


@pytest.mark.parametrize("value", ["canary", "at-", "AT-canary", "at-canary\x7f", "at-cañary", "at-canary\nx: y"])
def test_another_access_token_is_ignored_and_the_warning_says_so(home: Home, value: str) -> None:
    settings, warnings = home.load(CODEX_ACCESS_TOKEN=value)
    assert settings.access_token is None
    assert len(warnings) == 1
    assert "CODEX_ACCESS_TOKEN" in warnings[0].summary
    assert "ignored" in warnings[0].summary
    assert "canary" not in repr(warnings)


def test_the_settings_show_no_url_and_no_header(home: Home) -> None:
    home.write('[model_providers.x]\nhttp_headers = { a = "canary" }\nquery_params = { b = "canary" }')
    settings = home.settings(CODEX_APP_SERVER_LOGIN_ISSUER="http://canary.example")
    assert "canary" not in repr(settings)
    assert "canary" not in repr(settings.model_providers["x"])
    assert settings.model_providers["x"].http_headers["a"].get_secret_value() == "canary"


def test_providers_have_what_their_tables_say(home: Home) -> None:
    home.write(
        """
        model_provider = "corp"
        [model_providers.corp]
        name = "Corp"
        base_url = "http://127.0.0.1:1/v1/"
        env_key = "CORP_KEY"
        requires_openai_auth = true
        request_max_retries = 0
        stream_max_retries = 99999999999
        stream_idle_timeout_ms = 10
        supports_websockets = true
        wire_api = "responses"
        http_headers = { X-A = "1" }
        env_http_headers = { X-B = "B" }
        query_params = { q = "2" }
        experimental_bearer_token = "sk-in-the-file"
        [model_providers.other]
        base_url = "http://127.0.0.1:2"
        """
    )
    settings = home.settings()
    provider = settings.provider
    assert (provider.name, provider.base_url, provider.env_key) == ("Corp", "http://127.0.0.1:1/v1", "CORP_KEY")
    assert provider.requires_openai_auth
    assert settings.requires_openai_auth
    assert (provider.request_max_retries, provider.stream_max_retries, provider.stream_idle_timeout_ms) == (0, 100, 10)
    assert provider.supports_websockets
    assert {name: value.get_secret_value() for name, value in provider.http_headers.items()} == {"X-A": "1"}
    assert dict(provider.env_http_headers) == {"X-B": "B"}
    assert {name: value.get_secret_value() for name, value in provider.query_params.items()} == {"q": "2"}
    assert provider.experimental_bearer_token is not None
    assert provider.experimental_bearer_token.get_secret_value() == "sk-in-the-file"
    other = settings.model_providers["other"]
    assert other.experimental_bearer_token is None
    assert other.name == "other"
    assert not other.requires_openai_auth
    assert (other.request_max_retries, other.stream_max_retries, other.stream_idle_timeout_ms) == (4, 5, 300_000)
    assert not home.settings("model_provider=other").requires_openai_auth


@pytest.mark.parametrize(("provider", "required"), [("openai", True), ("ollama", False), ("lmstudio", False)])
def test_built_in_providers_need_no_table(home: Home, provider: str, required: bool) -> None:
    assert home.settings(f"model_provider={provider}").requires_openai_auth is required


def test_a_provider_of_the_file_is_completed_by_arguments(home: Home) -> None:
    home.write('[model_providers.x]\nname = "file"\nbase_url = "http://a"\nhttp_headers = { a = "1", b = "1" }')
    overrides = ("model_providers.x.name=argument", 'model_providers.x.http_headers={b="2"}')
    provider = home.settings(*overrides).model_providers["x"]
    assert (provider.name, provider.base_url) == ("argument", "http://a")
    assert {name: value.get_secret_value() for name, value in provider.http_headers.items()} == {"a": "1", "b": "2"}
    assert home.settings("model_providers.y.base_url=http://b").model_providers["y"].base_url == "http://b"


def test_an_argument_without_key_or_value_is_refused(home: Home) -> None:
    for argument in ("", "novalue", "=1", "  = 1"):
        with pytest.raises(OverrideError) as error:
            home.load(argument)
        assert "novalue" not in str(error.value)


def test_loading_imports_tomllib_only_for_toml(home: Home) -> None:
    script = (
        "import os, sys; from app_server.config import load_settings; "
        "load_settings(sys.argv[1:], os.environ); print('tomllib' in sys.modules, 'pydantic' in sys.modules)"
    )

    def loaded(*arguments: str) -> str:
        command = [sys.executable, "-c", script, *arguments]
        environ = {"CODEX_HOME": str(home.path), "PYTHONPATH": str(Path(__file__).parents[2])}
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environ).stdout.strip()

    plain = ("model=gpt-5.1-codex", "chatgpt_base_url=http://127.0.0.1:9/", "features.x=true", "a=feature-x")
    assert loaded(*plain) == "False False"
    home.write("# nothing here\n\n")
    assert loaded() == "False False"
    assert loaded("model=[1]") == "True False"
    home.write("model = 'x'")
    assert loaded() == "True False"
