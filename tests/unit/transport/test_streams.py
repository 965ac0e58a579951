"""The standard streams of a process, taken over at its start; in processes of their own, for they cannot share ours."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uses a POSIX shell to close descriptors")

CLAIM = """
import json, os, subprocess, sys
from app_server.transport.streams import claim_standard_streams

def what(fd):
    status = os.fstat(fd)
    null = os.stat(os.devnull)
    return "null" if status.st_rdev == null.st_rdev and status.st_ino == null.st_ino else status.st_ino

before = {}
for fd in (0, 1, 2):
    try:
        before[fd] = what(fd)
    except OSError:
        before[fd] = "closed"

stdin, stdout = claim_standard_streams()
report = {
    "before": before,
    "fds": [stdin, stdout],
    "stdin": what(stdin),
    "stdout": what(stdout),
    "after": {fd: what(fd) for fd in (0, 1, 2)},
    "inherited": [fd for fd in (0, 1, 2, stdin, stdout) if os.get_inheritable(fd)],
    "next": os.open(os.devnull, os.O_RDONLY),
}
print("stray print", flush=True)
os.write(1, b"stray write\\n")
subprocess.run(["/bin/sh", "-c", "echo stray child"], check=True)
report["read by others"] = os.read(0, 100).decode()
os.write(stdout, b"wire:" + os.read(stdin, 100))
with open(sys.argv[1], "w") as file:
    json.dump(report, file)
"""


Outcome = tuple[dict[str, Any], bytes, bytes]
"""The script's report, its stdout and its stderr."""

Claim = Callable[[str], Outcome]


@pytest.fixture(scope="module")
def claim(tmp_path_factory: pytest.TempPathFactory) -> Claim:
    """Run the script with some streams closed, once for each way of closing them."""
    home = tmp_path_factory.mktemp("claim")
    script = home / "claim.py"
    script.write_text(CLAIM)

    @cache
    def run(closed: str) -> Outcome:
        report = home / "report.json"
        ended = subprocess.run(
            ["/bin/sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, str(script), str(report)],
            input=b"question",
            capture_output=True,
            timeout=20,
            check=False,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        assert ended.returncode == 0, ended.stderr
        return json.loads(report.read_text()), ended.stdout, ended.stderr

    return run


def test_the_wire_belongs_to_the_transport_and_whatever_else_is_written_goes_to_stderr(claim: Claim) -> None:
    report, stdout, stderr = claim("")

    assert stdout == b"wire:question"
    assert stderr.decode().splitlines() == ["stray print", "stray write", "stray child"]
    assert report["read by others"] == ""
    assert report["stdin"] == report["before"]["0"]
    assert report["stdout"] == report["before"]["1"]
    assert report["after"] == {"0": "null", "1": report["before"]["2"], "2": report["before"]["2"]}


CLOSED = ["", "<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"]


@pytest.mark.parametrize("closed", CLOSED)
def test_the_duplicates_are_private_and_no_standard_descriptor_is_left_free(claim: Claim, closed: str) -> None:
    report, _, _ = claim(closed)

    assert min(report["fds"]) > 2
    assert len(set(report["fds"])) == 2
    assert 2 < report["next"] < min(report["fds"])
    assert report["inherited"] == [0, 1, 2]


@pytest.mark.parametrize("closed", [case for case in CLOSED if "<&-" in case])
def test_a_closed_stdin_is_an_end_of_input(claim: Claim, closed: str) -> None:
    report, stdout, _ = claim(closed)

    assert report["stdin"] == "null"
    assert stdout in (b"wire:", b"")


@pytest.mark.parametrize("closed", [case for case in CLOSED if ">&-" in case.replace("2>&-", "")])
def test_what_is_written_to_a_closed_stdout_is_lost_and_goes_nowhere_else(claim: Claim, closed: str) -> None:
    report, stdout, stderr = claim(closed)

    assert report["stdout"] == "null"
    assert b"wire" not in stdout + stderr


@pytest.mark.parametrize("closed", [case for case in CLOSED if "2>&-" in case])
def test_without_stderr_stray_output_is_lost_and_goes_nowhere_else(claim: Claim, closed: str) -> None:
    report, stdout, stderr = claim(closed)

    assert report["after"] == {"0": "null", "1": "null", "2": "null"}
    assert b"stray" not in stdout + stderr
