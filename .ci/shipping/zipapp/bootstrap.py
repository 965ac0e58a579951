"""``__main__`` of ``app-server.pyz``: unpacks what is in the file, once, and runs it from there.

orjson and pydantic-core are native, and no system loads native code out of an archive. So the file holds one member
with everything in it, which the first start unpacks into a directory of the user's that is named after its contents;
later starts find it there, and cost what a start of an installed server costs. ``build`` fills in the constants.

Nothing is imported that a start of the server does not need anyway.
"""

import os
import sys

NAME = "@name@"
"""Names the contents: the version and the beginning of their SHA-256."""

BUILT_FOR = "@built_for@"
"""The interpreter and the system whose native code is in the file, as :func:`this_place` has them."""

PAYLOAD = "payload.zip"

CACHE_VARIABLE = "APP_SERVER_ZIPAPP_CACHE"
"""The directory to unpack into, for whoever cannot have it in the user's cache."""


def this_place() -> str:
    """The interpreter and the system that run this."""
    machine = os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", "")
    return f"{sys.implementation.cache_tag} on {sys.platform} {machine}"


def cache_directory() -> str:
    """Where this user's programs keep what they can make anew."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return chosen
    if sys.platform == "win32":
        parent = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~")
    elif sys.platform == "darwin":
        parent = os.path.expanduser("~/Library/Caches")
    else:
        parent = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(parent, "app-server")


def unpack(archive: str, target: str) -> None:
    """Make ``target`` whole or not at all, whoever else is at it at the same time.

    :raises OSError: it cannot be written.
    """
    import shutil
    import tempfile
    import zipfile

    parent = os.path.dirname(target)
    os.makedirs(parent, mode=0o700, exist_ok=True)
    part = tempfile.mkdtemp(prefix=f"{os.path.basename(target)}.part-", dir=parent)
    try:
        with zipfile.ZipFile(archive) as outer, outer.open(PAYLOAD) as payload, zipfile.ZipFile(payload) as inner:
            inner.extractall(part)
        os.rename(part, target)
    except OSError:
        if not os.path.isdir(target):  # else somebody else was faster
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def main() -> int:
    """Run the server, or say in one line on stderr why that is impossible."""
    if this_place() != BUILT_FOR:
        sys.stderr.write(f"app-server: this file was made for {BUILT_FOR}, and this is {this_place()}\n")
        return 1
    archive = sys.path[0]
    target = os.path.join(cache_directory(), NAME)
    if not os.path.isdir(target):
        try:
            unpack(archive, target)
        except OSError as error:
            sys.stderr.write(f"app-server: cannot unpack into {target}: {error.strerror}; see {CACHE_VARIABLE}\n")
            return 1
    sys.path[0] = target
    from app_server.__main__ import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
