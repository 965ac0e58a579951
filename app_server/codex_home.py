"""Where this program keeps its files: ``CODEX_HOME``. Nothing else, because the very first answer waits for this.

Reading ``config.toml`` there is ``config``; creating and writing files there is ``auth.stores``.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def codex_home(environ: "Mapping[str, str]") -> str:
    """The absolute path of ``CODEX_HOME``, else of ``~/.codex``; it need not exist.

    Symbolic links in ``CODEX_HOME`` are resolved and those of the default are not, as in the reference, because both
    programs tell clients this path.
    """
    configured = environ.get("CODEX_HOME")
    if configured:
        return os.path.realpath(configured)
    return os.path.join(os.path.abspath(_user_home(environ)), ".codex")  # noqa: PTH100, PTH118 - pathlib costs 13 ms


def as_text(path: str) -> str:
    """A path as clients are told it: a byte that is not UTF-8, which a message cannot hold, becomes U+FFFD."""
    return path if path.isascii() else os.fsencode(path).decode(errors="replace")


def _user_home(environ: "Mapping[str, str]") -> str:
    home = environ.get("USERPROFILE" if os.name == "nt" else "HOME")
    if home:
        return home
    try:
        import pwd  # noqa: PLC0415 - hardly ever needed, and not there on Windows

        return pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        # A container's arbitrary uid has no entry; container runtimes then say HOME=/, so that is the convention.
        return os.sep
