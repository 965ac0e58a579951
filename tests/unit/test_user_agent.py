"""``userAgent``, ``platformFamily`` and ``platformOs``, held against what the reference answered to the same input."""

import subprocess
import sys

import pytest

from app_server import user_agent as module
from app_server.user_agent import (
    architecture,
    is_header_value,
    linux_description,
    mac_description,
    originator,
    os_description,
    platform_family,
    platform_os,
    terminal,
    user_agent,
)
from app_server.version import WIRE_VERSION

PLATFORM = f"({os_description()}; {architecture()})"


def expected(name: str, client: str, terminal_name: str = "unknown") -> str:
    return f"{name}/{WIRE_VERSION} {PLATFORM} {terminal_name} ({client})"


@pytest.mark.parametrize(
    ("name", "version", "client"),
    [
        ("codex_vscode", "26.1.2", "codex_vscode; 26.1.2"),
        ("a b", "1 2", "a b; 1 2"),
        ("ü", "1", "ü; 1"),
        ("x", "😀 日本", "x; 😀 日本"),
        ("x\ty", "a\tb", "x\ty; a\tb"),
        ("", "1", "; 1"),
        ("x", "", "x;"),
        ("x(y)", "1;2", "x(y); 1;2"),
        (" x ", " y ", "x ;  y"),
        ("x", "\u2028", "x;"),
        ("x", "a\n", "x; a"),
        ("x", "\u3000a\u3000", "x; \u3000a"),
        ("x", "\x85", "x;"),
    ],
)
def test_name_and_version_stand_where_the_reference_has_them(name: str, version: str, client: str) -> None:
    assert user_agent(name, version, {}) == expected(name, client)


@pytest.mark.parametrize(
    ("name", "version", "cleaned", "client"),
    [
        ("x", "a\nb", "x", "x; a_b"),
        ("x", "\x7f", "x", "x; _"),
        ("x", "\x1fa\x1f", "x", "x; _a_"),
        ("x", "é\x00ü", "x", "x; ___"),
        ("ü", "a\x01", "_", "_; a_"),
        ("x\ty", "\x01", "x_y", "x_y; _"),
    ],
)
def test_a_version_that_no_header_can_carry_is_cleaned(name: str, version: str, cleaned: str, client: str) -> None:
    assert user_agent(name, version, {}) == expected(cleaned, client)


def test_every_user_agent_is_a_header_value() -> None:
    for number in [*range(0x180), *range(0x2000, 0x2070), 0x3000, 0xD800, 0xDFFF, 0xFFFF, 0x10FFFF]:
        character = chr(number)
        assert is_header_value(user_agent("x", f"a{character}b", {"TERM": character, "TERM_PROGRAM": character}))


@pytest.mark.parametrize("text", ["", "x", "a b", "x\ty", "ü", "\x80", "日本", "~"])
def test_header_values_are_recognised(text: str) -> None:
    assert is_header_value(text)


@pytest.mark.parametrize("text", ["x\n", "x\r", "\x00", "x\x1f", "x\x7f", "\ud800"])
def test_what_no_header_can_carry_is_recognised(text: str) -> None:
    assert not is_header_value(text)


@pytest.mark.parametrize(
    ("override", "name"),
    [(None, "client"), ("zz", "zz"), ("", ""), ("ü", "ü"), ("a\x01b", "client")],
)
def test_the_environment_can_override_the_originator(override: str | None, name: str) -> None:
    environ = {} if override is None else {"CODEX_INTERNAL_ORIGINATOR_OVERRIDE": override}
    assert originator("client", environ) == name
    assert user_agent("client", "1", environ) == expected(name, "client; 1")


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, "unknown"),
        ({"TERM": ""}, "unknown"),
        ({"TERM": " "}, "unknown"),
        ({"TERM": "dumb"}, "dumb"),
        ({"TERM": "xterm-256color"}, "xterm-256color"),
        ({"TERM": "ü"}, "_"),
        ({"TERM": "a b/c;(d)"}, "a_b/c__d_"),
        ({"TERM": " xterm "}, "_xterm_"),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "XTERM-KITTY"}, "XTERM-KITTY"),
        ({"TERM": "alacritty"}, "Alacritty"),
        ({"TERM": "alacritty-direct"}, "alacritty-direct"),
        ({"TERM_PROGRAM": "vscode", "TERM_PROGRAM_VERSION": "1.9"}, "vscode/1.9"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iTerm.app"),
        ({"TERM_PROGRAM": "x", "TERM_PROGRAM_VERSION": " "}, "x"),
        ({"TERM_PROGRAM": "ü", "TERM_PROGRAM_VERSION": "é"}, "_/_"),
        ({"TERM_PROGRAM": " ", "TERM": "xterm"}, "xterm"),
        ({"TERM_PROGRAM": "tmux", "TERM_PROGRAM_VERSION": "3.4", "TERM": "screen"}, "screen"),
        ({"TERM_PROGRAM_VERSION": "5", "TERM": "xterm"}, "xterm"),
        ({"WEZTERM_VERSION": " a b "}, "WezTerm/_a_b_"),
        ({"WEZTERM_VERSION": ""}, "WezTerm"),
        ({"GHOSTTY_RESOURCES_DIR": ""}, "unknown"),
        ({"KITTY_WINDOW_ID": ""}, "kitty"),
        ({"ITERM_PROFILE": ""}, "iTerm.app"),
        ({"KONSOLE_VERSION": "220"}, "Konsole/220"),
        ({"TERM_SESSION_ID": "1", "TERM": "xterm"}, "xterm"),
    ],
)
def test_the_terminal_is_named_as_the_reference_names_it(environ: dict[str, str], name: str) -> None:
    assert terminal(environ) == name


def test_of_several_terminals_the_reference_prefers_the_same() -> None:
    by_rank = [
        ("TERM_PROGRAM", "program", "program"),
        ("GHOSTTY_RESOURCES_DIR", "x", "Ghostty"),
        ("WEZTERM_VERSION", "1", "WezTerm/1"),
        ("ITERM_SESSION_ID", "x", "iTerm.app"),
        ("KITTY_WINDOW_ID", "x", "kitty"),
        ("ALACRITTY_SOCKET", "x", "Alacritty"),
        ("KONSOLE_VERSION", "2", "Konsole/2"),
        ("GNOME_TERMINAL_SCREEN", "x", "gnome-terminal"),
        ("VTE_VERSION", "3", "VTE/3"),
        ("WT_SESSION", "x", "WindowsTerminal"),
        ("TERM", "xterm", "xterm"),
    ]
    for rank, (_, _, name) in enumerate(by_rank):
        assert terminal({variable: value for variable, value, _ in by_rank[rank:]}) == name


@pytest.mark.parametrize(
    ("os_release", "description"),
    [
        ('NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="24.04"\n', "Ubuntu 24.4.0"),
        ('PRETTY_NAME="x"\nVERSION_ID="12"\nID=debian\n', "Debian 12.0.0"),
        ("ID=alpine\r\nVERSION_ID=3.19.1\r\n", "Alpine Linux 3.19.1"),
        ("ID=alpine\nVERSION_ID=3.22_alpha2024\n", "Alpine Linux 3.22_alpha2024"),
        ("ID=debian\nVERSION_ID=1.2.3.4\n", "Debian 1.2.3.4"),
        ('ID=debian\nVERSION_ID=" 12 "\n', "Debian 12.0.0"),
        ('ID="rhel"\nVERSION_ID="9.3"\n', "Red Hat Enterprise Linux 9.3.0"),
        ("ID=arch\n", "Arch Linux Unknown"),
        ("ID=debian\nVERSION_ID=\n", "Debian Unknown"),
        ("#ID=ubuntu\nID=debian\nVERSION_ID=1\n", "Debian 1.0.0"),
        ("ID=debian\nVERSION_ID=1\nID=ubuntu\nVERSION_ID=2\n", "Debian 1.0.0"),
        ("ID=nobody-knows\nVERSION_ID=1\n", "Linux Unknown"),
        ("", "Linux Unknown"),
    ],
)
def test_linux_is_described_as_the_reference_describes_it(os_release: str, description: str) -> None:
    assert linux_description(os_release) == description


def test_macos_is_described_from_its_property_list() -> None:
    text = "<dict><key>ProductName</key><string>macOS</string><key>ProductVersion</key>\n<string>15.5</string></dict>"
    assert mac_description(text) == "Mac OS 15.5.0"
    assert mac_description("") == "Mac OS Unknown"


def test_the_platform_is_named_as_clients_expect() -> None:
    assert platform_family() in ("unix", "windows")
    assert platform_os() == {"linux": "linux", "darwin": "macos", "win32": "windows"}.get(sys.platform, platform_os())
    assert architecture()


def test_naming_itself_imports_nothing_slow() -> None:
    script = (
        "import sys; before = set(sys.modules); import app_server.user_agent, app_server.codex_home, "
        "app_server.cli.argv; app_server.user_agent.user_agent('x', '1'); app_server.cli.argv.parse(['-c', 'a=b']); "
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    assert module.__name__ in loaded
    assert [name for name in loaded if not name.startswith("app_server")] == []
