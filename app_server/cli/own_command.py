"""What starts this program once more, as a process of its own."""

import sys


def own_command() -> list[str]:
    """The beginning of an argument vector: this interpreter and the package, or the single file that this runs from
    (``make zipapp``), which no other interpreter can import.
    """
    archive: str | None = getattr(getattr(sys.modules["__main__"], "__loader__", None), "archive", None)
    return [sys.executable, archive] if archive is not None else [sys.executable, "-m", "app_server"]
