"""Homes for servers under test (``app_server.testing.homes``)."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from app_server.config import load_configuration
from app_server.config.overrides import Overrides
from app_server.testing.homes import config_toml, environment, make_home


class Upstream:
    """Leads somewhere."""

    def environment(self) -> dict[str, str]:
        return {"CODEX_APP_SERVER_LOGIN_ISSUER": "http://127.0.0.1:9"}

    def config_overrides(self) -> list[str]:
        return ['chatgpt_base_url="http://127.0.0.1:9/backend-api"', 'openai_base_url="http://127.0.0.1:9/v1"']


def read(overrides: list[str]) -> dict[str, object]:
    import tomllib

    return tomllib.loads(config_toml(overrides))


@pytest.mark.parametrize(
    "overrides",
    [
        ['model="gpt-5"', "model_context_window=1000", "hide=true", "ports=[0, 1]", 'table={ a = "b" }'],
        ["model=gpt-5", 'developer_instructions=plain words, and "quotes"', "empty=", "path=C:\\new"],
        ['model_providers.mine.name="Mine"', 'model_providers.mine.base_url="http://127.0.0.1:9/v1"'],
        ["app_server.drain_timeout=1", "app_server.drain_timeout=3", "model=é😀"],
        ["odd key.with spaces=1"],
    ],
)
def test_the_file_says_what_the_arguments_would(overrides: list[str]) -> None:
    assert read(overrides) == Overrides(overrides).table


@pytest.mark.parametrize("overrides", [["model"], ["=1"], ["a=1", "a.b=2"], ["a={ b = 1 }", "a.b=2"]])
def test_what_cannot_be_said_is_refused(overrides: list[str]) -> None:
    with pytest.raises(ValueError, match=r"Invalid override|cannot be said together"):
        config_toml(overrides)


def test_a_home_leads_to_the_upstream_and_the_settings_of_the_test_win(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home, Upstream(), ['openai_base_url="http://127.0.0.1:8/v1"', "app_server.drain_timeout=2"])
    configuration = load_configuration([], environment(home, Upstream(), {"APP_SERVER_UPSTREAM_TIMEOUT": "3"}))
    settings = configuration.settings
    assert not configuration.warnings
    assert settings.codex_home == home
    assert settings.issuer == "http://127.0.0.1:9"
    assert settings.chatgpt_base_url == "http://127.0.0.1:9/backend-api"
    assert settings.openai_base_url == "http://127.0.0.1:8/v1"
    assert (settings.drain_timeout, settings.upstream_timeout) == (2, 3)
    assert list(settings.login_callback_ports) == [0]
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_the_environment_is_that_of_the_tests_without_other_logins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CODEX_ACCESS_TOKEN", "OPENAI_API_KEY", "APP_SERVER_DRAIN_TIMEOUT"):
        monkeypatch.setenv(name, "of the developer")
    monkeypatch.setenv("EDITOR", "ed")
    made = environment(tmp_path, Upstream(), {"EXTRA": "1", "APP_SERVER_LOG": "error"})
    assert not {"CODEX_ACCESS_TOKEN", "OPENAI_API_KEY", "APP_SERVER_DRAIN_TIMEOUT"} & made.keys()
    assert (made["EDITOR"], made["EXTRA"], made["APP_SERVER_LOG"]) == ("ed", "1", "error")
    assert made["CODEX_HOME"] == str(tmp_path)
    assert shutil.which("app-server", path=made["PATH"])
    assert made["PATH"].endswith(os.environ["PATH"])
