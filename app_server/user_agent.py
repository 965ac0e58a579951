"""How this server names itself and its platform: the results of ``initialize`` and the User-Agent of requests.

The first answer waits for this module, so it imports ``os`` and ``sys`` and nothing slower; ``platform`` would run
subprocesses. All shapes were observed on the reference (wire.md section 2).
"""

import os
import sys

from app_server.version import WIRE_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# White space as Unicode has it. str.strip() would also take U+001C to U+001F, which have to become underscores.
_WHITE_SPACE = (
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

_TERMINAL_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")

# Names by the ID of os-release. What is missing here is reported as plain "Linux", version "Unknown".
_DISTRIBUTIONS = {
    "almalinux": "AlmaLinux",
    "alpine": "Alpine Linux",
    "altlinux": "ALT Linux",
    "amzn": "Amazon Linux AMI",
    "aosc": "AOSC OS",
    "arch": "Arch Linux",
    "archarm": "Arch Linux",
    "artix": "Artix Linux",
    "bluefin": "Bluefin",
    "cachyos": "CachyOS Linux",
    "centos": "CentOS",
    "debian": "Debian",
    "elementary": "Elementary OS",
    "fedora": "Fedora",
    "garuda": "Garuda Linux",
    "gentoo": "Gentoo Linux",
    "kali": "Kali Linux",
    "linuxmint": "Linux Mint",
    "mariner": "Mariner",
    "nixos": "NixOS",
    "nobara": "Nobara Linux",
    "ol": "Oracle Linux",
    "openEuler": "EulerOS",
    "opensuse": "openSUSE",
    "opensuse-leap": "openSUSE",
    "opensuse-microos": "openSUSE",
    "opensuse-tumbleweed": "openSUSE",
    "pop": "Pop!_OS",
    "raspbian": "Raspberry Pi OS",
    "rhel": "Red Hat Enterprise Linux",
    "rocky": "Rocky Linux",
    "sles": "SUSE Linux Enterprise Server",
    "sles_sap": "SUSE Linux Enterprise Server",
    "solus": "Solus",
    "ubuntu": "Ubuntu",
    "ultramarine": "Ultramarine Linux",
    "void": "Void Linux",
    "zorin": "Zorin OS",
}

_MAC_VERSION_FILE = "/System/Library/CoreServices/SystemVersion.plist"
_OS_RELEASE_FILES = ("/etc/os-release", "/usr/lib/os-release")


def is_header_value(text: str) -> bool:
    """Whether this can be sent as the value of an HTTP header: no control characters but the tab (RFC 9110, 5.5)."""
    return all(
        (character >= " " and character != "\x7f" and not "\ud800" <= character <= "\udfff") or character == "\t"
        for character in text
    )


def originator(client_name: str, environ: "Mapping[str, str]" = os.environ) -> str:
    """The name under which requests are made: the client's, unless the environment says otherwise."""
    override = environ.get("CODEX_INTERNAL_ORIGINATOR_OVERRIDE")
    return override if override is not None and is_header_value(override) else client_name


def user_agent(client_name: str, client_version: str, environ: "Mapping[str, str]" = os.environ) -> str:
    """``<name>/<wire version> (<OS> <version>; <architecture>) <terminal> (<name>; <client version>)``.

    Always a header value: where the client's version is none, every character beyond printable ASCII becomes ``_``.

    :param client_name: has passed :func:`is_header_value`.
    """
    client = f"{client_name}; {client_version}".strip(_WHITE_SPACE)
    text = (
        f"{originator(client_name, environ)}/{WIRE_VERSION} ({os_description()}; {architecture()})"
        f" {terminal(environ)} ({client})"
    )
    if is_header_value(text):
        return text
    return "".join(character if " " <= character <= "~" else "_" for character in text)


def platform_family() -> str:
    """``unix`` or ``windows``."""
    return "windows" if os.name == "nt" else "unix"


def platform_os() -> str:
    """``linux``, ``macos``, ``windows``, or what Python calls any other system."""
    known = {"darwin": "macos", "win32": "windows", "cygwin": "windows"}
    return known.get(sys.platform, sys.platform.rstrip("0123456789"))


def architecture() -> str:
    """The machine's architecture, such as ``x86_64`` or ``arm64``."""
    if sys.platform == "win32":
        machine = os.environ.get("PROCESSOR_ARCHITEW6432") or os.environ.get("PROCESSOR_ARCHITECTURE") or "unknown"
        return {"AMD64": "x86_64", "ARM64": "aarch64", "x86": "i386"}.get(machine, machine)
    return os.uname().machine or "unknown"


def os_description() -> str:
    """Name and version of the operating system, such as ``Ubuntu 24.4.0`` or ``Mac OS 15.5.0``."""
    if sys.platform == "win32":
        version = sys.getwindowsversion()
        return f"Windows {version.major}.{version.minor}.{version.build}"
    if sys.platform == "darwin":
        return mac_description(_read(_MAC_VERSION_FILE))
    if sys.platform == "linux":
        return linux_description(next((text for text in map(_read, _OS_RELEASE_FILES) if text), ""))
    system = os.uname()
    return f"{system.sysname} {_three_numbers(system.release)}"


def linux_description(os_release: str) -> str:
    """As :func:`os_description`, from the text of os-release(5)."""
    values: dict[str, str] = {}
    for line in os_release.splitlines():
        key, separator, value = line.partition("=")
        if separator:
            values.setdefault(key, value.strip().strip("\"'").strip())
    name = _DISTRIBUTIONS.get(values.get("ID", ""))
    return f"{name} {_three_numbers(values.get('VERSION_ID', ''))}" if name else "Linux Unknown"


def mac_description(system_version_plist: str) -> str:
    """As :func:`os_description`, from the text of SystemVersion.plist."""
    _, _, after_key = system_version_plist.partition("<key>ProductVersion</key>")
    _, _, after_tag = after_key.partition("<string>")
    version, _, _ = after_tag.partition("</string>")
    return f"Mac OS {_three_numbers(version)}"


def terminal(environ: "Mapping[str, str]") -> str:
    """The terminal that the environment speaks of, with its version where known, else ``unknown``.

    The order decides, because terminals started from other terminals inherit their variables.
    """
    name, version = _terminal_and_version(environ)
    token = f"{name}/{version}" if version.strip() else name
    return "".join(character if character in _TERMINAL_CHARACTERS else "_" for character in token)


def _terminal_and_version(environ: "Mapping[str, str]") -> tuple[str, str]:
    program, term = environ.get("TERM_PROGRAM", ""), environ.get("TERM", "")
    # tmux is not the terminal that the user sees, and asking it which one is would take a subprocess.
    if program.strip() and program.strip().lower() != "tmux":
        return program, environ.get("TERM_PROGRAM_VERSION", "")
    candidates = (
        (bool(environ.get("GHOSTTY_RESOURCES_DIR")), "Ghostty", ""),
        ("WEZTERM_VERSION" in environ, "WezTerm", "WEZTERM_VERSION"),
        (
            any(name in environ for name in ("ITERM_SESSION_ID", "ITERM_PROFILE", "ITERM_PROFILE_NAME")),
            "iTerm.app",
            "",
        ),
        ("KITTY_WINDOW_ID" in environ or "kitty" in term, "kitty", ""),
        ("ALACRITTY_SOCKET" in environ or term == "alacritty", "Alacritty", ""),
        ("KONSOLE_VERSION" in environ, "Konsole", "KONSOLE_VERSION"),
        ("GNOME_TERMINAL_SCREEN" in environ, "gnome-terminal", ""),
        ("VTE_VERSION" in environ, "VTE", "VTE_VERSION"),
        ("WT_SESSION" in environ, "WindowsTerminal", ""),
        (bool(term.strip()), term, ""),
    )
    for present, name, version_variable in candidates:
        if present:
            return name, environ.get(version_variable, "")
    return "unknown", ""


def _three_numbers(version: str) -> str:
    """``24.04`` as ``24.4.0``; what is not one to three numbers stays as it is."""
    parts = version.split(".")
    if 1 <= len(parts) <= 3 and all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts):
        return ".".join([*(str(int(part)) for part in parts), "0", "0"][:3])
    return version or "Unknown"


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - pathlib costs 13 ms
            return file.read(64 * 1024)
    except OSError:
        return ""
