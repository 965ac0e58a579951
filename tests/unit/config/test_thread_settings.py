"""``Configuration.for_thread``: the settings of one thread (threads' ``config`` param, as the reference takes it)."""

from pathlib import Path
from typing import Any

import pytest

from app_server.config import ConfigError, Configuration, Settings, load_configuration

RESERVED = (
    "model_providers contains reserved built-in provider IDs: {}. Built-in providers cannot be overridden. "
    "Rename your custom provider (for example, `openai-custom`)."
)

FILE = """
model = "file"
developer_instructions = "kept"
[model_providers.x]
name = "X"
base_url = "http://file/v1"
http_headers = { a = "1", b = "1" }
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    (tmp_path / "config.toml").write_text(FILE)
    return load_configuration(["model_verbosity=low"], {"CODEX_HOME": str(tmp_path)})


def laid_over(configuration: Configuration, overrides: dict[str, Any]) -> Settings:
    settings, messages = configuration.for_thread(overrides)
    assert messages == []
    return settings


def refused(configuration: Configuration, overrides: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as error:
        configuration.for_thread(overrides)
    assert str(error.value) == error.value.message
    return error.value.message


@pytest.mark.parametrize("nothing", [None, {}, {"model": None}, {"model_providers": {"x": {"base_url": None}}}])
def test_a_thread_that_says_nothing_has_the_settings_of_the_server(
    configuration: Configuration, nothing: dict[str, Any] | None
) -> None:
    assert configuration.for_thread(nothing) == (configuration.settings, [])


def test_what_a_thread_says_wins_and_the_rest_stays(configuration: Configuration) -> None:
    settings = laid_over(
        configuration,
        {
            "model": "thread",
            "model_verbosity": "high",
            "model_context_window": 1000,
            "sandbox_mode": "read-only",
            "approval_policy": {"granular": {"rules": True, "sandbox_approval": True, "mcp_elicitations": True}},
            "forced_chatgpt_workspace_id": ["a"],
            "app_server.dynamic_tool_timeout": 5,
            "app_server": {"max_image_bytes": 2048},
        },
    )
    # The table came later and replaced what the dotted key had put there, as a later -c does.
    assert (settings.dynamic_tool_timeout, settings.max_image_bytes) == (600.0, 2048)
    assert (settings.model, settings.model_verbosity, settings.model_context_window) == ("thread", "high", 1000)
    assert settings.forced_chatgpt_workspace_id == ("a",)
    assert settings.developer_instructions == "kept"
    assert configuration.settings.model == "file"


@pytest.mark.parametrize(
    "overrides",
    [
        {"model_providers.x.base_url": "http://thread/v1/", "model_providers.x.http_headers.b": "2"},
        {"model_providers": {"x": {"base_url": "http://thread/v1", "http_headers": {"b": "2"}}}},
        {"model_providers.x": {"base_url": "http://thread/v1"}, "model_providers.x.http_headers": {"b": "2"}},
    ],
)
def test_a_provider_is_completed_member_by_member(configuration: Configuration, overrides: dict[str, Any]) -> None:
    provider = laid_over(configuration, overrides).model_providers["x"]
    assert (provider.name, provider.base_url) == ("X", "http://thread/v1")
    assert {name: value.get_secret_value() for name, value in provider.http_headers.items()} == {"a": "1", "b": "2"}
    assert configuration.settings.model_providers["x"].base_url == "http://file/v1"


def test_a_thread_can_bring_a_provider_of_its_own(configuration: Configuration) -> None:
    own = {"model_provider": "y", "model_providers.y.base_url": "http://y"}
    settings = laid_over(configuration, own)
    assert (settings.provider.name, settings.provider.base_url) == ("y", "http://y")
    assert "y" not in configuration.settings.model_providers


def test_the_base_of_the_built_in_provider_follows_its_setting(configuration: Configuration) -> None:
    settings = laid_over(configuration, {"openai_base_url": "http://mine/v1"})
    assert settings.model_providers["openai"].base_url == "http://mine/v1"


def test_the_overrides_are_left_as_they_were(configuration: Configuration) -> None:
    overrides: dict[str, Any] = {"model_providers": {"y": {"name": "Y"}}, "model_providers.y.base_url": "http://y"}
    laid_over(configuration, overrides)
    assert overrides == {"model_providers": {"y": {"name": "Y"}}, "model_providers.y.base_url": "http://y"}


@pytest.mark.parametrize(
    ("overrides", "problem", "place"),
    [
        ({"model": 5}, "invalid type: integer `5`, expected a string", "model"),
        ({"model": []}, "invalid type: sequence, expected a string", "model"),
        ({"model.x": 1}, "invalid type: map, expected a string", "model"),
        ({"model": 1.5}, "invalid type: floating point `1.5`, expected a string", "model"),
        (
            {"model_context_window": 1.5},
            "invalid type: floating point `1.5`, expected i64",
            "model_context_window",
        ),
        (
            {"approval_policy": "zz"},
            "unknown variant `zz`, expected one of `untrusted`, `on-failure`, `on-request`, `granular`, `never`",
            "approval_policy",
        ),
        ({"approval_policy": {"granular": {}}}, "missing field `sandbox_approval`", "approval_policy"),
        (
            {"sandbox_mode": "zz"},
            "unknown variant `zz`, expected one of `read-only`, `workspace-write`, `danger-full-access`",
            "sandbox_mode",
        ),
        (
            {"model_providers.x.base_url": 5},
            "invalid type: integer `5`, expected a string",
            "model_providers.x.base_url",
        ),
        (
            {"model_providers.x.http_headers.X": 5},
            "invalid type: integer `5`, expected a string",
            "model_providers.x.http_headers.X",
        ),
        (
            {"model_providers.x.request_max_retries": 1.5},
            "invalid type: floating point `1.5`, expected u64",
            "model_providers.x.request_max_retries",
        ),
        ({"model_providers": 5}, "invalid type: integer `5`, expected a map", "model_providers"),
        (
            {"model_providers.openai.base_url": "http://x"},
            RESERVED.format("`openai`"),
            "model_providers",
        ),
    ],
)
def test_what_is_wrong_is_told_in_the_words_of_the_reference(
    configuration: Configuration, overrides: dict[str, Any], problem: str, place: str
) -> None:
    assert refused(configuration, overrides) == f"failed to load configuration: {problem}\nin `{place}`\n"


def test_an_unknown_provider_is_an_error(configuration: Configuration) -> None:
    expected = "failed to load configuration: Model provider `zz` not found"
    assert refused(configuration, {"model_provider": "zz"}) == expected


def test_strings_of_the_wrong_kind_are_not_repeated(configuration: Configuration) -> None:
    for key in ("model_context_window", "openai_base_url", "model_providers.x.request_max_retries"):
        assert "canary" not in refused(configuration, {key: "sk-canary"})


def test_unknown_settings_are_told_in_one_message(configuration: Configuration) -> None:
    overrides = {
        "nope": 1,
        "a.b": 1,
        "model_providers.x.nope": 1,
        "app_server.drain_timeout": 1,
        "app_server.nope": 1,
        "features.of_the_reference": True,
        "mcp_servers": {"a": {"command": "x"}},
        "model_providers.x.aws": {},
        "model": "m",
    }
    settings, (message,) = configuration.for_thread(overrides)
    assert settings.model == "m"
    assert settings.drain_timeout == Settings(Path("/")).drain_timeout
    assert message == (
        "Codex is ignoring 5 unrecognized configuration settings. Check for typos or deprecated settings.\n"
        "  session-flags: `a` is ignored.\n"
        "  session-flags: `app_server.drain_timeout` is ignored.\n"
        "  session-flags: `app_server.nope` is ignored.\n"
        "  session-flags: `model_providers.x.nope` is ignored.\n"
        "  session-flags: `nope` is ignored."
    )
    _, (message,) = configuration.for_thread({"nope": 1})
    assert message.startswith("Codex is ignoring 1 unrecognized configuration setting. ")


def test_messages_are_bounded(configuration: Configuration) -> None:
    _, (message,) = configuration.for_thread({f"{number}" * 1000: 1 for number in range(1, 200)})
    assert len(message) < 20_000
    assert message.endswith("and 149 more.")


@pytest.mark.parametrize("overrides", [{"": 1}, {".": 1}, {"..": {}}, {"\ud800": 1}, {"model_providers.": {}}])
def test_odd_keys_are_no_fault_of_ours(configuration: Configuration, overrides: dict[str, Any]) -> None:
    assert configuration.for_thread(overrides)[0].model == "file"


def test_instructions_are_read_from_their_file_when_a_thread_begins(tmp_path: Path) -> None:
    configuration = load_configuration(["model_instructions_file=rules.md"], {"CODEX_HOME": str(tmp_path)})
    (tmp_path / "rules.md").write_text("  Be brief.\n")
    assert laid_over(configuration, {"instructions": "loses"}).instructions == "Be brief."
    (tmp_path / "other.md").write_text("Be long.")
    other = {"model_instructions_file": str(tmp_path / "other.md")}
    assert laid_over(configuration, other).instructions == "Be long."
    assert configuration.settings.instructions is None


def test_a_file_of_instructions_that_cannot_be_used_is_an_error(configuration: Configuration, tmp_path: Path) -> None:
    path = tmp_path.resolve() / "rules.md"
    overrides = {"model_instructions_file": "rules.md"}
    unreadable = f"failed to load configuration: failed to read model instructions file {path}: "
    assert refused(configuration, overrides) == f"{unreadable}No such file or directory (os error 2)"
    path.write_text(" \n")
    assert (
        refused(configuration, overrides) == f"failed to load configuration: model instructions file is empty: {path}"
    )
    path.write_bytes(b"\xff")
    assert refused(configuration, overrides) == f"{unreadable}it is not UTF-8"
    path.unlink()
    path.mkdir()
    assert refused(configuration, overrides).startswith(unreadable)
    assert "it is no path" in refused(configuration, {"model_instructions_file": "\0"})


def test_settings_made_by_hand_can_be_laid_over_too(tmp_path: Path) -> None:
    settings = Settings(tmp_path, developer_instructions="mine")
    overlaid = laid_over(Configuration(settings), {"model": "m"})
    assert overlaid == settings._replace(model="m")
