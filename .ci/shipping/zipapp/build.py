"""``python -m shipping.zipapp.build WHEEL OUT``: a single file with the server and all that it requires.

It is for the interpreter and the system that build it: an editor that ships the server builds it for each of its own.
The same wheel and the same dependencies give the same file, byte for byte.
"""

import argparse
import compileall
import hashlib
import io
import py_compile
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from shipping.zipapp import bootstrap

INSTALLING: Final = 300
"""Seconds that pip has."""

_INTERPRETER: Final = b"#!/usr/bin/env python3\n"
_TIME: Final = (1980, 1, 1, 0, 0, 0)
_SUPERFLUOUS: Final = ("bin", "Scripts")


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m shipping.zipapp.build", description="Make app-server.pyz.")
    parser.add_argument("wheel", type=Path, help="the server")
    parser.add_argument("out", type=Path, help="the file to write")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zipapp-") as directory:
        install(arguments.wheel, Path(directory))
        build(Path(directory), arguments.wheel.name.split("-")[1], arguments.out)
    return 0


def install(wheel: Path, directory: Path) -> None:
    """Put the wheel and all that it requires into a directory, with byte code that no later start checks or writes.

    :raises subprocess.SubprocessError: pip failed, or took too long.
    """
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--no-compile", "--only-binary", ":all:", "--target", str(directory), str(wheel)],
        check=True,
        timeout=INSTALLING,
    )
    compileall.compile_dir(
        directory,
        quiet=2,
        stripdir=str(directory),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def build(directory: Path, version: str, out: Path) -> None:
    """Write the file.

    :param directory: what it is to hold.
    :param version: that of the server.
    """
    contents = io.BytesIO()
    with zipfile.ZipFile(contents, "w") as archive:
        for path in sorted(directory.rglob("*")):
            name = path.relative_to(directory)
            if path.is_file() and name.parts[0] not in _SUPERFLUOUS:
                _add(archive, name.as_posix(), path.read_bytes())
    payload = contents.getvalue()
    text = Path(bootstrap.__file__).read_text(encoding="utf-8")
    for placeholder, value in {
        "@name@": f"{version}-{hashlib.sha256(payload).hexdigest()[:16]}",
        "@built_for@": bootstrap.this_place(),
    }.items():
        text = text.replace(placeholder, value)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("wb") as file:
        file.write(_INTERPRETER)
        with zipfile.ZipFile(file, "w") as archive:
            _add(archive, "__main__.py", text.encode())
            # As it is: its members are compressed, and a directory of one member is read faster than one of hundreds.
            _add(archive, bootstrap.PAYLOAD, payload, zipfile.ZIP_STORED)
    out.chmod(0o755)


def _add(archive: zipfile.ZipFile, name: str, data: bytes, compression: int = zipfile.ZIP_DEFLATED) -> None:
    member = zipfile.ZipInfo(name, _TIME)
    member.compress_type = compression
    member.external_attr = 0o644 << 16
    archive.writestr(member, data)


if __name__ == "__main__":
    sys.exit(main())
