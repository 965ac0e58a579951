"""The parsers of the subcommands for people: what makes no sense is refused before anything begins."""

import pytest

from app_server.cli.argv import Subcommand
from app_server.cli.commands import run

KEY = "sk-proj-canary-0123456789-abcdefghijkl-wxyz"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("login", ["--paste", "--device-auth"]),
        ("login", ["--with-api-key", "--device-auth"]),
        ("login", ["status", "--device-auth"]),
        ("login", ["status", "--take-port"]),
        ("login", ["status", "--no-open"]),
        ("login", ["--no"]),
        ("login", [KEY]),
        ("login", [f"--api-key={KEY}"]),
        ("login", ["--with-api-key", KEY]),
        ("logout", ["everybody"]),
        ("doctor", ["--json=yes"]),
        ("doctor", ["me"]),
        ("demo", ["--chat", "hello"]),
        ("demo", ["--chat=yes"]),
    ],
)
def test_what_makes_no_sense_has_status_2_and_repeats_no_secret(
    name: str, words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        run(Subcommand(name, words, ()))
    assert exit_info.value.code == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert f"app-server {name}: error: " in err
    assert KEY not in err


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("login", ["--device-auth", "--with-api-key", "--no-open", "--paste", "--take-port", "status"]),
        ("logout", []),
        ("doctor", ["--json", "--offline"]),
        ("demo", ["--chat"]),
        ("fake-openai", ["--port", "--json", "/__fake__/help"]),
    ],
)
def test_help_names_every_option(name: str, options: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        run(Subcommand(name, ["--help"], ()))
    assert exit_info.value.code == 0
    out, _ = capfd.readouterr()
    assert [option for option in options if option not in out] == []
