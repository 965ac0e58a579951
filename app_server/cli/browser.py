"""Opening the user's browser, which is a courtesy: whether it works or not, the URL has been printed."""

import os
import sys
from collections.abc import Mapping

from app_server.transport.blocking import BlockingCalls


def can_open(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> bool:
    """Whether there is a browser to open on this machine: one that the user has named, or one with a display.

    Without a display, the standard library would start a browser within the terminal that we write to.
    """
    if environ.get("BROWSER"):
        return True
    if platform in ("darwin", "win32", "cygwin"):
        return True
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


async def open_browser(url: str) -> None:
    """Open the URL; returns when the browser has taken it over, which for some is when they are closed.

    Never raises. Being cancelled leaves the browser alone, and nothing waits for it.
    """
    await BlockingCalls("browser").call(lambda: _open(url))


def _open(url: str) -> None:
    import webbrowser  # noqa: PLC0415 - it looks for browsers when it is imported

    try:
        webbrowser.open(url)
    except Exception:
        # Never fatal, whatever is installed here; the user has the URL.
        return
