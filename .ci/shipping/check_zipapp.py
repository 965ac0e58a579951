"""``python -m shipping.check_zipapp FILE``: the single file works, and starts about as fast as an installed server.

Prints what it has seen; exit status 1, with a line on stderr, when something is not as it should be.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from shipping.zipapp.bootstrap import CACHE_VARIABLE

RUNNING: Final = 120
"""Seconds."""

STARTS: Final = 11

_LINES: Final = (
    b'{"id":0,"method":"initialize","params":{"clientInfo":{"name":"check","version":"1"}}}\n'
    b'{"id":1,"method":"account/read","params":{}}\n'
)


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m shipping.check_zipapp", description="Check app-server.pyz.")
    parser.add_argument("file", type=Path)
    file: Path = parser.parse_args().file.resolve()
    with tempfile.TemporaryDirectory(prefix="zipapp-") as directory:
        cache = Path(directory, "cache")
        environment = {**os.environ, "CODEX_HOME": str(Path(directory, "home")), CACHE_VARIABLE: str(cache)}
        command = [sys.executable, str(file)]
        try:
            first = start(command, directory, environment)
            later = statistics.median(start(command, directory, environment) for _ in range(STARTS))
            subprocess.run(
                [*command, "demo"], cwd=directory, env=environment, check=True, timeout=RUNNING, capture_output=True
            )
        except (subprocess.SubprocessError, ValueError) as error:
            sys.stderr.write(f"check_zipapp: {error}\n")
            return 1
        if len(list(cache.iterdir())) != 1:
            sys.stderr.write("check_zipapp: it was unpacked more than once, or left something behind\n")
            return 1
        unpacked = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    print(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB, unpacked {unpacked / 1e6:.0f} MB; the demo passed;")
    print(f"two requests and the end: {first * 1000:.0f} ms the first time, unpacking, then {later * 1000:.0f} ms")
    return 0


def start(command: list[str], directory: str, environment: dict[str, str]) -> float:
    """Seconds until a server has answered its second request and ended.

    :raises subprocess.SubprocessError: it failed, or took too long.
    :raises ValueError: it did not answer.
    """
    begun = time.perf_counter()
    ended = subprocess.run(
        command, input=_LINES, cwd=directory, env=environment, check=True, timeout=RUNNING, stdout=subprocess.PIPE
    )
    took = time.perf_counter() - begun
    if ended.stdout.count(b'"result"') != 2:
        raise ValueError(f"it answered {ended.stdout!r}")
    return took


if __name__ == "__main__":
    sys.exit(main())
