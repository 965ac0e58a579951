"""The argument vector in the forms that published clients send (wire.md section 16)."""

import pytest

from app_server.cli.argv import SUBCOMMANDS, ServeCommand, Subcommand, parse
from app_server.version import WIRE_VERSION, __version__


def serve(*argv: str) -> ServeCommand:
    command = parse(argv)
    assert isinstance(command, ServeCommand)
    return command


@pytest.mark.parametrize(
    ("argv", "overrides"),
    [
        ([], ()),
        (["app-server"], ()),
        (["-c", "a=1", "app-server", "--listen", "stdio://"], ("a=1",)),
        (["--config", "a=1", "--config=b=2", "app-server", "-c", "c=3"], ("a=1", "b=2", "c=3")),
        (["app-server", "-ca=1", "-c=b=2"], ("a=1", "b=2")),
        (["-c", "a=b=c", "-c", "a="], ("a=b=c", "a=")),
        (["-c", 'model="x y"', "--stdio", "--analytics-default-enabled"], ('model="x y"',)),
        (["app-server", "--listen=stdio://", "--"], ()),
        (["-c", "app-server=1", "app-server"], ("app-server=1",)),
        (["-c", " a.b = 1 "], (" a.b = 1 ",)),
    ],
)
def test_overrides_are_taken_before_and_after_the_word_in_their_order(
    argv: list[str], overrides: tuple[str, ...]
) -> None:
    command = serve(*argv)
    assert command.overrides == overrides
    assert command.listen == "stdio://"


def test_features_are_remembered_by_what_is_wanted_of_them() -> None:
    command = serve("--enable", "a", "app-server", "--disable=b", "--enable", "c", "--enable", "a")
    assert command.enabled == ("a", "c", "a")
    assert command.disabled == ("b",)


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_what_follows_a_subcommand_is_left_to_its_own_parser(name: str) -> None:
    command = parse(["-c", "a=1", "app-server", name, "--out", "x", "--help", "-c", "b=2", "--nope"])
    assert isinstance(command, Subcommand)
    assert command.name == name
    assert command.arguments == ("--out", "x", "--help", "-c", "b=2", "--nope")
    assert command.overrides == ("a=1",)


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        (["--nope"], "--nope"),
        (["--nope", "--help"], "--nope"),
        (["app-server", "-x"], "-x"),
        (["app-server", "extra"], "extra"),
        (["app-server", "app-server"], "app-server"),
        (["--conf", "a=1"], "--conf"),
        (["--help=1"], "--help"),
        (["--", "x"], "--"),
        (["-c"], "-c"),
        (["--config"], "--config"),
        (["-c", "--listen"], "-c"),
        (["-c", "-x=1"], "-c"),
        (["-c", "novalue"], "-c"),
        (["-c", ""], "-c"),
        (["--config=", "a=1"], "-c"),
        (["-c", "=1"], "-c"),
        (["-c", "  =1"], "-c"),
        (["-cx"], "-c"),
        (["--listen"], "--listen"),
        (["--listen", "ws://127.0.0.1:1"], "stdio://"),
        (["--listen", "stdio"], "stdio://"),
        (["--listen="], "stdio://"),
        (["--listen", ""], "stdio://"),
        (["--enable"], "--enable"),
        (["--enable", ""], "--enable"),
        (["--disable="], "--disable"),
        ([""], "''"),
        (["a\nb\x1b[31m"], "unknown command"),
        (["\udcff"], "unknown command"),
    ],
)
def test_what_makes_no_sense_is_one_line_on_stderr_and_status_2(
    argv: list[str], names: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        parse(argv)
    assert exit_info.value.code == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("app-server: error: ")
    assert err.endswith("; see app-server --help\n")
    assert names in err
    assert err.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    "argv", [["-c", "sk-proj-canary12345"], ["sk-proj-canary12345"], ["--api-key=canary12345"], ["at-canary12345"]]
)
def test_a_secret_in_the_wrong_place_is_not_repeated(argv: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(argv)
    assert "canary12345" not in capfd.readouterr().err


@pytest.mark.parametrize("argv", [["--version"], ["-V"], ["app-server", "--version"], ["-c", "a=1", "-V"]])
def test_version_names_this_program_and_the_wire(argv: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        parse(argv)
    assert exit_info.value.code == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert __version__ in out
    assert WIRE_VERSION in out


@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["help"], ["app-server", "-h", "--nope"]])
def test_help_names_every_subcommand_and_option(argv: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        parse(argv)
    assert exit_info.value.code == 0
    out, _ = capfd.readouterr()
    for word in (*SUBCOMMANDS, "--config", "--listen", "--enable", "--disable", "--version", "--help"):
        assert word in out
    assert max(map(len, out.splitlines())) <= 120
