"""``python -m shipping.check_dist DIST``: what was built is whole, and works where nothing else is installed.

The wheel goes into a virtual environment of its own, where the server tells its version and gives its demonstration.
Prints what it has seen; exit status 1, with a line on stderr, when something is not as it should be.
"""

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from pathlib import Path
from typing import Final

INSTALLING: Final = 300
RUNNING: Final = 120
"""Seconds."""

_IN_WHEEL: Final = (
    "app_server/py.typed",
    "protocol/py.typed",
    "app_server/__main__.py",
    "app_server/testing/plugin.py",
)
_IN_SDIST: Final = (
    ".ci/run", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "examples/README.md",
    "protocol/py.typed", "pyproject.toml", "schema/ts/index.ts", "tests/conftest.py", ".ci/shipping/check_dist.py",
)  # fmt: skip
_MEGABYTE: Final = 1_000_000


class Unfit(Exception):
    """Something is not as it should be; the text says what."""


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m shipping.check_dist", description="Check what was built.")
    parser.add_argument("dist", type=Path, help="the directory with one wheel and one sdist")
    dist: Path = parser.parse_args().dist
    try:
        version = _version(Path("app_server/version.py").read_text(encoding="utf-8"))
        wheel, sdist = dist / f"app_server-{version}-py3-none-any.whl", dist / f"app_server-{version}.tar.gz"
        check_wheel(wheel)
        check_sdist(sdist)
        with tempfile.TemporaryDirectory(prefix="clean-") as directory:
            check_installed(wheel, version, Path(directory))
    except (Unfit, OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"check_dist: {error}\n")
        return 1
    return 0


def check_wheel(wheel: Path) -> None:
    """Everything that runs is in it, and nothing else.

    :raises Unfit: it is not so.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    _expect(wheel, names, _IN_WHEEL)
    strange = {name for name in names if not re.match(r"(app_server|protocol|app_server-[^/]+\.dist-info)/", name)}
    strange |= {name for name in names if name.endswith(".pyc")}
    if strange:
        raise Unfit(f"{wheel.name} has what does not belong there: {', '.join(sorted(strange))}")


def check_sdist(sdist: Path) -> None:
    """Everything that is needed to build, test and understand it is in it.

    :raises Unfit: it is not so.
    """
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    _expect(sdist, names, _IN_SDIST)


def check_installed(wheel: Path, version: str, directory: Path) -> None:
    """Install it where nothing else is, and run it.

    :raises Unfit: it does not do what it should.
    :raises subprocess.SubprocessError: a program failed or took too long.
    """
    venv.create(directory / "venv", with_pip=True)
    scripts = directory / "venv" / ("Scripts" if os.name == "nt" else "bin")
    before = _size(directory)
    pip = [str(scripts / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    started = time.monotonic()
    subprocess.run([*pip, str(wheel)], check=True, timeout=INSTALLING)
    installing, size = time.monotonic() - started, _size(directory) - before
    told = _run(scripts, directory, "--version")
    if f"app-server {version} " not in told:
        raise Unfit(f"--version says {told.strip()!r}")
    started = time.monotonic()
    _run(scripts, directory, "demo")
    demo = time.monotonic() - started
    print(f"{wheel.name}: {_size(wheel) / _MEGABYTE:.1f} MB; installed in {installing:.0f} s with what it requires:")
    print(f"{size / _MEGABYTE:.0f} MB; {told.strip()}; the demo passed in {demo:.1f} s")


def _run(scripts: Path, directory: Path, argument: str) -> str:
    """What the installed command says, in a home of its own and from a directory that is no checkout."""
    ended = subprocess.run(
        [str(scripts / "app-server"), argument],
        cwd=directory,
        env={**os.environ, "CODEX_HOME": str(directory / "home")},
        capture_output=True,
        text=True,
        timeout=RUNNING,
        check=False,
    )
    if ended.returncode:
        raise Unfit(f"app-server {argument} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return ended.stdout


def _version(text: str) -> str:
    match = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if match is None:
        raise Unfit("app_server/version.py tells no version")
    return match[1]


def _expect(path: Path, names: set[str], expected: tuple[str, ...]) -> None:
    if missing := [name for name in expected if name not in names]:
        raise Unfit(f"{path.name} lacks {', '.join(missing)}")


def _size(path: Path) -> int:
    """Bytes of a file, or of all files below a directory."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.lstat().st_size for file in files if file.is_file())


if __name__ == "__main__":
    sys.exit(main())
