"""``codex_home``: the path that clients are told, as the reference tells it."""

import os
from pathlib import Path

import pytest

from app_server.codex_home import codex_home


def test_codex_home_is_the_variable_when_it_is_set(tmp_path: Path) -> None:
    assert codex_home({"CODEX_HOME": str(tmp_path), "HOME": "/elsewhere"}) == os.path.realpath(tmp_path)


@pytest.mark.parametrize("environ", [{}, {"CODEX_HOME": ""}])
def test_without_the_variable_it_is_below_the_users_home(environ: dict[str, str], tmp_path: Path) -> None:
    assert codex_home({**environ, "HOME": str(tmp_path)}) == str(tmp_path / ".codex")


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert codex_home({"CODEX_HOME": "a/../b/"}) == os.path.realpath(tmp_path / "b")
    assert codex_home({"HOME": "c"}) == os.path.realpath(tmp_path) + "/c/.codex"


def test_links_are_resolved_in_the_variable_and_kept_in_the_default(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / ".codex").symlink_to(real)
    assert codex_home({"CODEX_HOME": str(tmp_path / "link")}) == os.path.realpath(real)
    assert codex_home({"HOME": str(tmp_path / "user")}) == str(tmp_path / "user" / ".codex")


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}])
def test_without_a_home_variable_the_user_database_is_asked(environ: dict[str, str]) -> None:
    pwd = pytest.importorskip("pwd")
    assert codex_home(environ) == f"{pwd.getpwuid(os.getuid()).pw_dir}/.codex"
