"""``Configuration.read``: what ``config/read`` tells, and what it never tells."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from app_server.config import Configuration, Settings, load_configuration
from app_server.config.environment import OWN_NAMES
from app_server.config.known import CHECKS, OWN_CHECKS, PROVIDER_CHECKS, PROVIDER_TABLE_CHECKS
from app_server.config.settings import ModelProvider

FILE = """
model = "file"
forced_chatgpt_workspace_id = "acct-1"
[model_providers.x]
name = "X"
base_url = "http://x/v1/"
env_key = "X_KEY"
http_headers = { A = "1" }
[app_server]
drain_timeout = 1
upstream_timeout = 1
"""


def read(configuration: Configuration, *, include_layers: bool = True) -> dict[str, Any]:
    """The answer as a client gets it."""
    return json.loads(configuration.read(include_layers=include_layers).to_json())  # type: ignore[no-any-return]


def load(home: Path, text: str, *arguments: str, **variables: str) -> dict[str, Any]:
    (home / "config.toml").write_text(text)
    return read(load_configuration(arguments, {"CODEX_HOME": str(home), **variables}))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def digest(table: dict[str, Any]) -> str:
    return "sha256:" + hashlib.sha256(json.dumps(table, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def test_without_any_configuration_there_are_defaults_without_origins(home: Path) -> None:
    answer = read(load_configuration([], {"CODEX_HOME": str(home)}))
    config = answer["config"]
    assert (config["model"], config["model_provider"], config["model_providers"]) == (None, "openai", {})
    assert config["cli_auth_credentials_store"] == "file"
    assert config["forced_chatgpt_workspace_id"] is None
    assert config["app_server"]["drain_timeout"] == 5.0
    assert answer["origins"] == {}
    # SHA-256 of {}, as the reference has it for a file that is not there.
    empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    source = {"type": "user", "file": str(home / "config.toml"), "profile": None}
    assert answer["layers"] == [{"name": source, "version": empty, "config": {}, "disabledReason": None}]


def test_the_settings_in_force_are_told_with_where_they_come_from(home: Path) -> None:
    answer = load(home, FILE, "model=argument", "app_server.upstream_timeout=2", APP_SERVER_UPSTREAM_TIMEOUT="3")
    config, origins = answer["config"], answer["origins"]
    assert config["model"] == "argument"
    assert config["forced_chatgpt_workspace_id"] == ["acct-1"]
    assert (config["app_server"]["drain_timeout"], config["app_server"]["upstream_timeout"]) == (1.0, 3.0)
    assert config["model_providers"]["x"] == {
        "name": "X",
        "base_url": "http://x/v1",
        "env_key": "X_KEY",
        "experimental_bearer_token": None,
        "requires_openai_auth": False,
        "request_max_retries": 4,
        "stream_max_retries": 5,
        "stream_idle_timeout_ms": 300_000,
        "supports_websockets": False,
        "wire_api": "responses",
        "http_headers": {"A": "<redacted>"},
        "env_http_headers": None,
        "query_params": None,
    }
    flags, user = answer["layers"]
    assert flags["name"] == {"type": "sessionFlags"}
    assert flags["config"] == {"model": "argument", "app_server": {"upstream_timeout": 3.0}}
    assert flags["version"] == digest(flags["config"])
    assert user["config"]["app_server"] == {"drain_timeout": 1.0, "upstream_timeout": 1.0}
    assert {key: origin["name"]["type"] for key, origin in origins.items()} == {
        "model": "sessionFlags",
        "app_server.upstream_timeout": "sessionFlags",
        "app_server.drain_timeout": "user",
        "forced_chatgpt_workspace_id": "user",
        "model_providers.x.name": "user",
        "model_providers.x.base_url": "user",
        "model_providers.x.env_key": "user",
        "model_providers.x.http_headers.A": "user",
    }
    assert origins["model"]["version"] == flags["version"]


def test_layers_are_told_only_to_those_who_ask(home: Path) -> None:
    configuration = load_configuration([], {"CODEX_HOME": str(home)})
    assert read(configuration, include_layers=False)["layers"] is None


SECRETS = """
model_provider = "canary"
openai_base_url = "sk-canary"
service_token = "canary"
[model_providers.x]
base_url = "http://user:canary@x"
env_key = "sk-canary"
experimental_bearer_token = "canary"
http_headers = { A = "canary" }
env_http_headers = { B = "canary-pasted", C = "GOOD_NAME" }
query_params = { key = "canary" }
auth = { command = "canary" }
[mcp_servers.a]
env = { TOKEN = "canary" }
[app_server]
drain_timeout = "canary"
"""


def test_no_secret_is_ever_told(home: Path) -> None:
    (home / "config.toml").write_text(SECRETS)
    arguments = ("model_providers.x.http_headers.D=canary", "model_providers.x.env_key=sk-canary", "zz=canary")
    environ = {"CODEX_HOME": str(home), "CODEX_ACCESS_TOKEN": "at-canary", "APP_SERVER_DRAIN_TIMEOUT": "canary"}
    configuration = load_configuration(arguments, environ)
    text = configuration.read(include_layers=True).to_json().decode()
    assert "canary" not in text
    provider = json.loads(text)["config"]["model_providers"]["x"]
    assert provider["http_headers"] == {"A": "<redacted>", "D": "<redacted>"}
    assert provider["env_http_headers"] == {"B": "<redacted>", "C": "GOOD_NAME"}
    assert provider["env_key"] == "<redacted>"


def test_the_version_of_a_layer_does_not_depend_on_a_secret(home: Path) -> None:
    one, two = (load(home, f'[model_providers.x.http_headers]\nA = "{value}"') for value in ("1", "2"))
    assert one["layers"] == two["layers"]


def test_what_is_wrong_is_not_in_force_and_comes_from_nowhere(home: Path) -> None:
    answer = load(home, 'model = "m"\nmodel_verbosity = "zz"\nmodel_provider = "zz"\n', "model=5")
    assert (answer["config"]["model"], answer["config"]["model_verbosity"]) == ("m", None)
    assert answer["config"]["model_provider"] == "openai"
    assert answer["origins"].keys() == {"model"}
    assert answer["origins"]["model"]["name"]["type"] == "user"


def test_a_file_that_is_no_toml_is_a_layer_without_settings(home: Path) -> None:
    assert load(home, "model = = 1")["layers"][0]["config"] == {}


def test_tables_of_settings_are_read_with_all_that_is_in_them(home: Path) -> None:
    policy = {"sandbox_approval": True, "rules": False, "mcp_elicitations": True}
    shown = {**policy, "skill_approval": False, "request_permissions": False}
    text = ", ".join(f"{name} = {str(value).lower()}" for name, value in policy.items())
    answer = load(home, f"approval_policy = {{ granular = {{ {text} }} }}")
    assert answer["config"]["approval_policy"] == {"granular": shown}
    assert answer["origins"].keys() == {f"approval_policy.granular.{name}" for name in shown}


def test_settings_made_by_hand_have_no_layers(tmp_path: Path) -> None:
    answer = read(Configuration(Settings(tmp_path, model="m")))
    assert (answer["config"]["model"], answer["origins"], answer["layers"]) == ("m", {}, [])


def test_every_setting_has_a_check_and_a_member() -> None:
    assert set(OWN_NAMES) == OWN_CHECKS.keys()
    fields = {"credentials_store" if name == "cli_auth_credentials_store" else name for name in CHECKS}
    assert fields | OWN_CHECKS.keys() <= set(Settings._fields)
    assert PROVIDER_CHECKS.keys() | PROVIDER_TABLE_CHECKS.keys() == set(ModelProvider._fields)
